/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a database must do for the store: one table of functions. SQLite has
 * its own (sqlite.c); nothing above this header knows which one it is.
 */
#ifndef DVT_STORE_DRIVER_H
#define DVT_STORE_DRIVER_H

#include "base/span.h"
#include "store/sql.h"

/* How a failure is told, the same for every driver:
 * DVT_E_CONFLICT  a constraint; the text names it
 * DVT_E_LATER     the database is busy or a transaction must be repeated
 * DVT_E_SYSTEM    disk full, I/O, corruption, connection; what the text says
 * DVT_E_ABSENT    at open: there is no such database
 */
struct dvt_driver {
	const char *name;

	/* @where: file or connection string. *conn is the caller's. */
	enum dvt_code (*open)(const char *where, bool readonly,
	    int busy_timeout_ms, void **conn, struct dvt_err *err);
	void (*close)(void *conn);

	enum dvt_code (*begin)(void *conn, struct dvt_err *err);
	enum dvt_code (*commit)(void *conn, struct dvt_err *err);
	/* Never fails: what cannot be rolled back is gone already. */
	void (*rollback)(void *conn);
	/* Savepoints are numbered by depth, 1 is the outermost. */
	enum dvt_code (*savepoint)(
	    void *conn, unsigned depth, struct dvt_err *err);
	enum dvt_code (*release)(
	    void *conn, unsigned depth, struct dvt_err *err);
	enum dvt_code (*rollback_to)(
	    void *conn, unsigned depth, struct dvt_err *err);
	/* False once the database has given up the transaction by itself. */
	bool (*alive)(void *conn);

	/* One migration, inside the open transaction. */
	enum dvt_code (*migrate)(
	    void *conn, const struct dvt_sql_migration *m, struct dvt_err *err);
	/* Is there a table of this name? */
	enum dvt_code (*has_table)(
	    void *conn, const char *name, bool *yes, struct dvt_err *err);

	enum dvt_code (*prepare)(void *conn, const struct dvt_sql *sql,
	    void **stmt, struct dvt_err *err);
	void (*finish)(void *stmt);
	/* Indexes from 0. Bytes are borrowed until the next reset. */
	enum dvt_code (*bind_null)(void *stmt, size_t i);
	enum dvt_code (*bind_i64)(void *stmt, size_t i, int64_t v);
	enum dvt_code (*bind_text)(void *stmt, size_t i, struct dvt_span v);
	enum dvt_code (*bind_bytes)(void *stmt, size_t i, struct dvt_span v);
	/* *row: is there one; *changed: rows changed, when there is none. */
	enum dvt_code (*step)(
	    void *stmt, bool *row, int64_t *changed, struct dvt_err *err);
	void (*reset)(void *stmt); /* also forgets what was bound */
	/* Borrowed until the next step or reset; p is NULL for NULL. Texts end
	 * in a NUL that is not counted. */
	bool (*col_null)(void *stmt, size_t i);
	int64_t (*col_i64)(void *stmt, size_t i);
	struct dvt_span (*col_text)(void *stmt, size_t i);
	struct dvt_span (*col_bytes)(void *stmt, size_t i);
};

extern const struct dvt_driver dvt_driver_sqlite;

#endif
