/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next trust bundle: made from the newest one, signed by the signer in
 * another turn, recorded together with its action being done.
 */
#include "dovetaild/core_rotation_priv.h"

#include "base/log.h"
#include "pki/bundle.h"
#include "pki/x509.h"
#include "store/authority.h"
#include "store/gate.h"
#include "store/rotation.h"
#include "store/trust.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_AGAIN_S 30 /* the signer's answer was lost */

/* --- changes --- */

static void
cert_fini(struct dvt_bundle_cert *cert)
{
	dvt_buf_fini(&cert->der);
}

static void
drop_anchor(struct dvt_bundle *b, const char *fingerprint)
{
	for (size_t i = 0; i < b->anchor_n; i++) {
		if (strcmp(b->anchor[i].fingerprint, fingerprint) != 0)
			continue;
		cert_fini(&b->anchor[i]);
		memmove(&b->anchor[i], &b->anchor[i + 1],
		    (b->anchor_n - i - 1) * sizeof(b->anchor[0]));
		b->anchor_n--;
		memset(&b->anchor[b->anchor_n], 0, sizeof(b->anchor[0]));
		return;
	}
}

/* In the list with this priority, whatever it was before. */
static enum dvt_code
put_anchor(struct dvt_bundle *b, struct dvt_span der,
    enum dvt_priority priority, struct dvt_err *err)
{
	char hex[DVT_DIGEST_HEX];
	enum dvt_code rc;
	X509 *cert;

	if ((rc = dvt_x509_from_der(der, &cert, err)) != DVT_OK)
		return rc;
	dvt_x509_fingerprint(cert, hex);
	for (size_t i = 0; i < b->anchor_n; i++)
		if (strcmp(b->anchor[i].fingerprint, hex) == 0) {
			b->anchor[i].priority = priority;
			X509_free(cert);
			return DVT_OK;
		}
	rc = dvt_bundle_add_anchor(b, cert, priority, err);
	X509_free(cert);
	return rc;
}

static enum dvt_code
put_two(struct dvt_bundle *b, const struct dvt_row_authority *first,
    const struct dvt_row_authority *second, struct dvt_err *err)
{
	enum dvt_code rc = put_anchor(b, first->der, DVT_PRIMARY, err);

	return rc == DVT_OK ? put_anchor(b, second->der, DVT_SECONDARY, err)
			    : rc;
}

/* Every CA that can issue under this root: devices may get its leaves. */
static enum dvt_code
put_issuers(
    struct core *c, struct dvt_bundle *b, int64_t root_id, struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	size_t n;
	enum dvt_code rc = dvt_store_authority_issuers(
	    core_tx(c), core_arena(c), root_id, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		X509 *cert;

		rc = dvt_x509_from_der(rows[i].der, &cert, err);
		if (rc != DVT_OK)
			break;
		rc = dvt_bundle_add_issuer(b, cert, err);
		if (rc == DVT_E_CONFLICT)
			rc = DVT_OK; /* it is there */
		X509_free(cert);
	}
	return rc;
}

static enum dvt_code
change_for_rotation(struct core *c, const struct core_act *a,
    struct dvt_bundle *b, struct dvt_err *err)
{
	const struct core_rot *r = a->r;

	if (strcmp(a->object, DVT_BUNDLE_ADD_NEW) == 0 ||
	    strcmp(a->object, DVT_BUNDLE_PREFER_OLD) == 0)
		return put_two(b, &r->from, &r->to, err);
	if (strcmp(a->object, DVT_BUNDLE_PREFER_NEW) == 0)
		return put_two(b, &r->to, &r->from, err);
	if (strcmp(a->object, DVT_BUNDLE_ISSUING) == 0)
		return put_issuers(c, b, r->to.id, err);
	if (strcmp(a->object, DVT_BUNDLE_DROP_OLD) == 0) {
		drop_anchor(b, r->from.fingerprint);
		return put_anchor(b, r->to.der, DVT_PRIMARY, err);
	}
	return dvt_fail(
	    err, DVT_E_INPUT, "no change of a bundle is '%s'", a->object);
}

/*
 * An imported root that the fleet stands on (docs/decisions/first-anchors.md):
 * primary; what else is there stays, as secondary, only when a device may
 * have come to rely on it.
 */
static enum dvt_code
put_first(struct core *c, struct dvt_bundle *b,
    const struct dvt_row_authority *row, struct dvt_err *err)
{
	bool relied_on;
	enum dvt_code rc = dvt_store_trust_confirmed_any(
	    core_tx(c), &relied_on, err);

	if (rc != DVT_OK)
		return rc;
	for (size_t i = 0; i < b->anchor_n; i++)
		b->anchor[i].priority = DVT_SECONDARY;
	while (!relied_on && b->anchor_n > 0)
		drop_anchor(b, b->anchor[0].fingerprint);
	rc = put_anchor(b, row->der, DVT_PRIMARY, err);
	/* devices go on getting certificates of what issued theirs */
	return rc == DVT_OK ? put_issuers(c, b, row->id, err) : rc;
}

/* By an operator: {"add": fingerprint, "priority"} or {"remove"}; by an
 * import {"first": fingerprint}. */
static enum dvt_code
change_by_hand(struct core *c, const struct core_act *a, struct dvt_bundle *b,
    struct dvt_err *err)
{
	const char *first = json_string_value(
	    json_object_get(a->body, "first"));
	const char *add = json_string_value(json_object_get(a->body, "add"));
	const char *remove = json_string_value(
	    json_object_get(a->body, "remove"));
	const char *priority = json_string_value(
	    json_object_get(a->body, "priority"));
	struct dvt_row_authority row;
	enum dvt_code rc;

	if (remove != NULL) {
		drop_anchor(b, remove);
		if (b->anchor_n == 0)
			return dvt_fail(err, DVT_E_UNSAFE,
			    "a bundle without anchors is never made");
		return DVT_OK;
	}
	if (add == NULL && first == NULL)
		return dvt_fail(err, DVT_E_INPUT, "bundle: nothing to change");
	rc = dvt_store_authority_by_fingerprint(
	    core_tx(c), core_arena(c), add != NULL ? add : first, &row, err);
	if (rc != DVT_OK)
		return rc;
	if (first != NULL)
		return put_first(c, b, &row, err);
	return put_anchor(b, row.der,
	    priority != NULL && strcmp(priority, "primary") == 0
		? DVT_PRIMARY
		: DVT_SECONDARY,
	    err);
}

/* --- the newest one --- */

enum dvt_code
core_bundle_newest(struct core *c, struct dvt_row_bundle *row,
    struct dvt_bundle *b, struct dvt_err *err)
{
	struct dvt_dsse *d = dvt_alloc(sizeof(*d));
	enum dvt_code rc = dvt_store_bundle_newest(
	    core_tx(c), core_arena(c), row, err);

	if (rc == DVT_OK)
		rc = dvt_dsse_parse(dvt_span_str(row->envelope), d, err);
	if (rc == DVT_OK) {
		rc = dvt_bundle_parse(dvt_buf_span(&d->payload), b, err);
		dvt_dsse_fini(d);
	}
	free(d);
	return rc;
}

/* Two bundles say the same about anchors and issuers. */
static bool
same(const struct dvt_bundle *a, const struct dvt_bundle *b)
{
	if (a->anchor_n != b->anchor_n || a->issuer_n != b->issuer_n)
		return false;
	for (size_t i = 0; i < a->anchor_n; i++) {
		const struct dvt_bundle_cert *x = dvt_bundle_anchor(
		    b, a->anchor[i].fingerprint);

		if (x == NULL || x->priority != a->anchor[i].priority)
			return false;
	}
	return true;
}

/* --- asking, and what comes back --- */

struct job {
	int64_t outbox;
	char key[DVT_ROT_KEY_MAX];
	int64_t rotation;
	int64_t version, previous, keys_version;
	int64_t issued_at, expires_at;
	char digest[DVT_DIGEST_HEX];
	char reason[DVT_REASON_MAX];
	char *anchors; /* JSON: [{fingerprint, priority}] */
	char *sorted;  /* JSON: fingerprints in order */
};

static void
job_free(void *ctx)
{
	struct job *j = ctx;

	free(j->anchors);
	free(j->sorted);
	free(j);
}

static char *
to_text(json_t *list)
{
	struct dvt_buf b;

	dvt_buf_init(&b, DVT_BODY_MAX);
	dvt_json_put(&b, list);
	json_decref(list);
	return dvt_buf_take_str(&b);
}

static int
by_fingerprint(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
describe(struct job *j, const struct dvt_bundle *b)
{
	const char *order[DVT_BUNDLE_ANCHORS];
	json_t *list = json_array(), *sorted = json_array();

	for (size_t i = 0; i < b->anchor_n; i++) {
		order[i] = b->anchor[i].fingerprint;
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:s}", "fingerprint", order[i], "priority",
			b->anchor[i].priority == DVT_PRIMARY ? "primary"
							     : "secondary"));
	}
	qsort(order, b->anchor_n, sizeof(order[0]), by_fingerprint);
	for (size_t i = 0; i < b->anchor_n; i++)
		(void)json_array_append_new(sorted, json_string(order[i]));
	j->anchors = to_text(list);
	j->sorted = to_text(sorted);
	dvt_bundle_anchor_digest(b, j->digest);
}

static enum dvt_code
announce(struct core *c, const struct job *j, struct dvt_err *err)
{
	json_t *body = json_pack("{s:I, s:s, s:s}", "version",
	    (json_int_t)j->version, "digest", j->digest, "reason", j->reason);
	json_t *want = json_pack("{s:I}", "number", (json_int_t)j->version);
	char key[64], object[32];
	enum dvt_code rc;

	snprintf(object, sizeof(object), "bundle-%" PRId64, j->version);
	snprintf(key, sizeof(key), "b%" PRId64 "/want", j->version);
	rc = core_audit(c, "core", "bundle.publish", object, body, err);
	if (rc == DVT_OK)
		rc = core_event(c, "BUNDLE_PUBLISHED", "", object, body, err);
	if (rc == DVT_OK)
		rc = core_outbox_put(c, key, 0, "want", want, err);
	json_decref(body);
	json_decref(want);
	return rc;
}

static enum dvt_code
record(struct core *c, const struct job *j, struct dvt_span line,
    struct dvt_err *err)
{
	struct dvt_row_bundle row = {.version = j->version,
	    .keys_version = j->keys_version,
	    .previous = j->previous,
	    .digest = j->digest,
	    .anchors = j->anchors,
	    .issued_at = j->issued_at,
	    .expires_at = j->expires_at,
	    .reason = j->reason};
	char *text = dvt_strndup(line.p, line.n);
	enum dvt_code rc;

	row.envelope = text;
	if ((rc = dvt_store_bundle_add(core_tx(c), &row, err)) != DVT_OK ||
	    (rc = dvt_store_trust_store_put(
		 core_tx(c), j->digest, j->sorted, err)) != DVT_OK ||
	    (rc = dvt_store_outbox_end(
		 core_tx(c), j->outbox, DVT_OUTBOX_DONE, "", err)) != DVT_OK)
		goto out;
	if (j->rotation != 0)
		rc = dvt_store_rotation_bundle(
		    core_tx(c), j->rotation, j->version, err);
	if (rc == DVT_OK)
		rc = announce(c, j, err);
	core_publish(c);
	core_rotation_wake(c);
out:
	free(text);
	return rc;
}

static enum dvt_code
signed_one(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	const struct job *j = ctx;
	struct dvt_row_outbox action;
	struct dvt_row_bundle newest;
	enum dvt_code rc;

	rc = dvt_store_outbox_by_key(
	    core_tx(c), core_arena(c), j->key, &action, err);
	if (rc != DVT_OK || action.state != DVT_OUTBOX_QUEUED)
		return rc; /* an earlier answer came after all */
	if (r->code != DVT_OK && r->code != DVT_E_LATER)
		return dvt_store_outbox_end(
		    core_tx(c), j->outbox, DVT_OUTBOX_FAILED, r->why, err);
	if ((rc = dvt_store_bundle_newest(
		 core_tx(c), core_arena(c), &newest, err)) != DVT_OK)
		return rc;
	if (r->code == DVT_OK && newest.version == j->previous)
		return record(c, j, r->line, err);
	/* the signer was away, or another bundle came between: made anew */
	return dvt_store_outbox_again(core_tx(c), j->outbox,
	    core_now(c).wall_s + 1, r->code == DVT_OK ? "" : r->why, err);
}

static enum dvt_code
ask(struct core *c, const struct core_act *a, struct dvt_bundle *b,
    struct dvt_err *err)
{
	struct job *j = dvt_alloc(sizeof(*j));
	struct sign_request q = {.kind = SIGN_DSSE, .name = DVT_BUNDLE_TYPE};
	struct dvt_buf payload;
	enum dvt_code rc;

	j->outbox = a->row->id;
	(void)dvt_copy_str(j->key, sizeof(j->key), a->row->key);
	j->rotation = a->row->rotation_id;
	j->version = b->version;
	j->previous = b->previous;
	j->keys_version = b->keys.version;
	j->issued_at = b->issued_at;
	j->expires_at = b->expires_at;
	snprintf(j->reason, sizeof(j->reason), "%.200s", a->row->key);
	describe(j, b);
	dvt_buf_init(&payload, SIGN_PAYLOAD_MAX);
	if ((rc = dvt_bundle_format(b, &payload, err)) == DVT_OK) {
		q.der = dvt_buf_span(&payload);
		rc = core_sign(c, &q, signed_one, job_free, j, err);
	}
	if (rc != DVT_OK)
		job_free(j);
	dvt_buf_fini(&payload);
	return rc;
}

enum dvt_code
core_act_bundle(struct core *c, struct core_act *a, struct dvt_err *err)
{
	struct dvt_bundle *was = dvt_alloc(sizeof(*was));
	struct dvt_bundle *next = dvt_alloc(sizeof(*next));
	int64_t now = core_now(c).wall_s;
	struct dvt_row_bundle row;
	enum dvt_code rc;

	if ((rc = core_bundle_newest(c, &row, was, err)) != DVT_OK ||
	    (rc = core_bundle_newest(c, &row, next, err)) != DVT_OK)
		goto out;
	rc = a->r != NULL ? change_for_rotation(c, a, next, err)
			  : change_by_hand(c, a, next, err);
	if (rc != DVT_OK)
		goto out;
	if (same(was, next)) {
		if (a->r != NULL)
			rc = dvt_store_rotation_bundle(
			    core_tx(c), a->r->row.id, row.version, err);
		goto out;
	}
	next->previous = row.version;
	next->version = row.version + 1;
	next->issued_at = now;
	next->expires_at = now +
			   dvt_config_int(core_config(c), "trust.lifetime");
	rc = ask(c, a, next, err);
	a->again = true; /* until the answer ends it */
	a->again_s = ASK_AGAIN_S;
out:
	dvt_bundle_fini(was);
	dvt_bundle_fini(next);
	free(was);
	free(next);
	return rc;
}
