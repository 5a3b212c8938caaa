/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY protocol: see proxy.h. */
#include "proto/proxy.h"

#include <netinet/in.h>
#include <string.h>

#define VERSION_2  0x20
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
	static const uint8_t signature[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
	    0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
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
