/* SPDX-License-Identifier: Apache-2.0 */
/* One value per key: see store.h. */
#include "store/row.h"

#include <stdlib.h>

enum dvt_code
dvt_store_meta_get(struct dvt_tx *tx, struct dvt_arena *arena, const char *key,
    const char **value, struct dvt_err *err)
{
	return dvt_sql_text(
	    tx, SQL_META_GET, arena, value, err, BT("key", key));
}

enum dvt_code
dvt_store_meta_set(
    struct dvt_tx *tx, const char *key, const char *value, struct dvt_err *err)
{
	return dvt_sql_run(
	    tx, SQL_META_SET, NULL, err, BT("key", key), BT("value", value));
}

enum dvt_code
dvt_store_meta_count(
    struct dvt_tx *tx, const char *key, int64_t *value, struct dvt_err *err)
{
	struct dvt_arena arena = {0};
	const char *text = NULL;
	enum dvt_code rc;

	*value = 0;
	rc = dvt_sql_text(
	    tx, SQL_META_COUNT, &arena, &text, err, BT("key", key));
	if (rc == DVT_OK)
		*value = strtoll(text, NULL, 10);
	dvt_arena_free(&arena);
	return rc;
}
