/* SPDX-License-Identifier: Apache-2.0 */
/* One public key, one owner; one-time secrets: see credential.h. */
#include "store/credential.h"

#include "store/maps.h"

enum dvt_code
dvt_store_key_owner(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *key_digest, bool *found, enum dvt_owner_kind *kind,
    const char **owner, struct dvt_err *err)
{
	struct use {
		enum dvt_owner_kind owner_kind;
		const char *owner;
	} use;
	static const struct dvt_field fields[] = {
	    DVT_E(struct use, owner_kind, dvt_owner_kind_name),
	    DVT_F(struct use, owner)};
	static const struct dvt_row_map map = DVT_MAP(struct use, fields);
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_KEY_USE_GET, &map, arena, &use, err,
	    BT("key_digest", key_digest));
	*found = rc == DVT_OK;
	*kind = use.owner_kind;
	*owner = use.owner;
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

enum dvt_code
dvt_store_key_claim(struct dvt_tx *tx, const char *key_digest,
    enum dvt_owner_kind kind, const char *owner, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	enum dvt_owner_kind by = DVT_OWNER_N;
	const char *who = NULL;
	int64_t changed = 0;
	enum dvt_code rc;
	bool found = false;

	rc = dvt_sql_run(tx, SQL_KEY_USE_CLAIM, &changed, err,
	    BT("key_digest", key_digest),
	    BT("owner_kind", dvt_owner_kind_name(kind)), BT("owner", owner));
	if (rc != DVT_OK || changed == 1)
		return rc;
	rc = dvt_store_key_owner(
	    tx, &arena, key_digest, &found, &by, &who, err);
	if (rc == DVT_OK && (!found || by != kind || strcmp(who, owner) != 0))
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "%s %s: this public key belongs to another owner; make a "
		    "new key",
		    dvt_owner_kind_name(kind), owner);
	dvt_arena_free(&arena);
	return rc;
}

enum dvt_code
dvt_store_key_of_infrastructure(
    struct dvt_tx *tx, const char *key_digest, bool *ours, struct dvt_err *err)
{
	int64_t n = 0;
	enum dvt_code rc = dvt_sql_i64(tx, SQL_KEY_OF_INFRASTRUCTURE, &n, err,
	    BT("key_digest", key_digest));

	*ours = n != 0;
	return rc;
}

/* --- secrets --- */

#define KIND(kind) BT("owner_kind", dvt_secret_owner_name(kind))

enum dvt_code
dvt_store_secret_set(
    struct dvt_tx *tx, const struct dvt_row_secret *row, struct dvt_err *err)
{
	return dvt_sql_put(tx, SQL_SECRET_SET, &dvt_map_secret, row, NULL, err);
}

enum dvt_code
dvt_store_secret_get(struct dvt_tx *tx, struct dvt_arena *arena,
    enum dvt_secret_owner kind, const char *owner, struct dvt_row_secret *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_SECRET_GET, &dvt_map_secret, arena, out, err,
	    KIND(kind), BT("owner", owner));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "%s %s has no enrolment secret",
		    dvt_secret_owner_name(kind), owner);
	return rc;
}

enum dvt_code
dvt_store_secret_forget(struct dvt_tx *tx, enum dvt_secret_owner kind,
    const char *owner, struct dvt_err *err)
{
	return dvt_sql_run(
	    tx, SQL_SECRET_FORGET, NULL, err, KIND(kind), BT("owner", owner));
}

enum dvt_code
dvt_store_secret_bind(struct dvt_tx *tx, enum dvt_secret_owner kind,
    const char *owner, const char *key_digest, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc;

	rc = dvt_sql_run(tx, SQL_SECRET_BIND, &changed, err, KIND(kind),
	    BT("owner", owner), BT("key_digest", key_digest));
	return dvt_sql_expect_one(rc, changed, err,
	    "%s %s: this secret was used with another key",
	    dvt_secret_owner_name(kind), owner);
}

enum dvt_code
dvt_store_secret_used(struct dvt_tx *tx, enum dvt_secret_owner kind,
    const char *owner, int64_t at, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_SECRET_USED, NULL, err, KIND(kind),
	    BT("owner", owner), BI("at", at));
}
