/* SPDX-License-Identifier: Apache-2.0 */
/* Planted faults: see faults.h. */
#include "faults.h"

#include "durable/memfs_disk.h"

#include <stdio.h>

#define FIRST "generations/1/"
#define NEXT  "generations/2/"

static const struct fault *planted; /* one for a process */

/* Is @path the place of the planted fault? "x*" is all that begins with x. */
static bool
is_there(const char *path)
{
	size_t n = strlen(planted->where);

	return n > 0 && planted->where[n - 1] == '*'
		   ? strncmp(path, planted->where, n - 1) == 0
		   : strcmp(path, planted->where) == 0;
}

/* --- a sync that is missing --- */

static enum dvt_code
no_sync(void *ctx, const char *dir, struct dvt_err *err)
{
	return is_there(dir) ? DVT_OK : dvt_memfs.sync_dir(ctx, dir, err);
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

	if (rc == DVT_OK && is_there(path))
		dvt_buf_reset(&fs->nodes[node_of(fs, path)].disk);
	return rc;
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

/* The other file goes with the switch: an old key, a value in clear. */
static enum dvt_code
wiped(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	enum dvt_code rc = dvt_memfs.rename(ctx, from, to, err);

	if (rc == DVT_OK && is_there(to))
		(void)dvt_memfs.unlink(ctx, planted->other, NULL);
	return rc;
}

/* It is removed and written anew, not replaced. */
static enum dvt_code
not_replaced(void *ctx, const char *from, const char *to, struct dvt_err *err)
{
	const char *slash = strrchr(to, '/');
	char dir[DVT_FS_PATH_MAX + 1];

	if (!is_there(to))
		return dvt_memfs.rename(ctx, from, to, err);
	(void)snprintf(dir, sizeof(dir), "%.*s",
	    slash == NULL ? 0 : (int)(slash - to), to);
	(void)dvt_memfs.unlink(ctx, to, NULL);
	(void)dvt_memfs.sync_dir(ctx, dir, NULL);
	if (planted->other != NULL)
		(void)dvt_memfs.unlink(ctx, planted->other, NULL);
	return dvt_memfs.rename(ctx, from, to, err);
}

/* A copy where it does not belong. */
static enum dvt_code
strewn(void *ctx, const char *path, struct dvt_span bytes, unsigned mode,
    struct dvt_err *err)
{
	if (is_there(path))
		(void)dvt_memfs.write_new(
		    ctx, planted->other, bytes, mode, NULL);
	return dvt_memfs.write_new(ctx, path, bytes, mode, err);
}

/* --- all of them --- */

#define RENEWAL "renewal"
#define REMOVES "trust bundle that removes"
#define VERSION "new version of a value"
#define VALUES  "renewal with values"
#define BACK    "renewal with values that goes back"
#define PSK     "config/wifi.psk"

/* name, life, where, other, what takes the place of the true call */
const struct fault faults[] = {
    {"none",					   RENEWAL, "",                 NULL,            {.read = NULL}          },
    {"no fsync of the state directory",                RENEWAL, "",                 NULL,
     {.sync_dir = no_sync}												   },
    {"no fsync of generations/",                       RENEWAL, "generations",      NULL,
     {.sync_dir = no_sync}												   },
    {"no fsync of generations/N/",                     RENEWAL, "generations/*",    NULL,
     {.sync_dir = no_sync}												   },
    {"no fsync of trust/",			     REMOVES, "trust*",           NULL,            {.sync_dir = no_sync}   },
    {"no fsync of a file before its rename",           RENEWAL, "*",                NULL,
     {.write_new = no_sync_file}											     },
    {"key and chain written in two switches",          RENEWAL, "",                 NULL,
     {.rename = two_switches}												},
    {"the old key wiped early",                        RENEWAL, "current",          FIRST "key.pem",
     {.rename = wiped}												       },
    {"\"current\" removed before it is written",       RENEWAL, "current",
     FIRST "meta.json",									      {.rename = not_replaced}},
    {"a copy of the key outside its generation",       RENEWAL, NEXT "key.pem.new",
     "generations/backup.pem",								       {.write_new = strewn}   },
    {"no fsync of config/",			    VERSION, "config",           NULL,            {.sync_dir = no_sync}   },
    {"no fsync of a value before its rename",          VERSION, "config/*",         NULL,
     {.write_new = no_sync_file}											     },
    {"a value removed before it is written",           VERSION, "config/*",         NULL,
     {.rename = not_replaced}												},
    {"a copy of a value outside config/",              VERSION, "config/*",
     "generations/value",									    {.write_new = strewn}   },
    {"no fsync of generations/N/ (values)",            VALUES,  "generations/*",    NULL,
     {.sync_dir = no_sync}												   },
    {"key and chain written in two switches (values)", VALUES,  "",                 NULL,
     {.rename = two_switches}												},
    {"a value wiped at the switch",                    VALUES,  "current",          PSK,             {.rename = wiped}       },
    {"the old key wiped early (values)",               BACK,    "current",          FIRST "key.pem",
     {.rename = wiped}												       },
};
const size_t faults_n = sizeof(faults) / sizeof(faults[0]);

void
fault_plant(const struct fault *f, struct dvt_fs *out)
{
	planted = f;
	*out = dvt_memfs;
	if (f->over.sync_dir != NULL)
		out->sync_dir = f->over.sync_dir;
	if (f->over.write_new != NULL)
		out->write_new = f->over.write_new;
	if (f->over.rename != NULL)
		out->rename = f->over.rename;
}
