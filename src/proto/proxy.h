/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PROXY protocol, version 2: who is behind a relayed connection, told and
 * read. Source: the specification of 2020/03/05 ("The PROXY protocol,
 * versions 1 & 2"), sections 2.2 and 2.2.5.
 */
#ifndef DVT_PROTO_PROXY_H
#define DVT_PROTO_PROXY_H

#include "base/limits.h"
#include "base/span.h"

#include <sys/socket.h>

#define DVT_PROXY_MAX 1024 /* bytes of a header of ours */

struct dvt_proxy {
	const struct sockaddr *from,
	    *to;          /* the client, and where it came in;
			     NULL or of unequal kinds: not told */
	const char *tls;  /* "TLSv1.3"; "" or NULL: no TLS */
	bool certificate; /* the client showed one, and it was verified */
	const char *common_name; /* of it; "" or NULL: left out */
	const char *authority;   /* server name asked for; likewise */
};

/* Append the header to @out. */
void dvt_proxy_put(struct dvt_buf *out, const struct dvt_proxy *p);

#define DVT_PROXY_FIRST 0x0d /* its first byte: no TLS record begins so */

/**
 * dvt_proxy_parse() - who is behind a connection that begins with @in
 * @in:       what has come of the header, and no byte more than was asked for
 * @need:     out: bytes of @in that have to be there, when there are fewer
 * @from:     out: address and port of the client
 * @from_len: out: bytes of it; 0: not told (LOCAL, or no addresses)
 *
 * Return: DVT_OK (the header ends where @in does); DVT_E_LATER (@need);
 *         DVT_E_INPUT; DVT_E_LIMIT (over DVT_PROXY_IN_MAX).
 */
DVT_MUST_USE enum dvt_code dvt_proxy_parse(struct dvt_span in, size_t *need,
    struct sockaddr_storage *from, socklen_t *from_len, struct dvt_err *err);

#endif
