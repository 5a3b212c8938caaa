/* SPDX-License-Identifier: Apache-2.0 */
/* A caller's file system and key store, as the steps see them. */
#include "libagent/libagent.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

/* Codes and kinds are the same numbers on both sides. */
_Static_assert((int)DOVETAIL_OK == (int)DVT_OK &&
		   (int)DOVETAIL_BAD_INPUT == (int)DVT_E_INPUT &&
		   (int)DOVETAIL_WHO_ARE_YOU == (int)DVT_E_AUTH &&
		   (int)DOVETAIL_DENIED == (int)DVT_E_DENIED &&
		   (int)DOVETAIL_ABSENT == (int)DVT_E_ABSENT &&
		   (int)DOVETAIL_CONFLICT == (int)DVT_E_CONFLICT &&
		   (int)DOVETAIL_INTERLOCK == (int)DVT_E_UNSAFE &&
		   (int)DOVETAIL_NEEDS_APPROVAL == (int)DVT_E_APPROVAL &&
		   (int)DOVETAIL_OVER_LIMIT == (int)DVT_E_LIMIT &&
		   (int)DOVETAIL_SLOW_DOWN == (int)DVT_E_BUSY &&
		   (int)DOVETAIL_TRY_LATER == (int)DVT_E_LATER &&
		   (int)DOVETAIL_SYSTEM == (int)DVT_E_SYSTEM,
    "enum dovetail_code follows DVT_CODES");

enum dovetail_code
libagent_told(
    enum dvt_code rc, const struct dvt_err *e, struct dovetail_error *err)
{
	if (err != NULL) {
		err->code = (enum dovetail_code)rc;
		(void)snprintf(err->text, sizeof(err->text), "%s",
		    rc == DVT_OK ? "" : e->text);
	}
	return (enum dovetail_code)rc;
}

enum dovetail_code
libagent_fail(
    struct dovetail_error *err, enum dovetail_code code, const char *text)
{
	if (err != NULL) {
		err->code = code;
		(void)snprintf(err->text, sizeof(err->text), "%s", text);
	}
	return code;
}

/* What a caller's function came to, with its words. */
static enum dvt_code
heard(enum dovetail_code code, const struct dovetail_error *e, const char *what,
    struct dvt_err *err)
{
	if (code == DOVETAIL_OK)
		return DVT_OK;
	if ((int)code < 0 || code > DOVETAIL_SYSTEM)
		code = DOVETAIL_SYSTEM;
	return dvt_fail(err, (enum dvt_code)code, "%s: %s", what,
	    e->text[0] != '\0' ? e->text : dvt_code_name((enum dvt_code)code));
}

/* --- files --- */

static enum dvt_code
fs_read(void *ctx, const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};
	size_t room = out->max - out->n, n = 0;
	uint8_t *bytes = dvt_alloc(room + 1);
	enum dvt_code rc;

	rc = heard(a->env.fs->read(a->env.fs_ctx, path, bytes, room, &n, &e),
	    &e, path, err);
	if (rc == DVT_OK && n > room)
		rc = dvt_fail(err, DVT_E_LIMIT, "%s: too large", path);
	if (rc == DVT_OK)
		dvt_buf_put(out, bytes, n);
	dvt_cleanse(bytes, room);
	free(bytes);
	return rc;
}

static enum dvt_code
fs_write_new(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};
	struct dovetail_bytes b = {bytes.p, bytes.n};

	return heard(a->env.fs->write_new(a->env.fs_ctx, path, b, mode, &e), &e,
	    path, err);
}

static enum dvt_code
fs_append(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};
	struct dovetail_bytes b = {bytes.p, bytes.n};

	return heard(
	    a->env.fs->append(a->env.fs_ctx, path, b, mode, &e), &e, path, err);
}

static enum dvt_code
fs_rename(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};

	return heard(
	    a->env.fs->rename(a->env.fs_ctx, from, to, &e), &e, from, err);
}

static enum dvt_code
fs_mkdir(void *ctx, const char *dir, unsigned mode, struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};

	return heard(
	    a->env.fs->mkdir(a->env.fs_ctx, dir, mode, &e), &e, dir, err);
}

/* The three that take a path alone. */
#define FS_ON_PATH(name)                                                       \
	static enum dvt_code fs_##name(                                        \
	    void *ctx, const char *path, struct dvt_err *err)                  \
	{                                                                      \
		struct dovetail_agent *a = ctx;                                \
		struct dovetail_error e = {0};                                 \
                                                                               \
		return heard(                                                  \
		    a->env.fs->name(a->env.fs_ctx, path, &e), &e, path, err);  \
	}
FS_ON_PATH(sync_dir)
FS_ON_PATH(unlink)
FS_ON_PATH(rmdir)

static enum dvt_code
fs_list(void *ctx, const char *dir,
    void (*each)(void *arg, const char *name, bool is_dir), void *arg,
    struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};

	return heard(
	    a->env.fs->list(a->env.fs_ctx, dir, each, arg, &e), &e, dir, err);
}

static const struct dvt_fs fs_table = {.read = fs_read,
    .write_new = fs_write_new,
    .append = fs_append,
    .rename = fs_rename,
    .sync_dir = fs_sync_dir,
    .mkdir = fs_mkdir,
    .unlink = fs_unlink,
    .rmdir = fs_rmdir,
    .list = fs_list};

/* --- keys --- */

static enum dvt_code
keys_make(void *ctx, enum dvt_key_kind kind, const char *want, char *uri,
    struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};
	enum dovetail_key_kind k = kind == DVT_KEY_P384  ? DOVETAIL_P384
				   : kind == DVT_KEY_RSA ? DOVETAIL_RSA
							 : DOVETAIL_P256;

	uri[0] = '\0';
	return heard(a->env.keys->make(a->env.keys_ctx, k, want, uri, &e), &e,
	    want, err);
}

static enum dvt_code
keys_open(void *ctx, const char *uri, EVP_PKEY **out, struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};

	*out = NULL;
	return heard(
	    a->env.keys->open(a->env.keys_ctx, uri, out, &e), &e, uri, err);
}

static enum dvt_code
keys_sign(void *ctx, const char *uri, struct dvt_span bytes,
    struct dvt_buf *sig, struct dvt_err *err)
{
	EVP_PKEY *key = NULL;
	enum dvt_code rc = keys_open(ctx, uri, &key, err);

	if (rc == DVT_OK)
		rc = dvt_key_sign(key, bytes, sig, err);
	EVP_PKEY_free(key);
	return rc;
}

static enum dvt_code
keys_wipe(void *ctx, const char *uri, struct dvt_err *err)
{
	struct dovetail_agent *a = ctx;
	struct dovetail_error e = {0};

	return heard(a->env.keys->wipe(a->env.keys_ctx, uri, &e), &e, uri, err);
}

static const struct dvt_keys keys_table = {
    .make = keys_make, .open = keys_open, .sign = keys_sign, .wipe = keys_wipe};

/* --- all of it --- */

enum dovetail_code
libagent_env_bind(struct dovetail_agent *a, struct dovetail_error *err)
{
	struct dovetail_posix *p = a->env.posix;
	struct dvt_agent_env *s = &a->steps;

	if ((a->env.fs == NULL || a->env.keys == NULL) && p == NULL)
		return libagent_fail(err, DOVETAIL_BAD_INPUT,
		    "env: without posix it needs fs and keys");
	s->fs = a->env.fs != NULL ? &fs_table : &dvt_fs_posix;
	s->fs_ctx = a->env.fs != NULL ? (void *)a : (void *)p->fs;
	if (a->env.keys != NULL) {
		s->keys = &keys_table;
		s->keys_ctx = a;
	} else { /* files, wherever files are */
		p->keyfile = (struct dvt_keyfile){
		    .fs = s->fs, .fs_ctx = s->fs_ctx};
		s->keys = &dvt_keyfile_table;
		s->keys_ctx = &p->keyfile;
	}
	s->random = a->env.random != NULL ? a->env.random : dvt_agent_random;
	s->random_ctx = a->env.random_ctx;
	return DOVETAIL_OK;
}

enum dovetail_code
dovetail_posix_open(
    const char *dir, struct dovetail_posix **out, struct dovetail_error *err)
{
	struct dovetail_posix *p = dvt_alloc(sizeof(*p));
	struct dvt_err e;
	enum dvt_code rc = dvt_fs_posix_open(dir, true, &p->fs, &e);

	*out = NULL;
	if (rc == DVT_OK)
		*out = p;
	else
		free(p);
	return libagent_told(rc, &e, err);
}

void
dovetail_posix_close(struct dovetail_posix *p)
{
	if (p == NULL)
		return;
	dvt_fs_posix_free(p->fs);
	free(p);
}

struct dovetail_time
dovetail_now(void)
{
	struct dvt_time t = dvt_time_now();

	return (struct dovetail_time){t.mono_ms, t.wall_s};
}
