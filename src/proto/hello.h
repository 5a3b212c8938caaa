/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClientHello read from its raw bytes: what OpenSSL's callbacks do not show
 * (order of extensions, certificate_authorities) and what names a TLS stack.
 */
#ifndef DVT_PROTO_HELLO_H
#define DVT_PROTO_HELLO_H

#include "base/limits.h"
#include "base/span.h"

#define DVT_HELLO_PRINT 17 /* 8 bytes as hex, and the NUL */

struct dvt_hello {
	char server_name[DVT_HOST_MAX + 1]; /* lower case; "" none sent */
	bool tls13;                         /* offers TLS 1.3 */
	bool ticket; /* offers a TLS 1.3 ticket (pre_shared_key) */
	struct dvt_span first_ticket; /* borrowed from the hello */
	size_t ticket_n;              /* bytes of the first one */
	bool ecdsa, rsa; /* takes a leaf with such a key: by its signature
			    algorithms, in TLS 1.2 by its ciphers too */
	/*
	 * DistinguishedNames of certificate_authorities, each with its two
	 * bytes of length; borrowed from the hello. n 0: none sent.
	 */
	struct dvt_span authorities;
	int max_fragment; /* RFC 6066 section 4, bytes; 0: not asked for */
	int64_t clock; /* first 4 bytes of random: the clock of some stacks */
	/*
	 * Versions, ciphers, kinds and order of extensions, groups and
	 * algorithms as a hash: the same for every connection of one stack
	 * with one configuration. Left out: names, keys, tickets, GREASE.
	 */
	char print[DVT_HELLO_PRINT];
};

/**
 * dvt_hello_parse() - one ClientHello
 * @msg: the handshake message with its 4 bytes of header
 * @out: filled on DVT_OK; zeroed else
 *
 * A server name that is no host name (RFC 6066 section 3) is left out, since
 * it would go into logs. OpenSSL judges the rest.
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_LIMIT (over 64 KiB).
 * Source: RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2.
 */
DVT_MUST_USE enum dvt_code dvt_hello_parse(
    struct dvt_span msg, struct dvt_hello *out, struct dvt_err *err);

/**
 * dvt_hello_gather() - a ClientHello out of the records that carry it
 * @p:    what a client sent first, @n bytes; overwritten, as the headers of
 *        records within the hello are taken out
 * @msg:  out: the handshake message with its header, within @p, on DVT_OK
 * @need: out: on DVT_E_LATER more than @n: with fewer bytes it is not whole
 *
 * Return: DVT_OK; DVT_E_LATER; DVT_E_INPUT (no TLS, another message, or a
 *         record of no length); DVT_E_LIMIT (a hello over 64 KiB).
 * Source: RFC 8446 section 5.1 (a message may span records).
 */
DVT_MUST_USE enum dvt_code dvt_hello_gather(
    uint8_t *p, size_t n, struct dvt_span *msg, size_t *need);

/* The next name of dvt_hello.authorities as DER; false after the last. */
bool dvt_hello_authority_take(struct dvt_span *rest, struct dvt_span *name);

#endif
