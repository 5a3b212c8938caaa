/* SPDX-License-Identifier: Apache-2.0 */
/* What a control plane and an edge answer, well or badly: testserver.h. */
#include "device/testserver.h"

#include "pki/x509.h"
#include "proto/est.h"
#include "wire/csr.h"
#include "wire/json.h"
#include "wire/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_S 86400

/* --- who is it --- */

static bool
is_issued(const struct testworld *w, size_t from, X509 *leaf)
{
	for (size_t i = from; i < w->issued_n; i++) {
		if (X509_cmp(w->issued[i], leaf) == 0)
			return true;
	}
	return false;
}

bool
testserver_knows(const struct testworld *w, X509 *leaf)
{
	return is_issued(w, 0, leaf);
}

bool
testserver_admits(const struct testworld *w, X509 *leaf)
{
	return is_issued(w, w->denied_n, leaf);
}

enum dvt_code
testserver_shown(const struct testworld *w, const struct dvt_trust *t,
    bool next, struct dvt_err *err)
{
	const struct testpki *p = w->pki;
	struct dvt_verify how = {
	    .purpose = DVT_FOR_SERVER, .now = TESTCA_NOW, .host = "edge.test"};
	struct dvt_chain chain = testca_chain(
	    (next && !w->next_is_old) || w->edge_new ? p->edge_new.cert
						     : p->edge_old.cert,
	    NULL, NULL);
	struct dvt_verdict verdict;
	enum dvt_code rc;

	rc = dvt_trust_verify(t, &chain, &how, &verdict, err);
	dvt_chain_fini(&chain);
	return rc;
}

/* The control plane stays under the old root until bundle 3 is out. */
static bool
is_trusted(const struct testworld *w, const struct dvt_http_want *want)
{
	const struct testpki *p = w->pki;

	if (want->trust == NULL)
		return true;
	return dvt_trust_has(want->trust->trust,
		   w->bundle < 3 ? p->old_root.cert : p->new_root.cert) ||
	       dvt_trust_has(want->trust->trust, p->new_root.cert);
}

/* --- EST --- */

static X509 *
find_issued(const struct testworld *w, const EVP_PKEY *key)
{
	for (size_t i = w->issued_n; i > 0; i--) {
		if (dvt_key_matches(key, w->issued[i - 1], NULL) == DVT_OK)
			return w->issued[i - 1];
	}
	return NULL;
}

static X509 *
issue(struct testworld *w, EVP_PKEY *key, struct dvt_span san)
{
	const struct testpki *p = w->pki;
	const struct testca *ca = w->new_ca ? &p->device_new : &p->device_old;
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_CLIENT);
	const char *name = "CN=pump-7";

	if (w->fault_left > 0) {
		if (w->fault == FAULT_OTHER_KEY)
			key = p->stranger;
		if (w->fault == FAULT_OTHER_SUBJECT)
			name = "CN=pump-8";
		if (w->fault == FAULT_EXPIRED) {
			f.not_before = TESTCA_NOW - 9 * DAY_S;
			f.not_after = TESTCA_NOW - DAY_S;
		}
		if (w->fault == FAULT_NOT_YET)
			f.not_before = TESTCA_NOW + DAY_S;
		if (w->fault == FAULT_OTHER_CA)
			ca = &p->old_root;
		if (w->fault == FAULT_SERVER_LEAF)
			f.eku = DVT_EKU_SERVER;
	}
	if (w->fault_left == 0 || w->fault != FAULT_LACKS_NAME)
		f.san_der = san;
	return testca_issue(ca, name, key, f);
}

static void
put_certificate(const struct testworld *w, X509 *leaf, struct dvt_buf *body)
{
	const struct testpki *p = w->pki;
	X509 *certs[] = {w->new_ca ? p->new_root.cert : p->old_root.cert, leaf,
	    w->new_ca ? p->device_new.cert : p->device_old.cert};
	struct dvt_buf der[DVT_COUNT(certs)], all;
	struct dvt_span span[DVT_COUNT(certs)];
	struct dvt_err err;

	for (size_t i = 0; i < DVT_COUNT(certs); i++) {
		dvt_buf_init(&der[i], DVT_CERT_DER_MAX);
		testworld_must(
		    dvt_x509_to_der(certs[i], &der[i], &err), &err, "DER");
		span[i] = dvt_buf_span(&der[i]);
	}
	dvt_buf_init(&all, DVT_EST_BODY_MAX);
	dvt_est_certs_put(&all, span, DVT_COUNT(certs));
	dvt_est_body_put(body, dvt_buf_span(&all), DVT_EST_WRAPPED);
	dvt_buf_fini(&all);
	for (size_t i = 0; i < DVT_COUNT(certs); i++)
		dvt_buf_fini(&der[i]);
}

static void
hear_subject(struct testworld *w, struct dvt_span subject)
{
	struct dvt_buf text;

	dvt_buf_init(&text, sizeof(w->asked_subject) - 1);
	testworld_must(dvt_name_format(subject, &text, NULL), NULL, "subject");
	(void)snprintf(w->asked_subject, sizeof(w->asked_subject), "%s",
	    dvt_buf_str(&text));
	dvt_buf_fini(&text);
}

/* A certificate for the request; the same again for the same key. */
static void
certify(
    struct testworld *w, const struct dvt_http_want *want, struct dvt_buf *body)
{
	struct dvt_buf der;
	struct dvt_csr csr;
	struct dvt_err err;
	EVP_PKEY *key;
	X509 *leaf;
	bool bad = w->fault_left > 0 && w->fault != FAULT_SILENT;

	dvt_buf_init(&der, DVT_EST_BODY_MAX);
	testworld_must(dvt_est_body_decode(want->body, &der, NULL, &err), &err,
	    "EST body");
	testworld_must(
	    dvt_csr_parse(dvt_buf_span(&der), &csr, &err), &err, "CSR");
	testworld_must(dvt_key_from_csr(&csr, &key, &err), &err, "CSR");
	hear_subject(w, csr.subject);
	leaf = bad ? NULL : find_issued(w, key);
	if (leaf == NULL) {
		leaf = issue(w, key, csr.san);
		put_certificate(w, leaf, body);
		if (bad || w->issued_n == TESTWORLD_KEYS)
			X509_free(leaf);
		else
			w->issued[w->issued_n++] = leaf;
		w->secret_spent |= !bad && want->credential == NULL;
	} else {
		put_certificate(w, leaf, body);
	}
	w->certificates++;
	EVP_PKEY_free(key);
	dvt_buf_fini(&der);
}

/* One certificate for a secret; whoever has its key may ask for it again. */
static bool
is_spent(struct testworld *w, const struct dvt_http_want *want)
{
	struct dvt_buf der;
	struct dvt_csr csr;
	EVP_PKEY *key = NULL;
	bool spent;

	if (want->credential != NULL || !w->secret_spent)
		return false;
	dvt_buf_init(&der, DVT_EST_BODY_MAX);
	testworld_must(dvt_est_body_decode(want->body, &der, NULL, NULL), NULL,
	    "EST body");
	testworld_must(
	    dvt_csr_parse(dvt_buf_span(&der), &csr, NULL), NULL, "CSR");
	testworld_must(dvt_key_from_csr(&csr, &key, NULL), NULL, "CSR");
	spent = find_issued(w, key) == NULL;
	EVP_PKEY_free(key);
	dvt_buf_fini(&der);
	return spent;
}

static void
answer_est(struct testworld *w, const struct dvt_http_want *want,
    struct dvt_answer *answer, struct dvt_buf *body)
{
	answer->http_status = 200;
	if (want->credential == NULL &&
	    (want->authorization == NULL || w->secret[0] == '\0')) {
		answer->http_status = 401;
	} else if (is_spent(w, want)) {
		answer->http_status = 401;
	} else if (w->fault_left == 0) {
		certify(w, want, body);
	} else if (w->fault == FAULT_UNREACHED) {
		answer->outcome = DVT_ANSWER_UNREACHED;
	} else if (w->fault == FAULT_SILENT) {
		certify(w, want, body);
		dvt_buf_reset(body);
		answer->outcome = DVT_ANSWER_LATE;
	} else if (w->fault == FAULT_HTML) {
		dvt_buf_puts(body, "<html>It works!</html>");
	} else if (w->fault == FAULT_BUSY) {
		answer->http_status = 503;
		answer->retry_after_s = 7;
	} else if (w->fault == FAULT_EARLY) {
		answer->http_status = 503;
		answer->retry_after_s = DAY_S;
	} else if (w->fault == FAULT_DENIED) {
		answer->http_status = 403;
	} else {
		certify(w, want, body);
	}
	if (w->fault_left > 0)
		w->fault_left--;
}

static void
answer_cacerts(struct testworld *w, struct dvt_buf *body)
{
	put_certificate(w, w->pki->edge_old.cert, body);
}

/* --- bundles --- */

static void
bundle_keys(const struct testpki *p, struct dvt_bundle_keys *k)
{
	k->version = 1;
	k->threshold = 2;
	k->online_threshold = 1;
	for (size_t i = 0; i < DVT_COUNT(p->sign_root); i++)
		testworld_must(
		    dvt_bundle_add_key(k, p->sign_root[i], DVT_ROLE_ROOT, NULL),
		    NULL, "bundle key");
	testworld_must(
	    dvt_bundle_add_key(k, p->sign_online, DVT_ROLE_ONLINE, NULL), NULL,
	    "bundle key");
}

/* 1: old; 2: old and new; 3: new. */
static void
put_bundle(const struct testworld *w, int64_t version, struct dvt_buf *body)
{
	struct testpki *p = w->pki;
	EVP_PKEY *const keys[] = {
	    p->sign_root[0], p->sign_root[1], p->sign_online};
	struct dvt_bundle b = {.version = version,
	    .previous = version - 1,
	    .issued_at = TESTCA_NOW,
	    .expires_at = TESTCA_NOW + 900LL * DAY_S};
	struct dvt_buf line;
	struct dvt_err err;

	(void)snprintf(b.fleet, sizeof(b.fleet), "works");
	(void)snprintf(b.audience, sizeof(b.audience), "all");
	bundle_keys(p, &b.keys);
	if (version < 3)
		testworld_must(dvt_bundle_add_anchor(
				   &b, p->old_root.cert, DVT_PRIMARY, &err),
		    &err, "anchor");
	if (version > 1)
		testworld_must(dvt_bundle_add_anchor(
				   &b, p->new_root.cert, DVT_SECONDARY, &err),
		    &err, "anchor");
	if (w->lists_issuing) {
		testworld_must(
		    dvt_bundle_add_issuer(&b, p->device_old.cert, &err), &err,
		    "issuer");
		testworld_must(
		    dvt_bundle_add_issuer(&b, p->device_new.cert, &err), &err,
		    "issuer");
	}
	dvt_buf_init(&line, DVT_BUNDLE_MAX);
	testworld_must(dvt_bundle_sign(&b, keys, DVT_COUNT(keys), &line, &err),
	    &err, "bundle");
	if (w->fault_left > 0 && w->fault == FAULT_BROKEN_BUNDLE)
		line.p[line.n / 2] ^= 1;
	dvt_buf_put_span(body, dvt_buf_span(&line));
	dvt_buf_putc(body, '\n');
	dvt_buf_fini(&line);
	dvt_bundle_fini(&b);
}

static void
answer_bundle(struct testworld *w, const char *target,
    struct dvt_answer *answer, struct dvt_buf *body)
{
	int64_t after = strtoll(strchr(target, '=') + 1, NULL, 10);

	answer->http_status = 200;
	for (int64_t v = after + 1; v <= w->bundle; v++)
		put_bundle(w, v, body);
	if (w->fault_left > 0 && w->fault == FAULT_BROKEN_BUNDLE)
		w->fault_left--;
	w->bundles++;
}

/* --- check-in --- */

static const char *
field(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

/* It told of its completion under this certificate: those before it are in
 * the deny set of all edges from now on. */
static void
supersede(struct testworld *w, X509 *leaf)
{
	for (size_t i = w->denied_n; i < w->issued_n; i++) {
		if (X509_cmp(w->issued[i], leaf) == 0)
			w->denied_n = i;
	}
}

static void
hear_steps(struct testworld *w, const json_t *report, X509 *leaf)
{
	json_t *list = json_object_get(report, "steps"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		dvt_buf_printf(&w->story, "%s(%s)->%s%s%s\n",
		    field(one, "step"), field(one, "target"),
		    field(one, "outcome"),
		    field(one, "detail")[0] != '\0' ? ": " : "",
		    field(one, "detail"));
		if (strcmp(field(one, "step"), "CertRotationCompleted") == 0 &&
		    strcmp(field(one, "outcome"), "Succeed") == 0)
			supersede(w, leaf);
	}
}

static void
hear_done(struct testworld *w, const json_t *report)
{
	json_t *list = json_object_get(report, "done"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		size_t n = strlen(w->done);
		const char *id = field(one, "id");
		bool ok = strcmp(field(one, "outcome"), "ok") == 0;

		(void)snprintf(w->done + n, sizeof(w->done) - n, "%s=%s ", id,
		    field(one, "outcome"));
		if (ok && strcmp(id, w->renew) == 0)
			w->renew[0] = '\0';
		if (ok && strcmp(id, w->probe) == 0)
			w->probe[0] = '\0';
	}
}

static void
hear(struct testworld *w, const struct dvt_http_want *want)
{
	const json_t *bundle;
	struct dvt_err err;
	json_t *report;

	testworld_must(
	    dvt_json_parse(want->body, DVT_CHECKIN_MAX, &report, &err), &err,
	    "check-in");
	dvt_x509_fingerprint(want->credential->chain.cert[0], w->confirmed);
	bundle = json_object_get(report, "bundle");
	w->version = json_integer_value(json_object_get(bundle, "version"));
	(void)snprintf(
	    w->digest, sizeof(w->digest), "%s", field(bundle, "digest"));
	hear_steps(w, report, want->credential->chain.cert[0]);
	hear_done(w, report);
	testserver_hear_config(w, report);
	json_decref(report);
	w->checkins++;
}

static void
tell(const struct testworld *w, struct dvt_buf *body)
{
	json_t *todo = json_array(), *all;

	if (w->renew[0] != '\0')
		(void)json_array_append_new(
		    todo, json_pack("{s:s, s:s, s:s}", "id", w->renew, "action",
			      "renew", "label", "device"));
	if (w->probe[0] != '\0')
		(void)json_array_append_new(todo,
		    json_pack("{s:s, s:s}", "id", w->probe, "action", "probe"));
	(void)json_array_append_new(
	    todo, json_pack("{s:s, s:s}", "id", "x", "action", "unheard-of"));
	all = json_pack("{s:I, s:s, s:i, s:{s:I, s:s}, s:{s:s, s:s}, s:o}",
	    "time", (json_int_t)(testworld_true_s(w) + w->server_ahead_s),
	    "device", "pump-7", "next_s", 60, "bundle", "version",
	    (json_int_t)w->bundle, "digest", "", "edge", "next",
	    "next.edge.test", "trial", "trial.edge.test", "do", todo);
	testserver_tell_config(w, all);
	dvt_json_put(body, all);
	json_decref(all);
}

static void
answer_checkin(struct testworld *w, const struct dvt_http_want *want,
    struct dvt_answer *answer, struct dvt_buf *body)
{
	answer->http_status = 200;
	if (w->checkin_fault_left > 0) {
		w->checkin_fault_left--;
		if (w->checkin_fault == FAULT_SILENT)
			hear(w, want);
		if (w->checkin_fault == FAULT_HTML) {
			dvt_buf_puts(body, "<html>");
			return;
		}
		if (w->checkin_fault == FAULT_DENIED) {
			answer->http_status = 403;
			return;
		}
		answer->outcome = w->checkin_fault == FAULT_UNREACHED
				      ? DVT_ANSWER_UNREACHED
				      : DVT_ANSWER_LATE;
		return;
	}
	hear(w, want);
	tell(w, body);
}

/* By the clock of the device its chain holds; it sees from when until when. */
static bool
is_in_time(const struct testworld *w, const struct dvt_http_want *want,
    struct dvt_answer *answer)
{
	if (want->trust == NULL || w->server_until_s == 0)
		return true;
	answer->peer_from_s = w->server_from_s;
	answer->peer_until_s = w->server_until_s;
	return want->verify_at >= w->server_from_s &&
	       want->verify_at < w->server_until_s;
}

static void
answer_http(struct testworld *w, const struct dvt_http_want *want,
    struct dvt_answer *answer, struct dvt_buf *body)
{
	if (!is_trusted(w, want) || !is_in_time(w, want, answer)) {
		answer->outcome = DVT_ANSWER_WE_REFUSED;
	} else if (want->credential != NULL &&
		   !testserver_knows(w, want->credential->chain.cert[0])) {
		answer->outcome = DVT_ANSWER_THEY_REFUSED;
		w->refused++;
	} else if (strstr(want->target, "/cacerts") != NULL) {
		answer->http_status = 200;
		answer_cacerts(w, body);
	} else if (strstr(want->target, "enroll") != NULL) {
		answer_est(w, want, answer, body);
	} else if (strncmp(want->target, "/v1/device/bundle", 17) == 0) {
		answer_bundle(w, want->target, answer, body);
	} else if (want->credential == NULL) {
		answer->http_status = 401;
	} else if (strncmp(want->target, "/v1/device/lock", 15) == 0 ||
		   strncmp(want->target, "/v1/device/config", 17) == 0) {
		testserver_config(w, want, answer, body);
	} else {
		answer_checkin(w, want, answer, body);
	}
}

/* --- edge --- */

static void
answer_probe(struct testworld *w, const struct dvt_probe_want *want,
    struct dvt_answer *answer)
{
	bool next = strcmp(want->server_name, "next.edge.test") == 0;
	bool trial = strcmp(want->server_name, "trial.edge.test") == 0;

	w->probes += next;
	w->trials += trial;
	if (testserver_shown(w, want->trust->trust, next, NULL) != DVT_OK)
		answer->outcome = DVT_ANSWER_WE_REFUSED;
	else if ((trial && w->trial_refused) ||
		 !testserver_admits(w, want->credential->chain.cert[0]))
		answer->outcome = DVT_ANSWER_THEY_REFUSED;
}

void
testserver_answer(struct testworld *w, const struct dvt_want *want,
    struct dvt_answer *answer, struct dvt_buf *body)
{
	switch (want->kind) {
	case DVT_WANT_WAIT:
		break;
	case DVT_WANT_HTTP:
		answer_http(w, &want->u.http, answer, body);
		break;
	case DVT_WANT_PROBE:
		answer_probe(w, &want->u.probe, answer);
		break;
	case DVT_WANT_HOOK:
		w->hooks++;
		if (want->u.hook.hook == DVT_HOOK_POST_TRUST)
			w->told_trust = want->u.hook.trust_version;
		w->told_config += want->u.hook.hook == DVT_HOOK_ON_CONFIG;
		answer->hook_exit = w->hook_exit;
		break;
	}
}
