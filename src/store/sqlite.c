/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite driver: see driver.h. */
#include "store/driver.h"

#include "base/mem.h"

#include <sqlite3.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 8

/* Statements about the transaction itself, prepared when first needed. */
enum control {
	BEGIN,
	COMMIT,
	ROLLBACK,
	SAVEPOINT,
	RELEASE = SAVEPOINT + DEPTH_MAX,
	ROLLBACK_TO = RELEASE + DEPTH_MAX,
	CONTROL_N = ROLLBACK_TO + DEPTH_MAX,
};

struct conn {
	sqlite3 *db;
	char *path;
	bool readonly;
	sqlite3_stmt *control[CONTROL_N];
};

struct stmt {
	struct conn *conn;
	sqlite3_stmt *h;
	const char *name;
};

/* What SQLite says, as one of the store's codes and a text for people. */
static enum dvt_code
failed(struct conn *c, int rc, const char *what, struct dvt_err *err)
{
	const char *why = c->db != NULL ? sqlite3_errmsg(c->db)
					: sqlite3_errstr(rc);

	errno = c->db != NULL ? sqlite3_system_errno(c->db) : 0;
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		return dvt_fail(err, DVT_E_CONFLICT, "%s: %s", what, why);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return dvt_fail(err, DVT_E_LATER,
		    "%s: %s is locked by another process", what, c->path);
	case SQLITE_FULL:
		return dvt_fail(err, DVT_E_SYSTEM,
		    "%s: no space for %s; nothing of this transaction was "
		    "kept; free some space",
		    what, c->path);
	case SQLITE_IOERR:
		if (errno == 0)
			errno = EIO;
		return dvt_fail_errno(err,
		    "%s: cannot read or write %s (%s); nothing of this "
		    "transaction was kept",
		    what, c->path, sqlite3_errstr(rc));
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return dvt_fail(err, DVT_E_SYSTEM,
		    "%s: %s is damaged or not a database (%s)", what, c->path,
		    why);
	default:
		return dvt_fail(err, DVT_E_SYSTEM, "%s: %s: %s (SQLite %d)",
		    what, c->path, why, rc);
	}
}

/*
 * A new file gets its mode before anything is in it, and its name is on the
 * disk before the first commit is. An old one is not opened here: closing it
 * would drop the locks that another connection of this process has on it.
 */
static enum dvt_code
make_file(const char *path, struct dvt_err *err)
{
	char *copy;
	int fd;

	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return DVT_OK;
	if (fd < 0)
		return dvt_fail_errno(err, "database %s", path);
	(void)close(fd);
	copy = dvt_strdup(path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0 || fsync(fd) != 0) {
		(void)dvt_fail_errno(err, "database %s: its folder", path);
		if (fd >= 0)
			(void)close(fd);
		return DVT_E_SYSTEM;
	}
	(void)close(fd);
	return DVT_OK;
}

static enum dvt_code
set_up(struct conn *c, int busy_timeout_ms, struct dvt_err *err)
{
	static const char write_pragmas
	    [] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		 "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-32768;"
		 "PRAGMA temp_store=MEMORY;";
	static const char read_pragmas[] =
	    "PRAGMA query_only=1; PRAGMA cache_size=-32768;"
	    "PRAGMA temp_store=MEMORY; SELECT count(*) FROM sqlite_schema;";
	int rc;

	(void)sqlite3_extended_result_codes(c->db, 1);
	(void)sqlite3_busy_timeout(c->db, busy_timeout_ms);
	(void)sqlite3_db_config(
	    c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	(void)sqlite3_db_config(
	    c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	rc = sqlite3_exec(c->db, c->readonly ? read_pragmas : write_pragmas,
	    NULL, NULL, NULL);
	return rc == SQLITE_OK ? DVT_OK : failed(c, rc, "database open", err);
}

static void
lite_close(void *conn)
{
	struct conn *c = conn;

	if (c == NULL)
		return;
	for (size_t i = 0; i < CONTROL_N; i++)
		(void)sqlite3_finalize(c->control[i]);
	(void)sqlite3_close(c->db);
	free(c->path);
	free(c);
}

static enum dvt_code
lite_open(const char *where, bool readonly, int busy_timeout_ms, void **conn,
    struct dvt_err *err)
{
	struct conn *c;
	enum dvt_code code = DVT_OK;
	int rc, flags;

	*conn = NULL;
	if (readonly && access(where, F_OK) != 0)
		return dvt_fail(
		    err, DVT_E_ABSENT, "there is no database %s", where);
	if (!readonly && (code = make_file(where, err)) != DVT_OK)
		return code;
	c = dvt_alloc(sizeof(*c));
	c->path = dvt_strdup(where);
	c->readonly = readonly;
	flags = readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	rc = sqlite3_open_v2(where, &c->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		code = failed(c, rc, "database open", err);
	else
		code = set_up(c, busy_timeout_ms, err);
	if (code != DVT_OK) {
		lite_close(c);
		return code;
	}
	*conn = c;
	return DVT_OK;
}

static enum dvt_code
control(struct conn *c, unsigned which, const char *sql, struct dvt_err *err)
{
	sqlite3_stmt **h = &c->control[which];
	int rc = SQLITE_OK;

	if (*h == NULL)
		rc = sqlite3_prepare_v3(
		    c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, h, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(*h);
		if (rc == SQLITE_DONE)
			rc = SQLITE_OK;
	}
	if (rc != SQLITE_OK)
		(void)failed(c, rc, sql, err);
	if (*h != NULL)
		(void)sqlite3_reset(*h);
	if (rc == SQLITE_OK)
		return DVT_OK;
	return err != NULL ? err->code : failed(c, rc, sql, NULL);
}

static enum dvt_code
lite_begin(void *conn, struct dvt_err *err)
{
	struct conn *c = conn;

	return control(
	    c, BEGIN, c->readonly ? "BEGIN" : "BEGIN IMMEDIATE", err);
}

static enum dvt_code
lite_commit(void *conn, struct dvt_err *err)
{
	return control(conn, COMMIT, "COMMIT", err);
}

static void
lite_rollback(void *conn)
{
	struct conn *c = conn;

	if (!sqlite3_get_autocommit(c->db))
		(void)control(c, ROLLBACK, "ROLLBACK", NULL);
}

static enum dvt_code
at_depth(struct conn *c, unsigned base, const char *verb, unsigned depth,
    struct dvt_err *err)
{
	char sql[32];

	if (depth < 1 || depth > DEPTH_MAX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "%s: %u savepoints deep", verb, depth);
	(void)snprintf(sql, sizeof(sql), "%s s%u", verb, depth);
	return control(c, base + depth - 1, sql, err);
}

static enum dvt_code
lite_savepoint(void *conn, unsigned depth, struct dvt_err *err)
{
	return at_depth(conn, SAVEPOINT, "SAVEPOINT", depth, err);
}

static enum dvt_code
lite_release(void *conn, unsigned depth, struct dvt_err *err)
{
	return at_depth(conn, RELEASE, "RELEASE", depth, err);
}

static enum dvt_code
lite_rollback_to(void *conn, unsigned depth, struct dvt_err *err)
{
	return at_depth(conn, ROLLBACK_TO, "ROLLBACK TO", depth, err);
}

static bool
lite_alive(void *conn)
{
	struct conn *c = conn;

	return !sqlite3_get_autocommit(c->db);
}

static enum dvt_code
lite_migrate(void *conn, const struct dvt_sql_migration *m, struct dvt_err *err)
{
	struct conn *c = conn;
	int rc;

	rc = sqlite3_exec(c->db, m->sqlite, NULL, NULL, NULL);
	return rc == SQLITE_OK ? DVT_OK : failed(c, rc, m->name, err);
}

static enum dvt_code
lite_has_table(void *conn, const char *name, bool *yes, struct dvt_err *err)
{
	struct conn *c = conn;
	sqlite3_stmt *h = NULL;
	enum dvt_code code = DVT_OK;
	int rc;

	*yes = false;
	rc = sqlite3_prepare_v2(c->db,
	    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1",
	    -1, &h, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(h, 1, name, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(h);
	if (rc == SQLITE_ROW)
		*yes = true;
	else if (rc != SQLITE_DONE)
		code = failed(c, rc, "database schema", err);
	(void)sqlite3_finalize(h);
	return code;
}

static enum dvt_code
lite_prepare(
    void *conn, const struct dvt_sql *sql, void **stmt, struct dvt_err *err)
{
	struct conn *c = conn;
	struct stmt *q = dvt_alloc(sizeof(*q));
	int rc;

	*stmt = NULL;
	q->conn = c;
	q->name = sql->name;
	rc = sqlite3_prepare_v3(
	    c->db, sql->sqlite, -1, SQLITE_PREPARE_PERSISTENT, &q->h, NULL);
	if (rc != SQLITE_OK) {
		free(q);
		return failed(c, rc, sql->name, err);
	}
	if ((size_t)sqlite3_bind_parameter_count(q->h) != sql->in_n ||
	    (size_t)sqlite3_column_count(q->h) != sql->out_n) {
		rc = sqlite3_column_count(q->h);
		(void)sqlite3_finalize(q->h);
		free(q);
		return dvt_fail(err, DVT_E_SYSTEM,
		    "%s: %d columns, its comment says %zu", sql->name, rc,
		    sql->out_n);
	}
	*stmt = q;
	return DVT_OK;
}

static void
lite_finish(void *stmt)
{
	struct stmt *q = stmt;

	if (q == NULL)
		return;
	(void)sqlite3_finalize(q->h);
	free(q);
}

static enum dvt_code
bound(int rc)
{
	return rc == SQLITE_OK ? DVT_OK : DVT_E_LIMIT;
}

static enum dvt_code
lite_bind_null(void *stmt, size_t i)
{
	struct stmt *q = stmt;

	return bound(sqlite3_bind_null(q->h, (int)i + 1));
}

static enum dvt_code
lite_bind_i64(void *stmt, size_t i, int64_t v)
{
	struct stmt *q = stmt;

	return bound(sqlite3_bind_int64(q->h, (int)i + 1, v));
}

static enum dvt_code
lite_bind_text(void *stmt, size_t i, struct dvt_span v)
{
	struct stmt *q = stmt;

	return bound(sqlite3_bind_text64(q->h, (int)i + 1, (const char *)v.p,
	    v.n, SQLITE_STATIC, SQLITE_UTF8));
}

static enum dvt_code
lite_bind_bytes(void *stmt, size_t i, struct dvt_span v)
{
	struct stmt *q = stmt;

	return bound(
	    sqlite3_bind_blob64(q->h, (int)i + 1, v.p, v.n, SQLITE_STATIC));
}

static enum dvt_code
lite_step(void *stmt, bool *row, int64_t *changed, struct dvt_err *err)
{
	struct stmt *q = stmt;
	int rc = sqlite3_step(q->h);

	*row = rc == SQLITE_ROW;
	*changed = 0;
	if (rc == SQLITE_ROW)
		return DVT_OK;
	if (rc != SQLITE_DONE)
		return failed(q->conn, rc, q->name, err);
	*changed = sqlite3_changes64(q->conn->db);
	return DVT_OK;
}

static void
lite_reset(void *stmt)
{
	struct stmt *q = stmt;

	(void)sqlite3_reset(q->h);
	(void)sqlite3_clear_bindings(q->h);
}

static bool
lite_col_null(void *stmt, size_t i)
{
	struct stmt *q = stmt;

	return sqlite3_column_type(q->h, (int)i) == SQLITE_NULL;
}

static int64_t
lite_col_i64(void *stmt, size_t i)
{
	struct stmt *q = stmt;

	return sqlite3_column_int64(q->h, (int)i);
}

static struct dvt_span
lite_col_text(void *stmt, size_t i)
{
	struct stmt *q = stmt;
	const uint8_t *p = sqlite3_column_text(q->h, (int)i);

	return (struct dvt_span){
	    p, p == NULL ? 0 : (size_t)sqlite3_column_bytes(q->h, (int)i)};
}

static struct dvt_span
lite_col_bytes(void *stmt, size_t i)
{
	struct stmt *q = stmt;
	const uint8_t *p = sqlite3_column_blob(q->h, (int)i);

	return (struct dvt_span){
	    p, p == NULL ? 0 : (size_t)sqlite3_column_bytes(q->h, (int)i)};
}

const struct dvt_driver dvt_driver_sqlite = {
    .name = "sqlite",
    .open = lite_open,
    .close = lite_close,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .savepoint = lite_savepoint,
    .release = lite_release,
    .rollback_to = lite_rollback_to,
    .alive = lite_alive,
    .migrate = lite_migrate,
    .has_table = lite_has_table,
    .prepare = lite_prepare,
    .finish = lite_finish,
    .bind_null = lite_bind_null,
    .bind_i64 = lite_bind_i64,
    .bind_text = lite_bind_text,
    .bind_bytes = lite_bind_bytes,
    .step = lite_step,
    .reset = lite_reset,
    .col_null = lite_col_null,
    .col_i64 = lite_col_i64,
    .col_text = lite_col_text,
    .col_bytes = lite_col_bytes,
};
