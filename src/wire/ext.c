/* SPDX-License-Identifier: Apache-2.0 */
/* Extensions: see ext.h. */
#include "wire/ext.h"

#include "base/limits.h"
#include "wire/der.h"
#include "wire/oid.h"

#include <arpa/inet.h>
#include <string.h>

static enum dvt_code
take_ext(struct dvt_span *in, struct dvt_ext *ext, struct dvt_err *err)
{
	struct dvt_span s;
	enum dvt_code rc;

	*ext = (struct dvt_ext){0};
	if ((rc = dvt_der_take(in, DVT_DER_SEQ, &s, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_oid(&s, &ext->oid, err)) != DVT_OK)
		return rc;
	/* DEFAULT FALSE: written out by some, read as what it says */
	if (dvt_der_peek_tag(s) == DVT_DER_BOOL) {
		rc = dvt_der_take_bool(&s, &ext->critical, err);
		if (rc != DVT_OK)
			return rc;
	}
	if ((rc = dvt_der_take(&s, DVT_DER_OCTETS, &ext->value, err)) != DVT_OK)
		return rc;
	return dvt_der_done(s, "extension", err);
}

enum dvt_code
dvt_exts_parse(struct dvt_span body, struct dvt_exts *out, struct dvt_err *err)
{
	struct dvt_ext ext;
	enum dvt_code rc;
	char text[64];

	out->n = 0;
	while (body.n > 0) {
		if ((rc = take_ext(&body, &ext, err)) != DVT_OK)
			return rc;
		if (dvt_exts_get(out, ext.oid) != NULL)
			return dvt_fail(err, DVT_E_INPUT,
			    "extension %s twice (RFC 5280 section 4.2)",
			    dvt_der_oid_text(ext.oid, text, sizeof(text)));
		if (out->n == DVT_COUNT(out->at))
			return dvt_fail(err, DVT_E_LIMIT,
			    "more than %zu extensions", out->n);
		out->at[out->n++] = ext;
	}
	return DVT_OK;
}

const struct dvt_ext *
dvt_exts_get(const struct dvt_exts *exts, struct dvt_span oid)
{
	for (size_t i = 0; i < exts->n; i++) {
		if (dvt_span_eq(exts->at[i].oid, oid))
			return &exts->at[i];
	}
	return NULL;
}

/* The one value that @value holds, opened. */
static enum dvt_code
open_one(struct dvt_span value, uint8_t tag, const char *what,
    struct dvt_span *body, struct dvt_err *err)
{
	enum dvt_code rc = dvt_der_take(&value, tag, body, err);

	if (rc == DVT_OK)
		rc = dvt_der_done(value, what, err);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "%s", what);
	return rc;
}

enum dvt_code
dvt_ext_basic_constraints(
    struct dvt_span value, bool *ca, int64_t *path_len, struct dvt_err *err)
{
	struct dvt_span s;
	enum dvt_code rc;

	*ca = false;
	*path_len = -1;
	rc = open_one(value, DVT_DER_SEQ, "basicConstraints", &s, err);
	if (rc != DVT_OK)
		return rc;
	if (dvt_der_peek_tag(s) == DVT_DER_BOOL &&
	    (rc = dvt_der_take_bool(&s, ca, err)) != DVT_OK)
		return rc;
	if (dvt_der_peek_tag(s) == DVT_DER_INT &&
	    (rc = dvt_der_take_u63(&s, path_len, err)) != DVT_OK)
		return rc;
	return dvt_der_done(s, "basicConstraints", err);
}

enum dvt_code
dvt_ext_key_usage(struct dvt_span value, uint16_t *bits, struct dvt_err *err)
{
	struct dvt_span b;
	enum dvt_code rc;
	unsigned unused;

	*bits = 0;
	if ((rc = dvt_der_take_bits(&value, &b, &unused, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(value, "keyUsage", err)) != DVT_OK)
		return rc;
	if (b.n > 2)
		return dvt_fail(err, DVT_E_INPUT, "keyUsage: %zu octets", b.n);
	for (size_t i = 0; i < b.n; i++)
		*bits |= (uint16_t)(b.p[i] << 8 * (1 - i));
	return DVT_OK;
}

enum dvt_code
dvt_ext_eku_has(struct dvt_span value, struct dvt_span purpose, bool *has,
    struct dvt_err *err)
{
	struct dvt_span s, oid;
	enum dvt_code rc;

	*has = false;
	rc = open_one(value, DVT_DER_SEQ, "extKeyUsage", &s, err);
	if (rc != DVT_OK)
		return rc;
	do { /* SIZE (1..MAX) */
		if ((rc = dvt_der_take_oid(&s, &oid, err)) != DVT_OK)
			return rc;
		*has = *has || dvt_span_eq(oid, purpose);
	} while (s.n > 0);
	return DVT_OK;
}

enum dvt_code
dvt_ext_subject_key_id(
    struct dvt_span value, struct dvt_span *id, struct dvt_err *err)
{
	return open_one(value, DVT_DER_OCTETS, "subjectKeyIdentifier", id, err);
}

enum dvt_code
dvt_ext_authority_key_id(
    struct dvt_span value, struct dvt_span *id, struct dvt_err *err)
{
	struct dvt_span s;
	enum dvt_code rc;

	*id = (struct dvt_span){NULL, 0};
	rc = open_one(value, DVT_DER_SEQ, "authorityKeyIdentifier", &s, err);
	if (rc != DVT_OK)
		return rc;
	return dvt_der_take_opt(&s, DVT_DER_CTX(0), id, err);
}

enum dvt_code
dvt_ext_san_open(
    struct dvt_span value, struct dvt_span *names, struct dvt_err *err)
{
	return open_one(value, DVT_DER_SEQ, "subjectAltName", names, err);
}

enum dvt_code
dvt_ext_san_take(struct dvt_span *names, uint8_t *tag, struct dvt_span *name,
    struct dvt_err *err)
{
	struct dvt_span s = *names;
	enum dvt_code rc;

	if ((rc = dvt_der_take_any(&s, tag, NULL, name, err)) != DVT_OK)
		return rc;
	if ((*tag & 0xc0) != 0x80)
		return dvt_fail(err, DVT_E_INPUT,
		    "subjectAltName: tag 0x%02x is no name", *tag);
	*names = s;
	return DVT_OK;
}

void
dvt_ext_put(struct dvt_buf *b, struct dvt_span oid, bool critical,
    struct dvt_span value)
{
	size_t seq = dvt_der_open(b, DVT_DER_SEQ);

	dvt_der_put_oid(b, oid);
	if (critical)
		dvt_der_put_bool(b, true);
	dvt_der_put(b, DVT_DER_OCTETS, value);
	dvt_der_close(b, seq);
}

size_t
dvt_ip_parse(const char *s, uint8_t out[DVT_IP_BYTES])
{
	if (inet_pton(AF_INET, s, out) == 1)
		return 4;
	return inet_pton(AF_INET6, s, out) == 1 ? 16 : 0;
}

uint8_t
dvt_host_kind(const char *s)
{
	uint8_t raw[DVT_IP_BYTES];

	if (dvt_ip_parse(s, raw) > 0)
		return DVT_SAN_IP;
	return strlen(s) <= DVT_HOST_MAX && dvt_is_dns_name(s) ? DVT_SAN_DNS
							       : 0;
}

bool
dvt_is_dns_name(const char *s)
{
	size_t label = 0;

	if (s[0] == '*' && s[1] == '.')
		s += 2;
	for (; *s != '\0'; s++) {
		bool word = (*s >= 'a' && *s <= 'z') ||
			    (*s >= 'A' && *s <= 'Z') ||
			    (*s >= '0' && *s <= '9') || *s == '_';

		if (*s == '.' && label == 0)
			return false;
		if (!word && *s != '.' && (*s != '-' || label == 0))
			return false;
		label = *s == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}
