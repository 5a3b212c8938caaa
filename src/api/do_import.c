/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/devices/import: a fleet whose certificates were made elsewhere.
 * Each line stands alone, in a savepoint of its own, and may be sent again.
 */
#include "api/do.h"
#include "api/do_device.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "pki/chain.h"
#include "pki/verify.h"
#include "pki/x509.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/device.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define LINES_MAX      500 /* in one request */
#define REVOKED_BEFORE "its certificate was revoked before the import"
#define NOT_A_CLIENT   "not a client certificate (no clientAuth)"

struct import {
	struct dvt_app *app;
	struct dvt_row_authority *authority;
	X509 **ca; /* of authority[i] */
	size_t n;
	const struct dvt_shape *shape;
	int64_t fresh, same, changed, refused;
};

/* One line on its way in. Memory: the request's arena. */
struct line {
	json_t *json;
	X509 *cert;
	struct dvt_chain chain;
	const char *device;
	char status; /* V, R or E */
	struct dvt_row_credential row;
	const char *result;
};

static enum dvt_code
load_authorities(struct import *m, struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_authority_list(m->app->tx, m->app->arena,
	    0, DVT_LIST_MAX, &m->authority, &m->n, err);

	m->ca = dvt_alloc_array(m->n + 1, sizeof(*m->ca));
	for (size_t i = 0; rc == DVT_OK && i < m->n; i++)
		rc = dvt_x509_from_der(m->authority[i].der, &m->ca[i], err);
	return rc;
}

static void
import_fini(struct import *m)
{
	for (size_t i = 0; m->ca != NULL && i < m->n; i++)
		X509_free(m->ca[i]);
	free(m->ca);
}

/* --- what a line says --- */

static enum dvt_code
read_certificates(struct line *l, struct dvt_err *err)
{
	const char *pem, *chain;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(l->json, "certificate_pem", DVT_CERT_PEM_MAX,
		 &pem, err)) != DVT_OK ||
	    (rc = dvt_json_opt_str(l->json, "chain_pem", DVT_CHAIN_PEM_MAX, "",
		 &chain, err)) != DVT_OK ||
	    (rc = dvt_x509_from_pem(dvt_span_str(pem), &l->cert, err)) !=
		DVT_OK)
		return rc;
	return *chain == '\0'
		   ? DVT_OK
		   : dvt_chain_from_pem(dvt_span_str(chain), &l->chain, err);
}

/* The first alternative name of any kind. */
static enum dvt_code
id_of_san(struct import *m, X509 *cert, const char **out, struct dvt_err *err)
{
	struct dvt_san sans[DVT_SANS_MAX];
	size_t n;
	enum dvt_code rc = dvt_x509_sans(cert, sans, &n, err);

	if (rc == DVT_OK && n == 0)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "no alternative name to take the device id from");
	if (rc == DVT_OK)
		*out = dvt_arena_strdup(m->app->arena, sans[0].text);
	return rc;
}

static enum dvt_code
device_of(struct import *m, struct line *l, struct dvt_err *err)
{
	char cn[DVT_DN_TEXT], serial[DVT_SERIAL_HEX];
	const char *from;
	enum dvt_code rc;

	if ((rc = dvt_json_opt_str(
		 l->json, "device_id", 0, NULL, &l->device, err)) != DVT_OK ||
	    (rc = dvt_json_opt_str(l->json, "id_from", 0, "cn", &from, err)) !=
		DVT_OK)
		return rc;
	if (l->device != NULL)
		return dvt_do_device_id(l->device, err);
	if (strcmp(from, "san") == 0) {
		rc = id_of_san(m, l->cert, &l->device, err);
	} else if (strcmp(from, "serial") == 0) {
		dvt_x509_serial(l->cert, serial);
		l->device = dvt_arena_strdup(m->app->arena, serial);
	} else {
		l->device = dvt_arena_strdup(
		    m->app->arena, dvt_x509_common_name(l->cert, cn));
	}
	return rc == DVT_OK ? dvt_do_device_id(l->device, err) : rc;
}

/* --- who issued it --- */

static const struct dvt_row_authority *
known_issuer(const struct import *m, X509 *cert)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->authority[i].state != DVT_AUTHORITY_REVOKED &&
		    dvt_x509_is_issued_by(cert, m->ca[i]))
			return &m->authority[i];
	}
	return NULL;
}

/* Up what came with it, to an authority that is known here. */
static const struct dvt_row_authority *
known_above(const struct import *m, const struct line *l)
{
	const struct dvt_row_authority *a;
	X509 *at = l->cert;
	size_t steps = 0, i;

	while ((a = known_issuer(m, at)) == NULL && steps++ < l->chain.n) {
		for (i = 0; i < l->chain.n; i++) {
			if (l->chain.cert[i] != at &&
			    dvt_x509_is_issued_by(at, l->chain.cert[i]))
				break;
		}
		if (i == l->chain.n)
			return NULL;
		at = l->chain.cert[i];
	}
	return a;
}

static const char *
root_of(const struct import *m, const struct dvt_row_authority *a)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->authority[i].id == a->root_id)
			return m->authority[i].fingerprint;
	}
	return a->is_root ? a->fingerprint : "";
}

/* "openssl ca -selfsign" lists the CA itself. */
static const char *
same_authority(const struct import *m, const struct line *l)
{
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->authority[i].fingerprint, l->row.fingerprint) ==
		    0)
			return m->authority[i].name;
	}
	return NULL;
}

/* Nobody vouches for it but who imports it: it is the device's only one. */
static enum dvt_code
place_pinned(struct import *m, struct line *l, struct dvt_err *err)
{
	const char *why = dvt_leaf_key_refuse(l->cert);
	struct dvt_row_credential current;
	enum dvt_code rc;

	if (why != NULL)
		return dvt_fail(err, DVT_E_INPUT, "%s", why);
	rc = dvt_store_credential_current(m->app->tx, m->app->arena,
	    DVT_OWNER_DEVICE, l->device, &current, err);
	if (rc == DVT_OK)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "self-signed, and device %s is there with certificate "
		    "%.16s...: revoke that one first, if this is the device",
		    l->device, current.fingerprint);
	if (rc != DVT_E_ABSENT)
		return rc;
	l->row.pinned = true;
	return DVT_OK;
}

static enum dvt_code
place_under_issuer(struct import *m, struct line *l, struct dvt_err *err)
{
	const struct dvt_row_authority *a = known_above(m, l);
	const char *why = dvt_leaf_refuse(l->cert, DVT_FOR_CLIENT);
	char text[DVT_DN_TEXT];

	if (same_authority(m, l) != NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "the certificate of authority %s, not of a device",
		    same_authority(m, l));
	if (a == NULL && dvt_x509_is_self_signed(l->cert))
		return place_pinned(m, l, err);
	if (why != NULL)
		return dvt_fail(err, DVT_E_INPUT, "%s",
		    strstr(why, "client authentication") != NULL ||
			    strstr(why, "extended key usage") != NULL
			? NOT_A_CLIENT
			: why);
	if (a == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "its chain does not build: issuer %.150s is not known "
		    "here (authority import comes first)",
		    dvt_x509_issuer(l->cert, text));
	if (!a->use_device)
		return dvt_fail(err, DVT_E_INPUT,
		    "authority %s is not for certificates of devices", a->name);
	if (known_issuer(m, l->cert) == a)
		l->row.authority_id = a->id;
	l->row.root = root_of(m, a);
	return DVT_OK;
}

/* --- the rows --- */

static void
describe(struct import *m, struct line *l)
{
	struct dvt_row_credential *r = &l->row;
	struct dvt_arena *a = m->app->arena;
	int64_t now = m->app->now.wall_s;
	char text[DVT_DN_TEXT], hex[DVT_DIGEST_HEX], serial[DVT_SERIAL_HEX];

	r->owner_kind = DVT_OWNER_DEVICE;
	r->owner = l->device;
	dvt_x509_fingerprint(l->cert, hex);
	r->fingerprint = dvt_arena_strdup(a, hex);
	dvt_x509_key_digest(l->cert, hex);
	r->key_digest = dvt_arena_strdup(a, hex);
	dvt_x509_serial(l->cert, serial);
	r->serial = dvt_arena_strdup(a, serial);
	r->issuer = dvt_arena_strdup(a, dvt_x509_issuer(l->cert, text));
	r->subject = dvt_arena_strdup(a, dvt_x509_subject(l->cert, text));
	r->not_before = dvt_x509_not_before(l->cert);
	r->not_after = dvt_x509_not_after(l->cert);
	r->issued_at = r->not_before;
	r->source = "import";
	r->revoke_reason = -1;
	r->state = DVT_CRED_ACTIVE;
	if (l->status == 'R') {
		r->state = DVT_CRED_REVOKED;
		r->revoked_at = r->denied_at = now;
		r->revoke_reason = 0;
	} else if (l->status == 'E' || r->not_after <= now) {
		r->state = DVT_CRED_EXPIRED;
	}
}

/* Without a good certificate it cannot be active. */
static void
first_state(const struct line *l, struct dvt_row_device *d)
{
	if (l->row.state == DVT_CRED_REVOKED) {
		d->state = DVT_DEVICE_BLOCKED;
		d->blocked_case = REVOKED_BEFORE;
	} else if (l->row.state == DVT_CRED_EXPIRED) {
		d->state = DVT_DEVICE_PARKED;
	}
}

/* One that came by its old certificate first, and now by a good one. */
static enum dvt_code
awaken(struct import *m, const struct line *l, const struct dvt_row_device *d,
    struct dvt_err *err)
{
	bool only_import = d->last_seen_at == 0 &&
			   (d->state == DVT_DEVICE_PARKED ||
			       (d->state == DVT_DEVICE_BLOCKED &&
				   strcmp(d->blocked_case, REVOKED_BEFORE) ==
				       0));

	if (l->row.state != DVT_CRED_ACTIVE || !only_import)
		return DVT_OK;
	return dvt_store_device_state_set(
	    m->app->tx, l->device, d->state, DVT_DEVICE_ACTIVE, "", err);
}

static bool
says_more(const json_t *line)
{
	static const char *const keys[] = {"hw_serial", "model", "firmware",
	    "batch", "type", "profile", "environment", "management",
	    "oob_address", "period_s", "labels"};

	for (size_t i = 0; i < DVT_COUNT(keys); i++) {
		if (json_object_get(line, keys[i]) != NULL)
			return true;
	}
	return false;
}

static enum dvt_code
put_device(struct import *m, const struct line *l, struct dvt_err *err)
{
	struct dvt_row_device d, there;
	bool added;
	enum dvt_code rc;

	dvt_do_device_init(m->app, l->device, &d);
	d.subject = l->row.subject;
	d.subject_der = dvt_x509_subject_der(l->cert);
	d.san_der = dvt_x509_san_der(l->cert);
	first_state(l, &d);
	if ((rc = dvt_do_describe(m->app, l->json, &d, err)) != DVT_OK ||
	    (rc = dvt_store_device_add(m->app->tx, &d, &added, err)) !=
		DVT_OK ||
	    added)
		return rc;
	if ((rc = dvt_store_device_get(m->app->tx, m->app->arena, l->device,
		 &there, err)) != DVT_OK ||
	    (rc = awaken(m, l, &there, err)) != DVT_OK || !says_more(l->json))
		return rc;
	rc = dvt_do_describe(m->app, l->json, &there, err);
	return rc != DVT_OK
		   ? rc
		   : dvt_store_device_describe(m->app->tx, &there, err);
}

static enum dvt_code
put_certificate(struct import *m, struct line *l, struct dvt_err *err)
{
	const char *chain = json_string_value(
	    json_object_get(l->json, "chain_pem"));
	struct dvt_buf der;
	enum dvt_code rc;

	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	if ((rc = dvt_x509_to_der(l->cert, &der, err)) != DVT_OK)
		goto out;
	rc = dvt_store_key_claim(
	    m->app->tx, l->row.key_digest, DVT_OWNER_DEVICE, l->device, err);
	if (rc == DVT_E_CONFLICT)
		rc = dvt_fail(err, rc, "its key is used by another device");
	if (rc != DVT_OK)
		goto out;
	rc = dvt_store_credential_add(m->app->tx, &l->row, dvt_buf_span(&der),
	    chain == NULL ? "" : chain, NULL, err);
	if (rc == DVT_E_CONFLICT)
		rc = dvt_fail(err, rc,
		    "another certificate of this issuer has serial %s",
		    l->row.serial);
	if (rc == DVT_OK && l->row.state == DVT_CRED_REVOKED)
		rc = dvt_do_deny(m->app, &l->row, err);
out:
	dvt_buf_fini(&der);
	return rc;
}

/* The certificate is here already. */
static enum dvt_code
again(struct import *m, struct line *l, const struct dvt_row_credential *there,
    struct dvt_err *err)
{
	enum dvt_code rc;

	if (strcmp(there->owner, l->device) != 0)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "this certificate is known as that of %s", there->owner);
	l->result = "same";
	if ((rc = put_device(m, l, err)) != DVT_OK)
		return rc;
	if (l->status != 'R' || there->state == DVT_CRED_REVOKED)
		return DVT_OK;
	l->result = "changed";
	if ((rc = dvt_store_credential_revoke(m->app->tx, there->fingerprint,
		 there->state, m->app->now.wall_s, 0, err)) != DVT_OK ||
	    (rc = dvt_store_credential_denied(m->app->tx, there->fingerprint,
		 m->app->now.wall_s, err)) != DVT_OK)
		return rc;
	return dvt_do_deny(m->app, there, err);
}

static enum dvt_code
take_line(struct import *m, struct line *l, struct dvt_err *err)
{
	struct dvt_row_credential there;
	const char *status;
	enum dvt_code rc;

	if ((rc = dvt_shape_check(m->shape, l->json, err)) != DVT_OK ||
	    (rc = dvt_json_opt_str(l->json, "status", 1, "V", &status, err)) !=
		DVT_OK ||
	    (rc = read_certificates(l, err)) != DVT_OK ||
	    (rc = device_of(m, l, err)) != DVT_OK)
		return rc;
	l->status = *status;
	describe(m, l);
	rc = dvt_store_credential_by_fingerprint(
	    m->app->tx, m->app->arena, l->row.fingerprint, &there, err);
	if (rc == DVT_OK) {
		rc = again(m, l, &there, err);
	} else if (rc == DVT_E_ABSENT) {
		l->result = "new";
		if ((rc = place_under_issuer(m, l, err)) == DVT_OK &&
		    (rc = put_device(m, l, err)) == DVT_OK)
			rc = put_certificate(m, l, err);
	}
	return rc != DVT_OK ? rc
			    : m->app->core->feed_device(m->app, l->device, err);
}

/* --- the request --- */

/* A failure of the line is its result; one of the database is ours. */
static enum dvt_code
run_line(
    struct import *m, struct dvt_span text, json_t *items, struct dvt_err *err)
{
	struct line l = {.result = "refused"};
	struct dvt_err why = {0};
	enum dvt_code rc;

	if ((rc = dvt_tx_save(m->app->tx, err)) != DVT_OK)
		return rc;
	rc = dvt_json_parse(text, DVT_BODY_MAX, &l.json, &why);
	if (rc == DVT_OK)
		rc = take_line(m, &l, &why);
	if (rc == DVT_E_SYSTEM || rc == DVT_E_LATER) {
		rc = dvt_fail(err, rc, "%s", why.text);
		goto out;
	}
	if (rc != DVT_OK)
		l.result = "refused";
	json_array_append_new(
	    items, json_pack("{s:s, s:s, s:s?}", "result", l.result, "device",
		       l.device == NULL ? "" : l.device, "reason",
		       rc == DVT_OK ? NULL : why.text));
	m->fresh += strcmp(l.result, "new") == 0;
	m->same += strcmp(l.result, "same") == 0;
	m->changed += strcmp(l.result, "changed") == 0;
	m->refused += rc != DVT_OK;
	rc = rc == DVT_OK ? dvt_tx_release(m->app->tx, err)
			  : dvt_tx_undo(m->app->tx, err);
out:
	X509_free(l.cert);
	dvt_chain_fini(&l.chain);
	json_decref(l.json);
	return rc;
}

static enum dvt_code
run_lines(
    struct import *m, struct dvt_span body, json_t *items, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;
	size_t n;

	while (rc == DVT_OK && body.n > 0) {
		const uint8_t *end = memchr(body.p, '\n', body.n);
		struct dvt_span line = {
		    body.p, end == NULL ? body.n : (size_t)(end - body.p)};

		body = dvt_span_from(body, line.n + (end != NULL));
		if (line.n == 0)
			continue;
		n = json_array_size(items);
		if (n == LINES_MAX)
			return dvt_fail(err, DVT_E_LIMIT,
			    "more than %d lines in one request", LINES_MAX);
		rc = run_line(m, line, items, err);
		if (rc != DVT_OK)
			dvt_err_prefix(err, "line %zu", n + 1);
	}
	return rc;
}

/*
 * POST /v1/devices/import - lines of JSON; 200 with the result of each, in
 * their order. 413 more than 500 lines.
 */
enum dvt_code
api_import_devices(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	struct import m = {.app = app, .shape = dvt_shape_find("import_line")};
	json_t *items = json_array(), *sum = NULL;
	enum dvt_code rc;

	if ((rc = load_authorities(&m, err)) != DVT_OK ||
	    (rc = run_lines(&m, req->body, items, err)) != DVT_OK)
		goto out;
	sum = json_pack("{s:I, s:I, s:I, s:I}", "new", (json_int_t)m.fresh,
	    "same", (json_int_t)m.same, "changed", (json_int_t)m.changed,
	    "refused", (json_int_t)m.refused);
	if (m.fresh + m.changed > 0)
		rc = dvt_do_tell(app, "device.import", "devices",
		    "DEVICES_IMPORTED", "", json_incref(sum), err);
	if (rc == DVT_OK) {
		dvt_reply_list(reply, items, NULL);
		items = NULL;
		(void)json_object_update_missing(reply->json, sum);
	}
out:
	json_decref(items);
	json_decref(sum);
	import_fini(&m);
	return rc;
}
