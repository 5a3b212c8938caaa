/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, migrations and transactions: see store.h. */
#include "store/store_priv.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA_KEY "schema"

int64_t
dvt_store_schema(const struct dvt_store *s)
{
	return s->schema;
}

int64_t
dvt_store_schema_known(void)
{
	return dvt_sql_migrations[dvt_sql_migrations_n - 1].number;
}

/* Which migration was the last one? */
static enum dvt_code
read_schema(struct dvt_store *s, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	const char *value = NULL;
	struct dvt_tx *tx;
	enum dvt_code rc;
	bool yes;

	s->schema = 0;
	if ((rc = s->driver->has_table(s->conn, "meta", &yes, err)) != DVT_OK ||
	    !yes)
		return rc;
	if ((rc = dvt_tx_begin(s, &tx, err)) != DVT_OK)
		return rc;
	rc = dvt_store_meta_get(tx, &arena, SCHEMA_KEY, &value, err);
	if (rc == DVT_OK)
		s->schema = strtoll(value, NULL, 10);
	else if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "this database has tables but no schema number: it was "
		    "not made by this program");
	dvt_tx_rollback(tx);
	dvt_arena_free(&arena);
	return rc;
}

static enum dvt_code
check_schema(const struct dvt_store *s, const char *where, struct dvt_err *err)
{
	int64_t known = dvt_store_schema_known();

	if (s->schema > known)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "database %s has schema %" PRId64
		    ", this program (" DVT_VERSION ") knows %" PRId64
		    ": it was used by a newer version. Install that version "
		    "again, or restore a backup made before it",
		    where, s->schema, known);
	if (s->mode == DVT_STORE_READ && s->schema < known)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "database %s has schema %" PRId64
		    ", this program (" DVT_VERSION ") needs %" PRId64
		    ": start dovetaild once, it brings it up to date",
		    where, s->schema, known);
	return DVT_OK;
}

enum dvt_code
dvt_store_open(const char *where, enum dvt_store_mode mode,
    struct dvt_store **out, struct dvt_err *err)
{
	struct dvt_store *s;
	enum dvt_code rc;

	*out = NULL;
	s = dvt_alloc(sizeof(*s));
	s->driver = &dvt_driver_sqlite;
	s->mode = mode;
	s->tx.store = s;
	rc = s->driver->open(
	    where, mode == DVT_STORE_READ, DVT_STORE_BUSY_MS, &s->conn, err);
	if (rc == DVT_OK)
		rc = read_schema(s, err);
	if (rc == DVT_OK)
		rc = check_schema(s, where, err);
	if (rc != DVT_OK) {
		dvt_store_close(s);
		return rc;
	}
	*out = s;
	return DVT_OK;
}

void
dvt_store_close(struct dvt_store *s)
{
	if (s == NULL)
		return;
	if (s->conn != NULL && s->tx.open)
		dvt_tx_rollback(&s->tx);
	dvt_stmts_free(s);
	if (s->conn != NULL)
		s->driver->close(s->conn);
	free(s);
}

static enum dvt_code
migrate_one(
    struct dvt_store *s, const struct dvt_sql_migration *m, struct dvt_err *err)
{
	struct dvt_tx *tx;
	char number[24];
	enum dvt_code rc;

	if ((rc = dvt_tx_begin(s, &tx, err)) != DVT_OK)
		return rc;
	(void)snprintf(number, sizeof(number), "%" PRId64, m->number);
	rc = s->driver->migrate(s->conn, m, err);
	if (rc == DVT_OK)
		rc = dvt_store_meta_set(tx, SCHEMA_KEY, number, err);
	if (rc != DVT_OK) {
		dvt_tx_rollback(tx);
		dvt_err_prefix(err, "migration %s", m->name);
		return rc;
	}
	if ((rc = dvt_tx_commit(tx, err)) == DVT_OK)
		s->schema = m->number;
	return rc;
}

enum dvt_code
dvt_store_migrate(struct dvt_store *s, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	assert(!s->tx.open && s->mode == DVT_STORE_WRITE);
	for (size_t i = 0; rc == DVT_OK && i < dvt_sql_migrations_n; i++) {
		if (dvt_sql_migrations[i].number > s->schema)
			rc = migrate_one(s, &dvt_sql_migrations[i], err);
	}
	return rc;
}

/* --- transactions --- */

enum dvt_code
dvt_tx_check(const struct dvt_tx *tx, struct dvt_err *err)
{
	assert(tx->open);
	if (!tx->is_broken)
		return DVT_OK;
	if (err != NULL)
		*err = tx->broken;
	return tx->broken.code;
}

const struct dvt_err *
dvt_tx_broken(const struct dvt_tx *tx)
{
	return tx->is_broken ? &tx->broken : NULL;
}

enum dvt_code
dvt_tx_note(struct dvt_tx *tx, enum dvt_code code, const struct dvt_err *why)
{
	bool lost = code == DVT_E_SYSTEM || code == DVT_E_LATER;

	if (code == DVT_OK || tx->is_broken)
		return code;
	if (lost || !tx->store->driver->alive(tx->store->conn)) {
		tx->is_broken = true;
		tx->broken = *why;
		tx->broken.code = code;
	}
	return code;
}

enum dvt_code
dvt_tx_begin(struct dvt_store *s, struct dvt_tx **out, struct dvt_err *err)
{
	enum dvt_code rc;

	assert(!s->tx.open);
	*out = NULL;
	if ((rc = s->driver->begin(s->conn, err)) != DVT_OK)
		return rc;
	s->tx.open = true;
	s->tx.depth = 0;
	s->tx.is_broken = false;
	*out = &s->tx;
	return DVT_OK;
}

enum dvt_code
dvt_tx_commit(struct dvt_tx *tx, struct dvt_err *err)
{
	struct dvt_store *s = tx->store;
	enum dvt_code rc;

	rc = dvt_tx_check(tx, err);
	if (rc == DVT_OK)
		rc = s->driver->commit(s->conn, err);
	if (rc != DVT_OK)
		s->driver->rollback(s->conn);
	tx->open = false;
	return rc;
}

void
dvt_tx_rollback(struct dvt_tx *tx)
{
	if (tx == NULL || !tx->open)
		return;
	tx->store->driver->rollback(tx->store->conn);
	tx->open = false;
}

enum dvt_code
dvt_tx_save(struct dvt_tx *tx, struct dvt_err *err)
{
	struct dvt_err why = {0};
	enum dvt_code rc;

	if ((rc = dvt_tx_check(tx, err)) != DVT_OK)
		return rc;
	rc = tx->store->driver->savepoint(tx->store->conn, tx->depth + 1, &why);
	if (rc == DVT_OK)
		tx->depth++;
	else if (err != NULL)
		*err = why;
	return dvt_tx_note(tx, rc, &why);
}

static enum dvt_code
end_save(struct dvt_tx *tx, bool undo, struct dvt_err *err)
{
	struct dvt_store *s = tx->store;
	struct dvt_err why = {0};
	enum dvt_code rc;

	assert(tx->depth > 0);
	if ((rc = dvt_tx_check(tx, err)) != DVT_OK)
		return rc;
	if (undo)
		rc = s->driver->rollback_to(s->conn, tx->depth, &why);
	if (rc == DVT_OK)
		rc = s->driver->release(s->conn, tx->depth, &why);
	if (rc == DVT_OK)
		tx->depth--;
	else if (err != NULL)
		*err = why;
	return dvt_tx_note(tx, rc, &why);
}

enum dvt_code
dvt_tx_release(struct dvt_tx *tx, struct dvt_err *err)
{
	return end_save(tx, false, err);
}

enum dvt_code
dvt_tx_undo(struct dvt_tx *tx, struct dvt_err *err)
{
	return end_save(tx, true, err);
}
