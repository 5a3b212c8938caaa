/* SPDX-License-Identifier: Apache-2.0 */
/* POST /gateway/certificates/validate: who would accept this chain? */
#include "api/do.h"
#include "api/handlers.h"
#include "api/trust_check.h"
#include "wire/json.h"

/* Those that need a hand first. */
static const enum dvt_dry_verdict order[] = {
    DVT_WOULD_REFUSE, DVT_WOULD_UNKNOWN, DVT_WOULD_ACCEPT};

static void
answer(struct dvt_reply *reply, const char *root, const struct dvt_dry_sum *sum,
    json_t *items)
{
	dvt_reply_json(reply, 200,
	    json_pack("{s:{s:I, s:I, s:I}, s:s, s:o}", "sum", "accepted",
		(json_int_t)sum->accept.n, "refused", (json_int_t)sum->refuse.n,
		"unknown", (json_int_t)sum->unknown.n, "root", root, "items",
		items));
}

static enum dvt_code
judge_one(struct dvt_app *app, const char *device,
    const struct dvt_candidate *chain, struct dvt_reply *reply,
    struct dvt_err *err)
{
	struct dvt_trust_group g;
	struct dvt_dry_sum sum = {0};
	json_t *items;
	enum dvt_code rc = dvt_trust_check_one(
	    app->tx, app->arena, device, chain, app->now.wall_s, &g, err);

	if (rc != DVT_OK)
		return rc;
	items = json_pack("[{s:s, s:s, s:s}]", "device", device, "verdict",
	    dvt_dry_verdict_name(g.verdict), "reason", g.reason);
	sum.accept.n = g.verdict == DVT_WOULD_ACCEPT;
	sum.refuse.n = g.verdict == DVT_WOULD_REFUSE;
	sum.unknown.n = g.verdict == DVT_WOULD_UNKNOWN;
	answer(reply, chain->root, &sum, items);
	return DVT_OK;
}

static enum dvt_code
judge_all(struct dvt_app *app, const struct dvt_candidate *chain,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct dvt_trust_report report;
	json_t *items = json_array();
	enum dvt_code rc = dvt_trust_check(app->tx, app->arena, 0, chain, false,
	    app->now.wall_s, &report, err);

	for (size_t i = 0; rc == DVT_OK && i < DVT_COUNT(order); i++)
		rc = dvt_trust_check_devices(app->tx, app->arena, 0, chain,
		    &report, order[i], DVT_API_LIST_MAX, items, err);
	if (rc == DVT_OK)
		answer(reply, chain->root, &report.sum, items);
	else
		json_decref(items);
	return rc;
}

/*
 * Changes nothing, with or without `dryRun`. 200 and a verdict for each
 * active device; 400 a chain that does not build; 404 no such device.
 */
enum dvt_code
api_validate_chain(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *device = dvt_do_text(req, "deviceId", ""), *pem;
	struct dvt_chain chain = {0};
	struct dvt_candidate candidate = {.chain = &chain};
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(req->json, "certificateChain",
		 DVT_CHAIN_PEM_MAX, &pem, err)) != DVT_OK ||
	    (rc = dvt_chain_from_pem(dvt_span_str(pem), &chain, err)) !=
		DVT_OK ||
	    (rc = dvt_chain_check(&chain, err)) != DVT_OK ||
	    (rc = dvt_candidate_root(app->tx, app->arena, &chain,
		 &candidate.root, NULL, err)) != DVT_OK)
		goto out;
	rc = *device != '\0' ? judge_one(app, device, &candidate, reply, err)
			     : judge_all(app, &candidate, reply, err);
out:
	dvt_chain_fini(&chain);
	return rc;
}
