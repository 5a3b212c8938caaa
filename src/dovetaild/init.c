/* SPDX-License-Identifier: Apache-2.0 */
/* `dovetaild --init DIR`: a new data folder, or none. */
#include "base/clock.h"
#include "base/log.h"
#include "dovetaild/init_priv.h"
#include "dovetaild/unlock.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum dvt_code
make_signer(struct init *i, struct dvt_err *err)
{
	struct dvt_secret secret = {NULL, 0};
	enum dvt_code rc;

	rc = unlock_make(i->dir, i->options.unlock, &secret, err);
	if (rc == DVT_OK)
		rc = signer_new(&secret, &i->signer, err);
	dvt_secret_free(&secret);
	return rc;
}

static enum dvt_code
run(struct init *i, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = init_user(i, err)) != DVT_OK ||
	    (rc = init_settings(i, err)) != DVT_OK ||
	    (rc = init_layout(i, err)) != DVT_OK ||
	    (rc = init_settings_out(i, err)) != DVT_OK ||
	    (rc = make_signer(i, err)) != DVT_OK ||
	    (rc = init_authorities(i, err)) != DVT_OK ||
	    (rc = init_profiles(i, err)) != DVT_OK ||
	    (rc = init_fronts(i, err)) != DVT_OK ||
	    (rc = init_trust(i, err)) != DVT_OK ||
	    (rc = init_keys_out(i, err)) != DVT_OK ||
	    (rc = init_rows(i, err)) != DVT_OK ||
	    (rc = init_hand_over(i, err)) != DVT_OK)
		return rc;
	return init_tokens_out(i, err);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind;
	if (where->level > 0)
		(void)remove(path);
	return 0;
}

/* The folder was empty: all that is in it now was made in vain. */
static void
undo(struct init *i)
{
	if (i->begun)
		(void)nftw(
		    i->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (i->dir_made)
		(void)rmdir(i->dir);
}

static void
show(const struct init *i)
{
	printf("Fleet %s is ready in %s\n\n", i->options.fleet, i->dir);
	printf("  root CA        %s/%s\n", i->dir, DIR_ROOT_PEM);
	printf("  for devices    %s/%s  (enroll --trust-key)\n", i->dir,
	    DIR_TRUST_PEM);
	printf("  settings       %s/%s\n", i->dir, DIR_SETTINGS);
	if (i->options.user != NULL)
		printf("  account        %s\n", i->options.user);
	printf("  to take away   %s/offline/  (keys that name signing keys: "
	       "2 of 3 are needed; this program has forgotten them)\n\n",
	    i->dir);
	puts("Tokens, shown once; what is kept is their SHA-256:");
	for (int k = 0; k < 3; k++)
		printf("  %-9s %s\n", init_token_names[k], i->token[k]);
	printf("\nStart it: dovetaild --config %s/%s\n", i->dir, DIR_SETTINGS);
}

static void
fini(struct init *i)
{
	for (int k = 0; k < INIT_AUTHORITIES; k++) {
		X509_free(i->authority[k].cert);
		signer_out_fini(&i->authority[k].out);
	}
	for (int k = 0; k < INIT_ROOT_KEYS; k++)
		EVP_PKEY_free(i->root_key[k]);
	EVP_PKEY_free(i->online_key);
	dvt_buf_fini(&i->settings);
	dvt_buf_fini(&i->trust_list);
	dvt_buf_fini(&i->online_wrapped);
	dvt_buf_fini(&i->bundle_line);
	dvt_bundle_fini(&i->bundle);
	for (int k = 0; k < DVT_FRONTS_MAX; k++) {
		dvt_buf_cleanse(&i->front[k].key_pem);
		dvt_buf_fini(&i->front[k].der);
		dvt_buf_fini(&i->front[k].chain_pem);
	}
	signer_free(i->signer);
	dvt_cleanse(i, sizeof(*i));
	free(i);
}

int
init_main(int argc, char **argv)
{
	struct init *i = dvt_alloc(sizeof(*i));
	struct dvt_err err = {0};
	enum dvt_code rc;

	dvt_log_init("init", LOG_WARNING, 0);
	i->now = dvt_time_now().wall_s;
	dvt_buf_init(&i->settings, 1 << 16);
	dvt_buf_init(&i->trust_list, DVT_TRUST_LIST_BYTES);
	rc = init_arguments(argc, argv, &i->options, &err);
	if (rc == DVT_OK)
		rc = run(i, &err);
	if (rc == DVT_OK)
		show(i);
	else {
		undo(i);
		fprintf(stderr, "dovetaild --init: %s\n", err.text);
	}
	fini(i);
	return dvt_code_exit(rc);
}
