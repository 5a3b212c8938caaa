/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles, what devices hold and what they were seen to do: see trust.h. */
#include "store/trust.h"

#include "store/maps.h"

#include <inttypes.h>

#define KEYS_MAX        1000 /* trust keys there ever were */
#define CHAINS_MAX      100  /* (root, form) pairs one device was shown */
#define BT_STATE(state) BT("state", dvt_device_state_name(state))

enum dvt_code
dvt_store_bundle_add(
    struct dvt_tx *tx, const struct dvt_row_bundle *row, struct dvt_err *err)
{
	return dvt_sql_put(tx, SQL_BUNDLE_ADD, &dvt_map_bundle, row, NULL, err);
}

enum dvt_code
dvt_store_bundle_newest(struct dvt_tx *tx, struct dvt_arena *arena,
    struct dvt_row_bundle *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(
	    tx, SQL_BUNDLE_NEWEST, &dvt_map_bundle, arena, out, err);
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "there is no trust bundle yet");
	return rc;
}

enum dvt_code
dvt_store_bundle_get(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t version, struct dvt_row_bundle *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_BUNDLE_GET, &dvt_map_bundle, arena, out, err,
	    BI("version", version));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(
		    err, rc, "there is no trust bundle %" PRId64, version);
	return rc;
}

enum dvt_code
dvt_store_bundle_by_digest(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *digest, struct dvt_row_bundle *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_BUNDLE_BY_DIGEST, &dvt_map_bundle, arena, out,
	    err, BT("digest", digest));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "no bundle has the digest %s", digest);
	return rc;
}

enum dvt_code
dvt_store_bundle_list(struct dvt_tx *tx, struct dvt_arena *arena, int64_t after,
    int64_t limit, struct dvt_row_bundle **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_BUNDLE_LIST, &dvt_map_bundle, arena, rows,
	    n, err, BI("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_trust_key_set(
    struct dvt_tx *tx, const struct dvt_row_trust_key *row, struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_TRUST_KEY_SET, &dvt_map_trust_key, row, NULL, err);
}

enum dvt_code
dvt_store_trust_key_list(struct dvt_tx *tx, struct dvt_arena *arena,
    struct dvt_row_trust_key **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_TRUST_KEY_LIST, &dvt_map_trust_key, arena,
	    rows, n, err, BI("limit", KEYS_MAX));
}

/* --- what devices hold --- */

enum dvt_code
dvt_store_trust_store_put(struct dvt_tx *tx, const char *digest,
    const char *anchors, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_TRUST_STORE_PUT, NULL, err,
	    BT("digest", digest), BT("anchors", anchors));
}

enum dvt_code
dvt_store_trust_store_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *digest, const char **anchors, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_text(
	    tx, SQL_TRUST_STORE_GET, arena, anchors, err, BT("digest", digest));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc,
		    "it is not known which anchors %s stands for", digest);
	return rc;
}

enum dvt_code
dvt_store_trust_state_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, struct dvt_row_trust_state *out, struct dvt_err *err)
{
	enum dvt_code rc;

	rc = dvt_sql_one(tx, SQL_TRUST_STATE_GET, &dvt_map_trust_state, arena,
	    out, err, BT("device_id", device_id));
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "device %s told nothing of its anchors",
		    device_id);
	return rc;
}

enum dvt_code
dvt_store_trust_state_set(struct dvt_tx *tx,
    const struct dvt_row_trust_state *row, struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_TRUST_STATE_SET, &dvt_map_trust_state, row, NULL, err);
}

enum dvt_code
dvt_store_trust_confirm(struct dvt_tx *tx, const char *device_id,
    int64_t version, const char *digest, int64_t at, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_TRUST_STATE_CONFIRM, NULL, err,
	    BT("device_id", device_id), BI("bundle_confirmed", version),
	    BT("digest", digest), BI("at", at));
}

enum dvt_code
dvt_store_trust_failed(struct dvt_tx *tx, const char *device_id,
    const char *why, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_TRUST_STATE_FAILED, NULL, err,
	    BT("device_id", device_id), BT("failed", why));
}

enum dvt_code
dvt_store_trust_distinct(struct dvt_tx *tx, struct dvt_arena *arena,
    enum dvt_device_state state, int64_t limit,
    struct dvt_row_trust_store **rows, size_t *n, struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_TRUST_DISTINCT, &dvt_map_trust_store, arena,
	    rows, n, err, BT_STATE(state), BI("limit", limit));
}

enum dvt_code
dvt_store_trust_with_digest(struct dvt_tx *tx, struct dvt_arena *arena,
    enum dvt_device_state state, const char *digest, const char *after,
    int64_t limit, const char *const **ids, size_t *n, struct dvt_err *err)
{
	return dvt_sql_texts(tx, SQL_TRUST_WITH_DIGEST, arena, ids, n, err,
	    BT_STATE(state), BT("digest", digest), BT("after", after),
	    BI("limit", limit));
}

enum dvt_code
dvt_store_trust_status_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *after, int64_t limit, struct dvt_trust_status **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_TRUST_STATE_LIST, &dvt_map_trust_status,
	    arena, rows, n, err, BT("after", after), BI("limit", limit));
}

enum dvt_code
dvt_store_trust_count(struct dvt_tx *tx, int64_t version,
    struct dvt_trust_count *out, struct dvt_err *err)
{
#define F(f) DVT_F(struct dvt_trust_count, f)
	static const struct dvt_field fields[] = {
	    F(confirmed), F(pending), F(failed), F(parked)};
#undef F
	static const struct dvt_row_map map = DVT_MAP(
	    struct dvt_trust_count, fields);

	return dvt_sql_one(
	    tx, SQL_TRUST_COUNT, &map, NULL, out, err, BI("version", version));
}

/* --- what they were seen to do --- */

enum dvt_code
dvt_store_chain_ok(struct dvt_tx *tx, const char *device_id, const char *root,
    enum dvt_chain_form form, int64_t at, bool main, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_CHAIN_OK, NULL, err,
	    BT("device_id", device_id), BT("root", root),
	    BT("form", dvt_chain_form_name(form)), BI("at", at),
	    BI("main_at", main ? at : 0));
}

enum dvt_code
dvt_store_chain_bad(struct dvt_tx *tx, const char *device_id, const char *root,
    enum dvt_chain_form form, int64_t at, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_CHAIN_BAD, NULL, err,
	    BT("device_id", device_id), BT("root", root),
	    BT("form", dvt_chain_form_name(form)), BI("at", at));
}

enum dvt_code
dvt_store_chain_seen(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, struct dvt_row_chain_seen **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CHAIN_SEEN_LIST, &dvt_map_chain_seen, arena,
	    rows, n, err, BT("device_id", device_id), BI("limit", CHAINS_MAX));
}

/* --- gates --- */

enum dvt_code
dvt_store_lacking_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const struct dvt_lacking *q, const char *after, int64_t limit,
    const char *const **ids, size_t *n, struct dvt_err *err)
{
	const struct dvt_arg rotation = BI("rotation_id", q->rotation_id);
	const struct dvt_arg from = BT("after", after),
			     most = BI("limit", limit);

	switch (q->what) {
	case DVT_LACK_PROOF:
		return dvt_sql_texts(tx, SQL_LACKING_PROOF, arena, ids, n, err,
		    BT("root", q->root), BI("since", q->since), rotation, from,
		    most);
	case DVT_LACK_MAIN_PROOF:
		return dvt_sql_texts(tx, SQL_LACKING_MAIN_PROOF, arena, ids, n,
		    err, BT("root", q->root), BI("since", q->since), rotation,
		    from, most);
	case DVT_LACK_BUNDLE:
		return dvt_sql_texts(tx, SQL_LACKING_BUNDLE, arena, ids, n, err,
		    BI("version", q->version), rotation, from, most);
	case DVT_LACK_CREDENTIAL:
		return dvt_sql_texts(tx, SQL_LACKING_CREDENTIAL, arena, ids, n,
		    err, BI("authority_id", q->authority_id), rotation, from,
		    most);
	}
	return dvt_fail(err, DVT_E_INPUT, "lacking: what?");
}

static enum dvt_code
count(struct dvt_tx *tx, const struct dvt_lacking *q, int64_t *n,
    struct dvt_err *err)
{
	const struct dvt_arg rotation = BI("rotation_id", q->rotation_id);

	switch (q->what) {
	case DVT_LACK_PROOF:
		return dvt_sql_i64(tx, SQL_LACKING_PROOF_COUNT, n, err,
		    BT("root", q->root), BI("since", q->since), rotation);
	case DVT_LACK_MAIN_PROOF:
		return dvt_sql_i64(tx, SQL_LACKING_MAIN_PROOF_COUNT, n, err,
		    BT("root", q->root), BI("since", q->since), rotation);
	case DVT_LACK_BUNDLE:
		return dvt_sql_i64(tx, SQL_LACKING_BUNDLE_COUNT, n, err,
		    BI("version", q->version), rotation);
	case DVT_LACK_CREDENTIAL:
		return dvt_sql_i64(tx, SQL_LACKING_CREDENTIAL_COUNT, n, err,
		    BI("authority_id", q->authority_id), rotation);
	}
	return dvt_fail(err, DVT_E_INPUT, "lacking: what?");
}

enum dvt_code
dvt_store_lacking_count(struct dvt_tx *tx, const struct dvt_lacking *q,
    struct dvt_count *out, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	const char *const *ids;
	enum dvt_code rc;
	size_t n = 0;

	memset(out, 0, sizeof(*out));
	if ((rc = count(tx, q, &out->n, err)) != DVT_OK || out->n == 0)
		return rc;
	rc = dvt_store_lacking_list(
	    tx, &arena, q, "", DVT_SAMPLES, &ids, &n, err);
	for (size_t i = 0; i < n; i++)
		(void)dvt_copy_str(
		    out->sample[i], sizeof(out->sample[i]), ids[i]);
	dvt_arena_free(&arena);
	return rc;
}
