/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCSP response for the device's own certificate, beside its chain
 * (generations/N/ocsp.der), for local TLS servers to staple. Asked for over
 * plain HTTP as RFC 6960 appendix A has it: the answer proves itself.
 */
#include "agent/program.h"

#include "base/log.h"
#include "device/generation.h"
#include "durable/atomic.h"
#include "http/client.h"
#include "pki/staple.h"
#include "pki/x509.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_NAME   "ocsp.der"
#define ASK_MS      10000
#define AGAIN_S     300 /* after a failure */
#define LEAST_S     60  /* between two that went well */
#define LONGEST_S   86400
#define REQUEST_MAX 4096 /* bytes */

struct ocsp_work {
	struct program *p;
	struct dvt_timer *timer;
	struct dvt_http_client *http;
	bool busy;
	int64_t generation; /* it is about; 0: none yet */
};

static void
settle(struct ocsp_work *w, int64_t wait_s)
{
	w->busy = false;
	if (w->p->ended && !agent_event_hook_busy(w->p->event_hook))
		dvt_loop_stop(w->p->loop);
	dvt_timer_start(w->timer, wait_s * 1000);
}

static void
give_up(struct ocsp_work *w, const struct dvt_err *err)
{
	log_event(LOG_NOTICE, "agent.ocsp.failed", LE(err));
	settle(w, AGAIN_S);
}

/* Of the flight, of the bundle's issuing CAs, or an anchor; or NULL. */
static X509 *
issuer_of(const struct program *p, const struct dvt_agent_credential *c)
{
	const struct dvt_agent_trust *t = dvt_agent_trust(p->agent);
	const struct dvt_trust *lists[2] = {
	    t == NULL ? NULL : t->issuing, t == NULL ? NULL : t->trust};
	X509 *leaf = c->chain.cert[0];

	if (c->chain.n > 1)
		return c->chain.cert[1];
	for (size_t k = 0; k < DVT_COUNT(lists); k++)
		for (size_t i = 0;
		     lists[k] != NULL && i < dvt_trust_count(lists[k]); i++)
			if (dvt_x509_is_issued_by(
				leaf, dvt_trust_get(lists[k], i)))
				return dvt_trust_get(lists[k], i);
	return NULL;
}

/* "http://host[:port]/path" of the certificate (RFC 5280 section 4.2.2.1). */
static bool
url_of(X509 *leaf, char authority[DVT_HOST_MAX + 8], char path[DVT_URI_MAX])
{
	STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(leaf);
	bool found = false;

	for (int i = 0; !found && i < sk_OPENSSL_STRING_num(urls); i++) {
		const char *url = sk_OPENSSL_STRING_value(urls, i);
		const char *at = url + 7;
		size_t n;

		if (strncmp(url, "http://", 7) != 0)
			continue;
		n = strcspn(at, "/");
		if (n == 0 || n > DVT_HOST_MAX || strlen(at + n) >= DVT_URI_MAX)
			continue;
		memcpy(authority, at, n);
		authority[n] = '\0';
		if (strchr(authority, ':') == NULL)
			memcpy(authority + n, ":80", 4);
		(void)snprintf(
		    path, DVT_URI_MAX, "%s", at[n] == '\0' ? "/" : at + n);
		found = true;
	}
	X509_email_free(urls);
	return found;
}

static enum dvt_code
make_request(X509 *leaf, X509 *issuer, struct dvt_buf *out, struct dvt_err *err)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), leaf, issuer);
	uint8_t *der = NULL;
	int n = -1;

	if (req != NULL && id != NULL &&
	    OCSP_request_add0_id(req, id) != NULL) {
		id = NULL; /* now the request's */
		n = i2d_OCSP_REQUEST(req, &der);
	}
	if (n > 0)
		dvt_buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(req);
	return n > 0 ? dvt_buf_ok(out, "OCSP request", err)
		     : dvt_fail(err, DVT_E_SYSTEM, "OCSP request");
}

/* Match, signature, dates; then durable, beside the chain it speaks of. */
static enum dvt_code
keep(struct ocsp_work *w, struct dvt_span der, int64_t *until,
    struct dvt_err *err)
{
	const struct dvt_agent_credential *c = dvt_agent_credential(
	    w->p->agent);
	int64_t now = dvt_agent_wall_s(w->p->agent, dvt_time_now());
	char dir[64];
	X509 *issuer;
	enum dvt_code rc;

	if (c == NULL || c->generation != w->generation ||
	    (issuer = issuer_of(w->p, c)) == NULL)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "another certificate is in use by now");
	rc = dvt_staple_check(der, c->chain.cert[0], issuer, now, until, err);
	if (rc != DVT_OK)
		return rc;
	*until -= now;
	(void)snprintf(
	    dir, sizeof(dir), DVT_GENERATIONS_DIR "/%" PRId64, c->generation);
	return dvt_atomic_replace(
	    w->p->env.fs, w->p->env.fs_ctx, dir, FILE_NAME, der, 0644, err);
}

static void
answered(void *user, const struct dvt_http_answer *a)
{
	struct ocsp_work *w = user;
	struct dvt_err err = {0};
	int64_t left = 0;
	enum dvt_code rc;

	if (a->end != DVT_HTTP_ANSWERED)
		rc = dvt_fail(&err, DVT_E_LATER, "%s", a->text);
	else if (a->status != 200)
		rc = dvt_fail(
		    &err, DVT_E_LATER, "responder: HTTP status %d", a->status);
	else
		rc = keep(w, a->body, &left, &err);
	if (rc != DVT_OK) {
		give_up(w, &err);
		return;
	}
	log_event(LOG_INFO, "agent.ocsp.kept", LI("generation", w->generation),
	    LI("left", left));
	left /= 2;
	settle(w, left < LEAST_S     ? LEAST_S
		  : left > LONGEST_S ? LONGEST_S
				     : left);
}

static void
ask(struct ocsp_work *w, const char *authority, const char *path,
    struct dvt_span request, struct dvt_err *err)
{
	struct dvt_addr to[DVT_IO_ADDRS];
	struct dvt_tls_conn_config peer = {.addrs = to};
	struct dvt_http_ask q = {.method = "POST",
	    .target = path,
	    .host = authority,
	    .content_type = "application/ocsp-request",
	    .body = request,
	    .deadline_ms = ASK_MS,
	    .max_body = DVT_STAPLE_MAX,
	    .repeat_safe = true};

	if (dvt_addr_resolve(authority, to, DVT_IO_ADDRS, &peer.addrs_n, err) !=
	    DVT_OK) {
		give_up(w, err);
		return;
	}
	dvt_http_client_free(w->http);
	w->http = dvt_http_client_new(w->p->loop, &peer);
	w->busy = true;
	dvt_http_client_ask(w->http, &q, answered, w);
}

static void
begin(void *user)
{
	struct ocsp_work *w = user;
	const struct dvt_agent_credential *c = dvt_agent_credential(
	    w->p->agent);
	char authority[DVT_HOST_MAX + 8], path[DVT_URI_MAX];
	struct dvt_buf request;
	struct dvt_err err = {0};
	X509 *issuer;

	if (c == NULL || w->busy || !url_of(c->chain.cert[0], authority, path))
		return;
	if ((issuer = issuer_of(w->p, c)) == NULL) {
		(void)dvt_fail(&err, DVT_E_ABSENT,
		    "the issuer of the certificate is not known here");
		give_up(w, &err);
		return;
	}
	dvt_buf_init(&request, REQUEST_MAX);
	if (make_request(c->chain.cert[0], issuer, &request, &err) == DVT_OK)
		ask(w, authority, path, dvt_buf_span(&request), &err);
	else
		give_up(w, &err);
	dvt_buf_fini(&request);
}

struct ocsp_work *
agent_ocsp_new(struct program *p)
{
	struct ocsp_work *w;

	if (!dvt_config_bool(p->config, "agent.ocsp"))
		return NULL;
	w = dvt_alloc(sizeof(*w));
	w->p = p;
	w->timer = dvt_timer_new(p->loop, begin, w);
	return w;
}

void
agent_ocsp_free(struct ocsp_work *w)
{
	if (w == NULL)
		return;
	dvt_http_client_free(w->http);
	dvt_timer_free(w->timer);
	free(w);
}

void
agent_ocsp_look(struct ocsp_work *w)
{
	const struct dvt_agent_credential *c;

	if (w == NULL || w->busy ||
	    (c = dvt_agent_credential(w->p->agent)) == NULL ||
	    c->generation == w->generation)
		return;
	w->generation = c->generation;
	begin(w);
}

bool
agent_ocsp_busy(const struct ocsp_work *w)
{
	return w != NULL && w->busy;
}
