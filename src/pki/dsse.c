/* SPDX-License-Identifier: Apache-2.0 */
/* Signed lines: see dsse.h. */
#include "pki/dsse.h"

#include "pki/key.h"
#include "wire/base64.h"
#include "wire/json.h"

void
dvt_dsse_pae(const char *type, struct dvt_span payload, struct dvt_buf *out)
{
	dvt_buf_printf(
	    out, "DSSEv1 %zu %s %zu ", strlen(type), type, payload.n);
	dvt_buf_put_span(out, payload);
}

void
dvt_dsse_fini(struct dvt_dsse *d)
{
	if (d == NULL)
		return;
	dvt_buf_fini(&d->payload);
	d->sig_n = 0;
}

enum dvt_code
dvt_dsse_init(struct dvt_dsse *d, struct dvt_span payload, struct dvt_err *err)
{
	d->sig_n = 0;
	dvt_buf_init(&d->payload, DVT_BUNDLE_MAX);
	dvt_buf_put_span(&d->payload, payload);
	return dvt_buf_ok(&d->payload, "signed payload", err);
}

/* Base64 text of field @key into @out. */
static enum dvt_code
get_base64(const json_t *obj, const char *key, struct dvt_buf *out,
    struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(obj, key, DVT_BUNDLE_MAX, &text, err)) !=
	    DVT_OK)
		return rc;
	if ((rc = dvt_base64_decode(dvt_span_str(text), out, err)) != DVT_OK)
		dvt_err_prefix(err, "field \"%s\"", key);
	return rc;
}

static bool
is_keyid(const char *text)
{
	return strlen(text) == DVT_DIGEST_HEX - 1 &&
	       strspn(text, "0123456789abcdef") == DVT_DIGEST_HEX - 1;
}

/*
 * One more signature, or none: what another kind of key made, under another
 * kind of id, is no business of ours and no reason to refuse the line.
 */
static enum dvt_code
parse_signature(const json_t *obj, struct dvt_dsse *out, struct dvt_err *err)
{
	struct dvt_dsse_sig *s = &out->sig[out->sig_n];
	const char *keyid;
	struct dvt_buf sig;
	enum dvt_code rc;

	rc = dvt_json_get_str(obj, "keyid", DVT_BUNDLE_MAX, &keyid, err);
	if (rc != DVT_OK)
		return rc;
	dvt_buf_init(&sig, DVT_BUNDLE_MAX);
	rc = get_base64(obj, "sig", &sig, err);
	if (rc == DVT_OK && is_keyid(keyid) && sig.n > 0 &&
	    sig.n <= DVT_DSSE_SIG_MAX) {
		memcpy(s->keyid, keyid, DVT_DIGEST_HEX);
		memcpy(s->sig, sig.p, sig.n);
		s->sig_n = sig.n;
		out->sig_n++;
	}
	dvt_buf_fini(&sig);
	return rc;
}

static enum dvt_code
parse_signatures(
    const json_t *envelope, struct dvt_dsse *out, struct dvt_err *err)
{
	json_t *list;
	enum dvt_code rc;

	if ((rc = dvt_json_get_list(envelope, "signatures", &list, err)) !=
	    DVT_OK)
		return rc;
	if (json_array_size(list) > DVT_DSSE_SIGNATURES)
		return dvt_fail(err, DVT_E_LIMIT,
		    "envelope: %zu signatures, at most %d",
		    json_array_size(list), DVT_DSSE_SIGNATURES);
	for (size_t i = 0; i < json_array_size(list); i++) {
		rc = parse_signature(json_array_get(list, i), out, err);
		if (rc != DVT_OK)
			return rc;
	}
	return DVT_OK;
}

enum dvt_code
dvt_dsse_parse(struct dvt_span line, struct dvt_dsse *out, struct dvt_err *err)
{
	json_t *envelope;
	enum dvt_code rc;

	out->sig_n = 0;
	dvt_buf_init(&out->payload, DVT_BUNDLE_MAX);
	rc = dvt_json_parse(line, DVT_BUNDLE_MAX, &envelope, err);
	if (rc != DVT_OK)
		return rc;
	rc = get_base64(envelope, "payload", &out->payload, err);
	if (rc == DVT_OK)
		rc = parse_signatures(envelope, out, err);
	json_decref(envelope);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "envelope");
		dvt_dsse_fini(out);
	}
	return rc;
}

static void
put_base64(struct dvt_buf *out, struct dvt_span bytes)
{
	dvt_buf_putc(out, '"');
	dvt_base64_encode(out, bytes, 0);
	dvt_buf_putc(out, '"');
}

enum dvt_code
dvt_dsse_format(
    const struct dvt_dsse *d, struct dvt_buf *out, struct dvt_err *err)
{
	size_t begin = out->n;

	dvt_buf_puts(out, "{\"payload\":");
	put_base64(out, dvt_buf_span(&d->payload));
	dvt_buf_puts(out, ",\"signatures\":[");
	for (size_t i = 0; i < d->sig_n; i++) {
		const struct dvt_dsse_sig *s = &d->sig[i];

		dvt_buf_printf(out,
		    "%s{\"keyid\":\"%s\",\"sig\":", i == 0 ? "" : ",",
		    s->keyid);
		put_base64(out, (struct dvt_span){s->sig, s->sig_n});
		dvt_buf_putc(out, '}');
	}
	dvt_buf_puts(out, "]}");
	if (out->n - begin > DVT_BUNDLE_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "envelope: %zu bytes, at most %d", out->n - begin,
		    DVT_BUNDLE_MAX);
	return dvt_buf_ok(out, "envelope", err);
}

/* In the place of @keyid's former signature, or in a new one. */
static enum dvt_code
put_signature(struct dvt_dsse *d, const char *keyid, struct dvt_span sig,
    struct dvt_err *err)
{
	size_t at = 0;

	while (at < d->sig_n && strcmp(d->sig[at].keyid, keyid) != 0)
		at++;
	if (at == DVT_DSSE_SIGNATURES)
		return dvt_fail(err, DVT_E_LIMIT,
		    "envelope: more than %d signatures", DVT_DSSE_SIGNATURES);
	if (at == d->sig_n)
		d->sig_n++;
	memcpy(d->sig[at].keyid, keyid, DVT_DIGEST_HEX);
	memcpy(d->sig[at].sig, sig.p, sig.n);
	d->sig[at].sig_n = sig.n;
	return DVT_OK;
}

enum dvt_code
dvt_dsse_sign(
    struct dvt_dsse *d, const char *type, EVP_PKEY *key, struct dvt_err *err)
{
	char keyid[DVT_DIGEST_HEX];
	struct dvt_buf pae, sig;
	enum dvt_code rc;

	if (dvt_key_kind(key) != DVT_KEY_P256)
		return dvt_fail(
		    err, DVT_E_INPUT, "envelope: signed by EC P-256 keys only");
	if ((rc = dvt_key_digest(key, keyid, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&pae, DVT_BUNDLE_MAX + 256);
	dvt_buf_init(&sig, DVT_DSSE_SIG_MAX);
	dvt_dsse_pae(type, dvt_buf_span(&d->payload), &pae);
	rc = dvt_key_sign(key, dvt_buf_span(&pae), &sig, err);
	if (rc == DVT_OK)
		rc = put_signature(d, keyid, dvt_buf_span(&sig), err);
	dvt_buf_fini(&pae);
	dvt_buf_fini(&sig);
	return rc;
}

static bool
has_signed(const struct dvt_dsse *d, struct dvt_span pae,
    const struct dvt_dsse_key *key)
{
	for (size_t i = 0; i < d->sig_n; i++) {
		const struct dvt_dsse_sig *s = &d->sig[i];

		if (strcmp(s->keyid, key->keyid) == 0 &&
		    dvt_key_verify(key->key, pae,
			(struct dvt_span){s->sig, s->sig_n}, NULL) == DVT_OK)
			return true;
	}
	return false;
}

static bool
seen_before(const struct dvt_dsse_key *keys, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (dvt_key_same(keys[k].key, keys[i].key))
			return true;
	}
	return false;
}

size_t
dvt_dsse_count(const struct dvt_dsse *d, const char *type,
    const struct dvt_dsse_key *keys, size_t n)
{
	struct dvt_buf pae;
	size_t count = 0;

	dvt_buf_init(&pae, DVT_BUNDLE_MAX + 256);
	dvt_dsse_pae(type, dvt_buf_span(&d->payload), &pae);
	for (size_t i = 0; i < n && !pae.full; i++) {
		if (!seen_before(keys, i) &&
		    has_signed(d, dvt_buf_span(&pae), &keys[i]))
			count++;
	}
	dvt_buf_fini(&pae);
	return count;
}
