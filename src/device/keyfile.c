/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as files: see keyfile.h. */
#include "device/keyfile.h"

#include "base/limits.h"
#include "durable/atomic.h"

#include <stdio.h>

struct place {
	char dir[DVT_FS_PATH_MAX + 1];
	char name[DVT_FS_NAME_MAX + 1];
	char path[DVT_FS_PATH_MAX + 1];
};

static enum dvt_code
place_of(const char *uri, struct place *at, struct dvt_err *err)
{
	const char *path = dvt_keys_path(uri, "file"), *slash;

	if (path == NULL || dvt_fs_path_check(path, NULL) != DVT_OK)
		return dvt_fail(
		    err, DVT_E_INPUT, "key \"%.80s\": no file: URI", uri);
	slash = strrchr(path, '/');
	(void)snprintf(at->path, sizeof(at->path), "%s", path);
	(void)snprintf(at->dir, sizeof(at->dir), "%.*s",
	    slash == NULL ? 0 : (int)(slash - path), path);
	(void)snprintf(
	    at->name, sizeof(at->name), "%s", slash == NULL ? path : slash + 1);
	return DVT_OK;
}

static enum dvt_code
store(const struct dvt_keyfile *f, const struct place *at, EVP_PKEY *key,
    struct dvt_err *err)
{
	struct dvt_buf pem;
	enum dvt_code rc = DVT_OK;

	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	if (at->dir[0] != '\0')
		rc = dvt_dir_ensure(f->fs, f->fs_ctx, at->dir, err);
	if (rc == DVT_OK)
		rc = dvt_key_to_pem(key, &pem, err);
	if (rc == DVT_OK)
		rc = dvt_atomic_replace(f->fs, f->fs_ctx, at->dir, at->name,
		    dvt_buf_span(&pem), 0600, err);
	dvt_buf_cleanse(&pem);
	return rc;
}

static enum dvt_code
keyfile_make(void *ctx, enum dvt_key_kind kind, const char *want, char *uri,
    struct dvt_err *err)
{
	const struct dvt_keyfile *f = ctx;
	EVP_PKEY *key = NULL;
	struct place at;
	struct dvt_buf there;
	enum dvt_code rc;

	if ((rc = place_of(want, &at, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&there, DVT_KEY_PEM_MAX);
	rc = f->fs->read(f->fs_ctx, at.path, &there, NULL);
	dvt_buf_cleanse(&there);
	if (rc == DVT_OK || rc == DVT_E_LIMIT)
		return dvt_fail(err, DVT_E_CONFLICT, "%s: exists", want);
	rc = f->fresh != NULL ? f->fresh(f->fresh_ctx, kind, &key, err)
			      : dvt_key_new(kind, 0, &key, err);
	if (rc == DVT_OK)
		rc = store(f, &at, key, err);
	EVP_PKEY_free(key);
	if (rc == DVT_OK)
		(void)snprintf(uri, DVT_KEY_URI_MAX + 1, "%s", want);
	return rc;
}

static enum dvt_code
keyfile_open(void *ctx, const char *uri, EVP_PKEY **out, struct dvt_err *err)
{
	const struct dvt_keyfile *f = ctx;
	struct place at;
	struct dvt_buf pem;
	enum dvt_code rc;

	*out = NULL;
	if ((rc = place_of(uri, &at, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	rc = f->fs->read(f->fs_ctx, at.path, &pem, err);
	if (rc == DVT_OK)
		rc = dvt_key_from_pem(dvt_buf_span(&pem), out, err);
	dvt_buf_cleanse(&pem);
	return rc == DVT_E_LIMIT ? DVT_E_INPUT : rc;
}

static enum dvt_code
keyfile_sign(void *ctx, const char *uri, struct dvt_span bytes,
    struct dvt_buf *sig, struct dvt_err *err)
{
	EVP_PKEY *key;
	enum dvt_code rc;

	if ((rc = keyfile_open(ctx, uri, &key, err)) != DVT_OK)
		return rc;
	rc = dvt_key_sign(key, bytes, sig, err);
	EVP_PKEY_free(key);
	return rc;
}

static enum dvt_code
keyfile_wipe(void *ctx, const char *uri, struct dvt_err *err)
{
	const struct dvt_keyfile *f = ctx;
	struct place at;
	enum dvt_code rc;

	if ((rc = place_of(uri, &at, err)) != DVT_OK)
		return rc;
	rc = f->fs->unlink(f->fs_ctx, at.path, err);
	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	return rc == DVT_OK ? f->fs->sync_dir(f->fs_ctx, at.dir, err) : rc;
}

const struct dvt_keys dvt_keyfile_table = {
    .make = keyfile_make,
    .open = keyfile_open,
    .sign = keyfile_sign,
    .wipe = keyfile_wipe,
};
