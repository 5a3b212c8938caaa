/* SPDX-License-Identifier: Apache-2.0 */
/* What the signer is handed when it starts, and after a change. */
#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/trust.h"

#include <stdlib.h>

/* Requests under way until the signer is ready; a failure ends core, so that
 * a wrong secret is told at the start. */
static enum dvt_code
loaded_one(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	(void)ctx;
	(void)err;
	if (r->code == DVT_OK)
		return DVT_OK;
	log_event(LOG_CRIT, "signer.load.failed",
	    LS("code", dvt_code_name(r->code)), LS("why", r->why));
	if (!c->started && r->code != DVT_E_LATER)
		core_give_up(c, r->code);
	return DVT_OK;
}

static enum dvt_code
load_authority(
    struct core *c, const struct dvt_row_authority *row, struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_LOAD_AUTHORITY,
	    .authority = row->id,
	    .name = row->name,
	    .der = row->der,
	    .wrapped = row->key_wrapped};

	return core_sign_now(c, &q, loaded_one, err);
}

static enum dvt_code
load_authorities(struct core *c, struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	int64_t after = 0;
	size_t n;
	enum dvt_code rc;

	do {
		rc = dvt_store_authority_list(core_tx(c), core_arena(c), after,
		    DVT_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			after = rows[i].id;
			rc = load_authority(c, &rows[i], err);
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	return rc;
}

static enum dvt_code
load_profiles(struct core *c, struct dvt_err *err)
{
	struct dvt_row_profile *rows;
	size_t n;
	enum dvt_code rc = dvt_store_profile_list(
	    core_tx(c), core_arena(c), 0, DVT_LIST_MAX, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct sign_request q = {.kind = SIGN_LOAD_PROFILE};
		struct sign_profile *p = &q.profile;

		p->issuer_id = rows[i].issuer_id;
		p->validity_s = rows[i].validity_s;
		p->jitter_s = rows[i].jitter_s;
		p->backdate_s = rows[i].backdate_s;
		p->renew_before_s = rows[i].renew_before_s;
		p->use_server = rows[i].use_server;
		p->use_client = rows[i].use_client;
		if (dvt_copy_str(p->name, sizeof(p->name), rows[i].name) != 0 ||
		    dvt_copy_str(
			p->digest, sizeof(p->digest), rows[i].digest) != 0)
			return dvt_fail(err, DVT_E_SYSTEM,
			    "profile %s: its row is broken", rows[i].name);
		rc = core_sign_now(c, &q, loaded_one, err);
	}
	return rc;
}

static enum dvt_code
load_trust_key(struct core *c, struct dvt_err *err)
{
	struct dvt_row_trust_key *rows;
	size_t n;
	enum dvt_code rc = dvt_store_trust_key_list(
	    core_tx(c), core_arena(c), &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct sign_request q = {.kind = SIGN_LOAD_TRUST_KEY,
		    .name = rows[i].keyid,
		    .wrapped = rows[i].wrapped};

		if (rows[i].wrapped.p != NULL &&
		    rows[i].state == DVT_TRUST_KEY_ACTIVE)
			rc = core_sign_now(c, &q, loaded_one, err);
	}
	return rc;
}

static void
serve(struct core *c, void *ctx, bool committed)
{
	(void)ctx;
	if (committed)
		core_serve(c);
}

/* All is loaded: from now on it signs. */
static enum dvt_code
loaded_all(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	(void)ctx;
	if (r->code != DVT_OK)
		return dvt_fail(err, r->code, "%s", r->why);
	if (c->status != 0)
		return DVT_OK; /* given up: never ready with keys missing */
	dvt_buf_reset(&c->import_key);
	dvt_buf_put_span(&c->import_key, r->line);
	c->signer_ready = true;
	core_after(c, serve, NULL);
	return DVT_OK;
}

/* The clock must not be behind it. */
static enum dvt_code
last_issued(struct core *c, int64_t *at, struct dvt_err *err)
{
	struct dvt_stmt *q;
	bool row = false;
	enum dvt_code rc = dvt_stmt_get(core_tx(c), SQL_ISSUE_LAST, &q, err);

	if (rc != DVT_OK)
		return rc;
	rc = dvt_stmt_next(q, &row, err);
	*at = rc == DVT_OK && row ? dvt_col_i64(q, "at") : 0;
	dvt_stmt_put(q);
	return rc;
}

static enum dvt_code
load_all(struct core *c, void *ctx, struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_LOADED};
	enum dvt_code rc;

	(void)ctx;
	if ((rc = load_authorities(c, err)) != DVT_OK ||
	    (rc = load_profiles(c, err)) != DVT_OK ||
	    (rc = load_trust_key(c, err)) != DVT_OK ||
	    (rc = last_issued(c, &q.not_before, err)) != DVT_OK)
		return rc;
	return core_sign_now(c, &q, loaded_all, err);
}

void
core_signer_up(struct core *c)
{
	struct dvt_err err = {0};
	enum dvt_code rc;

	c->signer_ready = false;
	rc = core_within(c, load_all, NULL, &err);
	if (rc != DVT_OK) {
		log_event(LOG_CRIT, "signer.load.failed", LE(&err));
		core_give_up(c, rc);
	}
}

/* --- a new or changed authority --- */

struct loading {
	int64_t id;
};

static enum dvt_code
load_one(struct core *c, void *ctx, struct dvt_err *err)
{
	const struct loading *l = ctx;
	struct dvt_row_authority row;
	enum dvt_code rc = dvt_store_authority_get(
	    core_tx(c), core_arena(c), l->id, &row, err);

	return rc == DVT_OK ? load_authority(c, &row, err) : rc;
}

static void
load_after(struct core *c, void *ctx, bool committed)
{
	struct dvt_err err = {0};

	if (committed && c->signer_ready &&
	    core_within(c, load_one, ctx, &err) != DVT_OK)
		log_event(LOG_ERR, "signer.load.failed", LE(&err));
	free(ctx);
}

void
core_signer_load(struct core *c, int64_t authority_id)
{
	struct loading *l = dvt_alloc(sizeof(*l));

	l->id = authority_id;
	core_after(c, load_after, l);
}
