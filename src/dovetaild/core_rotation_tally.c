/* SPDX-License-Identifier: Apache-2.0 */
/* What the gates of a rotation look at, counted over the rows. */
#include "api/trust_check.h"
#include "dovetaild/core_rotation_priv.h"
#include "store/authority.h"
#include "store/gate.h"
#include "store/people.h"
#include "store/rotation.h"

#include <openssl/evp.h>

#include <inttypes.h>
#include <stdio.h>

/* How well an authority suits: one made for that use, one made for none, the
 * root itself; 0: it is for the other use. */
static int
suits(const struct dvt_row_authority *a, bool server)
{
	if (a->is_root)
		return 1;
	if (server ? a->use_server : a->use_device)
		return 3;
	return a->use_server || a->use_device ? 0 : 2;
}

enum dvt_code
core_rot_issuer(struct core *c, const struct dvt_row_authority *root,
    bool server, struct dvt_row_authority *out, struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	size_t n;
	int best = 0;
	enum dvt_code rc = dvt_store_authority_issuers(
	    core_tx(c), core_arena(c), root->id, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (suits(&rows[i], server) > best) {
			best = suits(&rows[i], server);
			*out = rows[i];
		}
	if (rc == DVT_OK && best == 0)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "no key is held that issues %s certificates under %s",
		    server ? "edges'" : "devices'", root->name);
	return rc;
}

enum dvt_code
core_rotation_issuer(
    struct core *c, int64_t root_id, int64_t *issuer, struct dvt_err *err)
{
	struct dvt_row_authority root, row;
	enum dvt_code rc = dvt_store_authority_get(
	    core_tx(c), core_arena(c), root_id, &root, err);

	*issuer = 0;
	if (rc == DVT_OK &&
	    (rc = core_rot_issuer(c, &root, false, &row, err)) == DVT_OK)
		*issuer = row.id;
	return rc;
}

static enum dvt_code
gate(struct core *c, const struct core_rot *r, enum dvt_gate which,
    const char *root, struct dvt_count *out, struct dvt_err *err)
{
	struct dvt_gate_query q = {.rotation_id = r->row.id,
	    .wave = r->row.wave,
	    .root = root,
	    .since = r->row.switched_at - ROTATION_CLOCK_S,
	    .version = r->row.bundle};

	return dvt_store_gate(core_tx(c), which, &q, out, err);
}

/* --- preflight --- */

/* The chain an edge would show under the new root: the leaf it holds, or the
 * CA that will issue it. */
static enum dvt_code
candidate(struct core *c, const struct core_rot *r, struct dvt_candidate *out,
    struct dvt_err *err)
{
	struct dvt_row_authority issuer;
	enum dvt_code rc;

	out->root = r->to.fingerprint;
	rc = core_rot_issuer(
	    c, &r->to, dvt_phase_is_server(r->row.kind), &issuer, err);
	if (rc == DVT_OK)
		out->issuer = issuer.der;
	return rc == DVT_E_CONFLICT ? DVT_OK : rc;
}

static enum dvt_code
count_blocked(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	struct dvt_candidate chain = {0};
	struct dvt_trust_report report;
	bool server = dvt_phase_is_server(r->row.kind);
	enum dvt_code rc;

	if (r->row.kind == DVT_ROT_RENEWAL)
		return DVT_OK;
	if ((rc = candidate(c, r, &chain, err)) != DVT_OK)
		return rc;
	rc = dvt_trust_check(core_tx(c), core_arena(c), r->row.id, &chain,
	    r->row.kind != DVT_ROT_SERVER_CERT, core_now(c).wall_s, &report,
	    err);
	if (rc != DVT_OK)
		return rc;
	r->t.blocked = server ? report.sum.refuse : report.unmanaged;
	(void)dvt_copy_str(r->t.blocked_why, sizeof(r->t.blocked_why),
	    server ? report.first_reason
		   : "nothing hands them a certificate: management is none");
	return DVT_OK;
}

static enum dvt_code
tally_preflight(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	char key[DVT_ROT_KEY_MAX];
	struct dvt_row_outbox row;
	enum dvt_code rc;

	snprintf(
	    key, sizeof(key), "r%" PRId64 "/preflight/assign/-/1", r->row.id);
	rc = dvt_store_outbox_by_key(core_tx(c), core_arena(c), key, &row, err);
	if (rc == DVT_E_ABSENT)
		rc = DVT_OK;
	else if (rc == DVT_OK)
		r->t.assigned = row.state == DVT_OUTBOX_DONE;
	if (rc == DVT_OK)
		rc = count_blocked(c, r, err);
	return rc == DVT_OK
		   ? dvt_store_gate_clock(core_tx(c), &r->t.clock_off_s, err)
		   : rc;
}

/* --- later phases --- */

static enum dvt_code
tally_server(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	struct dvt_gate_query q = {.rotation_id = r->row.id,
	    .root = r->to.fingerprint,
	    .since = r->row.switched_at - ROTATION_CLOCK_S};
	struct dvt_row_tally *rows;
	size_t n;
	enum dvt_code rc;

	if (r->row.switched_at == 0)
		return gate(
		    c, r, DVT_GATE_UNCONFIRMED, NULL, &r->t.unconfirmed, err);
	if ((rc = dvt_store_gate_edge_ok(core_tx(c), &q, &r->t.edge_ok, err)) !=
		DVT_OK ||
	    (rc = gate(c, r, DVT_GATE_EDGE_FAILING, q.root, &r->t.edge_failing,
		 err)) != DVT_OK ||
	    (rc = dvt_store_tally_list(core_tx(c), core_arena(c), r->row.id,
		 &rows, &n, err)) != DVT_OK)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].what, "strangers") == 0)
			r->t.strangers += rows[i].n;
	if (r->row.phase == DVT_PHASE_OBSERVE && r->row.from_id != r->row.to_id)
		rc = gate(c, r, DVT_GATE_UNPROVEN, q.root, &r->t.unproven, err);
	if (rc == DVT_OK && r->row.phase == DVT_PHASE_RETIRE)
		rc = gate(c, r, DVT_GATE_UNBUNDLED, NULL, &r->t.unheld, err);
	return rc;
}

static enum dvt_code
tally_device(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	const char *old = r->from.fingerprint;
	enum dvt_code rc = DVT_OK;

	if (r->row.phase == DVT_PHASE_OVERLAP)
		return gate(
		    c, r, DVT_GATE_UNBUNDLED, NULL, &r->t.unconfirmed, err);
	if ((rc = dvt_store_gate_wave_ok(core_tx(c), r->row.id, r->row.wave,
		 &r->t.wave_ok, err)) != DVT_OK ||
	    (rc = gate(c, r, DVT_GATE_WAVE_FAILED, NULL, &r->t.wave_failed,
		 err)) != DVT_OK ||
	    (rc = gate(c, r, DVT_GATE_WAVE_OPEN, NULL, &r->t.wave_open, err)) !=
		DVT_OK)
		return rc;
	if (r->row.phase == DVT_PHASE_OBSERVE)
		rc = gate(c, r, DVT_GATE_UNSEEN, NULL, &r->t.unproven, err);
	if (rc == DVT_OK && r->row.phase == DVT_PHASE_RETIRE) {
		rc = gate(c, r, DVT_GATE_LIVE_OLD, old, &r->t.unheld, err);
		if (rc == DVT_OK)
			rc = dvt_store_gate_hold(
			    core_tx(c), old, &r->t.hold_until, err);
	}
	return rc;
}

/* --- the second person --- */

/* The ids of all that stay behind, one after the other, into the hash. */
static enum dvt_code
hash_left_behind(struct core *c, const struct core_rot *r, EVP_MD_CTX *hash,
    struct dvt_err *err)
{
	const char *after = "";
	const char *const *ids;
	size_t n = 0;
	enum dvt_code rc;

	do {
		rc = dvt_store_left_behind(core_tx(c), core_arena(c), r->row.id,
		    after, DVT_LIST_MAX, &ids, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			after = ids[i];
			if (EVP_DigestUpdate(
				hash, ids[i], strlen(ids[i]) + 1) != 1)
				return dvt_fail(
				    err, DVT_E_SYSTEM, "SHA-256 failed");
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	return rc;
}

/* What is approved: this plan, and exactly these devices left behind. */
static enum dvt_code
digest_retire(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	enum dvt_code rc = DVT_OK;
	uint8_t out[32];
	char head[160];

	snprintf(head, sizeof(head), "rotation.retire %" PRId64 " %s\n",
	    r->row.id, r->row.plan_digest);
	if (hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(hash, head, strlen(head)) != 1)
		rc = dvt_fail(err, DVT_E_SYSTEM, "SHA-256 failed");
	if (rc == DVT_OK)
		rc = hash_left_behind(c, r, hash, err);
	if (rc == DVT_OK && EVP_DigestFinal_ex(hash, out, NULL) != 1)
		rc = dvt_fail(err, DVT_E_SYSTEM, "SHA-256 failed");
	if (rc == DVT_OK)
		dvt_hex(out, sizeof(out), r->approval_digest,
		    sizeof(r->approval_digest));
	EVP_MD_CTX_free(hash);
	return rc;
}

static enum dvt_code
tally_approval(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	struct dvt_row_approval a;
	enum dvt_code rc;

	if (r->row.phase != DVT_PHASE_RETIRE)
		return DVT_OK;
	if (dvt_config_int(core_config(c), "approvals.required") < 2) {
		r->t.approved = true;
		return DVT_OK;
	}
	if ((rc = digest_retire(c, r, err)) != DVT_OK)
		return rc;
	rc = dvt_store_approval_find(core_tx(c), core_arena(c),
	    "rotation.retire", r->approval_digest, core_now(c).wall_s, &a, err);
	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	if (rc == DVT_OK) {
		r->t.approval = a.id;
		r->t.approved = a.given_at != 0;
	}
	return rc;
}

/* --- all of it --- */

/* The oldest action in this state: its key, and what it ended with. */
static enum dvt_code
first_action(struct core *c, const struct core_rot *r,
    enum dvt_outbox_state state, char *out, struct dvt_err *err)
{
	struct dvt_row_outbox *rows;
	size_t n;
	enum dvt_code rc = dvt_store_outbox_of_rotation(
	    core_tx(c), core_arena(c), r->row.id, state, 1, &rows, &n, err);
	bool cursor;

	if (rc != DVT_OK || n == 0)
		return rc;
	cursor = strncmp(rows[0].result, "at:", 3) == 0;
	snprintf(out, DVT_REASON_MAX, "%.80s%s%.160s", rows[0].key,
	    cursor || rows[0].result[0] == '\0' ? "" : ": ",
	    cursor ? "" : rows[0].result);
	return DVT_OK;
}

static enum dvt_code
tally_actions(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_store_gate_outbox(core_tx(c), r->row.id,
		 DVT_OUTBOX_QUEUED, &r->t.actions_queued, err)) != DVT_OK ||
	    (rc = dvt_store_gate_outbox(core_tx(c), r->row.id,
		 DVT_OUTBOX_FAILED, &r->t.actions_failed, err)) != DVT_OK)
		return rc;
	if (r->t.actions_queued > 0)
		rc = first_action(
		    c, r, DVT_OUTBOX_QUEUED, r->t.action_queued, err);
	if (rc == DVT_OK && r->t.actions_failed > 0)
		rc = first_action(
		    c, r, DVT_OUTBOX_FAILED, r->t.action_failed, err);
	return rc;
}

enum dvt_code
core_rot_tally(struct core *c, struct core_rot *r, struct dvt_err *err)
{
	struct dvt_row_authority issuer;
	enum dvt_code rc;

	if ((rc = dvt_store_gate_devices(
		 core_tx(c), r->row.id, &r->t.devices, err)) != DVT_OK ||
	    (rc = gate(c, r, DVT_GATE_PARKED, NULL, &r->t.parked, err)) !=
		DVT_OK ||
	    (rc = gate(c, r, DVT_GATE_EXCEPTED, NULL, &r->t.excepted, err)) !=
		DVT_OK ||
	    (rc = tally_actions(c, r, err)) != DVT_OK)
		return rc;
	r->t.assigned = r->row.phase > DVT_PHASE_PREFLIGHT;
	r->t.heard_s = dvt_config_int(core_config(c), "gateway.unheardAfter");
	if (r->row.phase == DVT_PHASE_PREFLIGHT)
		rc = tally_preflight(c, r, err);
	else if (dvt_phase_is_server(r->row.kind))
		rc = tally_server(c, r, err);
	else
		rc = tally_device(c, r, err);
	if (rc == DVT_OK && r->from.id != 0)
		r->t.old_key_held = core_rot_issuer(c, &r->from, true, &issuer,
					NULL) == DVT_OK;
	return rc == DVT_OK ? tally_approval(c, r, err) : rc;
}
