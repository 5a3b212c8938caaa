/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as text and back: "192.0.2.1:8883", "[::1]:443", "/path". */
#ifndef DVT_LOOP_ADDR_H
#define DVT_LOOP_ADDR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define DVT_ADDR_TEXT 128 /* enough for any address as text, with its NUL */

struct dvt_addr {
	struct sockaddr_storage ss;
	socklen_t len; /* 0: none */
};

/**
 * dvt_addr_parse() - an address, no name
 * @text: "IPv4:port", "[IPv6]:port", or a path beginning with "/" (Unix)
 * Return: DVT_OK; DVT_E_INPUT. Never asks a resolver.
 */
DVT_MUST_USE enum dvt_code dvt_addr_parse(
    const char *text, struct dvt_addr *out, struct dvt_err *err);

/**
 * dvt_addr_resolve() - "host:port" with a name, an address or a Unix path
 * @out: room for @max addresses, in the order they should be tried
 * @n:   out: how many, at least 1 after DVT_OK
 *
 * Blocks while the resolver asks; meant for the start of a program, the CLI
 * and the agent. Return: DVT_OK; DVT_E_INPUT; DVT_E_SYSTEM (no such host).
 */
DVT_MUST_USE enum dvt_code dvt_addr_resolve(const char *text,
    struct dvt_addr *out, size_t max, size_t *n, struct dvt_err *err);

/* Split "host:port" or "[v6]:port"; @host of @size bytes. DVT_E_INPUT. */
DVT_MUST_USE enum dvt_code dvt_addr_split(const char *text, char *host,
    size_t size, unsigned *port, struct dvt_err *err);

/* As dvt_addr_parse() reads it; "unix" for a socket without a path. */
const char *dvt_addr_format(const struct dvt_addr *a, char out[DVT_ADDR_TEXT]);
/* The host alone, without port and brackets. */
const char *dvt_addr_host(const struct dvt_addr *a, char out[DVT_ADDR_TEXT]);
bool dvt_addr_is_loopback(const struct dvt_addr *a); /* Unix sockets too */
unsigned dvt_addr_port(const struct dvt_addr *a);    /* 0: none */

/* The other side of, or our side of, a connected socket. */
void dvt_addr_of_peer(int fd, struct dvt_addr *out);
void dvt_addr_of_self(int fd, struct dvt_addr *out);

#endif
