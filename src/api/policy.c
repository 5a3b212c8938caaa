/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET and POST /v1/policy: what the database says beside the settings. One
 * thing so far: which authorities may be imported.
 */
#include "api/policy.h"

#include "api/do.h"
#include "api/handlers.h"
#include "base/hex.h"
#include "base/mem.h"
#include "store/authority.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define HEX_CHARS "0123456789abcdef"

/* 64 hex digits, with or without a colon after each pair. */
static bool
fingerprint_of(const char *text, char out[DVT_DIGEST_HEX])
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		char c = *text;

		if (c == ':' && n > 0 && n % 2 == 0 && text[1] != '\0')
			continue;
		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (c == '\0' || strchr(HEX_CHARS, c) == NULL ||
		    n == DVT_DIGEST_HEX - 1)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return n == DVT_DIGEST_HEX - 1;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum dvt_code
read_items(const json_t *list, char (*item)[DVT_DIGEST_HEX], size_t *n,
    struct dvt_err *err)
{
	const json_t *e;
	size_t i;

	if (!json_is_array(list))
		return dvt_fail(err, DVT_E_INPUT,
		    POLICY_TRUST_LIST ": no JSON array of fingerprints");
	if (json_array_size(list) > DVT_TRUST_LIST_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    POLICY_TRUST_LIST ": more than %d fingerprints",
		    DVT_TRUST_LIST_MAX);
	json_array_foreach(list, i, e)
	{
		const char *text = json_string_value(e);

		if (text == NULL || !fingerprint_of(text, item[(*n)++]))
			return dvt_fail(err, DVT_E_INPUT,
			    POLICY_TRUST_LIST
			    ": entry %zu, \"%.80s\", is no SHA-256 "
			    "fingerprint of 64 hex digits",
			    i + 1, text == NULL ? "" : text);
	}
	return DVT_OK;
}

enum dvt_code
policy_trust_list(const char *text, struct dvt_buf *out, struct dvt_err *err)
{
	char(*item)[DVT_DIGEST_HEX];
	json_t *list;
	size_t n = 0;
	enum dvt_code rc;

	if (text == NULL || text[0] == '\0')
		return DVT_OK;
	rc = dvt_json_parse(
	    dvt_span_str(text), DVT_TRUST_LIST_BYTES, &list, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, POLICY_TRUST_LIST);
		return rc;
	}
	item = dvt_alloc_array(DVT_TRUST_LIST_MAX, sizeof(*item));
	rc = read_items(list, item, &n, err);
	if (rc == DVT_OK)
		qsort(item, n, sizeof(*item), by_text);
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		if (i == 0 || strcmp(item[i], item[i - 1]) != 0)
			dvt_buf_printf(out, "%s\n", item[i]);
	}
	free(item);
	json_decref(list);
	return rc;
}

bool
policy_trust_has(const char *list, const char *fingerprint)
{
	return list[0] == '\0' || strstr(list, fingerprint) != NULL;
}

/* --- the calls --- */

static json_t *
to_json(const char *list)
{
	json_t *items = json_array();

	for (size_t n; (n = strcspn(list, "\n")) > 0;
	     list += n + (list[n] != 0))
		json_array_append_new(items, json_stringn(list, n));
	return json_pack("{s:o}", "ca_trust_list", items);
}

/* GET /v1/policy */
enum dvt_code
api_get_policy(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *list = "";
	enum dvt_code rc = dvt_store_meta_get(
	    app->tx, app->arena, POLICY_TRUST_META, &list, err);

	(void)req;
	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	dvt_reply_json(reply, 200, to_json(rc == DVT_OK ? list : ""));
	return DVT_OK;
}

/* What was imported and works is in the list, or is retired first. */
static enum dvt_code
check_used(struct dvt_app *app, const char *list, struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	int64_t after = 0;
	size_t n = 0;
	enum dvt_code rc;

	do {
		rc = dvt_store_authority_list(
		    app->tx, app->arena, after, DVT_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			after = rows[i].id;
			if (rows[i].imported &&
			    rows[i].state == DVT_AUTHORITY_ACTIVE &&
			    !policy_trust_has(list, rows[i].fingerprint))
				rc = dvt_fail(err, DVT_E_UNSAFE,
				    "authority %s (%s) is in use and not in "
				    "the list: name it, or retire it first",
				    rows[i].name, rows[i].fingerprint);
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	return rc;
}

static enum dvt_code
set_list(struct dvt_app *app, const char *list, struct dvt_reply *reply,
    struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = check_used(app, list, err)) != DVT_OK ||
	    (rc = dvt_do_approval(app, "policy.set", "ca.trust.list",
		 (const char *const[]){list, NULL}, err)) != DVT_OK ||
	    (rc = dvt_store_meta_set(app->tx, POLICY_TRUST_META, list, err)) !=
		DVT_OK)
		return rc;
	dvt_reply_json(reply, 200, to_json(list));
	return dvt_do_tell(app, "policy.set", "ca.trust.list", "POLICY_CHANGE",
	    "", to_json(list), err);
}

/* POST /v1/policy - with a second person. 409 an authority in use would not be
 * in the list; 412 until given. */
enum dvt_code
api_set_policy(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	char *text = json_dumps(
	    json_object_get(req->json, "ca_trust_list"), JSON_COMPACT);
	struct dvt_buf list;
	enum dvt_code rc;

	dvt_buf_init(&list, DVT_TRUST_LIST_BYTES);
	rc = policy_trust_list(text, &list, err);
	if (rc == DVT_OK)
		rc = set_list(app, dvt_buf_str(&list), reply, err);
	dvt_buf_fini(&list);
	free(text);
	return rc;
}
