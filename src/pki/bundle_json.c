/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust bundles and held states as JSON: see bundle.h, docs/trust-bundle.md.
 * Unknown fields are left alone, so that a device years behind can walk on.
 */
#include "pki/bundle.h"

#include "pki/key.h"
#include "pki/x509.h"
#include "wire/base64.h"
#include "wire/json.h"
#include "wire/pem.h"

static const char *const roles[] = {
    [DVT_ROLE_ROOT] = "root", [DVT_ROLE_ONLINE] = "online"};
static const char *const priorities[] = {
    [DVT_PRIMARY] = "primary", [DVT_SECONDARY] = "secondary"};

/* Field @key as the place of its text in @names; all have two. */
static enum dvt_code
get_choice(const json_t *obj, const char *key, const char *const names[2],
    int *out, struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(obj, key, 32, &text, err)) != DVT_OK)
		return rc;
	for (*out = 0; *out < 2; (*out)++) {
		if (strcmp(text, names[*out]) == 0)
			return DVT_OK;
	}
	return dvt_fail(err, DVT_E_INPUT, "field \"%s\": \"%s\" or \"%s\"", key,
	    names[0], names[1]);
}

static enum dvt_code
get_text(const json_t *obj, const char *key, char *out, size_t size,
    struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc = dvt_json_get_str(obj, key, size - 1, &text, err);

	if (rc == DVT_OK)
		(void)snprintf(out, size, "%s", text);
	return rc;
}

static enum dvt_code
parse_key(const json_t *obj, struct dvt_bundle_keys *keys, struct dvt_err *err)
{
	const char *keyid, *text;
	struct dvt_buf spki;
	EVP_PKEY *key = NULL;
	int role = 0;
	enum dvt_code rc;

	dvt_buf_init(&spki, DVT_BUNDLE_SPKI);
	if ((rc = dvt_json_get_str(
		 obj, "keyid", DVT_DIGEST_HEX - 1, &keyid, err)) == DVT_OK &&
	    (rc = dvt_json_get_str(obj, "spki", 256, &text, err)) == DVT_OK &&
	    (rc = get_choice(obj, "role", roles, &role, err)) == DVT_OK &&
	    (rc = dvt_base64_decode(dvt_span_str(text), &spki, err)) ==
		DVT_OK &&
	    (rc = dvt_key_from_spki(dvt_buf_span(&spki), &key, err)) == DVT_OK)
		rc = dvt_bundle_add_key(
		    keys, key, (enum dvt_key_role)role, err);
	if (rc == DVT_OK && strcmp(keys->key[keys->n - 1].keyid, keyid) != 0)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "\"keyid\" is not the SHA-256 of \"spki\"");
	EVP_PKEY_free(key);
	dvt_buf_fini(&spki);
	return rc;
}

static size_t
count_role(const struct dvt_bundle_keys *keys, enum dvt_key_role role)
{
	size_t n = 0;

	for (size_t i = 0; i < keys->n; i++)
		n += keys->key[i].role == role;
	return n;
}

static enum dvt_code
parse_thresholds(
    const json_t *obj, struct dvt_bundle_keys *keys, struct dvt_err *err)
{
	int64_t root, online;
	json_t *threshold;
	enum dvt_code rc;

	if ((rc = dvt_json_get_obj(obj, "threshold", &threshold, err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_i64(threshold, "root", 1, DVT_BUNDLE_KEYS, &root,
		 err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(threshold, "online", 1, DVT_BUNDLE_KEYS,
		 &online, err)) != DVT_OK)
		return rc;
	keys->threshold = (size_t)root;
	keys->online_threshold = (size_t)online;
	if (keys->threshold > count_role(keys, DVT_ROLE_ROOT))
		return dvt_fail(err, DVT_E_INPUT,
		    "\"threshold\": %zu of %zu root keys cannot be reached",
		    keys->threshold, count_role(keys, DVT_ROLE_ROOT));
	return DVT_OK;
}

static enum dvt_code
parse_keys(const json_t *obj, struct dvt_bundle_keys *keys, struct dvt_err *err)
{
	json_t *list;
	enum dvt_code rc;

	if ((rc = dvt_json_get_i64(obj, "keys_version", 0, INT64_MAX,
		 &keys->version, err)) != DVT_OK ||
	    (rc = dvt_json_get_list(obj, "keys", &list, err)) != DVT_OK)
		return rc;
	for (size_t i = 0; i < json_array_size(list); i++) {
		rc = parse_key(json_array_get(list, i), keys, err);
		if (rc != DVT_OK) {
			dvt_err_prefix(err, "key %zu", i + 1);
			return rc;
		}
	}
	return parse_thresholds(obj, keys, err);
}

static enum dvt_code
parse_anchor(const json_t *obj, struct dvt_bundle *b, struct dvt_err *err)
{
	const char *fingerprint, *pem;
	int priority = 0;
	X509 *cert;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(obj, "fingerprint", DVT_DIGEST_HEX - 1,
		 &fingerprint, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(obj, "pem", DVT_CERT_PEM_MAX, &pem, err)) !=
		DVT_OK ||
	    (rc = get_choice(obj, "priority", priorities, &priority, err)) !=
		DVT_OK ||
	    (rc = dvt_x509_from_pem(dvt_span_str(pem), &cert, err)) != DVT_OK)
		return rc;
	rc = dvt_bundle_add_anchor(b, cert, (enum dvt_priority)priority, err);
	X509_free(cert);
	if (rc == DVT_OK &&
	    strcmp(b->anchor[b->anchor_n - 1].fingerprint, fingerprint) != 0)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "\"fingerprint\" is not the one of \"pem\"");
	return rc;
}

static enum dvt_code
parse_issuer(const json_t *v, struct dvt_bundle *b, struct dvt_err *err)
{
	X509 *cert;
	enum dvt_code rc;

	if (!json_is_string(v))
		return dvt_fail(err, DVT_E_INPUT, "a text is wanted");
	rc = dvt_x509_from_pem(dvt_span_str(json_string_value(v)), &cert, err);
	if (rc != DVT_OK)
		return rc;
	rc = dvt_bundle_add_issuer(b, cert, err);
	X509_free(cert);
	return rc;
}

static enum dvt_code
parse_certs(const json_t *obj, struct dvt_bundle *b, struct dvt_err *err)
{
	json_t *list;
	enum dvt_code rc;

	if ((rc = dvt_json_get_list(obj, "anchors", &list, err)) != DVT_OK)
		return rc;
	for (size_t i = 0; i < json_array_size(list); i++) {
		rc = parse_anchor(json_array_get(list, i), b, err);
		if (rc != DVT_OK) {
			dvt_err_prefix(err, "anchor %zu", i + 1);
			return rc;
		}
	}
	if ((rc = dvt_json_opt_list(obj, "issuing", &list, err)) != DVT_OK)
		return rc;
	for (size_t i = 0; i < json_array_size(list); i++) {
		rc = parse_issuer(json_array_get(list, i), b, err);
		if (rc != DVT_OK) {
			dvt_err_prefix(err, "issuing %zu", i + 1);
			return rc;
		}
	}
	return DVT_OK;
}

static enum dvt_code
parse_names(const json_t *obj, const char *key, char out[][DVT_BUNDLE_NAME],
    size_t *n, struct dvt_err *err)
{
	json_t *list;
	enum dvt_code rc;

	if ((rc = dvt_json_opt_list(obj, key, &list, err)) != DVT_OK)
		return rc;
	if (json_array_size(list) > DVT_BUNDLE_NAMES)
		return dvt_fail(err, DVT_E_LIMIT,
		    "field \"%s\": %zu names, at most %d", key,
		    json_array_size(list), DVT_BUNDLE_NAMES);
	for (*n = 0; *n < json_array_size(list); (*n)++) {
		const char *name = json_string_value(json_array_get(list, *n));

		if (name == NULL || strlen(name) >= DVT_BUNDLE_NAME)
			return dvt_fail(err, DVT_E_INPUT,
			    "field \"%s\": name %zu is no text or too long",
			    key, *n + 1);
		(void)snprintf(out[*n], DVT_BUNDLE_NAME, "%s", name);
	}
	return DVT_OK;
}

/* Lower-case hexadecimal digits, as many as there is room for. */
static enum dvt_code
get_hex(const json_t *obj, const char *key, char *out, size_t size,
    struct dvt_err *err)
{
	enum dvt_code rc = get_text(obj, key, out, size, err);

	if (rc == DVT_OK && (strlen(out) != size - 1 ||
				strspn(out, "0123456789abcdef") != size - 1))
		rc = dvt_fail(err, DVT_E_INPUT,
		    "field \"%s\": %zu hexadecimal digits", key, size - 1);
	return rc;
}

static enum dvt_code
parse_grant(const json_t *obj, struct dvt_bundle *b, struct dvt_err *err)
{
	struct dvt_bundle_grant *g = &b->grant;
	json_t *grant;
	enum dvt_code rc;

	if (json_object_get(obj, "grant") == NULL)
		return DVT_OK;
	if ((rc = dvt_json_get_obj(obj, "grant", &grant, err)) != DVT_OK ||
	    (rc = get_hex(grant, "id", g->id, sizeof(g->id), err)) != DVT_OK ||
	    (rc = get_hex(grant, "certificate", g->certificate,
		 sizeof(g->certificate), err)) != DVT_OK)
		return rc;
	if (strcmp(b->audience, "all") == 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "field \"grant\": only in a bundle for one device");
	return dvt_json_get_i64(
	    grant, "expires_at", 1, INT64_MAX, &g->expires_at, err);
}

static enum dvt_code
parse_plain(const json_t *obj, struct dvt_bundle *b, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = get_text(obj, "fleet", b->fleet, sizeof(b->fleet), err)) !=
		DVT_OK ||
	    (rc = get_text(obj, "audience", b->audience, sizeof(b->audience),
		 err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(
		 obj, "version", 1, INT64_MAX, &b->version, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(obj, "previous", 0, INT64_MAX, 0,
		 &b->previous, err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(obj, "issued_at", 0, INT64_MAX,
		 &b->issued_at, err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(obj, "expires_at", 0, INT64_MAX,
		 &b->expires_at, err)) != DVT_OK)
		return rc;
	if ((rc = parse_names(obj, "est", b->est, &b->est_n, err)) != DVT_OK)
		return rc;
	return parse_names(obj, "edge", b->edge, &b->edge_n, err);
}

enum dvt_code
dvt_bundle_parse(
    struct dvt_span payload, struct dvt_bundle *out, struct dvt_err *err)
{
	json_t *obj;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	rc = dvt_json_parse(payload, DVT_BUNDLE_MAX, &obj, err);
	if (rc == DVT_OK)
		rc = parse_plain(obj, out, err);
	if (rc == DVT_OK)
		rc = parse_keys(obj, &out->keys, err);
	if (rc == DVT_OK)
		rc = parse_certs(obj, out, err);
	if (rc == DVT_OK)
		rc = parse_grant(obj, out, err);
	json_decref(obj);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "bundle");
		dvt_bundle_fini(out);
	}
	return rc;
}

/* Writing: the values are ours, so a failure is memory and ends in NULL. */

static json_t *
base64_json(struct dvt_span bytes)
{
	struct dvt_buf text;
	json_t *v;

	dvt_buf_init(&text, DVT_BUNDLE_MAX);
	dvt_base64_encode(&text, bytes, 0);
	v = json_string(dvt_buf_str(&text));
	dvt_buf_fini(&text);
	return v;
}

static json_t *
pem_json(const struct dvt_bundle_cert *c)
{
	struct dvt_buf text;
	json_t *v;

	dvt_buf_init(&text, DVT_CERT_PEM_MAX);
	dvt_pem_put(&text, DVT_PEM_CERT, dvt_buf_span(&c->der));
	v = json_string(dvt_buf_str(&text));
	dvt_buf_fini(&text);
	return v;
}

static void
put_keys(json_t *obj, const struct dvt_bundle_keys *keys)
{
	json_t *list = json_array();

	for (size_t i = 0; i < keys->n; i++) {
		const struct dvt_bundle_key *k = &keys->key[i];

		(void)json_array_append_new(list,
		    json_pack("{s:s, s:o, s:s}", "keyid", k->keyid, "spki",
			base64_json((struct dvt_span){k->spki, k->spki_n}),
			"role", roles[k->role]));
	}
	(void)json_object_set_new(
	    obj, "keys_version", json_integer(keys->version));
	(void)json_object_set_new(obj, "keys", list);
	(void)json_object_set_new(obj, "threshold",
	    json_pack("{s:I, s:I}", "root", (json_int_t)keys->threshold,
		"online", (json_int_t)keys->online_threshold));
}

static json_t *
anchors_json(const struct dvt_bundle *b)
{
	json_t *list = json_array();

	for (size_t i = 0; i < b->anchor_n; i++) {
		const struct dvt_bundle_cert *c = &b->anchor[i];

		(void)json_array_append_new(
		    list, json_pack("{s:s, s:o, s:s}", "fingerprint",
			      c->fingerprint, "pem", pem_json(c), "priority",
			      priorities[c->priority]));
	}
	return list;
}

static json_t *
names_json(const char names[][DVT_BUNDLE_NAME], size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(names[i]));
	return list;
}

enum dvt_code
dvt_bundle_format(
    const struct dvt_bundle *b, struct dvt_buf *out, struct dvt_err *err)
{
	json_t *obj = json_pack("{s:s, s:s, s:I, s:I}", "fleet", b->fleet,
	    "audience", b->audience, "version", (json_int_t)b->version,
	    "previous", (json_int_t)b->previous);
	json_t *issuing = json_array();

	if (obj == NULL) {
		json_decref(issuing);
		return dvt_fail(
		    err, DVT_E_INPUT, "bundle: a name is not UTF-8");
	}
	put_keys(obj, &b->keys);
	(void)json_object_set_new(obj, "issued_at", json_integer(b->issued_at));
	(void)json_object_set_new(
	    obj, "expires_at", json_integer(b->expires_at));
	(void)json_object_set_new(obj, "anchors", anchors_json(b));
	for (size_t i = 0; i < b->issuer_n; i++)
		(void)json_array_append_new(issuing, pem_json(&b->issuer[i]));
	(void)json_object_set_new(obj, "issuing", issuing);
	(void)json_object_set_new(obj, "est", names_json(b->est, b->est_n));
	(void)json_object_set_new(obj, "edge", names_json(b->edge, b->edge_n));
	if (b->grant.id[0] != '\0')
		(void)json_object_set_new(obj, "grant",
		    json_pack("{s:s, s:s, s:I}", "id", b->grant.id,
			"certificate", b->grant.certificate, "expires_at",
			(json_int_t)b->grant.expires_at));
	dvt_json_put(out, obj);
	json_decref(obj);
	return dvt_buf_ok(out, "bundle", err);
}

enum dvt_code
dvt_bundle_held_format(
    const struct dvt_bundle_held *h, struct dvt_buf *out, struct dvt_err *err)
{
	json_t *obj = json_pack("{s:s, s:s, s:I, s:s}", "fleet", h->fleet,
	    "device", h->device_id, "version", (json_int_t)h->version, "digest",
	    h->digest);

	if (obj == NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "held bundle: a name is not UTF-8");
	if (h->keys.n > 0)
		put_keys(obj, &h->keys);
	dvt_json_put(out, obj);
	json_decref(obj);
	return dvt_buf_ok(out, "held bundle", err);
}

enum dvt_code
dvt_bundle_held_parse(
    struct dvt_span json, struct dvt_bundle_held *out, struct dvt_err *err)
{
	struct dvt_bundle_held h = {0};
	json_t *obj;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	if ((rc = dvt_json_parse(json, DVT_BUNDLE_MAX, &obj, err)) == DVT_OK &&
	    (rc = get_text(obj, "fleet", h.fleet, sizeof(h.fleet), err)) ==
		DVT_OK &&
	    (rc = get_text(obj, "device", h.device_id, sizeof(h.device_id),
		 err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(
		 obj, "version", 0, INT64_MAX, &h.version, err)) == DVT_OK)
		rc = get_text(obj, "digest", h.digest, sizeof(h.digest), err);
	if (rc == DVT_OK && json_object_get(obj, "keys") != NULL)
		rc = parse_keys(obj, &h.keys, err);
	json_decref(obj);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "held bundle");
	else
		*out = h;
	return rc;
}
