/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of anchors as files: see trustset_walk.c for how they come about. */
#include "device/trustset.h"

#include "base/mem.h"
#include "durable/atomic.h"
#include "pki/x509.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DIR       DVT_TRUST_DIR
#define META_MAX  4096  /* bytes of meta.json */
#define HELD_MAX  16384 /* bytes of held.json: 8 keys */
#define FILES_MAX (DVT_BUNDLE_ANCHORS + 4)

typedef char path_text[DVT_FS_PATH_MAX + 1];
typedef char name_text[40];

void
dvt_trustset_free(struct dvt_trustset *t)
{
	if (t == NULL)
		return;
	dvt_trust_free(t->trust);
	dvt_trust_free(t->issuing);
	free(t);
}

static const char *
dir_of(int64_t version, path_text out)
{
	(void)snprintf(out, sizeof(path_text), DIR "/%" PRId64, version);
	return out;
}

/* --- writing --- */

struct draft { /* of a directory */
	struct dvt_tree_file file[FILES_MAX];
	name_text name[FILES_MAX];
	struct dvt_buf bytes[FILES_MAX];
	size_t n;
};

static struct dvt_buf *
draft_add(struct draft *d, const char *name, size_t max)
{
	(void)snprintf(d->name[d->n], sizeof(name_text), "%s", name);
	d->file[d->n].name = d->name[d->n];
	d->file[d->n].mode = 0644;
	dvt_buf_init(&d->bytes[d->n], max);
	return &d->bytes[d->n++];
}

static void
draft_fini(struct draft *d)
{
	for (size_t i = 0; i < d->n; i++)
		dvt_buf_fini(&d->bytes[i]);
}

static enum dvt_code
draft_anchors(
    struct draft *d, const struct dvt_trustset *t, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;
	name_text name;

	if (dvt_trust_count(t->trust) > DVT_BUNDLE_ANCHORS)
		return dvt_fail(err, DVT_E_LIMIT, "more than %d anchors",
		    DVT_BUNDLE_ANCHORS);
	for (size_t i = 0; i < dvt_trust_count(t->trust) && rc == DVT_OK; i++) {
		(void)snprintf(name, sizeof(name), "anchor-%02zu.pem", i + 1);
		rc = dvt_x509_to_pem(dvt_trust_get(t->trust, i),
		    draft_add(d, name, DVT_CERT_PEM_MAX), err);
	}
	return rc;
}

static enum dvt_code
draft_issuing(
    struct draft *d, const struct dvt_trustset *t, struct dvt_err *err)
{
	struct dvt_buf *b;
	enum dvt_code rc = DVT_OK;

	if (t->issuing == NULL)
		return DVT_OK;
	b = draft_add(d, "issuing.pem", DVT_FS_FILE_MAX);
	for (size_t i = 0; i < dvt_trust_count(t->issuing) && rc == DVT_OK; i++)
		rc = dvt_x509_to_pem(dvt_trust_get(t->issuing, i), b, err);
	return rc;
}

static void
draft_meta(struct draft *d, const struct dvt_trustset *t, int64_t now)
{
	json_t *obj = json_pack("{s:I, s:s, s:b, s:I}", "version",
	    (json_int_t)t->version, "digest", dvt_trust_digest(t->trust),
	    "pinned", (int)t->pinned, "at", (json_int_t)now);
	struct dvt_buf *b = draft_add(d, "meta.json", META_MAX);

	dvt_json_put(b, obj);
	dvt_buf_putc(b, '\n');
	json_decref(obj);
}

enum dvt_code
dvt_trustset_put(const struct dvt_agent_env *env, const struct dvt_trustset *t,
    struct dvt_span lines, int64_t now, struct dvt_err *err)
{
	struct draft *d = dvt_alloc(sizeof(*d));
	name_text name;
	enum dvt_code rc;

	if ((rc = draft_anchors(d, t, err)) != DVT_OK ||
	    (rc = draft_issuing(d, t, err)) != DVT_OK)
		goto out;
	rc = dvt_bundle_held_format(
	    &t->held, draft_add(d, "held.json", HELD_MAX), err);
	if (rc != DVT_OK)
		goto out;
	if (lines.n > 0)
		dvt_buf_put_span(
		    draft_add(d, "bundle.jsonl", DVT_FS_FILE_MAX), lines);
	draft_meta(d, t, now);
	for (size_t i = 0; i < d->n && rc == DVT_OK; i++) {
		rc = dvt_buf_ok(&d->bytes[i], d->name[i], err);
		d->file[i].bytes = dvt_buf_span(&d->bytes[i]);
	}
	(void)snprintf(name, sizeof(name), "%" PRId64, t->version);
	if (rc == DVT_OK)
		rc = dvt_tree_put(
		    env->fs, env->fs_ctx, DIR, name, d->file, d->n, err);
out:
	draft_fini(d);
	free(d);
	return rc;
}

/* --- reading --- */

struct anchors { /* of a directory, in the order of their names */
	const struct dvt_agent_env *env;
	int64_t version;
	struct dvt_buf pem;
	enum dvt_code rc;
};

static enum dvt_code
read_file(const struct dvt_agent_env *env, int64_t version, const char *name,
    struct dvt_buf *out, struct dvt_err *err)
{
	path_text path;

	(void)snprintf(
	    path, sizeof(path), DIR "/%" PRId64 "/%s", version, name);
	return env->fs->read(env->fs_ctx, path, out, err);
}

static void
read_anchor(void *arg, const char *name, bool is_dir)
{
	struct anchors *a = arg;

	if (a->rc == DVT_OK && !is_dir && strncmp(name, "anchor-", 7) == 0)
		a->rc = read_file(a->env, a->version, name, &a->pem, NULL);
}

static enum dvt_code
load_anchors(const struct dvt_agent_env *env, struct dvt_trustset *t,
    struct dvt_err *err)
{
	struct anchors a = {.env = env, .version = t->version};
	path_text dir;
	enum dvt_code rc;

	dvt_buf_init(&a.pem, DVT_TRUST_PEM_MAX);
	rc = env->fs->list(
	    env->fs_ctx, dir_of(t->version, dir), read_anchor, &a, err);
	if (rc == DVT_OK && a.rc != DVT_OK)
		rc = dvt_fail(err, DVT_E_INPUT, "an anchor cannot be read");
	if (rc == DVT_OK)
		rc = dvt_trust_from_pem(
		    dvt_buf_span(&a.pem), DVT_TRUST_LAX, &t->trust, err);
	dvt_buf_fini(&a.pem);
	return rc;
}

static enum dvt_code
load_issuing(const struct dvt_agent_env *env, struct dvt_trustset *t,
    struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, DVT_FS_FILE_MAX);
	rc = read_file(env, t->version, "issuing.pem", &b, err);
	if (rc == DVT_OK)
		rc = dvt_trust_from_pem(
		    dvt_buf_span(&b), DVT_TRUST_LAX, &t->issuing, err);
	else if (rc == DVT_E_ABSENT)
		rc = DVT_OK;
	dvt_buf_fini(&b);
	return rc;
}

static enum dvt_code
load_held(const struct dvt_agent_env *env, struct dvt_trustset *t,
    struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, HELD_MAX);
	rc = read_file(env, t->version, "held.json", &b, err);
	if (rc == DVT_OK)
		rc = dvt_bundle_held_parse(dvt_buf_span(&b), &t->held, err);
	if (rc == DVT_OK && t->held.version != t->version)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "held.json is of version %" PRId64, t->held.version);
	dvt_buf_fini(&b);
	return rc;
}

/* The digest in meta.json finds an anchor that was lost or changed. */
static enum dvt_code
check_meta(const struct dvt_agent_env *env, struct dvt_trustset *t,
    struct dvt_err *err)
{
	const char *digest = "";
	json_t *obj = NULL;
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, META_MAX);
	if ((rc = read_file(env, t->version, "meta.json", &b, err)) == DVT_OK &&
	    (rc = dvt_json_parse(dvt_buf_span(&b), META_MAX, &obj, err)) ==
		DVT_OK &&
	    (rc = dvt_json_get_str(obj, "digest", 64, &digest, err)) == DVT_OK)
		rc = dvt_json_opt_bool(obj, "pinned", false, &t->pinned, err);
	if (rc == DVT_OK && strcmp(digest, dvt_trust_digest(t->trust)) != 0)
		rc = dvt_fail(
		    err, DVT_E_INPUT, "anchors are not those of meta.json");
	json_decref(obj);
	dvt_buf_fini(&b);
	return rc;
}

enum dvt_code
dvt_trustset_load(const struct dvt_agent_env *env, int64_t version,
    struct dvt_trustset **out, struct dvt_err *err)
{
	struct dvt_trustset *t = dvt_alloc(sizeof(*t));
	enum dvt_code rc;

	*out = NULL;
	t->version = version;
	if ((rc = load_anchors(env, t, err)) == DVT_OK &&
	    (rc = load_issuing(env, t, err)) == DVT_OK &&
	    (rc = load_held(env, t, err)) == DVT_OK)
		rc = check_meta(env, t, err);
	if (rc != DVT_OK) {
		dvt_trustset_free(t);
		dvt_err_prefix(err, "trust %" PRId64, version);
		return rc == DVT_E_SYSTEM ? rc : DVT_E_INPUT;
	}
	*out = t;
	return DVT_OK;
}

struct look {
	const struct dvt_agent_env *env;
	const char *dir;
	bool bad;
};

static void
look_at(void *arg, const char *name, bool is_dir)
{
	struct look *l = arg;
	path_text path;
	struct dvt_buf b;

	(void)snprintf(path, sizeof(path), "%s/%s", l->dir, name);
	dvt_buf_init(&b, DVT_FS_FILE_MAX);
	if (!is_dir &&
	    l->env->fs->read(l->env->fs_ctx, path, &b, NULL) == DVT_E_SYSTEM)
		l->bad = true;
	dvt_buf_fini(&b);
}

bool
dvt_trustset_is_unreadable(const struct dvt_agent_env *env, int64_t version)
{
	path_text dir;
	struct look l = {env, dir_of(version, dir), false};

	return env->fs->list(env->fs_ctx, dir, look_at, &l, NULL) ==
		   DVT_E_SYSTEM ||
	       l.bad;
}

bool
dvt_trustset_has_lines(const struct dvt_agent_env *env, int64_t version)
{
	path_text path;
	struct dvt_buf b;
	bool has;

	(void)snprintf(
	    path, sizeof(path), DIR "/%" PRId64 "/bundle.jsonl", version);
	dvt_buf_init(&b, DVT_FS_FILE_MAX);
	has = env->fs->read(env->fs_ctx, path, &b, NULL) == DVT_OK && b.n > 0;
	dvt_buf_fini(&b);
	return has;
}

/* --- names --- */

struct versions {
	int64_t *v;
	size_t n;
};

static void
note_version(void *arg, const char *name, bool is_dir)
{
	struct versions *list = arg;
	int64_t v = 0;

	if (!is_dir || strlen(name) > 15 || list->n == DVT_TRUST_LIST)
		return;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || (p == name && *p == '0' && p[1]))
			return;
		v = 10 * v + *p - '0';
	}
	list->v[list->n++] = v;
}

static int
ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

enum dvt_code
dvt_trustset_list(const struct dvt_agent_env *env, int64_t *out, size_t *n,
    struct dvt_err *err)
{
	struct versions list = {out, 0};
	enum dvt_code rc;

	rc = env->fs->list(env->fs_ctx, DIR, note_version, &list, err);
	if (list.n > 0)
		qsort(out, list.n, sizeof(out[0]), ascending);
	*n = list.n;
	return rc;
}

enum dvt_code
dvt_trustset_remove(
    const struct dvt_agent_env *env, int64_t version, struct dvt_err *err)
{
	name_text name;
	enum dvt_code rc;

	(void)snprintf(name, sizeof(name), "%" PRId64, version);
	rc = dvt_tree_remove(env->fs, env->fs_ctx, DIR, name, err);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

enum dvt_code
dvt_trustset_set_aside(
    const struct dvt_agent_env *env, int64_t version, struct dvt_err *err)
{
	path_text from, to;
	enum dvt_code rc;

	(void)snprintf(to, sizeof(to), DIR "/%" PRId64 ".bad", version);
	rc = env->fs->rename(env->fs_ctx, dir_of(version, from), to, err);
	if (rc == DVT_E_CONFLICT)
		return dvt_trustset_remove(env, version, err);
	return rc == DVT_OK ? env->fs->sync_dir(env->fs_ctx, DIR, err) : rc;
}
