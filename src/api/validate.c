/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /gateway/certificates/validate: who would accept this chain? Each
 * distinct set of anchors is verified once, with OpenSSL, as a device would.
 */
#include "api/do.h"
#include "api/handlers.h"
#include "api/rows.h"
#include "fleet/dryrun.h"
#include "pki/verify.h"
#include "pki/x509.h"
#include "store/authority.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define ANCHORS_MAX 64 /* of one device */

/* Devices that agree in all that the verdict depends on. */
struct group {
	char *key; /* digest, management, what it was seen to do */
	struct dvt_trust_group judged;
	UT_hash_handle hh;
};

struct validate {
	struct dvt_app *app;
	struct dvt_chain chain;
	char root[DVT_DIGEST_HEX];
	struct group *groups;
	json_t *list[DVT_WOULD_N]; /* devices by verdict */
	int64_t n[DVT_WOULD_N];
};

/* --- one set of anchors --- */

static enum dvt_code
add_anchor(struct validate *v, const char *fingerprint, X509 **certs, size_t *n,
    struct dvt_err *err)
{
	struct dvt_row_authority a;
	enum dvt_code rc = dvt_store_authority_by_fingerprint(
	    v->app->tx, v->app->arena, fingerprint, &a, err);

	if (rc == DVT_E_ABSENT)
		return DVT_OK; /* one of its own; it does not help here */
	if (rc == DVT_OK)
		rc = dvt_x509_from_der(a.der, &certs[*n], err);
	if (rc == DVT_OK)
		(*n)++;
	return rc;
}

static bool
accepts(void *ctx, const char *const *anchors, size_t n, char *why)
{
	struct validate *v = ctx;
	struct dvt_verify how = {
	    .purpose = DVT_FOR_SERVER, .now = v->app->now.wall_s};
	X509 *certs[ANCHORS_MAX] = {NULL};
	struct dvt_trust *trust = NULL;
	struct dvt_verdict verdict = {0};
	struct dvt_err err = {0};
	size_t have = 0;
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < n && i < ANCHORS_MAX; i++)
		rc = add_anchor(v, anchors[i], certs, &have, &err);
	if (rc == DVT_OK)
		rc = dvt_trust_new(certs, have, DVT_TRUST_LAX, &trust, &err);
	if (rc == DVT_OK)
		rc = dvt_trust_verify(trust, &v->chain, &how, &verdict, &err);
	if (rc == DVT_E_DENIED)
		(void)snprintf(why, DVT_REASON_MAX, "%s",
		    dvt_verdict_reason(verdict.error));
	else if (rc != DVT_OK)
		(void)snprintf(why, DVT_REASON_MAX, "%.250s", err.text);
	dvt_trust_free(trust);
	for (size_t i = 0; i < have; i++)
		X509_free(certs[i]);
	return rc == DVT_OK;
}

/* --- groups --- */

static void
set_anchors(struct validate *v, struct dvt_trust_group *g, const json_t *row)
{
	const json_t *list = json_object_get(row, "anchors");
	const char **texts = dvt_arena_alloc(
	    v->app->arena, ANCHORS_MAX * sizeof(*texts));
	const json_t *item;
	size_t i;

	g->known = json_is_array(list);
	g->anchors = texts;
	json_array_foreach(list, i, item)
	{
		if (json_is_string(item) && g->anchors_n < ANCHORS_MAX)
			texts[g->anchors_n++] = dvt_arena_strdup(
			    v->app->arena, json_string_value(item));
	}
}

static const struct dvt_trust_group *
group_of(struct validate *v, const json_t *row)
{
	const char *digest = json_string_value(json_object_get(row, "digest"));
	const char *management = json_string_value(
	    json_object_get(row, "management"));
	bool ok = json_is_true(json_object_get(row, "seen_ok"));
	bool bad = json_is_true(json_object_get(row, "seen_bad"));
	const char *key = dvt_arena_printf(
	    v->app->arena, "%s/%s/%d/%d", digest, management, ok, bad);
	struct dvt_dry_run how = {
	    .accepts = accepts, .ctx = v, .root = v->root};
	struct dvt_dry_sum sum;
	struct group *g;

	HASH_FIND_STR(v->groups, key, g);
	if (g != NULL)
		return &g->judged;
	g = dvt_alloc(sizeof(*g));
	g->key = dvt_strdup(key);
	g->judged.management = dvt_management_from_name(management);
	g->judged.seen_ok = ok;
	g->judged.seen_bad = bad;
	set_anchors(v, &g->judged, row);
	dvt_dry_run(&how, &g->judged, 1, &sum);
	HASH_ADD_KEYPTR(hh, v->groups, g->key, strlen(g->key), g);
	return &g->judged;
}

/* --- devices --- */

static const char *const words[DVT_WOULD_N] = {
    [DVT_WOULD_ACCEPT] = "accepted",
    [DVT_WOULD_REFUSE] = "refused",
    [DVT_WOULD_UNKNOWN] = "unknown",
};

static void
judge(struct validate *v, const json_t *row)
{
	const struct dvt_trust_group *g = group_of(v, row);
	json_t *list = v->list[g->verdict];

	if (v->n[g->verdict]++ < DVT_API_LIST_MAX)
		json_array_append_new(
		    list, json_pack("{s:O, s:s, s:s}", "device",
			      json_object_get(row, "device"), "verdict",
			      words[g->verdict], "reason", g->reason));
}

static enum dvt_code
judge_all(struct validate *v, const struct dvt_req *req, struct dvt_err *err)
{
	const char *after = "";
	enum dvt_code rc = DVT_OK;
	json_t *rows;
	size_t n = DVT_API_LIST_MAX, i;

	while (rc == DVT_OK && n == DVT_API_LIST_MAX) {
		rc = dvt_rows(v->app, req, SQL_API_TRUST_OF_DEVICES,
		    ROW_ARGS(ROW_TEXT("after", after),
			ROW_TEXT("root", v->root),
			ROW_TEXT("device", dvt_do_text(req, "deviceId", "")),
			ROW_NUMBER("limit", DVT_API_LIST_MAX)),
		    &rows, err);
		if (rc != DVT_OK)
			return rc;
		n = json_array_size(rows);
		for (i = 0; i < n; i++)
			judge(v, json_array_get(rows, i));
		if (n > 0)
			after = dvt_arena_strdup(v->app->arena,
			    json_string_value(json_object_get(
				json_array_get(rows, n - 1), "device")));
		json_decref(rows);
	}
	if (*dvt_do_text(req, "deviceId", "") != '\0' && *after == '\0')
		rc = dvt_fail(err, DVT_E_ABSENT,
		    "there is no device %.128s, or it is blocked or retired",
		    dvt_do_text(req, "deviceId", ""));
	return rc;
}

/* Fingerprint of the root the chain leads to; "" when none here is it. */
static enum dvt_code
find_root(struct validate *v, struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	X509 *top = v->chain.cert[v->chain.n - 1];
	size_t n;
	enum dvt_code rc = dvt_store_authority_list(
	    v->app->tx, v->app->arena, 0, DVT_LIST_MAX, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		X509 *ca;

		if (!rows[i].is_root ||
		    dvt_x509_from_der(rows[i].der, &ca, NULL) != DVT_OK)
			continue;
		if (dvt_x509_is_issued_by(top, ca) || X509_cmp(top, ca) == 0)
			(void)dvt_copy_str(
			    v->root, sizeof(v->root), rows[i].fingerprint);
		X509_free(ca);
	}
	return rc;
}

static enum dvt_code
read_chain(struct validate *v, const struct dvt_req *req, struct dvt_err *err)
{
	const char *pem;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(req->json, "certificateChain",
		 DVT_CHAIN_PEM_MAX, &pem, err)) != DVT_OK ||
	    (rc = dvt_chain_from_pem(dvt_span_str(pem), &v->chain, err)) !=
		DVT_OK ||
	    (rc = dvt_chain_check(&v->chain, err)) != DVT_OK)
		return rc;
	return find_root(v, err);
}

static void
answer(struct validate *v, struct dvt_reply *reply)
{
	json_t *items = json_array();

	/* those that need a hand come first */
	json_array_extend(items, v->list[DVT_WOULD_REFUSE]);
	json_array_extend(items, v->list[DVT_WOULD_UNKNOWN]);
	json_array_extend(items, v->list[DVT_WOULD_ACCEPT]);
	while (json_array_size(items) > DVT_API_LIST_MAX)
		json_array_remove(items, json_array_size(items) - 1);
	dvt_reply_json(reply, 200,
	    json_pack("{s:{s:I, s:I, s:I}, s:s, s:o}", "sum", "accepted",
		(json_int_t)v->n[DVT_WOULD_ACCEPT], "refused",
		(json_int_t)v->n[DVT_WOULD_REFUSE], "unknown",
		(json_int_t)v->n[DVT_WOULD_UNKNOWN], "root", v->root, "items",
		items));
}

/*
 * POST /gateway/certificates/validate - changes nothing, with or without
 * `dryRun`. 200 and a verdict for each device; 400 a chain that does not
 * build; 404 no such device.
 */
enum dvt_code
api_validate_chain(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct validate v = {.app = app};
	struct group *g, *next;
	enum dvt_code rc;

	for (size_t i = 0; i < DVT_WOULD_N; i++)
		v.list[i] = json_array();
	if ((rc = read_chain(&v, req, err)) == DVT_OK &&
	    (rc = judge_all(&v, req, err)) == DVT_OK)
		answer(&v, reply);
	HASH_ITER(hh, v.groups, g, next)
	{
		HASH_DEL(v.groups, g);
		free(g->key);
		free(g);
	}
	for (size_t i = 0; i < DVT_WOULD_N; i++)
		json_decref(v.list[i]);
	dvt_chain_fini(&v.chain);
	return rc;
}
