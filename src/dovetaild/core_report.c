/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What edges report: what they apply, chains of their own files, requests for
 * ordered certificates, and every handshake (docs/gateway-feed.md).
 */
#include "base/log.h"
#include "dovetaild/core_gateway.h"
#include "dovetaild/core_owner.h"
#include "dovetaild/core_pins.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation.h"
#include "fleet/chain_choice.h"
#include "pki/chain.h"
#include "pki/key.h"
#include "proto/feed_report.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/device.h"
#include "store/edge.h"
#include "store/trust.h"
#include "store/watch.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define KIND_HOUR 3600

/* One report and the edge it came from. */
struct incoming {
	struct dvt_row_gateway g;
	struct dvt_report r;
	json_t *names;  /* main names of the edge */
	unsigned hints; /* for its sisters, out of this report */
};

/* --- handshakes --- */

static bool
is_main_name(const struct incoming *in, const char *name)
{
	const json_t *item;
	size_t i;

	if (name[0] == '\0') /* none sent: only a main one can be meant */
		return true;
	json_array_foreach(in->names, i, item)
	{
		if (dvt_host_matches(json_string_value(item), name))
			return true;
	}
	return json_array_size(in->names) == 0;
}

/* By what was shown to what: model and firmware of the inventory. */
static enum dvt_code
count_shown(struct core *c, const struct incoming *in,
    const struct dvt_handshake *h, const struct dvt_row_device *device,
    struct dvt_err *err)
{
	struct dvt_row_handshake_shown row = {.hour = h->at / KIND_HOUR,
	    .gateway = in->g.name,
	    .serial = h->serial,
	    .model = device != NULL ? device->model : "",
	    .firmware = device != NULL ? device->firmware : "",
	    .print = h->print,
	    .outcome = dvt_outcome_name(h->outcome),
	    .reason = dvt_hs_reason_name(h->reason),
	    .n = h->n};

	return dvt_store_handshake_shown_add(core_tx(c), &row, err);
}

static enum dvt_code
keep_handshake(struct core *c, const struct incoming *in,
    const struct dvt_handshake *h, const struct dvt_row_device *device,
    struct dvt_err *err)
{
	struct dvt_row_handshake row = {.gateway = in->g.name,
	    .at = h->at,
	    .device = h->device,
	    .confidence = h->confidence,
	    .outcome = dvt_outcome_name(h->outcome),
	    .reason = dvt_hs_reason_name(h->reason),
	    .root = h->root,
	    .n = h->n};
	struct dvt_row_handshake_hour hour = {.device = h->device,
	    .hour = h->at / KIND_HOUR,
	    .gateway = in->g.name,
	    .outcome = row.outcome,
	    .reason = row.reason,
	    .root = h->root,
	    .n = h->n};
	struct dvt_buf body;
	enum dvt_code rc;

	dvt_buf_init(&body, 16384);
	dvt_handshake_format(h, &body);
	row.body = dvt_buf_str(&body);
	rc = dvt_store_handshake_add(core_tx(c), &row, err);
	if (rc == DVT_OK)
		rc = dvt_store_handshake_hour_add(core_tx(c), &hour, err);
	if (rc == DVT_OK)
		rc = count_shown(c, in, h, device, err);
	dvt_buf_fini(&body);
	return rc;
}

/* --- what gateways of a site tell each other --- */

#define HINTS_MAX  50  /* of one report */
#define HINT_SLOTS 256 /* of one gateway; the next takes its place */
#define HINT_S     600 /* the same again within these is no news */

static bool
is_hint(const struct incoming *in, const struct dvt_handshake *h)
{
	if (in->g.site[0] == '\0' || in->g.kind != DVT_EDGE_GATEWAY ||
	    in->hints >= HINTS_MAX || h->n > 1 || h->address[0] == '\0' ||
	    h->root[0] == '\0')
		return false;
	return h->outcome == DVT_HS_DEVICE_REFUSED ||
	       (h->outcome == DVT_HS_OK &&
		   strcmp(h->why, dvt_chain_why_name(DVT_WHY_MEMORY)) == 0);
}

/* FNV-1a; texts are told apart by their NUL. */
static uint32_t
mix(uint32_t hash, const char *text)
{
	do
		hash = (hash ^ (uint8_t)*text) * 0x01000193u;
	while (*text++ != '\0');
	return hash;
}

static enum dvt_code
tell_sister(struct core *c, const char *gateway, const struct dvt_handshake *h,
    struct dvt_err *err)
{
	bool ticket = strcmp(h->confidence,
			  dvt_confidence_name(DVT_CONF_TICKET)) == 0;
	const char *device = ticket ? h->device : "";
	uint32_t slot = mix(
	    mix(mix(0x811c9dc5u, h->address), h->print), device);
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I}",
	    "gateway", gateway, "address", h->address, "print", h->print,
	    "device", device, "root", h->root, "form", h->form, "accepted",
	    h->outcome == DVT_HS_OK, "at",
	    (json_int_t)(h->at / HINT_S * HINT_S));
	char key[DVT_NAME_MAX + 16];
	enum dvt_code rc;

	snprintf(key, sizeof(key), "%s/%u", gateway, slot % HINT_SLOTS);
	rc = core_feed_set(c, "memory", key, gateway, body, NULL, err);
	json_decref(body);
	return rc;
}

static enum dvt_code
tell_sisters(struct core *c, struct incoming *in, const struct dvt_handshake *h,
    struct dvt_err *err)
{
	struct dvt_row_gateway *rows;
	size_t n;
	enum dvt_code rc;

	if (!is_hint(in, h))
		return DVT_OK;
	in->hints++;
	rc = dvt_store_gateway_list(
	    core_tx(c), core_arena(c), "", DVT_EDGES_MAX, &rows, &n, err);
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (rows[i].kind == DVT_EDGE_GATEWAY &&
		    strcmp(rows[i].site, in->g.site) == 0 &&
		    strcmp(rows[i].name, in->g.name) != 0)
			rc = tell_sister(c, rows[i].name, h, err);
	return rc;
}

/* --- what is learnt from them --- */

/* A device that was silent too long is counted again. */
enum dvt_code
core_device_unpark(struct core *c, const char *device_id, struct dvt_err *err)
{
	struct dvt_row_device row;
	enum dvt_code rc = dvt_store_device_get(
	    core_tx(c), core_arena(c), device_id, &row, err);

	if (rc != DVT_OK || row.state != DVT_DEVICE_PARKED)
		return rc;
	rc = dvt_store_device_state_set(core_tx(c), device_id,
	    DVT_DEVICE_PARKED, DVT_DEVICE_ACTIVE, "", err);
	if (rc == DVT_OK)
		rc = core_event(c, "DEVICE_BACK", device_id, "", NULL, err);
	if (rc == DVT_OK)
		rc = core_rotation_returned(c, device_id, err);
	return rc == DVT_OK ? core_feed_device(c, device_id, err) : rc;
}

/* What a device that proved its certificate did counts as evidence. */
static enum dvt_code
learn(struct core *c, const struct incoming *in, const struct dvt_handshake *h,
    struct dvt_err *err)
{
	enum dvt_chain_form form = dvt_chain_form_from_name(h->form);
	enum dvt_code rc = DVT_OK;

	if (h->root[0] != '\0' && form != DVT_FORM_N) {
		if (h->outcome == DVT_HS_OK)
			rc = dvt_store_chain_ok(core_tx(c), h->device, h->root,
			    form, h->at, is_main_name(in, h->name), err);
		else if (h->outcome == DVT_HS_DEVICE_REFUSED)
			rc = dvt_store_chain_bad(
			    core_tx(c), h->device, h->root, form, h->at, err);
	}
	if (rc == DVT_OK && h->outcome == DVT_HS_OK) {
		rc = dvt_store_device_seen(core_tx(c), h->device, h->at, err);
		if (rc == DVT_OK && h->certificate[0] != '\0')
			rc = dvt_store_credential_seen(
			    core_tx(c), h->certificate, h->at, err);
		if (rc == DVT_OK)
			rc = core_device_unpark(c, h->device, err);
		if (rc == DVT_OK)
			rc = core_pins_learn(c, &in->g, h, err);
	}
	if (rc == DVT_OK)
		rc = core_rotation_handshake(
		    c, h, is_main_name(in, h->name), err);
	return rc == DVT_OK ? core_feed_device(c, h->device, err) : rc;
}

static enum dvt_code
take_handshake(struct core *c, struct incoming *in,
    const struct dvt_handshake *h, struct dvt_err *err)
{
	bool proven = strcmp(h->confidence, "certificate") == 0;
	struct dvt_row_device row;
	enum dvt_code known = DVT_E_ABSENT, rc;

	if (h->device[0] != '\0')
		known = dvt_store_device_get(
		    core_tx(c), core_arena(c), h->device, &row, err);
	if (known != DVT_OK && known != DVT_E_ABSENT)
		return known;
	rc = keep_handshake(c, in, h, known == DVT_OK ? &row : NULL, err);
	if (rc == DVT_OK)
		rc = tell_sisters(c, in, h, err);
	if (rc != DVT_OK)
		return rc;
	if (!proven || h->device[0] == '\0')
		return core_rotation_handshake(
		    c, h, is_main_name(in, h->name), err);
	/* else a gateway, or a device gone meanwhile */
	return known == DVT_OK ? learn(c, in, h, err) : DVT_OK;
}

/* --- chains of its own files --- */

/* The root a chain of files ends in, when it is one of ours; else "". */
static enum dvt_code
find_root(struct core *c, const struct dvt_chain *chain, const char **out,
    struct dvt_err *err)
{
	X509 *top = chain->cert[chain->n - 1];
	struct dvt_row_authority *rows;
	size_t n;
	enum dvt_code rc = dvt_store_authority_list(
	    core_tx(c), core_arena(c), 0, DVT_LIST_MAX, &rows, &n, err);

	*out = "";
	for (size_t i = 0; rc == DVT_OK && i < n && **out == '\0'; i++) {
		X509 *root;

		if (!rows[i].is_root ||
		    dvt_x509_from_der(rows[i].der, &root, NULL) != DVT_OK)
			continue;
		if (X509_cmp(top, root) == 0 ||
		    dvt_x509_is_issued_by(top, root))
			*out = rows[i].fingerprint;
		X509_free(root);
	}
	return rc;
}

static const char *
names_of(struct core *c, const struct dvt_feed_list *l)
{
	json_t *names = json_array();
	struct dvt_buf text;
	const char *out;

	dvt_buf_init(&text, 16384);
	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(names, json_string(l->v[i]));
	dvt_json_put(&text, names);
	out = dvt_arena_strdup(core_arena(c), dvt_buf_str(&text));
	json_decref(names);
	dvt_buf_fini(&text);
	return out;
}

/* New, or changed since the last report; its slot is kept otherwise. */
static enum dvt_code
put_credential(
    struct core *c, struct dvt_row_gateway_credential *row, struct dvt_err *err)
{
	struct dvt_row_gateway_credential there;
	enum dvt_code rc;

	rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), row->gateway, row->id, &there, err);
	if (rc == DVT_OK && strcmp(there.fingerprint, row->fingerprint) == 0 &&
	    strcmp(there.root, row->root) == 0)
		return DVT_OK;
	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	rc = dvt_store_gateway_credential_put(core_tx(c), row, err);
	if (rc == DVT_OK)
		rc = core_feed_credential(c, row->gateway, row->id, NULL, err);
	return rc == DVT_OK
		   ? core_gateway_adopt_root(c, row->gateway, row->root, err)
		   : rc;
}

static enum dvt_code
take_credential(struct core *c, const struct incoming *in,
    const struct dvt_report_credential *told, struct dvt_err *err)
{
	struct dvt_row_gateway_credential row = {.gateway = in->g.name,
	    .id = told->id,
	    .listener = "main",
	    .slot = DVT_GWSLOT_CURRENT,
	    .names = names_of(c, &told->names),
	    .root = told->root,
	    .key_digest = told->key_digest,
	    .chain_pem = told->chain_pem,
	    .created_at = core_now(c).wall_s};
	char fingerprint[DVT_DIGEST_HEX];
	struct dvt_chain chain = {.n = 0};
	enum dvt_code rc;

	rc = dvt_chain_from_pem(dvt_span_str(told->chain_pem), &chain, err);
	if (rc != DVT_OK)
		return rc;
	dvt_x509_fingerprint(chain.cert[0], fingerprint);
	row.fingerprint = fingerprint;
	row.not_after = dvt_chain_not_after(&chain);
	if (row.root[0] == '\0')
		rc = find_root(c, &chain, &row.root, err);
	if (rc == DVT_OK)
		rc = put_credential(c, &row, err);
	dvt_chain_fini(&chain);
	return rc;
}

/* --- the whole --- */

/* One alert for each thing, however often it is told. */
static enum dvt_code
take_doubt(struct core *c, const struct incoming *in, const char *text,
    struct dvt_err *err)
{
	char key[DVT_NAME_MAX + 64], digest[DVT_DIGEST_HEX];

	dvt_sha256_hex(dvt_span_str(text), digest);
	(void)snprintf(
	    key, sizeof(key), "gateway-doubt/%s/%.16s", in->g.name, digest);
	return core_alert(c, "warn", key, "gateway-doubt", text, err);
}

static enum dvt_code
take_fresh(struct core *c, struct incoming *in, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < in->r.handshakes_n; i++)
		rc = take_handshake(c, in, &in->r.handshakes[i], err);
	for (size_t i = 0; rc == DVT_OK && i < in->r.credentials_n; i++)
		rc = take_credential(c, in, &in->r.credentials[i], err);
	for (size_t i = 0; rc == DVT_OK && i < in->r.doubts.n; i++)
		rc = take_doubt(c, in, in->r.doubts.v[i], err);
	for (size_t i = 0; rc == DVT_OK && i < in->r.csrs_n; i++) {
		const struct dvt_report_csr *csr = &in->r.csrs[i];
		struct dvt_span der = {csr->der, csr->der_n};
		struct dvt_err why = {0};

		if (core_gateway_csr(c, &in->g, csr->order, der, &why) !=
		    DVT_OK)
			log_event(LOG_WARNING, "gateway.order.refused",
			    LS("gateway", in->g.name), LS("order", csr->order),
			    LE(&why));
	}
	return rc;
}

static enum dvt_code
heard(struct core *c, struct incoming *in, struct dvt_err *err)
{
	struct dvt_row_gateway row = in->g;
	int64_t now = core_now(c).wall_s;

	row.applied = in->r.epoch == c->epoch ? in->r.applied : 0;
	row.clock_off_s = in->r.now - now;
	row.sessions = in->r.sessions;
	row.version = in->r.version;
	return dvt_store_gateway_heard(core_tx(c), &row, now, err);
}

/* @answer: out: {"batch", "position"}. */
static enum dvt_code
take_report(struct core *c, const char *gateway, struct dvt_span body,
    struct dvt_report_answer *answer, struct dvt_err *err)
{
	struct incoming *in = dvt_alloc(sizeof(*in));
	bool fresh = false;
	enum dvt_code rc;

	if ((rc = dvt_store_gateway_get(
		 core_tx(c), core_arena(c), gateway, &in->g, err)) != DVT_OK ||
	    (rc = dvt_report_parse(body, &in->r, err)) != DVT_OK)
		goto out;
	in->names = json_loads(in->g.names, 0, NULL);
	if ((rc = heard(c, in, err)) != DVT_OK ||
	    (rc = dvt_store_gateway_batch(
		 core_tx(c), gateway, in->r.batch, &fresh, err)) != DVT_OK)
		goto out;
	if (fresh)
		rc = take_fresh(c, in, err);
	answer->batch = in->r.batch;
	if (rc == DVT_OK)
		rc = dvt_store_feed_position(
		    core_tx(c), &answer->position, err);
	json_decref(in->names);
out:
	dvt_report_fini(&in->r);
	free(in);
	return rc;
}

enum dvt_code
core_feed_report(struct core *c, const struct core_asker *from,
    const struct request *q, struct dvt_err *err)
{
	struct dvt_report_answer answer = {0};
	struct core_owner o;
	struct dvt_buf body;
	enum dvt_code rc;

	rc = core_owner_by_certificate(
	    c, q->fingerprint, DVT_OWNER_GATEWAY, &o, err);
	if (rc != DVT_OK ||
	    (rc = core_confirm(c, &o.credential, err)) != DVT_OK ||
	    (rc = take_report(c, o.id, q->body, &answer, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&body, 4096);
	dvt_report_answer_format(&answer, &body);
	core_answer(c, from, 200, "application/json", dvt_buf_span(&body), 0);
	dvt_buf_fini(&body);
	return DVT_OK;
}

struct front_report {
	const char *name;
	struct dvt_span body;
};

static enum dvt_code
take_front(struct core *c, void *ctx, struct dvt_err *err)
{
	struct front_report *r = ctx;
	struct dvt_report_answer answer;

	return take_report(c, r->name, r->body, &answer, err);
}

void
core_front_report(struct core *c, unsigned index, struct dvt_span body)
{
	struct front_report r = {c->front[index].name, body};
	struct dvt_err err = {0};

	if (core_within(c, take_front, &r, &err) != DVT_OK)
		log_event(LOG_WARNING, "front.report.refused",
		    LS("front", r.name), LE(&err));
}
