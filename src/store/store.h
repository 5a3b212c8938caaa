/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database: opening, migrations, transactions, and statements that are
 * prepared once. Functions for rows are in the headers beside this one.
 *
 * One thread, one open transaction at a time. Whatever fails in the database
 * itself (full disk, I/O) ends the transaction as a whole: later calls tell
 * the same failure, commit as well, and nothing of it is kept.
 */
#ifndef DVT_STORE_STORE_H
#define DVT_STORE_STORE_H

#include "base/mem.h"
#include "base/span.h"
#include "store/sql.h"

#include <stdint.h>

#define DVT_STORE_BUSY_MS 5000 /* wait for another writer's lock */

struct dvt_store;
struct dvt_tx;
struct dvt_stmt;

enum dvt_store_mode {
	DVT_STORE_WRITE, /* core, init: made when it is not there */
	DVT_STORE_READ,  /* readers, checks: must be there, is never changed */
};

/**
 * dvt_store_open() - open a database; its schema is looked at
 * @where: path of the SQLite file; it gets mode 0600
 * @out:   the caller's; close with dvt_store_close()
 *
 * In mode DVT_STORE_WRITE a commit is on the disk when it returns (WAL,
 * synchronous=FULL); the schema may be older than this program: migrate it.
 * In mode DVT_STORE_READ every transaction sees one snapshot.
 * Return: DVT_OK; DVT_E_ABSENT (mode read, no such file); DVT_E_CONFLICT (the
 *         database is of a newer version, or, to read, of an older one; the
 *         text says what to do); DVT_E_LATER (locked); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_store_open(const char *where,
    enum dvt_store_mode mode, struct dvt_store **out, struct dvt_err *err);
void dvt_store_close(struct dvt_store *s); /* rolls back what is open */

/* Number of the last migration applied; 0: an empty database. */
int64_t dvt_store_schema(const struct dvt_store *s);
/* Number of the last migration this program knows. */
int64_t dvt_store_schema_known(void);

/**
 * dvt_store_migrate() - bring the schema to the one of this program
 *
 * Each migration is a transaction of its own; after a failure or a cut the
 * next call goes on where this one stopped. Outside of a transaction.
 */
DVT_MUST_USE enum dvt_code dvt_store_migrate(
    struct dvt_store *s, struct dvt_err *err);

/* --- transactions --- */

/**
 * dvt_tx_begin() - begin; in mode write it takes the writer's lock at once
 * @out: borrowed from @s until commit or rollback
 * Return: DVT_OK; DVT_E_LATER (another writer); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_tx_begin(
    struct dvt_store *s, struct dvt_tx **out, struct dvt_err *err);
/* Ends @tx in every case; unless it returns DVT_OK nothing of it was kept. */
DVT_MUST_USE enum dvt_code dvt_tx_commit(
    struct dvt_tx *tx, struct dvt_err *err);
void dvt_tx_rollback(struct dvt_tx *tx); /* NULL-safe */

/* Savepoints nest, at most 8 deep. Undo takes back all since the last save
 * and removes it; release keeps it. */
DVT_MUST_USE enum dvt_code dvt_tx_save(struct dvt_tx *tx, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_tx_release(
    struct dvt_tx *tx, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_tx_undo(struct dvt_tx *tx, struct dvt_err *err);

/* Why the database gave this transaction up; NULL while it lives. */
const struct dvt_err *dvt_tx_broken(const struct dvt_tx *tx);

/* --- statements --- */

/**
 * dvt_stmt_get() - a prepared statement with nothing bound
 * @out: borrowed; give it back with dvt_stmt_put() before the transaction ends
 *
 * The same statement may be got again while it is in use.
 */
DVT_MUST_USE enum dvt_code dvt_stmt_get(struct dvt_tx *tx, enum dvt_sql_id id,
    struct dvt_stmt **out, struct dvt_err *err);
void dvt_stmt_put(struct dvt_stmt *q); /* NULL-safe */

/* By name; a failure (no such name, wrong type) is kept and told by run() or
 * next(). Texts and bytes are borrowed until dvt_stmt_put(). NULL pointers
 * are NULL in the database. */
void dvt_bind_i64(struct dvt_stmt *q, const char *name, int64_t v);
void dvt_bind_text(struct dvt_stmt *q, const char *name, const char *v);
void dvt_bind_bytes(struct dvt_stmt *q, const char *name, struct dvt_span v);

/* A statement without an answer. @changed: out: rows; may be NULL. */
DVT_MUST_USE enum dvt_code dvt_stmt_run(
    struct dvt_stmt *q, int64_t *changed, struct dvt_err *err);
/* The next row of the answer; *row is false after the last. */
DVT_MUST_USE enum dvt_code dvt_stmt_next(
    struct dvt_stmt *q, bool *row, struct dvt_err *err);

/* Columns of the current row, by name; asking for one that the statement does
 * not have is our own mistake and ends the process. Borrowed until the next
 * row. NULL is 0, NULL, an empty span. */
int64_t dvt_col_i64(struct dvt_stmt *q, const char *name);
const char *dvt_col_text(struct dvt_stmt *q, const char *name);
struct dvt_span dvt_col_bytes(struct dvt_stmt *q, const char *name);

/* --- meta: one value per key --- */

/* @value: copied into @arena. DVT_E_ABSENT when there is none. */
DVT_MUST_USE enum dvt_code dvt_store_meta_get(struct dvt_tx *tx,
    struct dvt_arena *arena, const char *key, const char **value,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_store_meta_set(
    struct dvt_tx *tx, const char *key, const char *value, struct dvt_err *err);
/* A number that counts up from 1, kept under @key. */
DVT_MUST_USE enum dvt_code dvt_store_meta_count(
    struct dvt_tx *tx, const char *key, int64_t *value, struct dvt_err *err);

#endif
