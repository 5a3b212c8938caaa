/* SPDX-License-Identifier: Apache-2.0 */
/* REST calls of the command line: one request each, problems to dvt_err. */
#include "base/file.h"
#include "cli/cli.h"
#include "http/client.h"
#include "pki/ssl_err.h"

#include <ctype.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_MAX  (8 << 20) /* bytes */
#define DEADLINE_MS 60000

struct taken {
	int status;
	struct dvt_buf body;
};

static void
take_answer(void *user, const struct dvt_http_answer *a)
{
	struct taken *t = user;

	t->status = a->status;
	dvt_buf_put_span(&t->body, a->body);
}

/* "https://host:port" to its address and an SSL_CTX that verifies it. */
static enum dvt_code
peer_of_url(struct cli *c, struct dvt_addr *addrs, size_t *n, char *host,
    size_t host_size, struct dvt_tls_conn_config *peer, struct dvt_err *err)
{
	unsigned port;
	enum dvt_code rc;

	if (strncmp(c->url, "https://", 8) != 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "--url: %s is not https://", c->url);
	if ((rc = dvt_addr_split(c->url + 8, host, host_size, &port, err)) !=
		DVT_OK ||
	    (rc = dvt_addr_resolve(c->url + 8, addrs, 4, n, err)) != DVT_OK)
		return rc;
	if ((peer->ctx = SSL_CTX_new(TLS_client_method())) == NULL)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "TLS");
	SSL_CTX_set_verify(peer->ctx, SSL_VERIFY_PEER, NULL);
	if (c->ca == NULL ? SSL_CTX_set_default_verify_paths(peer->ctx) != 1
			  : SSL_CTX_load_verify_file(peer->ctx, c->ca) != 1)
		return dvt_fail_ssl(err, DVT_E_INPUT, "--ca %s",
		    c->ca == NULL ? "(system)" : c->ca);
	peer->server_name = host;
	return DVT_OK;
}

static enum dvt_code
peer_of(struct cli *c, struct dvt_addr *addrs, char *host, size_t host_size,
    struct dvt_tls_conn_config *peer, struct dvt_err *err)
{
	size_t n = 1;
	enum dvt_code rc;

	if (c->url != NULL)
		rc = peer_of_url(c, addrs, &n, host, host_size, peer, err);
	else if (c->socket[0] == '/')
		rc = dvt_addr_parse(c->socket, addrs, err);
	else {
		char *cwd = getcwd(NULL, 0);
		char *path = dvt_asprintf(
		    "%s/%s", cwd == NULL ? "" : cwd, c->socket);

		rc = dvt_addr_parse(path, addrs, err);
		free(path);
		free(cwd);
	}
	peer->addrs = addrs;
	peer->addrs_n = n;
	return rc;
}

/* A problem document (RFC 9457) as our error; anything else by its status. */
static enum dvt_code
problem(struct cli *c, int status, json_t *body, struct dvt_err *err)
{
	const char *name = json_string_value(json_object_get(body, "code"));
	const char *detail = json_string_value(json_object_get(body, "detail"));
	enum dvt_code code = name == NULL ? DVT_E_SYSTEM
					  : dvt_code_from_name(name);

	json_decref(c->problem);
	c->problem = json_incref(body);
	if (code == DVT_OK)
		code = DVT_E_SYSTEM;
	return dvt_fail(
	    err, code, "%s", detail != NULL ? detail : dvt_code_name(code));
	(void)status;
}

static enum dvt_code
read_answer(struct cli *c, struct taken *t, json_t **out, struct dvt_err *err)
{
	json_t *body = NULL;
	enum dvt_code rc = DVT_OK;

	if (t->body.n > 0)
		rc = dvt_json_parse(
		    dvt_buf_span(&t->body), ANSWER_MAX, &body, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "answer with status %d", t->status);
		return rc;
	}
	if (t->status < 200 || t->status > 299)
		rc = problem(c, t->status, body, err);
	else if (out != NULL)
		*out = json_incref(body);
	json_decref(body);
	return rc;
}

enum dvt_code
cli_send(struct cli *c, const char *method, const char *target,
    const char *type, struct dvt_span body, json_t **out, struct dvt_err *err)
{
	char *bearer = dvt_asprintf("Bearer %.*s", (int)c->token.n,
	    c->token.n > 0 ? (const char *)c->token.p : "");
	const struct dvt_http_header header = {"Authorization", bearer};
	struct dvt_tls_conn_config peer = {0};
	struct taken t = {0};
	struct dvt_addr addrs[4];
	char host[DVT_ADDR_TEXT] = "localhost";
	enum dvt_code rc;

	if (out != NULL)
		*out = NULL;
	dvt_buf_init(&t.body, ANSWER_MAX);
	if ((rc = peer_of(c, addrs, host, sizeof(host), &peer, err)) ==
	    DVT_OK) {
		const struct dvt_http_ask ask = {.method = method,
		    .target = target,
		    .host = host,
		    .headers = &header,
		    .headers_n = c->token.n > 0 ? 1 : 0,
		    .content_type = type,
		    .body = body,
		    .deadline_ms = DEADLINE_MS,
		    .max_body = ANSWER_MAX};

		rc = dvt_http_once(&peer, &ask, take_answer, &t, err);
		if (rc != DVT_OK)
			dvt_err_prefix(err, "control plane at %s",
			    c->url != NULL ? c->url : c->socket);
	}
	if (rc == DVT_OK)
		rc = read_answer(c, &t, out, err);
	SSL_CTX_free(peer.ctx);
	dvt_buf_fini(&t.body);
	dvt_cleanse(bearer, strlen(bearer));
	free(bearer);
	return rc;
}

enum dvt_code
cli_call(struct cli *c, const char *method, const char *target,
    const json_t *body, json_t **out, struct dvt_err *err)
{
	struct dvt_buf text;
	enum dvt_code rc;

	dvt_buf_init(&text, ANSWER_MAX);
	if (body != NULL)
		dvt_json_put(&text, body);
	rc = cli_send(c, method, target,
	    body == NULL ? NULL : "application/json", dvt_buf_span(&text), out,
	    err);
	dvt_buf_fini(&text);
	return rc;
}

enum dvt_code
cli_list(struct cli *c, const char *target, json_t **items, struct dvt_err *err)
{
	json_t *all = json_array(), *page;
	char *next = NULL;
	enum dvt_code rc;

	*items = NULL;
	do {
		struct dvt_buf at;

		dvt_buf_init(&at, DVT_URI_MAX);
		dvt_buf_puts(&at, target);
		cli_query(&at, "after", next);
		free(next);
		next = NULL;
		rc = cli_call(c, "GET", dvt_buf_str(&at), NULL, &page, err);
		dvt_buf_fini(&at);
		if (rc != DVT_OK)
			break;
		json_array_extend(all, json_object_get(page, "items"));
		next = dvt_strdup(
		    json_string_value(json_object_get(page, "next")));
		json_decref(page);
	} while (next != NULL);
	if (rc == DVT_OK)
		*items = all;
	else
		json_decref(all);
	return rc;
}

void
cli_segment(struct dvt_buf *target, const char *text)
{
	for (; *text != '\0'; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~:", *text))
			dvt_buf_putc(target, *text);
		else
			dvt_buf_printf(target, "%%%02X", (unsigned char)*text);
	}
}

void
cli_query(struct dvt_buf *target, const char *key, const char *value)
{
	if (value == NULL)
		return;
	dvt_buf_putc(target, strchr(dvt_buf_str(target), '?') ? '&' : '?');
	dvt_buf_printf(target, "%s=", key);
	cli_segment(target, value);
}

enum dvt_code
cli_read_file(const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	enum dvt_code rc;
	int fd;

	if (strcmp(path, "-") == 0) {
		fd = dup(STDIN_FILENO);
	} else {
		/* a FIFO nobody writes to is empty, not a wait for ever */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0)
			(void)fcntl(fd, F_SETFL, O_RDONLY);
	}
	if (fd < 0)
		return dvt_fail_errno(err, "%s", path);
	rc = dvt_read_fd(fd, path, out, err);
	close(fd);
	return rc;
}
