/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration values and the lease of an update at a test's control plane:
 * testserver.h. It refuses what the real one refuses. */
#include "device/testserver.h"

#include "pki/envelope.h"
#include "pki/x509.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

/* @return: its place, or value_n. */
static size_t
place_of(const struct testworld *w, const char *name)
{
	size_t i = 0;

	while (i < w->value_n &&
	       (name == NULL || strcmp(w->value[i].name, name) != 0))
		i++;
	return i;
}

static struct testvalue *
value_of(struct testworld *w, const char *name)
{
	size_t i = place_of(w, name);

	return i < w->value_n ? &w->value[i] : NULL;
}

static X509 *
issued_of(const struct testworld *w, const char *fingerprint)
{
	char fp[DVT_DIGEST_HEX];

	for (size_t i = 0; i < w->issued_n; i++) {
		dvt_x509_fingerprint(w->issued[i], fp);
		if (strcmp(fp, fingerprint) == 0)
			return w->issued[i];
	}
	return NULL;
}

static void
keep(struct testvalue *v, struct dvt_span sealed, const char *certificate)
{
	if (sealed.n > sizeof(v->sealed))
		testworld_must(DVT_E_LIMIT, NULL, "a value too large");
	memcpy(v->sealed, sealed.p, sealed.n);
	v->sealed_n = sealed.n;
	(void)snprintf(
	    v->certificate, sizeof(v->certificate), "%s", certificate);
}

void
testworld_set_value(struct testworld *w, const char *name, const char *text)
{
	struct testvalue *v = value_of(w, name);
	X509 *leaf = w->confirmed[0] != '\0' ? issued_of(w, w->confirmed)
					     : w->issued[0];
	char fp[DVT_DIGEST_HEX];
	struct dvt_buf sealed;
	struct dvt_err err;

	if (v == NULL && w->value_n < TESTWORLD_VALUES)
		v = &w->value[w->value_n++];
	if (v == NULL || leaf == NULL)
		testworld_must(DVT_E_LIMIT, NULL, "no room for a value");
	(void)snprintf(v->name, sizeof(v->name), "%s", name);
	v->version++;
	dvt_buf_init(&sealed, DVT_CONFIG_SEALED);
	testworld_must(
	    dvt_envelope_seal(leaf, dvt_span_str(text), &sealed, &err), &err,
	    "seal");
	dvt_x509_fingerprint(leaf, fp);
	keep(v, dvt_buf_span(&sealed), fp);
	dvt_buf_fini(&sealed);
}

bool
testworld_value_opens(
    const struct testworld *w, const char *name, const char *text)
{
	const struct dvt_agent_credential *c = dvt_agent_credential(w->agent);
	size_t i = place_of(w, name);
	const struct testvalue *v = i < w->value_n ? &w->value[i] : NULL;
	struct dvt_buf plain;
	bool ok;

	dvt_buf_init(&plain, DVT_CONFIG_VALUE);
	ok = v != NULL && c != NULL &&
	     dvt_envelope_open((struct dvt_span){v->sealed, v->sealed_n},
		 c->chain.cert[0], c->key, &plain, NULL) == DVT_OK &&
	     dvt_span_eq(dvt_buf_span(&plain), dvt_span_str(text));
	dvt_buf_fini(&plain);
	return ok;
}

/* --- check-in --- */

void
testserver_tell_config(const struct testworld *w, json_t *answer)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->value_n; i++)
		(void)json_array_append_new(
		    list, json_pack("{s:s, s:I, s:s}", "name", w->value[i].name,
			      "version", (json_int_t)w->value[i].version,
			      "certificate", w->value[i].certificate));
	if (w->value_n > 0)
		(void)json_object_set(answer, "config", list);
	json_decref(list);
}

void
testserver_hear_config(struct testworld *w, const json_t *report)
{
	json_t *list = json_object_get(report, "config"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		struct testvalue *v = value_of(
		    w, json_string_value(json_object_get(one, "name")));
		const char *failed = json_string_value(
		    json_object_get(one, "failed"));

		if (v != NULL && failed != NULL && failed[0] == '\0')
			v->applied = json_integer_value(
			    json_object_get(one, "version"));
	}
}

/* --- the lease --- */

static bool
is_proven(struct testworld *w, const char *update, const char *key,
    const char *proof, X509 *leaf)
{
	char in_use[DVT_DIGEST_HEX], digest[DVT_DIGEST_HEX];
	X509 *next = w->issued[w->issued_n - 1];
	struct dvt_buf text, sig;
	bool ok;

	dvt_buf_init(&text, 1024);
	dvt_buf_init(&sig, 1024);
	dvt_x509_fingerprint(leaf, in_use);
	dvt_x509_key_digest(next, digest);
	dvt_buf_printf(
	    &text, "dovetail-lock\n%s\n%s\n%s\n", update, key, in_use);
	ok = strcmp(digest, key) == 0 &&
	     dvt_base64_decode(dvt_span_str(proof), &sig, NULL) == DVT_OK &&
	     dvt_key_verify(X509_get0_pubkey(next), dvt_buf_span(&text),
		 dvt_buf_span(&sig), NULL) == DVT_OK;
	dvt_buf_fini(&text);
	dvt_buf_fini(&sig);
	return ok;
}

static int
take_lock(struct testworld *w, const json_t *body, X509 *leaf)
{
	const char *update = json_string_value(json_object_get(body, "update"));
	const char *key = json_string_value(json_object_get(body, "key"));
	const char *proof = json_string_value(json_object_get(body, "proof"));

	if (w->no_lease)
		return 404;
	if (update == NULL || key == NULL || proof == NULL)
		return 400;
	if (!is_proven(w, update, key, proof, leaf))
		return 409;
	(void)snprintf(w->leased, sizeof(w->leased), "%s", key);
	w->leases++;
	return 200;
}

/* --- values --- */

static int
take_value(struct testworld *w, const json_t *body, X509 *leaf)
{
	struct testvalue *v = value_of(
	    w, json_string_value(json_object_get(body, "name")));
	const char *text = json_string_value(json_object_get(body, "sealed"));
	const char *to = json_string_value(
	    json_object_get(body, "certificate"));
	char fp[DVT_DIGEST_HEX], key[DVT_DIGEST_HEX];
	struct dvt_buf sealed;
	X509 *next;
	int status = 400;

	if (v == NULL ||
	    v->version != json_integer_value(json_object_get(body, "version")))
		return 409;
	if (to != NULL) {
		if (w->no_lease || (next = issued_of(w, to)) == NULL)
			return 409;
		dvt_x509_key_digest(next, key);
		if (strcmp(key, w->leased) != 0)
			return 409;
	}
	dvt_x509_fingerprint(leaf, fp);
	dvt_buf_init(&sealed, DVT_CONFIG_SEALED);
	if (text != NULL &&
	    dvt_base64_decode(dvt_span_str(text), &sealed, NULL) == DVT_OK &&
	    dvt_envelope_check(dvt_buf_span(&sealed), NULL) == DVT_OK) {
		keep(v, dvt_buf_span(&sealed), to != NULL ? to : fp);
		w->reseals++;
		status = 200;
	}
	dvt_buf_fini(&sealed);
	return status;
}

static int
give_value(struct testworld *w, const char *target, struct dvt_buf *body)
{
	const char *name = strstr(target, "?name=");
	const struct testvalue *v = value_of(
	    w, name == NULL ? NULL : name + strlen("?name="));
	struct dvt_buf text;
	json_t *all;

	if (v == NULL)
		return 404;
	dvt_buf_init(&text, 2 * DVT_CONFIG_SEALED);
	dvt_base64_encode(&text, (struct dvt_span){v->sealed, v->sealed_n}, 0);
	all = json_pack("{s:s, s:I, s:s}", "name", v->name, "version",
	    (json_int_t)v->version, "sealed", dvt_buf_str(&text));
	dvt_json_put(body, all);
	json_decref(all);
	dvt_buf_fini(&text);
	return 200;
}

void
testserver_config(struct testworld *w, const struct dvt_http_want *want,
    struct dvt_answer *answer, struct dvt_buf *body)
{
	X509 *leaf = want->credential->chain.cert[0];
	bool lock = strcmp(want->target, "/v1/device/lock") == 0;
	json_t *json = NULL;

	if (w->config_fault_left > 0) {
		w->config_fault_left--;
		answer->outcome = DVT_ANSWER_UNREACHED;
		return;
	}
	if (strcmp(want->method, "GET") == 0) {
		answer->http_status = give_value(w, want->target, body);
		return;
	}
	if (dvt_json_parse(want->body, DVT_BODY_MAX, &json, NULL) != DVT_OK)
		answer->http_status = 400;
	else if (lock)
		answer->http_status = take_lock(w, json, leaf);
	else
		answer->http_status = take_value(w, json, leaf);
	if (answer->http_status == 200)
		dvt_buf_puts(body, "{}");
	json_decref(json);
}
