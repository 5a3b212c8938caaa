/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials on the disk: see generation.h. */
#include "device/generation.h"

#include "base/mem.h"
#include "durable/atomic.h"
#include "pki/x509.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DIR      DVT_GENERATIONS_DIR
#define META_MAX 4096 /* bytes of meta.json */
#define CURRENT  "current"
#define BAD      "current.bad"
#define HIGHEST  900000000000000 /* fifteen digits, as to_number() takes */

typedef char path_text[DVT_FS_PATH_MAX + 1];
typedef char number_text[24];

static const char *
file_of(int64_t number, const char *name, path_text out)
{
	(void)snprintf(
	    out, sizeof(path_text), DIR "/%" PRId64 "/%s", number, name);
	return out;
}

static const char *
dir_of(int64_t number, path_text out)
{
	(void)snprintf(out, sizeof(path_text), DIR "/%" PRId64, number);
	return out;
}

void
dvt_generation_key_uri(int64_t number, char out[DVT_KEY_URI_MAX + 1])
{
	(void)snprintf(out, DVT_KEY_URI_MAX + 1,
	    "file:" DIR "/%" PRId64 "/key.pem", number);
}

enum dvt_code
dvt_generation_get_key_uri(const struct dvt_agent_env *env, int64_t number,
    char out[DVT_KEY_URI_MAX + 1], struct dvt_err *err)
{
	struct dvt_buf b;
	path_text path;
	enum dvt_code rc;

	out[0] = '\0';
	dvt_buf_init(&b, DVT_KEY_URI_MAX + 1);
	rc = env->fs->read(
	    env->fs_ctx, file_of(number, "key.uri", path), &b, err);
	if (rc == DVT_E_ABSENT) {
		dvt_generation_key_uri(number, out);
		rc = DVT_OK;
	} else if (rc == DVT_OK) {
		struct dvt_span uri = dvt_buf_span(&b);

		if (uri.n < 3 || uri.p[uri.n - 1] != '\n' ||
		    memchr(uri.p, '\0', uri.n) != NULL ||
		    memchr(uri.p, ':', uri.n) == NULL)
			rc = dvt_fail(err, DVT_E_INPUT,
			    "generation %" PRId64 ": key.uri holds no URI",
			    number);
		else
			(void)snprintf(out, DVT_KEY_URI_MAX + 1, "%.*s",
			    (int)(uri.n - 1), (const char *)uri.p);
	}
	dvt_buf_fini(&b);
	return rc == DVT_E_LIMIT ? DVT_E_INPUT : rc;
}

enum dvt_code
dvt_generation_put_key_uri(const struct dvt_agent_env *env, int64_t number,
    const char *uri, struct dvt_err *err)
{
	char line[DVT_KEY_URI_MAX + 2];
	path_text dir;
	enum dvt_code rc;

	(void)snprintf(line, sizeof(line), "%s\n", uri);
	rc = dvt_dir_ensure(env->fs, env->fs_ctx, dir_of(number, dir), err);
	return rc != DVT_OK ? rc
			    : dvt_atomic_replace(env->fs, env->fs_ctx, dir,
				  "key.uri", dvt_span_str(line), 0600, err);
}

/* Digits alone, no sign, no leading zero. */
static bool
to_number(struct dvt_span text, int64_t *out)
{
	int64_t v = 0;

	if (text.n < 1 || text.n > 15 || text.p[0] < '1' || text.p[0] > '9')
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v = 10 * v + text.p[i] - '0';
	}
	*out = v;
	return true;
}

struct numbers {
	int64_t *v;
	size_t n;
};

static void
note_number(void *arg, const char *name, bool is_dir)
{
	struct numbers *list = arg;
	int64_t v;

	/* a stranger's folder leaves numbers above it that can be read */
	if (is_dir && to_number(dvt_span_str(name), &v) && v <= HIGHEST &&
	    list->n < DVT_GENERATIONS_MAX)
		list->v[list->n++] = v;
}

static int
ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

enum dvt_code
dvt_generation_list(const struct dvt_agent_env *env, int64_t *out, size_t *n,
    struct dvt_err *err)
{
	struct numbers list = {out, 0};
	enum dvt_code rc;

	rc = env->fs->list(env->fs_ctx, DIR, note_number, &list, err);
	if (list.n > 0)
		qsort(out, list.n, sizeof(out[0]), ascending);
	*n = list.n;
	return rc;
}

void
dvt_credential_fini(struct dvt_agent_credential *c)
{
	if (c == NULL)
		return;
	EVP_PKEY_free(c->key);
	dvt_chain_fini(&c->chain);
	memset(c, 0, sizeof(*c));
}

static enum dvt_code
get_meta_field(const json_t *obj, const char *key, char *out, size_t size,
    struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc;

	rc = dvt_json_opt_str(obj, key, size - 1, "", &text, err);
	if (rc == DVT_OK)
		(void)dvt_copy_str(out, size, text);
	return rc;
}

static enum dvt_code
parse_meta(
    struct dvt_span text, struct dvt_generation_meta *m, struct dvt_err *err)
{
	json_t *obj = NULL;
	enum dvt_code rc;

	if ((rc = dvt_json_parse(text, META_MAX, &obj, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_json_get_i64(
		 obj, "number", 1, INT64_MAX, &m->number, err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(obj, "predecessor", 0, INT64_MAX,
		 &m->predecessor, err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(
		 obj, "made_at", 0, INT64_MAX, &m->made_at, err)) == DVT_OK &&
	    (rc = get_meta_field(
		 obj, "key", m->key_uri, sizeof(m->key_uri), err)) == DVT_OK &&
	    (rc = get_meta_field(obj, "leaf", m->leaf, sizeof(m->leaf), err)) ==
		DVT_OK)
		rc = get_meta_field(
		    obj, "update", m->update, sizeof(m->update), err);
	json_decref(obj);
	return rc;
}

static void
format_meta(const struct dvt_generation_meta *m, struct dvt_buf *out)
{
	json_t *obj = json_pack("{s:I, s:I, s:s, s:s, s:s, s:I}", "number",
	    (json_int_t)m->number, "predecessor", (json_int_t)m->predecessor,
	    "key", m->key_uri, "leaf", m->leaf, "update", m->update, "made_at",
	    (json_int_t)m->made_at);

	dvt_json_put(out, obj);
	dvt_buf_putc(out, '\n');
	json_decref(obj);
}

static enum dvt_code
get_meta(const struct dvt_agent_env *env, int64_t number,
    struct dvt_generation_meta *m, struct dvt_err *err)
{
	struct dvt_buf b;
	path_text path;
	enum dvt_code rc;

	memset(m, 0, sizeof(*m));
	dvt_buf_init(&b, META_MAX);
	rc = env->fs->read(
	    env->fs_ctx, file_of(number, "meta.json", path), &b, err);
	if (rc == DVT_OK)
		rc = parse_meta(dvt_buf_span(&b), m, err);
	if (rc == DVT_OK && m->number != number)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "its meta.json is of generation %" PRId64, m->number);
	dvt_buf_fini(&b);
	return rc == DVT_E_LIMIT ? DVT_E_INPUT : rc;
}

enum dvt_code
dvt_generation_get_chain(const struct dvt_agent_env *env, int64_t number,
    struct dvt_chain *out, struct dvt_err *err)
{
	struct dvt_buf b;
	path_text path;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	dvt_buf_init(&b, DVT_CHAIN_PEM_MAX);
	rc = env->fs->read(
	    env->fs_ctx, file_of(number, "chain.pem", path), &b, err);
	if (rc == DVT_OK)
		rc = dvt_chain_from_pem(dvt_buf_span(&b), out, err);
	dvt_buf_fini(&b);
	return rc == DVT_E_LIMIT ? DVT_E_INPUT : rc;
}

/* A file of a whole generation that is not there: damage, not absence. */
static enum dvt_code
missing_is_damage(enum dvt_code rc)
{
	return rc == DVT_E_ABSENT ? DVT_E_INPUT : rc;
}

/*
 * A key file that is not there, or holds no key, is damage. What a store of
 * keys says is none: it may be away, locked or busy, and come back.
 */
static enum dvt_code
code_of_key(const char *uri, enum dvt_code rc)
{
	if (rc == DVT_OK || rc == DVT_E_INPUT || rc == DVT_E_CONFLICT)
		return rc;
	return rc == DVT_E_ABSENT && dvt_keys_is(uri, "file") ? DVT_E_INPUT
							      : DVT_E_SYSTEM;
}

static enum dvt_code
load_checked(const struct dvt_agent_env *env,
    const struct dvt_generation_meta *meta, struct dvt_agent_credential *out,
    struct dvt_err *err)
{
	char leaf[DVT_DIGEST_HEX];
	enum dvt_code rc;

	rc = dvt_generation_get_chain(env, meta->number, &out->chain, err);
	if (rc != DVT_OK)
		return missing_is_damage(rc);
	rc = env->keys->open(env->keys_ctx, meta->key_uri, &out->key, err);
	if (rc != DVT_OK)
		return code_of_key(meta->key_uri, rc);
	dvt_x509_fingerprint(out->chain.cert[0], leaf);
	if (strcmp(leaf, meta->leaf) != 0)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "its leaf is not the one of meta.json");
	return dvt_key_matches(out->key, out->chain.cert[0], err);
}

enum dvt_code
dvt_generation_load(const struct dvt_agent_env *env, int64_t number,
    struct dvt_agent_credential *out, struct dvt_generation_meta *meta,
    struct dvt_err *err)
{
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	if ((rc = get_meta(env, number, meta, err)) == DVT_OK)
		rc = load_checked(env, meta, out, err);
	if (rc != DVT_OK) {
		dvt_credential_fini(out);
		dvt_err_prefix(err, "generation %" PRId64, number);
		return rc;
	}
	out->generation = number;
	return DVT_OK;
}

enum dvt_code
dvt_generation_put_chain(const struct dvt_agent_env *env, int64_t number,
    const struct dvt_chain *chain, struct dvt_err *err)
{
	struct dvt_buf b;
	path_text dir;
	enum dvt_code rc;

	dvt_buf_init(&b, DVT_CHAIN_PEM_MAX);
	rc = dvt_chain_to_pem(chain, &b, err);
	if (rc == DVT_OK)
		rc = dvt_atomic_replace(env->fs, env->fs_ctx,
		    dir_of(number, dir), "chain.pem", dvt_buf_span(&b), 0644,
		    err);
	dvt_buf_fini(&b);
	return rc;
}

enum dvt_code
dvt_generation_put_meta(const struct dvt_agent_env *env,
    const struct dvt_generation_meta *meta, struct dvt_err *err)
{
	struct dvt_buf b;
	path_text dir;
	enum dvt_code rc;

	dvt_buf_init(&b, META_MAX);
	format_meta(meta, &b);
	rc = dvt_atomic_replace(env->fs, env->fs_ctx, dir_of(meta->number, dir),
	    "meta.json", dvt_buf_span(&b), 0644, err);
	dvt_buf_fini(&b);
	return rc;
}

enum dvt_code
dvt_generation_put(const struct dvt_agent_env *env,
    const struct dvt_generation_meta *meta, struct dvt_span key_pem,
    const struct dvt_chain *chain, struct dvt_err *err)
{
	struct dvt_buf pem, text;
	number_text name;
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	dvt_buf_init(&text, META_MAX);
	format_meta(meta, &text);
	(void)snprintf(name, sizeof(name), "%" PRId64, meta->number);
	if ((rc = dvt_chain_to_pem(chain, &pem, err)) == DVT_OK) {
		const struct dvt_tree_file files[] = {
		    {"key.pem",   key_pem,             0600},
		    {"chain.pem", dvt_buf_span(&pem),  0644},
		    {"meta.json", dvt_buf_span(&text), 0644},
		};

		rc = dvt_tree_put(env->fs, env->fs_ctx, DIR, name, files,
		    DVT_COUNT(files), err);
	}
	dvt_buf_fini(&pem);
	dvt_buf_fini(&text);
	return rc;
}

/* The key is key.pem in the directory, and nothing else is to be wiped. */
static bool
is_file_here(const struct dvt_agent_env *env, int64_t number, const char *uri)
{
	struct dvt_buf b;
	path_text path;
	enum dvt_code rc;

	if (!dvt_keys_is(uri, "file"))
		return false;
	dvt_buf_init(&b, DVT_KEY_PEM_MAX);
	rc = env->fs->read(
	    env->fs_ctx, file_of(number, "key.pem", path), &b, NULL);
	dvt_buf_cleanse(&b);
	dvt_buf_fini(&b);
	return rc != DVT_E_ABSENT;
}

enum dvt_code
dvt_generation_remove(
    const struct dvt_agent_env *env, int64_t number, struct dvt_err *err)
{
	struct dvt_generation_meta meta;
	char uri[DVT_KEY_URI_MAX + 1];
	number_text name;
	enum dvt_code rc;

	if (get_meta(env, number, &meta, NULL) == DVT_OK)
		(void)snprintf(uri, sizeof(uri), "%s", meta.key_uri);
	else if (dvt_generation_get_key_uri(env, number, uri, NULL) != DVT_OK)
		dvt_generation_key_uri(number, uri);
	/* a file goes with the directory it lies in */
	if (!is_file_here(env, number, uri) &&
	    (rc = env->keys->wipe(env->keys_ctx, uri, err)) != DVT_OK)
		return rc;
	(void)snprintf(name, sizeof(name), "%" PRId64, number);
	rc = dvt_tree_remove(env->fs, env->fs_ctx, DIR, name, err);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

enum dvt_code
dvt_generation_sync(
    const struct dvt_agent_env *env, int64_t number, struct dvt_err *err)
{
	path_text dir;
	enum dvt_code rc;

	rc = env->fs->sync_dir(env->fs_ctx, dir_of(number, dir), err);
	return rc == DVT_E_SYSTEM ? rc : DVT_OK;
}

enum dvt_code
dvt_generation_set_aside(
    const struct dvt_agent_env *env, int64_t number, struct dvt_err *err)
{
	path_text from, to;
	enum dvt_code rc;

	(void)snprintf(to, sizeof(to), DIR "/%" PRId64 ".bad", number);
	rc = env->fs->rename(env->fs_ctx, dir_of(number, from), to, err);
	if (rc == DVT_E_CONFLICT) /* one of that name was kept before */
		return dvt_generation_remove(env, number, err);
	return rc == DVT_OK ? env->fs->sync_dir(env->fs_ctx, DIR, err) : rc;
}

enum dvt_code
dvt_generation_remake(const struct dvt_agent_env *env, int64_t number,
    struct dvt_agent_credential *out, struct dvt_generation_meta *meta,
    struct dvt_err *err)
{
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	if ((rc = get_meta(env, number, meta, err)) == DVT_OK)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "its meta.json is not the reason");
	if (rc == DVT_E_SYSTEM)
		return rc;
	memset(meta, 0, sizeof(*meta));
	meta->number = number;
	rc = dvt_generation_get_chain(env, number, &out->chain, err);
	if (rc == DVT_OK)
		rc = dvt_generation_get_key_uri(
		    env, number, meta->key_uri, err);
	if (rc == DVT_OK)
		rc = code_of_key(
		    meta->key_uri, env->keys->open(env->keys_ctx, meta->key_uri,
				       &out->key, err));
	if (rc == DVT_OK)
		rc = dvt_key_matches(out->key, out->chain.cert[0], err);
	if (rc != DVT_OK) {
		dvt_credential_fini(out);
		return rc;
	}
	dvt_x509_fingerprint(out->chain.cert[0], meta->leaf);
	out->generation = number;
	return DVT_OK;
}

/* Its key is in a store that does not give it now. */
static bool
is_key_away(const struct dvt_agent_env *env, int64_t number)
{
	struct dvt_generation_meta meta;
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	if (get_meta(env, number, &meta, NULL) != DVT_OK ||
	    dvt_keys_is(meta.key_uri, "file"))
		return false;
	rc = env->keys->open(env->keys_ctx, meta.key_uri, &key, NULL);
	EVP_PKEY_free(key);
	return code_of_key(meta.key_uri, rc) == DVT_E_SYSTEM;
}

bool
dvt_generation_is_unreadable(const struct dvt_agent_env *env, int64_t number)
{
	static const char *const names[] = {
	    "meta.json", "chain.pem", "key.pem", "key.uri"};
	struct dvt_buf b;
	path_text path;
	bool bad = false;

	for (size_t i = 0; i < DVT_COUNT(names) && !bad; i++) {
		dvt_buf_init(&b, DVT_FS_FILE_MAX);
		bad = env->fs->read(env->fs_ctx,
			  file_of(number, names[i], path), &b,
			  NULL) == DVT_E_SYSTEM;
		dvt_buf_cleanse(&b);
		dvt_buf_fini(&b);
	}
	return bad || is_key_away(env, number);
}

enum dvt_code
dvt_generation_current_set_aside(
    const struct dvt_agent_env *env, struct dvt_err *err)
{
	return env->fs->rename(env->fs_ctx, CURRENT, BAD, err);
}

enum dvt_code
dvt_generation_current(
    const struct dvt_agent_env *env, int64_t *number, struct dvt_err *err)
{
	struct dvt_span text;
	struct dvt_buf b;
	enum dvt_code rc;

	*number = 0;
	dvt_buf_init(&b, sizeof(number_text));
	rc = env->fs->read(env->fs_ctx, CURRENT, &b, err);
	text = dvt_buf_span(&b);
	if (rc == DVT_OK && text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (rc == DVT_E_LIMIT || (rc == DVT_OK && !to_number(text, number)))
		rc = dvt_fail(err, DVT_E_INPUT, "\"current\": no number");
	dvt_buf_fini(&b);
	return rc;
}

enum dvt_code
dvt_generation_switch(
    const struct dvt_agent_env *env, int64_t number, struct dvt_err *err)
{
	number_text text;

	(void)snprintf(text, sizeof(text), "%" PRId64 "\n", number);
	return dvt_atomic_replace(
	    env->fs, env->fs_ctx, "", CURRENT, dvt_span_str(text), 0644, err);
}
