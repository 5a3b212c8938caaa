/* SPDX-License-Identifier: Apache-2.0 */
/* See agent.h. */
#include "store/agent.h"

#include "base/limits.h"
#include "store/maps.h"

enum dvt_code
dvt_store_grant_add(
    struct dvt_tx *tx, const struct dvt_row_grant *row, struct dvt_err *err)
{
	return dvt_sql_put(tx, SQL_GRANT_ADD, &dvt_map_grant, row, NULL, err);
}

enum dvt_code
dvt_store_grant_get(struct dvt_tx *tx, struct dvt_arena *arena, const char *id,
    struct dvt_row_grant *out, struct dvt_err *err)
{
	return dvt_sql_one(
	    tx, SQL_GRANT_GET, &dvt_map_grant, arena, out, err, BT("id", id));
}

enum dvt_code
dvt_store_grant_use(struct dvt_tx *tx, const char *id, const char *key_digest,
    int64_t at, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc = dvt_sql_run(tx, SQL_GRANT_USE, &changed, err,
	    BT("id", id), BT("key_digest", key_digest), BI("at", at));

	return dvt_sql_expect_one(rc, changed, err,
	    "grant %.8s...: it was used with another key", id);
}

enum dvt_code
dvt_store_grant_revoke(
    struct dvt_tx *tx, const char *device_id, int64_t now, struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_GRANT_REVOKE, NULL, err,
	    BT("device_id", device_id), BI("now", now));
}

enum dvt_code
dvt_store_recovery_set(struct dvt_tx *tx,
    const struct dvt_row_recovery_file *row, struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_RECOVERY_SET, &dvt_map_recovery_file, row, NULL, err);
}

enum dvt_code
dvt_store_recovery_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, struct dvt_row_recovery_file *out,
    struct dvt_err *err)
{
	enum dvt_code rc = dvt_sql_one(tx, SQL_RECOVERY_GET,
	    &dvt_map_recovery_file, arena, out, err,
	    BT("device_id", device_id));

	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc,
		    "no recovery was initiated for device %.128s", device_id);
	return rc;
}

enum dvt_code
dvt_store_recovery_signed(struct dvt_tx *tx, const char *device_id,
    const char *grant_id, const char *line, const char *failed,
    struct dvt_err *err)
{
	return dvt_sql_run(tx, SQL_RECOVERY_SIGNED, NULL, err,
	    BT("device_id", device_id), BT("grant_id", grant_id),
	    BT("line", line), BT("failed", failed));
}

enum dvt_code
dvt_store_config_set(struct dvt_tx *tx, const struct dvt_row_config_value *row,
    struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_CONFIG_SET, &dvt_map_config_value, row, NULL, err);
}

enum dvt_code
dvt_store_config_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, const char *name, struct dvt_row_config_value *out,
    struct dvt_err *err)
{
	enum dvt_code rc = dvt_sql_one(tx, SQL_CONFIG_GET,
	    &dvt_map_config_value, arena, out, err, BT("device_id", device_id),
	    BT("name", name));

	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc, "device %.128s has no value %.128s",
		    device_id, name);
	return rc;
}

enum dvt_code
dvt_store_config_list(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, struct dvt_row_config_value **rows, size_t *n,
    struct dvt_err *err)
{
	return dvt_sql_list(tx, SQL_CONFIG_LIST, &dvt_map_config_value, arena,
	    rows, n, err, BT("device_id", device_id),
	    BI("limit", DVT_CONFIG_VALUES));
}

enum dvt_code
dvt_store_config_remove(struct dvt_tx *tx, const char *device_id,
    const char *name, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc = dvt_sql_run(tx, SQL_CONFIG_REMOVE, &changed, err,
	    BT("device_id", device_id), BT("name", name));

	if (rc == DVT_OK && changed == 0)
		rc = dvt_fail(err, DVT_E_ABSENT,
		    "device %.128s has no value %.128s", device_id, name);
	return rc;
}

enum dvt_code
dvt_store_config_applied(struct dvt_tx *tx, const char *device_id,
    const char *name, int64_t version, int64_t at, const char *failed,
    bool *news, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc = dvt_sql_run(tx, SQL_CONFIG_APPLIED, &changed, err,
	    BT("device_id", device_id), BT("name", name),
	    BI("version", version), BI("at", at), BT("failed", failed));

	*news = changed == 1;
	return rc;
}

enum dvt_code
dvt_store_config_reseal(struct dvt_tx *tx, const char *device_id,
    const char *name, int64_t version, struct dvt_span sealed,
    const char *certificate, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc = dvt_sql_run(tx, SQL_CONFIG_RESEAL, &changed, err,
	    BT("device_id", device_id), BT("name", name),
	    BI("version", version), BB("sealed", sealed),
	    BT("certificate", certificate));

	return dvt_sql_expect_one(rc, changed, err,
	    "value %.128s: there is another version by now", name);
}

enum dvt_code
dvt_store_config_lock_set(struct dvt_tx *tx,
    const struct dvt_row_config_lock *row, struct dvt_err *err)
{
	return dvt_sql_put(
	    tx, SQL_CONFIG_LOCK_SET, &dvt_map_config_lock, row, NULL, err);
}

enum dvt_code
dvt_store_config_lock_get(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, struct dvt_row_config_lock *out, struct dvt_err *err)
{
	return dvt_sql_one(tx, SQL_CONFIG_LOCK_GET, &dvt_map_config_lock, arena,
	    out, err, BT("device_id", device_id));
}

enum dvt_code
dvt_store_config_lock_end(
    struct dvt_tx *tx, const char *device_id, bool *was, struct dvt_err *err)
{
	int64_t changed = 0;
	enum dvt_code rc = dvt_sql_run(
	    tx, SQL_CONFIG_LOCK_END, &changed, err, BT("device_id", device_id));

	if (was != NULL)
		*was = changed == 1;
	return rc;
}
