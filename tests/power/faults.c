/* SPDX-License-Identifier: Apache-2.0 */
/* Planted faults: see faults.h. */
#include "faults.h"

#include "durable/memfs_disk.h"

#include <stdio.h>

#define FIRST "generations/1/"
#define NEXT  "generations/2/"

/* --- a sync that is missing --- */

static enum dvt_code
no_sync_root(void *ctx, const char *dir, struct dvt_err *err)
{
	return dir[0] == '\0' ? DVT_OK : dvt_memfs.sync_dir(ctx, dir, err);
}

static enum dvt_code
no_sync_generations(void *ctx, const char *dir, struct dvt_err *err)
{
	return strcmp(dir, "generations") == 0
		   ? DVT_OK
		   : dvt_memfs.sync_dir(ctx, dir, err);
}

static enum dvt_code
no_sync_generation(void *ctx, const char *dir, struct dvt_err *err)
{
	return strncmp(dir, "generations/", 12) == 0
		   ? DVT_OK
		   : dvt_memfs.sync_dir(ctx, dir, err);
}

static enum dvt_code
no_sync_trust(void *ctx, const char *dir, struct dvt_err *err)
{
	return strncmp(dir, "trust", 5) == 0
		   ? DVT_OK
		   : dvt_memfs.sync_dir(ctx, dir, err);
}

static enum dvt_code
no_sync_config(void *ctx, const char *dir, struct dvt_err *err)
{
	return strcmp(dir, "config") == 0 ? DVT_OK
					  : dvt_memfs.sync_dir(ctx, dir, err);
}

static size_t
node_of(const struct dvt_memfs *fs, const char *path)
{
	char name[DVT_FS_NAME_MAX + 1];
	size_t node = DVT_MEM_ROOT, n;

	for (; node != DVT_MEM_NOTHING; path += n + 1) {
		n = strcspn(path, "/");
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, path);
		node = dvt_mem_look_up(fs, node, name);
		if (path[n] == '\0')
			break;
	}
	return node;
}

/* The file is written and renamed, its bytes are not synced. */
static enum dvt_code
no_sync_file(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	struct dvt_memfs *fs = ctx;
	enum dvt_code rc = dvt_memfs.write_new(ctx, path, bytes, mode, err);

	if (rc == DVT_OK)
		dvt_buf_reset(&fs->nodes[node_of(fs, path)].disk);
	return rc;
}

static enum dvt_code
no_sync_value(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	return strncmp(path, "config/", 7) == 0
		   ? no_sync_file(ctx, path, bytes, mode, err)
		   : dvt_memfs.write_new(ctx, path, bytes, mode, err);
}

/* --- in place --- */

/* A file of the first generation becomes that of the next, each by itself
 * and each whole: a key and its chain in two switches. */
static enum dvt_code
take_place(struct dvt_memfs *fs, const char *name, struct dvt_err *err)
{
	char from[DVT_FS_PATH_MAX + 1], to[DVT_FS_PATH_MAX + 1];
	char part[DVT_FS_PATH_MAX + 1];
	struct dvt_buf b;
	enum dvt_code rc;

	(void)snprintf(from, sizeof(from), NEXT "%s", name);
	(void)snprintf(to, sizeof(to), FIRST "%s", name);
	(void)snprintf(part, sizeof(part), FIRST "%s.new", name);
	dvt_buf_init(&b, DVT_FS_FILE_MAX);
	if ((rc = dvt_memfs.read(fs, from, &b, err)) == DVT_OK &&
	    (rc = dvt_memfs.write_new(fs, part, dvt_buf_span(&b), 0600, err)) ==
		DVT_OK &&
	    (rc = dvt_memfs.rename(fs, part, to, err)) == DVT_OK)
		rc = dvt_memfs.sync_dir(fs, "generations/1", err);
	dvt_buf_cleanse(&b);
	return rc;
}

static enum dvt_code
two_switches(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	enum dvt_code rc = dvt_memfs.rename(ctx, from, to, err);

	if (rc == DVT_OK && strcmp(to, NEXT "key.pem") == 0)
		rc = take_place(ctx, "key.pem", err);
	if (rc == DVT_OK && strcmp(to, NEXT "chain.pem") == 0)
		rc = take_place(ctx, "chain.pem", err);
	return rc;
}

/* The old key is wiped with the switch, not when its hold is over. */
static enum dvt_code
wiped_early(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	enum dvt_code rc = dvt_memfs.rename(ctx, from, to, err);

	if (rc == DVT_OK && strcmp(to, "current") == 0)
		(void)dvt_memfs.unlink(ctx, FIRST "key.pem", NULL);
	return rc;
}

/* It is removed and written anew, not replaced. */
static enum dvt_code
not_replaced(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	if (strcmp(to, "current") == 0) {
		(void)dvt_memfs.unlink(ctx, to, NULL);
		(void)dvt_memfs.sync_dir(ctx, "", NULL);
		(void)dvt_memfs.unlink(ctx, FIRST "meta.json", NULL);
	}
	return dvt_memfs.rename(ctx, from, to, err);
}

/* A copy of the key where it does not belong. */
static enum dvt_code
strewn(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	if (strcmp(path, NEXT "key.pem.new") == 0)
		(void)dvt_memfs.write_new(
		    ctx, "generations/backup.pem", bytes, mode, NULL);
	return dvt_memfs.write_new(ctx, path, bytes, mode, err);
}

/* Values in clear are taken for done with once the switch stands. */
static enum dvt_code
value_wiped(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	enum dvt_code rc = dvt_memfs.rename(ctx, from, to, err);

	if (rc == DVT_OK && strcmp(to, "current") == 0)
		(void)dvt_memfs.unlink(ctx, "config/wifi.psk", NULL);
	return rc;
}

static enum dvt_code
value_strewn(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	if (strncmp(path, "config/", 7) == 0)
		(void)dvt_memfs.write_new(
		    ctx, "generations/value", bytes, mode, NULL);
	return dvt_memfs.write_new(ctx, path, bytes, mode, err);
}

/* It is removed and written anew, not replaced. */
static enum dvt_code
value_not_replaced(
    void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	if (strncmp(to, "config/", 7) == 0) {
		(void)dvt_memfs.unlink(ctx, to, NULL);
		(void)dvt_memfs.sync_dir(ctx, "config", NULL);
	}
	return dvt_memfs.rename(ctx, from, to, err);
}

/* --- all of them --- */

static size_t
faults_of_values(struct fault out[FAULTS_MAX], size_t n)
{
	size_t first = n;

	out[n].fs.sync_dir = no_sync_config;
	out[n++].name = "no fsync of config/";
	out[n].fs.write_new = no_sync_value;
	out[n++].name = "no fsync of a value before its rename";
	out[n].fs.rename = value_not_replaced;
	out[n++].name = "a value removed before it is written";
	out[n].fs.write_new = value_strewn;
	out[n++].name = "a copy of a value outside config/";
	for (size_t i = first; i < n; i++)
		out[i].life = "new version of a value";
	first = n;
	out[n].fs.sync_dir = no_sync_generation;
	out[n++].name = "no fsync of generations/N/ (values)";
	out[n].fs.rename = two_switches;
	out[n++].name = "key and chain written in two switches (values)";
	out[n].fs.rename = value_wiped;
	out[n++].name = "a value wiped at the switch";
	for (size_t i = first; i < n; i++)
		out[i].life = "renewal with values";
	out[n].fs.rename = wiped_early;
	out[n].life = "renewal with values that goes back";
	out[n++].name = "the old key wiped early (values)";
	return n;
}

size_t
faults_make(struct fault out[FAULTS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < FAULTS_MAX; i++)
		out[i] = (struct fault){.fs = dvt_memfs, .life = "renewal"};
	out[n++].name = "none";
	out[n].fs.sync_dir = no_sync_root;
	out[n++].name = "no fsync of the state directory";
	out[n].fs.sync_dir = no_sync_generations;
	out[n++].name = "no fsync of generations/";
	out[n].fs.sync_dir = no_sync_generation;
	out[n++].name = "no fsync of generations/N/";
	out[n].fs.sync_dir = no_sync_trust;
	out[n].life = "trust bundle that removes";
	out[n++].name = "no fsync of trust/";
	out[n].fs.write_new = no_sync_file;
	out[n++].name = "no fsync of a file before its rename";
	out[n].fs.rename = two_switches;
	out[n++].name = "key and chain written in two switches";
	out[n].fs.rename = wiped_early;
	out[n++].name = "the old key wiped early";
	out[n].fs.rename = not_replaced;
	out[n++].name = "\"current\" removed before it is written";
	out[n].fs.write_new = strewn;
	out[n++].name = "a copy of the key outside its generation";
	return faults_of_values(out, n);
}
