/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as text and back: see addr.h. */
#include "loop/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum dvt_code
dvt_addr_split(const char *text, char *host, size_t size, unsigned *port,
    struct dvt_err *err)
{
	const char *colon = strrchr(text, ':'), *from = text, *to = colon;
	unsigned long n;
	char *end;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return dvt_fail(
		    err, DVT_E_INPUT, "address \"%s\": no port", text);
	n = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || n > 65535)
		return dvt_fail(
		    err, DVT_E_INPUT, "address \"%s\": bad port", text);
	if (text[0] == '[') {
		from++;
		to = colon - 1;
		if (to <= from || *to != ']')
			return dvt_fail(err, DVT_E_INPUT,
			    "address \"%s\": no \"]\" before the port", text);
	} else if (memchr(text, ':', (size_t)(colon - text)) != NULL) {
		return dvt_fail(err, DVT_E_INPUT,
		    "address \"%s\": IPv6 is written [address]:port", text);
	}
	if (to == from || (size_t)(to - from) >= size)
		return dvt_fail(err, DVT_E_INPUT,
		    "address \"%s\": host empty or too long", text);
	/* to the C library it is this host alone: not what is meant by it */
	if (to - from == 1 && from[0] == '*')
		return dvt_fail(err, DVT_E_INPUT,
		    "address \"%s\": all addresses are 0.0.0.0:%lu or [::]:%lu",
		    text, n, n);
	memcpy(host, from, (size_t)(to - from));
	host[to - from] = '\0';
	*port = (unsigned)n;
	return DVT_OK;
}

static enum dvt_code
unix_parse(const char *path, struct dvt_addr *out, struct dvt_err *err)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t n = strlen(path);

	if (n >= sizeof(un.sun_path))
		return dvt_fail(err, DVT_E_INPUT,
		    "socket path \"%s\": longer than %zu bytes", path,
		    sizeof(un.sun_path) - 1);
	memcpy(un.sun_path, path, n + 1);
	memcpy(&out->ss, &un, sizeof(un));
	out->len = (socklen_t)sizeof(un);
	return DVT_OK;
}

/* One host and port to addresses; @flags AI_NUMERICHOST keeps DNS out. */
static enum dvt_code
lookup(const char *text, int flags, struct dvt_addr *out, size_t max, size_t *n,
    struct dvt_err *err)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
			    .ai_socktype = SOCK_STREAM,
			    .ai_flags = AI_NUMERICSERV | flags},
			*list = NULL;
	char host[256], service[8];
	unsigned port;
	enum dvt_code rc;
	int gai;

	if ((rc = dvt_addr_split(text, host, sizeof(host), &port, err)) !=
	    DVT_OK)
		return rc;
	(void)snprintf(service, sizeof(service), "%u", port);
	gai = getaddrinfo(host, service, &hints, &list);
	if (gai != 0)
		return dvt_fail(err,
		    gai == EAI_NONAME && flags != 0 ? DVT_E_INPUT
						    : DVT_E_SYSTEM,
		    "address \"%s\": %s", text, gai_strerror(gai));
	for (struct addrinfo *a = list; a != NULL && *n < max; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(out[*n].ss))
			continue;
		memcpy(&out[*n].ss, a->ai_addr, a->ai_addrlen);
		out[(*n)++].len = a->ai_addrlen;
	}
	freeaddrinfo(list);
	if (*n == 0)
		return dvt_fail(
		    err, DVT_E_SYSTEM, "address \"%s\": none found", text);
	return DVT_OK;
}

enum dvt_code
dvt_addr_parse(const char *text, struct dvt_addr *out, struct dvt_err *err)
{
	size_t n = 0;

	memset(out, 0, sizeof(*out));
	if (text[0] == '/')
		return unix_parse(text, out, err);
	return lookup(text, AI_NUMERICHOST, out, 1, &n, err);
}

enum dvt_code
dvt_addr_resolve(const char *text, struct dvt_addr *out, size_t max, size_t *n,
    struct dvt_err *err)
{
	*n = 0;
	memset(out, 0, max * sizeof(*out));
	if (text[0] == '/') {
		enum dvt_code rc = unix_parse(text, out, err);

		*n = rc == DVT_OK;
		return rc;
	}
	if (dvt_addr_parse(text, out, NULL) == DVT_OK) {
		*n = 1; /* no resolver for what is an address already */
		return DVT_OK;
	}
	return lookup(text, AI_ADDRCONFIG, out, max, n, err);
}

const char *
dvt_addr_host(const struct dvt_addr *a, char out[DVT_ADDR_TEXT])
{
	const struct sockaddr_in *v4 = (const void *)&a->ss;
	const struct sockaddr_in6 *v6 = (const void *)&a->ss;
	const struct sockaddr_un *un = (const void *)&a->ss;

	(void)snprintf(out, DVT_ADDR_TEXT, "-");
	if (a->len == 0)
		return out;
	if (a->ss.ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &v4->sin_addr, out, DVT_ADDR_TEXT);
	else if (a->ss.ss_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, out, DVT_ADDR_TEXT);
	else if (a->ss.ss_family == AF_UNIX)
		(void)snprintf(out, DVT_ADDR_TEXT, "%s",
		    un->sun_path[0] != '\0' ? un->sun_path : "unix");
	return out;
}

const char *
dvt_addr_format(const struct dvt_addr *a, char out[DVT_ADDR_TEXT])
{
	char host[DVT_ADDR_TEXT];

	(void)dvt_addr_host(a, host);
	if (a->len > 0 && a->ss.ss_family == AF_INET)
		(void)snprintf(
		    out, DVT_ADDR_TEXT, "%.64s:%u", host, dvt_addr_port(a));
	else if (a->len > 0 && a->ss.ss_family == AF_INET6)
		(void)snprintf(
		    out, DVT_ADDR_TEXT, "[%.64s]:%u", host, dvt_addr_port(a));
	else
		(void)memcpy(out, host, sizeof(host));
	return out;
}

bool
dvt_addr_is_loopback(const struct dvt_addr *a)
{
	const struct sockaddr_in *v4 = (const void *)&a->ss;
	const struct sockaddr_in6 *v6 = (const void *)&a->ss;

	if (a->len == 0)
		return false;
	if (a->ss.ss_family == AF_INET)
		return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
	if (a->ss.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	return a->ss.ss_family == AF_UNIX;
}

unsigned
dvt_addr_port(const struct dvt_addr *a)
{
	const struct sockaddr_in *v4 = (const void *)&a->ss;
	const struct sockaddr_in6 *v6 = (const void *)&a->ss;

	if (a->len > 0 && a->ss.ss_family == AF_INET)
		return ntohs(v4->sin_port);
	if (a->len > 0 && a->ss.ss_family == AF_INET6)
		return ntohs(v6->sin6_port);
	return 0;
}

void
dvt_addr_of_peer(int fd, struct dvt_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->len = sizeof(out->ss);
	if (getpeername(fd, (struct sockaddr *)&out->ss, &out->len) != 0)
		out->len = 0;
}

void
dvt_addr_of_self(int fd, struct dvt_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->len = sizeof(out->ss);
	if (getsockname(fd, (struct sockaddr *)&out->ss, &out->len) != 0)
		out->len = 0;
}
