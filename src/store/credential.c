/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of devices and edges: see credential.h. */
#include "store/credential.h"

#include "store/maps.h"

#define DAY_S 86400

#define KIND(kind) BT("owner_kind", dvt_owner_kind_name(kind))

/* One more (or less) active certificate that ends on that day. */
static enum dvt_code
roll_up(struct dvt_tx *tx, const char *owner_kind, int64_t not_after, int64_t n,
    struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_EXPIRY_DAY_ADD, NULL, err,
	    BI("day", not_after / DAY_S), BT("owner_kind", owner_kind),
	    BI("n", n));
}

enum dvt_code
dvt_store_credential_add(struct dvt_tx *tx,
    const struct dvt_row_credential *row, struct dvt_span der,
    const char *chain_pem, int64_t *generation, struct dvt_err *err)
{
	enum dvt_code rc;
	int64_t given;

	rc = dvt_sql_put_i64(
	    tx, SQL_CREDENTIAL_ADD, &dvt_map_credential, row, &given, err);
	if (rc == DVT_OK)
		rc = dvt_sql_run(tx, SQL_CERTIFICATE_ADD, NULL, err,
		    BT("owner", row->owner),
		    BT("fingerprint", row->fingerprint), BB("der", der),
		    BT("chain_pem", chain_pem));
	if (rc == DVT_OK && row->state == DVT_CRED_ACTIVE)
		rc = roll_up(tx, dvt_owner_kind_name(row->owner_kind),
		    row->not_after, 1, err);
	if (rc == DVT_OK && generation != NULL)
		*generation = given;
	return rc;
}

enum dvt_code
dvt_store_certificate_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *owner, const char *fingerprint, struct dvt_span *der,
    const char **chain_pem, struct dvt_err *err)
{
	struct found {
		struct dvt_span der;
		const char *chain_pem;
	} found;
	static const struct dvt_field fields[] = {
	    DVT_F(struct found, der), DVT_F(struct found, chain_pem)};
	static const struct dvt_row_map map = DVT_MAP(struct found, fields);
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_CERTIFICATE_GET, &map, arena, &found, err,
	    BT("owner", owner), BT("fingerprint", fingerprint));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, rc, "%s has no certificate %s", owner, fingerprint);
	*der = found.der;
	*chain_pem = found.chain_pem;
	return rc;
}

enum dvt_code
dvt_store_credential_by_fingerprint(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *fingerprint, struct dvt_row_credential *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_CREDENTIAL_BY_FINGERPRINT, &dvt_map_credential,
	    arena, out, err, BT("fingerprint", fingerprint));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc,
		    "no certificate with fingerprint %s is known", fingerprint);
	return rc;
}

enum dvt_code
dvt_store_credential_by_serial(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *issuer, const char *serial, struct dvt_row_credential *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_CREDENTIAL_BY_SERIAL, &dvt_map_credential,
	    arena, out, err, BT("issuer", issuer), BT("serial", serial));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "no certificate %s of %s is known",
		    serial, issuer);
	return rc;
}

enum dvt_code
dvt_store_credential_newest_by_key(struct dvt_tx *tx, struct dvt_arena *arena,
    enum dvt_owner_kind kind, const char *owner, const char *key_digest,
    struct dvt_row_credential *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_CREDENTIAL_NEWEST_BY_KEY, &dvt_map_credential,
	    arena, out, err, KIND(kind), BT("owner", owner),
	    BT("key_digest", key_digest));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, rc, "%s has no certificate of that key", owner);
	return rc;
}

enum dvt_code
dvt_store_credential_current(struct dvt_tx *tx, struct dvt_arena *arena,
    enum dvt_owner_kind kind, const char *owner, struct dvt_row_credential *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_CREDENTIAL_CURRENT, &dvt_map_credential, arena,
	    out, err, KIND(kind), BT("owner", owner));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "%s has no active certificate", owner);
	return rc;
}

enum dvt_code
dvt_store_credential_of_owner(struct dvt_tx *tx, struct dvt_arena *arena,
    enum dvt_owner_kind kind, const char *owner, int64_t limit,
    struct dvt_row_credential **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CREDENTIAL_OF_OWNER, &dvt_map_credential,
	    arena, rows, n, err, KIND(kind), BT("owner", owner),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_credential_of_authority(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t authority_id, enum dvt_credential_state state, const char *after,
    int64_t limit, struct dvt_row_credential **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CREDENTIAL_OF_AUTHORITY,
	    &dvt_map_credential, arena, rows, n, err,
	    BI("authority_id", authority_id),
	    BT("state", dvt_credential_state_name(state)), BT("after", after),
	    BI("limit", limit));
}

/* --- from state to state --- */

/*
 * A statement that moves one certificate and returns its owner_kind and
 * not_after; then the roll-up by @n. No row: DVT_E_CONFLICT, @is_not in words.
 */
static enum dvt_code
move_args(struct dvt_tx *tx, enum dvt_sql_id id, const char *fingerprint,
    const char *is_not, int64_t n, const struct dvt_arg *args,
    struct dvt_err *err)
{
	struct moved {
		char owner_kind[16];
		int64_t not_after;
	} moved;
	static const struct dvt_field fields[] = {
	    DVT_F(struct moved, owner_kind), DVT_F(struct moved, not_after)};
	static const struct dvt_row_map map = DVT_MAP(struct moved, fields);
	enum dvt_code rc;

	rc = dvt_sql_one_args(tx, id, &map, NULL, &moved, args, err);
	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, DVT_E_CONFLICT, "certificate %s is not %s",
		    fingerprint, is_not);
	if (rc == DVT_OK && n != 0)
		rc = roll_up(tx, moved.owner_kind, moved.not_after, n, err);
	return rc;
}
#define move(tx, id, fingerprint, is_not, n, err, ...)                         \
	move_args(tx, id, fingerprint, is_not, n,                              \
	    DVT_ARGS(                                                          \
		BT("fingerprint", fingerprint) __VA_OPT__(, ) __VA_ARGS__),    \
	    err)

enum dvt_code
dvt_store_credential_confirm(
    struct dvt_tx *tx, const char *fingerprint, int64_t at, struct dvt_err *err)
{
	return move(tx, SQL_CREDENTIAL_CONFIRM, fingerprint, "issued", 1, err,
	    BI("at", at));
}

enum dvt_code
dvt_store_credential_supersede(struct dvt_tx *tx, const char *fingerprint,
    int64_t at, int64_t hold_until, struct dvt_err *err)
{
	return move(tx, SQL_CREDENTIAL_SUPERSEDE, fingerprint, "active", -1,
	    err, BI("at", at), BI("hold_until", hold_until));
}

enum dvt_code
dvt_store_credential_reinstate(
    struct dvt_tx *tx, const char *fingerprint, struct dvt_err *err)
{
	return move(
	    tx, SQL_CREDENTIAL_REINSTATE, fingerprint, "superseded", 1, err);
}

enum dvt_code
dvt_store_credential_revoke(struct dvt_tx *tx, const char *fingerprint,
    enum dvt_credential_state was, int64_t at, int64_t reason,
    struct dvt_err *err)
{
	const char *state = dvt_credential_state_name(was);

	return move(tx, SQL_CREDENTIAL_REVOKE, fingerprint, state,
	    was == DVT_CRED_ACTIVE ? -1 : 0, err, BT("was", state),
	    BI("at", at), BI("reason", reason));
}

enum dvt_code
dvt_store_credential_expire(struct dvt_tx *tx, const char *fingerprint,
    enum dvt_credential_state was, struct dvt_err *err)
{
	const char *state = dvt_credential_state_name(was);

	return move(tx, SQL_CREDENTIAL_EXPIRE, fingerprint, state,
	    was == DVT_CRED_ACTIVE ? -1 : 0, err, BT("was", state));
}

enum dvt_code
dvt_store_credential_older_active(struct dvt_tx *tx, struct dvt_arena *arena,
    enum dvt_owner_kind kind, const char *owner, const char *fingerprint,
    int64_t limit, struct dvt_row_credential **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CREDENTIAL_OLDER_ACTIVE,
	    &dvt_map_credential, arena, rows, n, err, KIND(kind),
	    BT("owner", owner), BT("fingerprint", fingerprint),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_credential_ended(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t now, int64_t limit, struct dvt_row_credential **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CREDENTIAL_ENDED, &dvt_map_credential,
	    arena, rows, n, err, BI("now", now), BI("limit", limit));
}

enum dvt_code
dvt_store_credential_hold_ended(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t now, int64_t limit, struct dvt_row_credential **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CREDENTIAL_HOLD_ENDED, &dvt_map_credential,
	    arena, rows, n, err, BI("now", now), BI("limit", limit));
}

enum dvt_code
dvt_store_credential_denied(
    struct dvt_tx *tx, const char *fingerprint, int64_t at, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_CREDENTIAL_DENIED, NULL, err,
	    BT("fingerprint", fingerprint), BI("at", at));
}

enum dvt_code
dvt_store_credential_seen(
    struct dvt_tx *tx, const char *fingerprint, int64_t at, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_CREDENTIAL_SEEN, NULL, err,
	    BT("fingerprint", fingerprint), BI("at", at));
}

enum dvt_code
dvt_store_credential_old_seen(struct dvt_tx *tx, enum dvt_owner_kind kind,
    const char *owner, const char *fingerprint, int64_t *at,
    struct dvt_err *err)
{
	return dvt_sql_i64(tx, SQL_CREDENTIAL_OLD_SEEN_AT, at, err, KIND(kind),
	    BT("owner", owner), BT("fingerprint", fingerprint));
}

enum dvt_code
dvt_store_credential_live_by_root(struct dvt_tx *tx, const char *root,
    int64_t now, int64_t n[DVT_OWNER_N], struct dvt_err *err)
{
	struct dvt_stmt *q;
	enum dvt_code rc;
	bool row;

	memset(n, 0, DVT_OWNER_N * sizeof(*n));
	if ((rc = dvt_stmt_get(tx, SQL_CREDENTIAL_LIVE_BY_ROOT, &q, err)) !=
	    DVT_OK)
		return rc;
	dvt_bind_text(q, "root", root);
	dvt_bind_i64(q, "now", now);
	while ((rc = dvt_stmt_next(q, &row, err)) == DVT_OK && row) {
		enum dvt_owner_kind kind = dvt_owner_kind_from_name(
		    dvt_col_text(q, "owner_kind"));

		if (kind != DVT_OWNER_N)
			n[kind] = dvt_col_i64(q, "n");
	}
	dvt_stmt_put(q);
	return rc;
}

enum dvt_code
dvt_store_credential_live_of_root(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *root, int64_t now, const char *after, int64_t limit,
    struct dvt_row_credential **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CREDENTIAL_LIVE_OF_ROOT,
	    &dvt_map_credential, arena, rows, n, err, BT("root", root),
	    BI("now", now), BT("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_credential_revoked(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t authority_id, int64_t now, const char *after, int64_t limit,
    struct dvt_row_credential **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CREDENTIAL_REVOKED_LIST,
	    &dvt_map_credential, arena, rows, n, err,
	    BI("authority_id", authority_id), BT("after", after),
	    BI("now", now), BI("limit", limit));
}

enum dvt_code
dvt_store_expiry_days(struct dvt_tx *tx, struct dvt_arena *arena, int64_t first,
    int64_t last, struct dvt_row_expiry_day **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_EXPIRY_DAY_LIST, &dvt_map_expiry_day, arena,
	    rows, n, err, BI("first", first), BI("last", last));
}

enum dvt_code
dvt_store_credential_expand(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *prefix, const char **fingerprint, struct dvt_err *err)
{
	struct found {
		const char *fingerprint;
	} * rows;
	static const struct dvt_field fields[] = {
	    DVT_F(struct found, fingerprint)};
	static const struct dvt_row_map map = DVT_MAP(struct found, fields);
	const char *beyond = dvt_arena_printf(arena, "%sg", prefix);
	size_t n;
	enum dvt_code rc = dvt_sql_list(tx, SQL_CREDENTIAL_BY_PREFIX, &map,
	    arena, &rows, &n, err, BT("least", prefix), BT("beyond", beyond),
	    BI("limit", 2));

	if (rc != DVT_OK)
		return rc;
	if (n == 0)
		return dvt_fail(
		    err, DVT_E_ABSENT, "there is no certificate %s", prefix);
	if (n > 1)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "%s begins more than one fingerprint; give more digits",
		    prefix);
	*fingerprint = rows[0].fingerprint;
	return DVT_OK;
}
