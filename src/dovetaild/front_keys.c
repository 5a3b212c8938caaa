/* SPDX-License-Identifier: Apache-2.0 */
/* A front's own private keys: made here, kept in its folder, never told. */
#include "base/file.h"
#include "base/log.h"
#include "dovetaild/files.h"
#include "dovetaild/front_priv.h"
#include "pki/fastec.h"
#include "pki/key.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SUFFIX ".key.pem"

static enum dvt_code
take(struct front *f, const char *order, EVP_PKEY *key, struct dvt_err *err)
{
	struct front_key *k = &f->key[f->key_n];
	enum dvt_code rc;

	if (f->key_n == FRONT_KEYS_MAX) {
		rc = dvt_fail(
		    err, DVT_E_LIMIT, "over %d own keys", FRONT_KEYS_MAX);
		EVP_PKEY_free(key);
		return rc;
	}
	if ((rc = dvt_key_digest(key, k->digest, err)) != DVT_OK) {
		EVP_PKEY_free(key);
		return rc;
	}
	(void)dvt_copy_str(k->order, sizeof(k->order), order);
	k->key = key;
	k->needed_ms = dvt_loop_time(f->loop).mono_ms;
	f->key_n++;
	return DVT_OK;
}

static enum dvt_code
load(struct front *f, const char *name, const char *order, struct dvt_err *err)
{
	EVP_PKEY *key = NULL;
	struct dvt_buf pem;
	char path[1600];
	enum dvt_code rc;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	if ((rc = dvt_read_regular(path, &pem, err)) == DVT_OK &&
	    (rc = dvt_key_from_pem(dvt_buf_span(&pem), &key, err)) == DVT_OK)
		rc = take(f, order, key, err);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "%s", path);
	dvt_buf_cleanse(&pem);
	return rc;
}

enum dvt_code
front_keys_load(struct front *f, struct dvt_err *err)
{
	struct dirent *e;
	DIR *dir = opendir(f->folder);
	enum dvt_code rc;

	if (dir == NULL)
		return dvt_fail_errno(err, "%s", f->folder);
	rc = load(f, "key.pem", "", err);
	if (rc == DVT_E_ABSENT)
		rc = DVT_OK;
	while (rc == DVT_OK && (e = readdir(dir)) != NULL) {
		char order[DVT_NAME_MAX + 1];
		size_t n = strlen(e->d_name), suffix = sizeof(SUFFIX) - 1;

		if (n <= suffix || n - suffix > DVT_NAME_MAX ||
		    strcmp(e->d_name + n - suffix, SUFFIX) != 0)
			continue;
		snprintf(
		    order, sizeof(order), "%.*s", (int)(n - suffix), e->d_name);
		rc = load(f, e->d_name, order, err);
	}
	closedir(dir);
	return rc;
}

EVP_PKEY *
front_key_find(void *front, const char *digest)
{
	struct front *f = front;

	for (size_t i = 0; i < f->key_n; i++) {
		if (strcmp(f->key[i].digest, digest) == 0)
			return f->key[i].key;
	}
	return NULL;
}

/* An order's id becomes a file name: only what is harmless there. */
static bool
is_plain(const char *order)
{
	if (order[0] == '\0' || order[0] == '.')
		return false;
	for (; *order != '\0'; order++) {
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"
			   "Z0123456789-_.",
			*order) == NULL)
			return false;
	}
	return true;
}

/* Keys cannot be made while the fast decoding is on (pki/fastec.h). */
static enum dvt_code
make(EVP_PKEY **out, struct dvt_err *err)
{
	bool fast = dvt_fastec_on();
	enum dvt_code rc;

	if (fast)
		dvt_fastec_disable();
	rc = dvt_key_new(DVT_KEY_P256, 0, out, err);
	if (fast && dvt_fastec_enable(NULL) != DVT_OK)
		log_event(LOG_WARNING, "front.fast-decoding.lost");
	return rc;
}

enum dvt_code
front_key_make(
    struct front *f, const char *order, EVP_PKEY **out, struct dvt_err *err)
{
	char path[1600];
	struct dvt_buf pem;
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	*out = NULL;
	if (!is_plain(order))
		return dvt_fail(err, DVT_E_INPUT, "order \"%.40s\"", order);
	for (size_t i = 0; i < f->key_n; i++) {
		if (strcmp(f->key[i].order, order) == 0) {
			*out = f->key[i].key;
			return DVT_OK;
		}
	}
	snprintf(path, sizeof(path), "%s/%s%s", f->folder, order, SUFFIX);
	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	if ((rc = make(&key, err)) != DVT_OK ||
	    (rc = dvt_key_to_pem(key, &pem, err)) != DVT_OK ||
	    (rc = file_write(path, dvt_buf_span(&pem), 0600, err)) != DVT_OK)
		EVP_PKEY_free(key);
	else if ((rc = take(f, order, key, err)) == DVT_OK)
		*out = key;
	dvt_buf_cleanse(&pem);
	return rc;
}

/* --- no longer needed --- */

static bool
is_needed(const struct front *f, const struct front_key *k)
{
	const struct dvt_feed_entry *e = NULL;

	while ((e = dvt_feed_next(f->feed, DVT_FEED_CREDENTIAL, e)) != NULL)
		if (strcmp(e->u.credential.key_digest, k->digest) == 0)
			return true;
	while ((e = dvt_feed_next(f->feed, DVT_FEED_CSR, e)) != NULL)
		if (strcmp(e->u.csr.order, k->order) == 0)
			return true;
	return false;
}

static void
wipe(struct front *f, size_t at)
{
	struct front_key *k = &f->key[at];
	char path[1600];

	if (k->order[0] == '\0')
		snprintf(path, sizeof(path), "%s/key.pem", f->folder);
	else
		snprintf(
		    path, sizeof(path), "%s/%s%s", f->folder, k->order, SUFFIX);
	if (unlink(path) != 0 && errno != ENOENT) {
		log_event(LOG_ERR, "front.key.wipe.failed", LS("path", path),
		    LS("error", strerror(errno)));
		return;
	}
	log_event(LOG_NOTICE, "front.key.wiped", LS("digest", k->digest),
	    LS("order", k->order));
	EVP_PKEY_free(k->key);
	f->key[at] = f->key[--f->key_n];
}

void
front_keys_prune(struct front *f)
{
	int64_t now = dvt_loop_time(f->loop).mono_ms;
	int64_t hold = dvt_config_int(f->program->config, "front.keyHold");

	for (size_t i = f->key_n; i-- > 0;) {
		if (is_needed(f, &f->key[i]))
			f->key[i].needed_ms = now;
		else if (now - f->key[i].needed_ms >= hold * 1000)
			wipe(f, i);
	}
}
