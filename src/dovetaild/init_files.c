/* SPDX-License-Identifier: Apache-2.0 */
/* Folders and files of a new data folder. */
#include "dovetaild/files.h"
#include "dovetaild/init_priv.h"
#include "dovetaild/policy.h"
#include "pki/key.h"
#include "wire/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum dvt_code
below(struct init *i, const char *path, mode_t mode, struct dvt_err *err)
{
	char full[1200];

	snprintf(full, sizeof(full), "%s/%s", i->dir, path);
	return folder_make(full, mode, err);
}

/* The first one also says whose the folder is, of two inits at once. */
static enum dvt_code
begin(struct init *i, struct dvt_err *err)
{
	char full[1200];

	snprintf(full, sizeof(full), "%s/db", i->dir);
	if (mkdir(full, 0700) == 0) {
		i->begun = true;
		return DVT_OK;
	}
	if (errno == EEXIST)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "%s: another init fills this folder", i->dir);
	return dvt_fail_errno(err, "%s", full);
}

static enum dvt_code
make_dir(struct init *i, struct dvt_err *err)
{
	char *full;
	enum dvt_code rc;

	i->dir_made = access(i->options.dir, F_OK) != 0;
	if ((rc = folder_make(i->options.dir, 0750, err)) != DVT_OK)
		return rc;
	full = realpath(i->options.dir, NULL);
	if (full == NULL || dvt_copy_str(i->dir, sizeof(i->dir), full) != 0)
		rc = dvt_fail_errno(err, "%s", i->options.dir);
	free(full);
	return rc;
}

enum dvt_code
init_layout(struct init *i, struct dvt_err *err)
{
	static const char *const folders[] = {
	    "keys", "front", "offline", "public", "run"};
	char path[64];
	enum dvt_code rc;

	if ((rc = make_dir(i, err)) != DVT_OK || (rc = begin(i, err)) != DVT_OK)
		return rc;
	for (size_t k = 0; k < DVT_COUNT(folders); k++) {
		bool open = strcmp(folders[k], "public") == 0 ||
			    strcmp(folders[k], "run") == 0;

		rc = below(i, folders[k], open ? 0755 : 0700, err);
		if (rc != DVT_OK)
			return rc;
	}
	for (int64_t k = 1; k <= i->options.fronts; k++) {
		snprintf(path, sizeof(path), "front/%d", (int)k);
		if ((rc = below(i, path, 0700, err)) != DVT_OK)
			return rc;
	}
	return DVT_OK;
}

/* --- dovetail.ini --- */

static void
put_list(struct dvt_buf *out, const char *const *items, size_t n)
{
	for (size_t k = 0; k < n; k++)
		dvt_buf_printf(out, "%s%s", k == 0 ? "" : " ", items[k]);
}

/* The value of one setting as init was told it; NULL: the default. */
static const char *
told(struct init *i, const char *key, struct dvt_buf *room)
{
	const struct init_options *o = &i->options;

	dvt_buf_reset(room);
	for (size_t k = 0; k < o->set_n; k++) {
		size_t n = strlen(key);

		if (strncmp(o->set[k], key, n) == 0 && o->set[k][n] == '=')
			return o->set[k] + n + 1;
	}
	if (strcmp(key, "device.listen") == 0)
		return o->listen;
	if (strcmp(key, "edge.next") == 0)
		return o->next_name;
	if (strcmp(key, "edge.trial") == 0)
		return o->trial_name;
	if (strcmp(key, "signer.unlock") == 0)
		return o->unlock;
	if (strcmp(key, "user") == 0)
		return o->user;
	if (strcmp(key, "edge.names") == 0)
		put_list(room, o->edge_name, o->edge_n);
	else if (strcmp(key, "est.names") == 0)
		put_list(room, o->front_name, o->front_n);
	else if (strcmp(key, "fronts") == 0)
		dvt_buf_printf(room, "%d", (int)o->fronts);
	else if (strncmp(key, "checkin.", 8) == 0 && o->checkin_s > 0)
		dvt_buf_printf(room, "%ds", (int)o->checkin_s);
	return room->n == 0 ? NULL : dvt_buf_str(room);
}

/* The sample comments everything out; what was told counts. */
static void
uncomment(struct dvt_buf *text, const char *key)
{
	struct dvt_buf line;
	uint8_t *at;

	dvt_buf_init(&line, 256);
	dvt_buf_printf(&line, "\n#%s =", key);
	at = memmem(text->p, text->n, line.p, line.n);
	if (at != NULL) {
		at++;
		memmove(at, at + 1, text->n - (size_t)(at - text->p) - 1);
		text->n--;
	}
	dvt_buf_fini(&line);
}

/* What the settings table says when @i's words take the defaults' places. */
static void
settings_text(struct init *i, struct dvt_buf *text)
{
	struct dvt_setting *table = dvt_alloc_array(
	    settings_count, sizeof(*table));
	struct dvt_arena arena = {NULL};
	struct dvt_buf room;

	dvt_buf_init(&room, 8192);
	memcpy(table, settings_table, settings_count * sizeof(*table));
	for (size_t k = 0; k < settings_count; k++) {
		const char *value = told(i, table[k].key, &room);

		if (value != NULL)
			table[k].dflt = dvt_arena_strdup(&arena, value);
	}
	dvt_buf_puts(text,
	    "# Settings of dovetaild. Check them with: dovetaild -n --config "
	    "THIS-FILE\n\n");
	dvt_settings_sample(table, settings_count, text);
	for (size_t k = 0; k < settings_count; k++) {
		if (table[k].dflt != settings_table[k].dflt)
			uncomment(text, table[k].key);
	}
	dvt_arena_free(&arena);
	dvt_buf_fini(&room);
	free(table);
}

enum dvt_code
init_settings(struct init *i, struct dvt_err *err)
{
	struct dvt_config *check = NULL;
	enum dvt_code rc;

	settings_text(i, &i->settings);
	rc = dvt_config_parse(settings_table, settings_count,
	    dvt_buf_span(&i->settings), DIR_SETTINGS, &check, err);
	for (size_t k = 0; rc == DVT_OK && k < i->options.set_n; k++)
		rc = dvt_config_set(check, i->options.set[k], err);
	if (rc == DVT_OK && (rc = settings_check(check, err)) == DVT_OK)
		rc = policy_trust_list(
		    dvt_config_text(check, POLICY_TRUST_LIST), &i->trust_list,
		    err);
	dvt_config_free(check);
	return rc;
}

enum dvt_code
init_settings_out(struct init *i, struct dvt_err *err)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/%s", i->dir, DIR_SETTINGS);
	return file_write(path, dvt_buf_span(&i->settings), 0640, err);
}

/* --- keys and certificates --- */

static enum dvt_code
write_key(
    struct init *i, const char *path, const EVP_PKEY *key, struct dvt_err *err)
{
	char full[1200];
	struct dvt_buf pem;
	enum dvt_code rc;

	snprintf(full, sizeof(full), "%s/%s", i->dir, path);
	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	rc = dvt_key_to_pem(key, &pem, err);
	if (rc == DVT_OK)
		rc = file_write(full, dvt_buf_span(&pem), 0600, err);
	dvt_buf_cleanse(&pem);
	return rc;
}

static enum dvt_code
write_root(struct init *i, struct dvt_err *err)
{
	char full[1200];
	struct dvt_buf pem;
	enum dvt_code rc;

	snprintf(full, sizeof(full), "%s/%s", i->dir, DIR_ROOT_PEM);
	dvt_buf_init(&pem, DVT_CERT_PEM_MAX);
	rc = dvt_x509_to_pem(i->authority[0].cert, &pem, err);
	if (rc == DVT_OK)
		rc = file_write(full, dvt_buf_span(&pem), 0644, err);
	dvt_buf_fini(&pem);
	return rc;
}

/* What a device is given, so that it need not pin the keys it hears of. */
static enum dvt_code
write_trust_keys(struct init *i, struct dvt_err *err)
{
	char full[1200];
	struct dvt_buf pem;
	enum dvt_code rc = DVT_OK;

	snprintf(full, sizeof(full), "%s/%s", i->dir, DIR_TRUST_PEM);
	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	for (int k = 0; rc == DVT_OK && k < INIT_ROOT_KEYS; k++)
		rc = dvt_key_public_to_pem(i->root_key[k], &pem, err);
	if (rc == DVT_OK)
		rc = file_write(full, dvt_buf_span(&pem), 0644, err);
	dvt_buf_fini(&pem);
	return rc;
}

static enum dvt_code
write_front(struct init *i, int64_t k, struct dvt_err *err)
{
	const struct init_front *f = &i->front[k];
	char path[1200];
	enum dvt_code rc;

	snprintf(path, sizeof(path), "%s/front/%d/key.pem", i->dir, (int)k + 1);
	rc = file_write(path, dvt_buf_span(&f->key_pem), 0600, err);
	if (rc != DVT_OK)
		return rc;
	snprintf(
	    path, sizeof(path), "%s/front/%d/chain.pem", i->dir, (int)k + 1);
	return file_write(path, dvt_buf_span(&f->chain_pem), 0644, err);
}

enum dvt_code
init_keys_out(struct init *i, struct dvt_err *err)
{
	char path[64];
	enum dvt_code rc = write_root(i, err);

	if (rc == DVT_OK)
		rc = write_trust_keys(i, err);
	for (int k = 0; rc == DVT_OK && k < INIT_ROOT_KEYS; k++) {
		snprintf(
		    path, sizeof(path), "offline/trust-root-%d.pem", k + 1);
		rc = write_key(i, path, i->root_key[k], err);
		EVP_PKEY_free(i->root_key[k]); /* gone from this host */
		i->root_key[k] = NULL;
	}
	for (int64_t k = 0; rc == DVT_OK && k < i->options.fronts; k++)
		rc = write_front(i, k, err);
	if (rc == DVT_OK && i->options.root_offline)
		rc = write_key(i, "offline/root-ca.key.pem",
		    signer_key(i->signer, INIT_ROOT_ID), err);
	return rc;
}

enum dvt_code
init_tokens_out(struct init *i, struct dvt_err *err)
{
	struct dvt_buf text;
	json_t *json;
	enum dvt_code rc;

	if (i->options.tokens == NULL)
		return DVT_OK;
	json = json_object();
	for (int k = 0; k < 3; k++)
		(void)json_object_set_new(
		    json, init_token_names[k], json_string(i->token[k]));
	dvt_buf_init(&text, 4096);
	dvt_json_put(&text, json);
	dvt_buf_putc(&text, '\n');
	rc = file_write(i->options.tokens, dvt_buf_span(&text), 0600, err);
	dvt_buf_cleanse(&text);
	json_decref(json);
	return rc;
}
