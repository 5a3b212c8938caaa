/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hello.h"

#include "base/hex.h"

#include <ctype.h>
#include <string.h>

#define CLIENT_HELLO 1

/* Extensions we look into (IANA "TLS ExtensionType Values"). */
enum {
	EXT_SERVER_NAME = 0,
	EXT_MAX_FRAGMENT = 1,
	EXT_GROUPS = 10,
	EXT_POINT_FORMATS = 11,
	EXT_SIGNATURES = 13,
	EXT_PADDING = 21,
	EXT_PRE_SHARED_KEY = 41,
	EXT_EARLY_DATA = 42,
	EXT_VERSIONS = 43,
	EXT_COOKIE = 44,
	EXT_AUTHORITIES = 47,
};

/* FNV-1a: no secret, only a name. */
static void
mix(uint64_t *h, uint64_t v, size_t bytes)
{
	while (bytes-- > 0) {
		*h ^= v >> 8 * bytes & 0xff;
		*h *= 0x100000001b3u;
	}
}

/* RFC 8701: 0x0a0a, 0x1a1a ... stand for nothing. */
static bool
is_grease(uint64_t v)
{
	return (v & 0x0f0f) == 0x0a0a && (v >> 8) == (v & 0xff);
}

/* Number of @width bytes, then that many bytes; moves on success alone. */
static bool
take_vector(struct dvt_span *in, size_t width, struct dvt_span *out)
{
	size_t n;

	if (in->n < width)
		return false;
	n = (size_t)dvt_be_uint(in->p, width);
	if (in->n - width < n)
		return false;
	*out = (struct dvt_span){in->p + width, n};
	*in = dvt_span_from(*in, width + n);
	return true;
}

static void
mix_u16s(uint64_t *h, struct dvt_span list)
{
	for (; list.n >= 2; list = dvt_span_from(list, 2)) {
		uint64_t v = dvt_be_uint(list.p, 2);

		if (!is_grease(v))
			mix(h, v, 2);
	}
	mix(h, 0xffff, 2); /* end of this list */
}

/* Letters, digits, "-", "_" and "." only: it goes into logs and records. */
static void
read_server_name(struct dvt_span body, struct dvt_hello *out)
{
	struct dvt_span list, name;

	if (!take_vector(&body, 2, &list) || list.n < 1 || list.p[0] != 0)
		return;
	list = dvt_span_from(list, 1);
	if (!take_vector(&list, 2, &name) || name.n == 0 ||
	    name.n > DVT_HOST_MAX)
		return;
	for (size_t i = 0; i < name.n; i++) {
		int c = name.p[i];

		if (!isalnum(c) && c != '-' && c != '_' && c != '.') {
			out->server_name[0] = '\0';
			return;
		}
		out->server_name[i] = (char)tolower(c);
	}
	out->server_name[name.n] = '\0';
}

static void
read_signatures(struct dvt_span body, struct dvt_hello *out, uint64_t *h)
{
	struct dvt_span list;

	out->ecdsa = out->rsa = false;
	if (!take_vector(&body, 2, &list))
		return;
	mix_u16s(h, list);
	for (; list.n >= 2; list = dvt_span_from(list, 2)) {
		unsigned hi = list.p[0], lo = list.p[1];

		if (hi == 8 && lo >= 4 && lo <= 6)
			out->rsa = true; /* rsa_pss_rsae_* */
		else if (hi >= 4 && hi <= 6 && lo == 3)
			out->ecdsa = true;
		else if (hi >= 4 && hi <= 6 && lo == 1)
			out->rsa = true;
	}
}

/* TLS 1.2 binds the kind of key to the cipher (RFC 5246 section 7.4.2). */
static void
read_ciphers(struct dvt_span list, bool *ecdsa, bool *rsa)
{
	static const uint16_t ec[] = {0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b,
	    0xc02c, 0xc0ac, 0xc0ad, 0xcca9};
	static const uint16_t r[] = {
	    0xc013, 0xc014, 0xc027, 0xc028, 0xc02f, 0xc030, 0xcca8};

	*ecdsa = *rsa = false;
	for (; list.n >= 2; list = dvt_span_from(list, 2)) {
		uint64_t v = dvt_be_uint(list.p, 2);

		for (size_t i = 0; i < DVT_COUNT(ec); i++)
			*ecdsa |= v == ec[i];
		for (size_t i = 0; i < DVT_COUNT(r); i++)
			*rsa |= v == r[i];
	}
}

static void
read_versions(struct dvt_span body, struct dvt_hello *out, uint64_t *h)
{
	struct dvt_span list;

	if (!take_vector(&body, 1, &list))
		return;
	mix_u16s(h, list);
	for (; list.n >= 2; list = dvt_span_from(list, 2))
		if (list.p[0] == 3 && list.p[1] == 4)
			out->tls13 = true;
}

/* RFC 6066 section 4: 1 is 512, 2 is 1024, 3 is 2048, 4 is 4096 bytes. */
static void
read_max_fragment(struct dvt_span body, struct dvt_hello *out, uint64_t *h)
{
	if (body.n != 1 || body.p[0] < 1 || body.p[0] > 4)
		return;
	out->max_fragment = 256 << body.p[0];
	mix(h, body.p[0], 1);
}

static void
read_extension(
    unsigned type, struct dvt_span body, struct dvt_hello *out, uint64_t *h)
{
	struct dvt_span list, first;

	switch (type) {
	case EXT_SERVER_NAME:
		read_server_name(body, out);
		return; /* by name or by address: the same stack */
	case EXT_PRE_SHARED_KEY:
		out->ticket = true;
		if (take_vector(&body, 2, &list) &&
		    take_vector(&list, 2, &first)) {
			out->ticket_n = first.n;
			out->first_ticket = first;
		}
		return;
	case EXT_PADDING:
	case EXT_EARLY_DATA:
	case EXT_COOKIE:
		return;
	default:
		break;
	}
	if (is_grease(type))
		return;
	mix(h, type, 2);
	switch (type) {
	case EXT_GROUPS:
		if (take_vector(&body, 2, &list))
			mix_u16s(h, list);
		break;
	case EXT_POINT_FORMATS:
		for (size_t i = 0; i < body.n; i++)
			mix(h, body.p[i], 1);
		break;
	case EXT_SIGNATURES:
		read_signatures(body, out, h);
		break;
	case EXT_VERSIONS:
		read_versions(body, out, h);
		break;
	case EXT_MAX_FRAGMENT:
		read_max_fragment(body, out, h);
		break;
	case EXT_AUTHORITIES:
		if (take_vector(&body, 2, &list))
			out->authorities = list;
		break;
	default:
		break;
	}
}

static enum dvt_code
read_body(struct dvt_span b, struct dvt_hello *out, struct dvt_err *err)
{
	uint64_t h = 0xcbf29ce484222325u;
	uint8_t bytes[8];
	struct dvt_span part, exts;
	bool ecdsa, rsa;

	if (b.n < 34)
		return dvt_fail(err, DVT_E_INPUT, "hello: cut off");
	mix(&h, dvt_be_uint(b.p, 2), 2);
	out->clock = (int64_t)dvt_be_uint(b.p + 2, 4);
	b = dvt_span_from(b, 34);
	if (!take_vector(&b, 1, &part) || part.n > 32)
		return dvt_fail(err, DVT_E_INPUT, "hello: session id");
	if (!take_vector(&b, 2, &part) || part.n % 2 != 0)
		return dvt_fail(err, DVT_E_INPUT, "hello: ciphers");
	mix_u16s(&h, part);
	read_ciphers(part, &ecdsa, &rsa);
	if (!take_vector(&b, 1, &part) || part.n == 0)
		return dvt_fail(err, DVT_E_INPUT, "hello: compression");
	/* without signature_algorithms: SHA-1 with either (RFC 5246 7.4.1.4.1)
	 */
	out->ecdsa = out->rsa = true;
	exts = b;
	if (b.n > 0 && (!take_vector(&b, 2, &exts) || b.n > 0))
		return dvt_fail(err, DVT_E_INPUT, "hello: extensions");
	while (exts.n > 0) {
		unsigned type;

		if (exts.n < 4)
			return dvt_fail(err, DVT_E_INPUT, "hello: extension");
		type = (unsigned)dvt_be_uint(exts.p, 2);
		exts = dvt_span_from(exts, 2);
		if (!take_vector(&exts, 2, &part))
			return dvt_fail(
			    err, DVT_E_INPUT, "hello: extension %u", type);
		read_extension(type, part, out, &h);
	}
	if (!out->tls13) {
		out->ecdsa &= ecdsa;
		out->rsa &= rsa;
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(h >> (56 - 8 * i));
	dvt_hex(bytes, sizeof(bytes), out->print, sizeof(out->print));
	return DVT_OK;
}

enum dvt_code
dvt_hello_parse(struct dvt_span msg, struct dvt_hello *out, struct dvt_err *err)
{
	enum dvt_code rc;

	*out = (struct dvt_hello){0};
	if (msg.n > DVT_HELLO_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "hello: %zu bytes", msg.n);
	if (msg.n < 4 || msg.p[0] != CLIENT_HELLO ||
	    dvt_be_uint(msg.p + 1, 3) != msg.n - 4)
		return dvt_fail(err, DVT_E_INPUT, "hello: no ClientHello");
	rc = read_body(dvt_span_from(msg, 4), out, err);
	if (rc != DVT_OK)
		*out = (struct dvt_hello){0};
	return rc;
}

bool
dvt_hello_authority_take(struct dvt_span *rest, struct dvt_span *name)
{
	return take_vector(rest, 2, name);
}
