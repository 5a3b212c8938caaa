/* SPDX-License-Identifier: Apache-2.0 */
/* What store.c and stmt.c share. */
#ifndef DVT_STORE_STORE_PRIV_H
#define DVT_STORE_STORE_PRIV_H

#include "store/driver.h"
#include "store/store.h"

struct dvt_tx {
	struct dvt_store *store;
	bool open;
	unsigned depth; /* of savepoints */
	bool is_broken;
	struct dvt_err broken; /* the first failure of the database itself */
};

struct dvt_stmt {
	struct dvt_tx *tx;
	const struct dvt_sql *sql;
	void *h;
	bool used;
	bool bad; /* a bind failed; why is below */
	struct dvt_err bad_err;
	uint64_t bound;  /* a bit for each parameter; embed-sql: at most 64 */
	size_t in_next;  /* parameters and columns are mostly asked in order: */
	size_t out_next; /* where to look first */
	struct dvt_stmt *more; /* the same statement, for nested use */
};

struct dvt_store {
	const struct dvt_driver *driver;
	void *conn;
	enum dvt_store_mode mode;
	int64_t schema;
	struct dvt_tx tx;
	struct dvt_stmt *stmts[SQL_N];
};

/* Keep why @tx is lost when @code says that the database failed. */
enum dvt_code dvt_tx_note(
    struct dvt_tx *tx, enum dvt_code code, const struct dvt_err *why);
/* DVT_OK, or the failure by which @tx was lost. */
enum dvt_code dvt_tx_check(const struct dvt_tx *tx, struct dvt_err *err);
void dvt_stmts_free(struct dvt_store *s);

#endif
