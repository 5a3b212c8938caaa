/* SPDX-License-Identifier: Apache-2.0 */
/* See confval.h. */
#include "device/confval.h"

#include "base/mem.h"
#include "durable/atomic.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 32768 /* bytes of config.json: 64 values */
#define NAME_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

typedef char path_text[DVT_FS_PATH_MAX + 1];

static bool
ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n >= k && strcmp(name + n - k, end) == 0;
}

bool
dvt_confval_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= DVT_CONFIG_NAME && name[0] != '.' &&
	       name[strspn(name, NAME_CHARS)] == '\0' &&
	       !ends_in(name, DVT_ATOMIC_NEW) && !ends_in(name, DVT_ATOMIC_OLD);
}

void
dvt_confvals_fini(struct dvt_confvals *all)
{
	free(all->v);
	memset(all, 0, sizeof(*all));
}

struct dvt_confval *
dvt_confvals_get(struct dvt_confvals *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i].name, name) == 0)
			return &all->v[i];
	return NULL;
}

struct dvt_confval *
dvt_confvals_add(struct dvt_confvals *all, const char *name)
{
	struct dvt_confval *v = dvt_confvals_get(all, name);

	if (v != NULL || all->n == DVT_CONFIG_VALUES)
		return v;
	all->v = dvt_realloc(all->v, (all->n + 1) * sizeof(*v));
	v = &all->v[all->n++];
	memset(v, 0, sizeof(*v));
	(void)dvt_copy_str(v->name, sizeof(v->name), name);
	return v;
}

void
dvt_confvals_drop(struct dvt_confvals *all, struct dvt_confval *v)
{
	size_t after = all->n - (size_t)(v - all->v) - 1;

	memmove(v, v + 1, after * sizeof(*v));
	all->n--;
}

/* --- config.json --- */

static enum dvt_code
take_one(struct dvt_confvals *all, const json_t *obj, struct dvt_err *err)
{
	const char *name, *failed;
	struct dvt_confval *v;
	int64_t version, noted;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(obj, "name", DVT_CONFIG_NAME, &name, err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_i64(
		 obj, "version", 0, INT64_MAX, &version, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(obj, "failed_version", 0, INT64_MAX, 0,
		 &noted, err)) != DVT_OK ||
	    (rc = dvt_json_opt_str(obj, "failed", DVT_STEP_DETAIL - 1, "",
		 &failed, err)) != DVT_OK)
		return rc;
	if (!dvt_confval_name_ok(name) || (version == 0 && noted == 0) ||
	    (v = dvt_confvals_add(all, name)) == NULL)
		return dvt_fail(err, DVT_E_INPUT, "name");
	v->have = version;
	v->noted_version = noted;
	(void)dvt_copy_str(v->failed, sizeof(v->failed), failed);
	return DVT_OK;
}

void
dvt_confvals_load(const struct dvt_agent_env *env, struct dvt_confvals *out)
{
	struct dvt_err ignored, *err = &ignored;
	struct dvt_buf text;
	json_t *list = NULL, *obj = NULL;
	enum dvt_code rc;
	size_t i;
	json_t *one;

	memset(out, 0, sizeof(*out));
	dvt_buf_init(&text, FILE_MAX);
	rc = env->fs->read(env->fs_ctx, DVT_CONFVAL_FILE, &text, err);
	if (rc == DVT_OK)
		rc = dvt_json_parse(dvt_buf_span(&text), FILE_MAX, &obj, err);
	if (rc == DVT_OK)
		rc = dvt_json_get_list(obj, "values", &list, err);
	json_array_foreach(list, i, one)
	{
		if (rc == DVT_OK)
			rc = take_one(out, one, err);
	}
	json_decref(obj);
	dvt_buf_fini(&text);
	if (rc != DVT_OK)
		dvt_confvals_fini(out); /* all of it is fetched again */
}

/* The failure to be written: of this run, or of one before. */
static int64_t
noted(const struct dvt_confval *v)
{
	return v->failed_version > 0 ? v->failed_version : v->noted_version;
}

static json_t *
one_json(const struct dvt_confval *v)
{
	json_t *obj = json_pack(
	    "{s:s, s:I}", "name", v->name, "version", (json_int_t)v->have);

	if (noted(v) > 0) {
		(void)json_object_set_new(
		    obj, "failed_version", json_integer((json_int_t)noted(v)));
		(void)json_object_set_new(
		    obj, "failed", json_string(v->failed));
	}
	return obj;
}

enum dvt_code
dvt_confvals_save(const struct dvt_agent_env *env,
    const struct dvt_confvals *all, struct dvt_err *err)
{
	json_t *list = json_array(), *obj = json_pack("{s:o}", "values", list);
	struct dvt_buf text;
	enum dvt_code rc;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].have > 0 || noted(&all->v[i]) > 0)
			(void)json_array_append_new(list, one_json(&all->v[i]));
	dvt_buf_init(&text, FILE_MAX);
	dvt_json_put(&text, obj);
	json_decref(obj);
	rc = dvt_buf_ok(&text, DVT_CONFVAL_FILE, err);
	if (rc == DVT_OK)
		rc = dvt_atomic_replace(env->fs, env->fs_ctx, "",
		    DVT_CONFVAL_FILE, dvt_buf_span(&text), 0600, err);
	dvt_buf_fini(&text);
	return rc;
}

/* --- values --- */

enum dvt_code
dvt_confval_put(const struct dvt_agent_env *env, const char *name,
    struct dvt_span plain, struct dvt_err *err)
{
	enum dvt_code rc = dvt_dir_ensure(
	    env->fs, env->fs_ctx, DVT_CONFVAL_DIR, err);

	if (rc != DVT_OK)
		return rc;
	return dvt_atomic_replace(
	    env->fs, env->fs_ctx, DVT_CONFVAL_DIR, name, plain, 0600, err);
}

enum dvt_code
dvt_confval_remove(
    const struct dvt_agent_env *env, const char *name, struct dvt_err *err)
{
	path_text path;
	enum dvt_code rc;

	(void)snprintf(path, sizeof(path), DVT_CONFVAL_DIR "/%s", name);
	rc = env->fs->unlink(env->fs_ctx, path, err);
	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	return rc == DVT_OK
		   ? env->fs->sync_dir(env->fs_ctx, DVT_CONFVAL_DIR, err)
		   : rc;
}

enum dvt_code
dvt_confval_read(const struct dvt_agent_env *env, const char *name,
    struct dvt_buf *plain, struct dvt_err *err)
{
	path_text path;

	(void)snprintf(path, sizeof(path), DVT_CONFVAL_DIR "/%s", name);
	return env->fs->read(env->fs_ctx, path, plain, err);
}
