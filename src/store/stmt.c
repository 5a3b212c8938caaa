/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: prepared once, bound and read by name. See store.h. */
#include "store/store_priv.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

void
dvt_stmts_free(struct dvt_store *s)
{
	for (size_t i = 0; i < SQL_N; i++) {
		struct dvt_stmt *next;

		for (struct dvt_stmt *q = s->stmts[i]; q != NULL; q = next) {
			next = q->more;
			s->driver->finish(q->h);
			free(q);
		}
		s->stmts[i] = NULL;
	}
}

enum dvt_code
dvt_stmt_get(struct dvt_tx *tx, enum dvt_sql_id id, struct dvt_stmt **out,
    struct dvt_err *err)
{
	struct dvt_store *s = tx->store;
	struct dvt_stmt *q;
	enum dvt_code rc;

	*out = NULL;
	if ((rc = dvt_tx_check(tx, err)) != DVT_OK)
		return rc;
	for (q = s->stmts[id]; q != NULL && q->used; q = q->more)
		;
	if (q == NULL) {
		void *h;

		rc = s->driver->prepare(s->conn, &dvt_sql[id], &h, err);
		if (rc != DVT_OK)
			return rc;
		q = dvt_alloc(sizeof(*q));
		q->h = h;
		q->sql = &dvt_sql[id];
		q->more = s->stmts[id];
		s->stmts[id] = q;
	}
	q->tx = tx;
	q->used = true;
	q->bad = false;
	q->bound = 0;
	q->in_next = q->out_next = 0;
	*out = q;
	return DVT_OK;
}

void
dvt_stmt_put(struct dvt_stmt *q)
{
	if (q == NULL)
		return;
	q->tx->store->driver->reset(q->h);
	q->used = false;
}

/* Index of a name; @n when there is none. Looks at *next first. */
static size_t
find(const struct dvt_sql_name *names, size_t n, const char *name, size_t *next)
{
	size_t at = *next < n ? *next : 0;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[at].name, name) == 0) {
			*next = at + 1;
			return at;
		}
		at = at + 1 < n ? at + 1 : 0;
	}
	return n;
}

static void
keep(struct dvt_stmt *q, enum dvt_code code, const char *name, const char *why)
{
	if (code == DVT_OK || q->bad)
		return;
	q->bad = true;
	(void)dvt_fail(
	    &q->bad_err, code, "%s: %s: %s", q->sql->name, name, why);
}

/* The parameter's index; false, and a kept failure, when there is none. */
static bool
param(struct dvt_stmt *q, const char *name, enum dvt_sql_type type, bool null,
    size_t *i)
{
	const struct dvt_sql_name *p;

	if (q->bad)
		return false;
	*i = find(q->sql->in, q->sql->in_n, name, &q->in_next);
	if (*i == q->sql->in_n) {
		keep(q, DVT_E_SYSTEM, name, "no such parameter");
		return false;
	}
	q->bound |= UINT64_C(1) << *i;
	p = &q->sql->in[*i];
	if (p->type != type)
		keep(q, DVT_E_SYSTEM, name, "parameter of another type");
	else if (null && !p->null)
		keep(q, DVT_E_SYSTEM, name, "must not be NULL");
	return !q->bad;
}

void
dvt_bind_i64(struct dvt_stmt *q, const char *name, int64_t v)
{
	size_t i;

	if (param(q, name, DVT_SQL_INT, false, &i))
		keep(q, q->tx->store->driver->bind_i64(q->h, i, v), name,
		    "cannot be bound");
}

void
dvt_bind_text(struct dvt_stmt *q, const char *name, const char *v)
{
	const struct dvt_driver *d = q->tx->store->driver;
	size_t i;

	if (param(q, name, DVT_SQL_TEXT, v == NULL, &i))
		keep(q,
		    v == NULL ? d->bind_null(q->h, i)
			      : d->bind_text(q->h, i, dvt_span_str(v)),
		    name, "too long");
}

void
dvt_bind_bytes(struct dvt_stmt *q, const char *name, struct dvt_span v)
{
	static const uint8_t empty;
	const struct dvt_driver *d = q->tx->store->driver;
	size_t i;

	if (!param(q, name, DVT_SQL_BYTES, false, &i))
		return;
	if (v.p == NULL && q->sql->in[i].null) {
		keep(q, d->bind_null(q->h, i), name, "cannot be bound");
		return;
	}
	if (v.p == NULL)
		v = (struct dvt_span){&empty, 0};
	keep(q, d->bind_bytes(q->h, i, v), name, "too long");
}

/* A parameter that nobody bound would be NULL in silence. */
static void
check_bound(struct dvt_stmt *q)
{
	for (size_t i = 0; i < q->sql->in_n; i++) {
		if ((q->bound >> i & 1) == 0)
			keep(q, DVT_E_SYSTEM, q->sql->in[i].name, "not bound");
	}
}

static enum dvt_code
step(struct dvt_stmt *q, bool *row, int64_t *changed, struct dvt_err *err)
{
	struct dvt_err why = {0};
	enum dvt_code rc;

	*row = false;
	*changed = 0;
	if ((rc = dvt_tx_check(q->tx, err)) != DVT_OK)
		return rc;
	check_bound(q);
	if (q->bad) {
		if (err != NULL)
			*err = q->bad_err;
		return q->bad_err.code;
	}
	q->out_next = 0;
	rc = q->tx->store->driver->step(q->h, row, changed, &why);
	if (rc != DVT_OK && err != NULL)
		*err = why;
	return dvt_tx_note(q->tx, rc, &why);
}

enum dvt_code
dvt_stmt_run(struct dvt_stmt *q, int64_t *changed, struct dvt_err *err)
{
	int64_t n;
	bool row;
	enum dvt_code rc;

	do {
		rc = step(q, &row, &n, err);
	} while (rc == DVT_OK && row);
	if (changed != NULL)
		*changed = n;
	return rc;
}

enum dvt_code
dvt_stmt_next(struct dvt_stmt *q, bool *row, struct dvt_err *err)
{
	int64_t n;

	return step(q, row, &n, err);
}

static size_t
column(struct dvt_stmt *q, const char *name, enum dvt_sql_type type)
{
	size_t i = find(q->sql->out, q->sql->out_n, name, &q->out_next);

	if (i == q->sql->out_n || q->sql->out[i].type != type) {
		log_event(LOG_CRIT, "store.column",
		    LS("statement", q->sql->name), LS("column", name));
		abort();
	}
	return i;
}

int64_t
dvt_col_i64(struct dvt_stmt *q, const char *name)
{
	return q->tx->store->driver->col_i64(
	    q->h, column(q, name, DVT_SQL_INT));
}

const char *
dvt_col_text(struct dvt_stmt *q, const char *name)
{
	return (const char *)q->tx->store->driver
	    ->col_text(q->h, column(q, name, DVT_SQL_TEXT))
	    .p;
}

struct dvt_span
dvt_col_bytes(struct dvt_stmt *q, const char *name)
{
	return q->tx->store->driver->col_bytes(
	    q->h, column(q, name, DVT_SQL_BYTES));
}
