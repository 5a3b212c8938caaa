/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY protocol: see proxy.h. */
#include "proto/proxy.h"

#include <netinet/in.h>
#include <string.h>

#define HEAD       16 /* bytes up to the addresses */
#define VERSION_2  0x20
#define LOCAL      0x00
#define PROXY      0x01
#define TCP_UNSPEC 0x00
#define TCP_4      0x11
#define TCP_6      0x21

#define TLV_AUTHORITY 0x02
#define TLV_SSL       0x20
#define SSL_VERSION   0x21
#define SSL_CN        0x22

#define CLIENT_SSL       0x01
#define CLIENT_CERT_CONN 0x02

#define TEXT_MAX 255 /* bytes of one value */

static const uint8_t signature[] = {DVT_PROXY_FIRST, 0x0a, 0x0d, 0x0a, 0x00,
    0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static void
put_tlv(struct dvt_buf *out, uint8_t type, const char *text)
{
	size_t n = text == NULL ? 0 : strnlen(text, TEXT_MAX);

	if (n == 0)
		return;
	dvt_buf_be(out, type, 1);
	dvt_buf_be(out, n, 2);
	dvt_buf_put(out, text, n);
}

static void
put_ssl(struct dvt_buf *out, const struct dvt_proxy *p)
{
	struct dvt_buf sub;

	if (p->tls == NULL || p->tls[0] == '\0')
		return;
	dvt_buf_init(&sub, DVT_PROXY_MAX);
	dvt_buf_be(
	    &sub, CLIENT_SSL | (p->certificate ? CLIENT_CERT_CONN : 0), 1);
	dvt_buf_be(&sub, p->certificate ? 0 : 1, 4); /* verify: 0 is good */
	put_tlv(&sub, SSL_VERSION, p->tls);
	if (p->certificate)
		put_tlv(&sub, SSL_CN, p->common_name);
	dvt_buf_be(out, TLV_SSL, 1);
	dvt_buf_be(out, sub.n, 2);
	dvt_buf_put_span(out, dvt_buf_span(&sub));
	dvt_buf_fini(&sub);
}

/* Addresses, ports; the kind they are of. */
static uint8_t
put_addresses(struct dvt_buf *out, const struct dvt_proxy *p)
{
	sa_family_t kind = p->from == NULL || p->to == NULL ||
				   p->from->sa_family != p->to->sa_family
			       ? AF_UNSPEC
			       : p->from->sa_family;

	if (kind == AF_INET) {
		struct sockaddr_in from, to;

		memcpy(&from, p->from, sizeof(from));
		memcpy(&to, p->to, sizeof(to));
		dvt_buf_put(out, &from.sin_addr, 4);
		dvt_buf_put(out, &to.sin_addr, 4);
		dvt_buf_put(out, &from.sin_port, 2);
		dvt_buf_put(out, &to.sin_port, 2);
		return TCP_4;
	}
	if (kind == AF_INET6) {
		struct sockaddr_in6 from, to;

		memcpy(&from, p->from, sizeof(from));
		memcpy(&to, p->to, sizeof(to));
		dvt_buf_put(out, &from.sin6_addr, 16);
		dvt_buf_put(out, &to.sin6_addr, 16);
		dvt_buf_put(out, &from.sin6_port, 2);
		dvt_buf_put(out, &to.sin6_port, 2);
		return TCP_6;
	}
	return TCP_UNSPEC;
}

void
dvt_proxy_put(struct dvt_buf *out, const struct dvt_proxy *p)
{
	struct dvt_buf body;
	uint8_t kind;

	dvt_buf_init(&body, DVT_PROXY_MAX);
	kind = put_addresses(&body, p);
	put_tlv(&body, TLV_AUTHORITY, p->authority);
	put_ssl(&body, p);
	dvt_buf_put(out, signature, sizeof(signature));
	dvt_buf_be(out, VERSION_2 | PROXY, 1);
	dvt_buf_be(out, kind, 1);
	dvt_buf_be(out, body.n, 2);
	dvt_buf_put_span(out, dvt_buf_span(&body));
	dvt_buf_fini(&body);
}

/* --- reading --- */

/* Source and destination address, then the ports. */
static enum dvt_code
take_addresses(uint8_t kind, struct dvt_span body,
    struct sockaddr_storage *from, socklen_t *from_len, struct dvt_err *err)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	switch (kind) {
	case TCP_UNSPEC:
		return DVT_OK;
	case TCP_4:
		if (body.n < 12)
			break;
		memcpy(&v4.sin_addr, body.p, 4);
		memcpy(&v4.sin_port, body.p + 8, 2);
		memcpy(from, &v4, sizeof(v4));
		*from_len = sizeof(v4);
		return DVT_OK;
	case TCP_6:
		if (body.n < 36)
			break;
		memcpy(&v6.sin6_addr, body.p, 16);
		memcpy(&v6.sin6_port, body.p + 32, 2);
		memcpy(from, &v6, sizeof(v6));
		*from_len = sizeof(v6);
		return DVT_OK;
	default:
		break;
	}
	return dvt_fail(err, DVT_E_INPUT,
	    "PROXY header: %zu bytes of addresses of kind 0x%02x", body.n,
	    kind);
}

enum dvt_code
dvt_proxy_parse(struct dvt_span in, size_t *need, struct sockaddr_storage *from,
    socklen_t *from_len, struct dvt_err *err)
{
	size_t n = in.n < sizeof(signature) ? in.n : sizeof(signature);

	*need = HEAD;
	*from_len = 0;
	if (n > 0 && memcmp(in.p, signature, n) != 0)
		return dvt_fail(err, DVT_E_INPUT, "PROXY header: no signature");
	if (in.n < HEAD)
		return DVT_E_LATER;
	if (in.p[12] != (VERSION_2 | PROXY) && in.p[12] != (VERSION_2 | LOCAL))
		return dvt_fail(err, DVT_E_INPUT,
		    "PROXY header: version and command 0x%02x", in.p[12]);
	*need = HEAD + (size_t)in.p[14] * 256 + in.p[15];
	if (*need > DVT_PROXY_IN_MAX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "PROXY header of %zu bytes", *need);
	if (in.n < *need)
		return DVT_E_LATER;
	if (in.n > *need)
		return dvt_fail(
		    err, DVT_E_INPUT, "PROXY header: %zu of %zu", *need, in.n);
	if (in.p[12] == (VERSION_2 | LOCAL))
		return DVT_OK;
	return take_addresses(
	    in.p[13], dvt_span_from(in, HEAD), from, from_len, err);
}
