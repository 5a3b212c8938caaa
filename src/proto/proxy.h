/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PROXY protocol, version 2, as its sender: who is behind a relayed
 * connection. Source: the specification of 2020/03/05 ("The PROXY protocol,
 * versions 1 & 2"), sections 2.2 and 2.2.5.
 */
#ifndef DVT_PROTO_PROXY_H
#define DVT_PROTO_PROXY_H

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

#endif
