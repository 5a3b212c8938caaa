/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles, what devices hold and what they were seen to do: see trust.h. */
#include "store/trust.h"

#include "store/maps.h"

#include <inttypes.h>

#define KEYS_MAX   1000 /* trust keys there ever were */
#define CHAINS_MAX 100  /* (root, form) pairs one device was shown */

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
dvt_store_trust_confirmed_any(struct dvt_tx *tx, bool *any, struct dvt_err *err)
{
	int64_t n = 0;
	enum dvt_code rc = dvt_sql_i64(tx, SQL_TRUST_CONFIRMED_ANY, &n, err);

	*any = n > 0;
	return rc;
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
    const char *digest, const char *why, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_TRUST_STATE_FAILED, NULL, err,
	    BT("device_id", device_id), BT("digest", digest),
	    BT("failed", why));
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

/* --- what they pin --- */

enum dvt_code
dvt_store_chain_taken(struct dvt_tx *tx, const char *device_id,
    const char *serial, enum dvt_chain_form form, bool after_refusal,
    int64_t at, bool *known, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc = dvt_sql_run(tx, SQL_CHAIN_TAKEN, &changed, err,
	    BT("device_id", device_id), BT("serial", serial),
	    BT("form", dvt_chain_form_name(form)),
	    BI("after_refusal", after_refusal ? 1 : 0), BI("at", at));

	*known = changed > 0;
	return rc;
}

enum dvt_code
dvt_store_chain_taken_add(struct dvt_tx *tx,
    const struct dvt_row_chain_taken *row, struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_CHAIN_TAKEN_ADD, &dvt_map_chain_taken, row, NULL, err);
}

enum dvt_code
dvt_store_chain_taken_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, struct dvt_row_chain_taken **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CHAIN_TAKEN_LIST, &dvt_map_chain_taken,
	    arena, rows, n, err, BT("device_id", device_id),
	    BI("limit", CHAINS_MAX));
}

enum dvt_code
dvt_store_device_pins(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, enum dvt_pins *out, struct dvt_err *err)
{
	struct dvt_row_device_pin row;
	enum dvt_code rc = dvt_sql_one(tx, SQL_DEVICE_PIN_GET,
	    &dvt_map_device_pin, arena, &row, err, BT("device_id", device_id));

	*out = rc == DVT_OK ? row.pins : DVT_PINS_UNKNOWN;
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

enum dvt_code
dvt_store_device_pins_set(struct dvt_tx *tx, const char *device_id,
    enum dvt_pins pins, int64_t since, struct dvt_err *err)
{
	struct dvt_row_device_pin row = {
	    .device_id = device_id, .pins = pins, .since = since};

	return dvt_sql_put(
	    tx, SQL_DEVICE_PIN_SET, &dvt_map_device_pin, &row, NULL, err);
}
