/* SPDX-License-Identifier: Apache-2.0 */
/* Trust from what damage left of it: see dvt_trustset_salvage(). */
#include "device/trustset.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DIR DVT_TRUST_DIR
#define BAD ".bad"

typedef char path_text[DVT_FS_PATH_MAX + 1];
typedef char dir_text[40];

/* The highest version of the directories set aside; -1: none. */
static void
note_bad(void *arg, const char *name, bool is_dir)
{
	int64_t *highest = arg, v;
	char *end;

	v = strtoll(name, &end, 10);
	if (is_dir && end != name && strcmp(end, BAD) == 0 && v > *highest)
		*highest = v;
}

struct pems {
	const struct dvt_agent_env *env;
	const char *dir;
	struct dvt_buf all;
};

/* Anchors that cannot be read are left out: some are better than none. */
static void
add_anchor(void *arg, const char *name, bool is_dir)
{
	struct pems *p = arg;
	struct dvt_trust *one;
	struct dvt_buf pem;
	path_text path;

	if (is_dir || strncmp(name, "anchor-", 7) != 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	dvt_buf_init(&pem, DVT_CERT_PEM_MAX);
	if (p->env->fs->read(p->env->fs_ctx, path, &pem, NULL) == DVT_OK &&
	    dvt_trust_from_pem(dvt_buf_span(&pem), DVT_TRUST_LAX, &one, NULL) ==
		DVT_OK) {
		dvt_buf_put_span(&p->all, dvt_buf_span(&pem));
		dvt_trust_free(one);
	}
	dvt_buf_fini(&pem);
}

static enum dvt_code
from_anchors(const struct dvt_agent_env *env, const char *dir,
    const char *device_id, struct dvt_trustset **out, struct dvt_err *err)
{
	struct pems p = {.env = env, .dir = dir};
	enum dvt_code rc;

	dvt_buf_init(&p.all, DVT_TRUST_PEM_MAX);
	rc = env->fs->list(env->fs_ctx, dir, add_anchor, &p, err);
	if (rc == DVT_OK)
		rc = dvt_trustset_from_pem(dvt_buf_span(&p.all),
		    DVT_SPAN_LIT(""), device_id, out, err);
	dvt_buf_fini(&p.all);
	return rc;
}

/* Its lines name their keys and are signed by them. */
static enum dvt_code
from_lines(const struct dvt_agent_env *env, const dir_text dir,
    const char *device_id, struct dvt_trustset **out, struct dvt_buf *kept,
    struct dvt_err *err)
{
	struct dvt_trustset none = {0};
	struct dvt_buf lines;
	path_text path;
	enum dvt_code rc;

	(void)snprintf(path, sizeof(path), "%.39s/bundle.jsonl", dir);
	if (device_id != NULL)
		(void)dvt_copy_str(none.held.device_id,
		    sizeof(none.held.device_id), device_id);
	dvt_buf_init(&lines, DVT_FS_FILE_MAX);
	rc = env->fs->read(env->fs_ctx, path, &lines, err);
	if (rc == DVT_OK)
		rc = dvt_trustset_walk(
		    &none, dvt_buf_span(&lines), out, kept, err);
	dvt_buf_fini(&lines);
	return rc;
}

enum dvt_code
dvt_trustset_salvage(const struct dvt_agent_env *env, const char *device_id,
    int64_t now, struct dvt_trustset **out, struct dvt_err *err)
{
	struct dvt_trustset *t = NULL;
	int64_t version = -1;
	struct dvt_buf kept;
	dir_text dir;
	enum dvt_code rc;

	*out = NULL;
	if ((rc = env->fs->list(env->fs_ctx, DIR, note_bad, &version, err)) !=
	    DVT_OK)
		return rc;
	if (version < 0)
		return dvt_fail(err, DVT_E_ABSENT, "trust: none");
	(void)snprintf(dir, sizeof(dir), DIR "/%" PRId64 BAD, version);
	dvt_buf_init(&kept, DVT_FS_FILE_MAX);
	rc = from_lines(env, dir, device_id, &t, &kept, err);
	if (rc == DVT_E_ABSENT && version == 0)
		rc = from_anchors(env, dir, device_id, &t, err);
	if (rc == DVT_OK)
		rc = dvt_trustset_put(env, t, dvt_buf_span(&kept), now, err);
	dvt_buf_fini(&kept);
	if (rc == DVT_OK) {
		*out = t;
		return DVT_OK;
	}
	dvt_trustset_free(t);
	return rc == DVT_E_SYSTEM ? rc : DVT_E_ABSENT;
}
