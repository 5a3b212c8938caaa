/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request, or one handshake, over OpenSSL; blocking, for brevity. A
 * device with other things to do does these in its own event loop.
 */
#include "device.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LIMIT_S   10
#define HEAD_MAX  16384
#define SETTLE_MS 200 /* a TLS 1.3 refusal comes after our handshake */
#define BYE_MS    1000

static int
limit(int fd, long ms)
{
	struct timeval t = {ms / 1000, (ms % 1000) * 1000};

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) |
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* "host:port" */
static int
dial(const char *to)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *a;
	const char *colon = strrchr(to, ':');
	char host[256];
	int fd = -1;

	if (colon == NULL || (size_t)(colon - to) >= sizeof(host))
		return -1;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - to), to);
	if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
		return -1;
	for (a = list; a != NULL && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 &&
		    (limit(fd, LIMIT_S * 1000) != 0 ||
			connect(fd, a->ai_addr, a->ai_addrlen) != 0)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

/* Why TLS ended: our word on their certificate, theirs on ours, or neither. */
static enum dovetail_outcome
why(struct device *d, SSL *ssl)
{
	unsigned long e = ERR_peek_last_error();
	long verify = SSL_get_verify_result(ssl);
	enum dovetail_outcome o = DOVETAIL_UNREACHED;

	if (verify != X509_V_OK && !SSL_is_init_finished(ssl)) {
		o = DOVETAIL_WE_REFUSED;
		snprintf(d->text, sizeof(d->text), "%s",
		    X509_verify_cert_error_string(verify));
	} else if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
		   ERR_GET_REASON(e) >= SSL_AD_REASON_OFFSET) {
		o = DOVETAIL_THEY_REFUSED;
		ERR_error_string_n(e, d->text, sizeof(d->text));
	} else {
		if (errno == EAGAIN)
			o = DOVETAIL_TIMED_OUT;
		snprintf(d->text, sizeof(d->text), "TLS: %s",
		    e != 0 ? ERR_reason_error_string(e) : "connection ended");
	}
	ERR_clear_error();
	return o;
}

static SSL *
handshake(struct device *d, const char *to, const char *name,
    struct dovetail_answer *answer)
{
	struct dovetail_error err;
	SSL_CTX *ctx = NULL;
	SSL *ssl = NULL;
	int fd = -1;

	answer->outcome = DOVETAIL_UNREACHED;
	if (dovetail_agent_want_tls(d->agent, &ctx, &err) != DOVETAIL_OK) {
		snprintf(d->text, sizeof(d->text), "%.255s", err.text);
	} else if ((fd = dial(to)) < 0) {
		snprintf(d->text, sizeof(d->text), "%.200s is not reached", to);
	} else {
		ssl = SSL_new(ctx);
		SSL_set_tlsext_host_name(ssl, name);
		SSL_set1_host(ssl, name);
		SSL_set_fd(ssl, fd);
		if (SSL_connect(ssl) == 1) {
			answer->outcome = DOVETAIL_ANSWERED;
		} else {
			answer->outcome = why(d, ssl);
			SSL_free(ssl);
			ssl = NULL;
		}
	}
	SSL_CTX_free(ctx);
	if (ssl == NULL && fd >= 0)
		close(fd);
	return ssl;
}

/* close_notify, so that nobody takes it for a no. True: it was answered. */
static int
hang_up(SSL *ssl, int wait_ms)
{
	int fd = SSL_get_fd(ssl), answered;

	if (wait_ms > 0)
		limit(fd, wait_ms);
	if (SSL_shutdown(ssl) == 0 && wait_ms > 0)
		SSL_shutdown(ssl);
	answered = (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
	SSL_free(ssl);
	close(fd);
	return answered;
}

static void
probe(struct device *d, const struct dovetail_want *want,
    struct dovetail_answer *answer)
{
	SSL *ssl = handshake(d, d->edge, want->server_name, answer);
	char byte;

	if (ssl == NULL)
		return;
	limit(SSL_get_fd(ssl), SETTLE_MS);
	errno = 0;
	if (SSL_read(ssl, &byte, 1) <= 0 && errno != EAGAIN &&
	    SSL_get_error(ssl, -1) != SSL_ERROR_ZERO_RETURN) {
		answer->outcome = why(d, ssl);
	}
	if (!hang_up(ssl, BYE_MS) && answer->outcome == DOVETAIL_ANSWERED) {
		snprintf(d->text, sizeof(d->text), "not let in so far");
		answer->outcome = DOVETAIL_UNREACHED;
	}
}

/* A header's value in the head of an answer, or NULL. */
static const char *
header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = strstr(head, "\r\n"); at != NULL;
	     at = strstr(at, "\r\n")) {
		at += 2;
		if (strncasecmp(at, name, n) == 0 && at[n] == ':')
			return at + n + 1 + strspn(at + n + 1, " ");
	}
	return NULL;
}

static void
read_answer(struct device *d, const struct dovetail_want *want, SSL *ssl,
    struct dovetail_answer *answer)
{
	size_t room = HEAD_MAX + want->max_body, n = 0;
	char *all = malloc(room + 1), *end;
	const char *value;
	int got = 0;

	while (n < room && (got = SSL_read(ssl, all + n, (int)(room - n))) > 0)
		n += (size_t)got;
	all[n] = '\0';
	end = strstr(all, "\r\n\r\n");
	if (n == 0) {
		answer->outcome = why(d, ssl);
	} else if (n == room || end == NULL ||
		   sscanf(all, "HTTP/1.%*1d %d", &answer->http_status) != 1) {
		answer->outcome = DOVETAIL_GARBLED;
		snprintf(d->text, sizeof(d->text), "no HTTP, or too large");
	} else {
		*end = '\0';
		value = header(all, "Retry-After");
		if (value != NULL)
			answer->retry_after_s = atoll(value);
		n -= (size_t)(end + 4 - all);
		d->body = malloc(n + 1);
		memcpy(d->body, end + 4, n);
		answer->body = (struct dovetail_bytes){d->body, n};
	}
	ERR_clear_error();
	free(all);
}

static void
request(struct device *d, const struct dovetail_want *want,
    struct dovetail_answer *answer)
{
	SSL *ssl = handshake(d, d->server, d->server_name, answer);
	size_t size = want->body.n + HEAD_MAX;
	char *text = malloc(size);
	int n;

	if (ssl == NULL) {
		free(text);
		return;
	}
	n = snprintf(text, size,
	    "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
	    "%s%s%s%s%s%s%s%s%sContent-Length: %zu\r\n\r\n",
	    want->method, want->target, d->server_name,
	    want->content_type != NULL ? "Content-Type: " : "",
	    want->content_type != NULL ? want->content_type : "",
	    want->content_type != NULL ? "\r\n" : "",
	    want->authorization != NULL ? "Authorization: " : "",
	    want->authorization != NULL ? want->authorization : "",
	    want->authorization != NULL ? "\r\n" : "",
	    want->grant != NULL ? "Dovetail-Grant: " : "",
	    want->grant != NULL ? want->grant : "",
	    want->grant != NULL ? "\r\n" : "", want->body.n);
	if (n < 0 || n >= HEAD_MAX) {
		answer->outcome = DOVETAIL_GARBLED;
	} else {
		if (want->body.n > 0)
			memcpy(text + n, want->body.p, want->body.n);
		if (SSL_write(ssl, text, n + (int)want->body.n) > 0)
			read_answer(d, want, ssl, answer);
		else
			answer->outcome = why(d, ssl);
	}
	OPENSSL_cleanse(text, size);
	free(text);
	hang_up(ssl, 0);
}

void
net_answer(struct device *d, const struct dovetail_want *want,
    struct dovetail_answer *answer)
{
	free(d->body);
	d->body = NULL;
	d->text[0] = '\0';
	*answer = (struct dovetail_answer){
	    .ticket = want->ticket, .retry_after_s = -1, .text = d->text};
	if (want->kind == DOVETAIL_HTTP)
		request(d, want, answer);
	else if (want->kind == DOVETAIL_PROBE)
		probe(d, want, answer);
}
