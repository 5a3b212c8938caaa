/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's own certificate: enrolled by secret, renewed by itself. */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/feed_priv.h"
#include "gateway/secret.h"
#include "pki/csr.h"
#include "pki/key.h"
#include "pki/x509.h"
#include "proto/est.h"

#include <stdlib.h>
#include <string.h>

#define LABEL   "gateway" /* of EST: the profile */
#define LOOK_MS 3600000   /* how often its end is looked at */
#define RENEW_S (90 * 86400LL)
#define EST_MS  30000

static void enrol_send(void *feed);

/* --- when --- */

/* In its window: a third of its life left, or 90 days, what is less. */
static bool
is_due(const struct gw_feed *f)
{
	int64_t now = dvt_loop_time(f->loop).wall_s;
	int64_t end, life, window;

	if (f->identity_key == NULL)
		return true;
	end = dvt_x509_not_after(f->identity.cert[0]);
	life = end - dvt_x509_not_before(f->identity.cert[0]);
	window = life / 3 < RENEW_S ? life / 3 : RENEW_S;
	return end - now < window;
}

static void
enrol_again(struct gw_feed *f, int64_t ms)
{
	EVP_PKEY_free(f->enrol_key);
	f->enrol_key = NULL;
	dvt_timer_start(f->enrol.timer, ms);
}

/* --- the answer --- */

/* Ours first, then the others in their order. */
static enum dvt_code
chain_sort(const struct dvt_span *certs, size_t n, EVP_PKEY *key,
    struct dvt_chain *out, struct dvt_err *err)
{
	X509 *cert[DVT_EST_CERTS_MAX] = {NULL};
	size_t leaf = n;
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		rc = dvt_x509_from_der(certs[i], &cert[i], err);
		if (rc == DVT_OK && leaf == n &&
		    dvt_key_matches(key, cert[i], NULL) == DVT_OK)
			leaf = i;
	}
	if (rc == DVT_OK && leaf == n)
		rc = dvt_fail(
		    err, DVT_E_CONFLICT, "no certificate for our key");
	if (rc == DVT_OK)
		rc = dvt_chain_add(out, cert[leaf], err);
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (i != leaf && out->n < DVT_CHAIN_MAX)
			rc = dvt_chain_add(out, cert[i], err);
	for (size_t i = 0; i < n; i++)
		X509_free(cert[i]);
	return rc;
}

static enum dvt_code
answer_take(struct gw_feed *f, struct dvt_span body, struct dvt_err *err)
{
	struct dvt_span certs[DVT_EST_CERTS_MAX];
	struct dvt_chain chain = {0};
	struct dvt_buf der;
	size_t n;
	enum dvt_code rc;

	dvt_buf_init(&der, DVT_EST_BODY_MAX);
	if ((rc = dvt_est_body_decode(body, &der, NULL, err)) != DVT_OK ||
	    (rc = dvt_est_certs_parse(dvt_buf_span(&der), certs,
		 DVT_COUNT(certs), &n, err)) != DVT_OK ||
	    (rc = chain_sort(certs, n, f->enrol_key, &chain, err)) != DVT_OK ||
	    (rc = gw_identity_store(f->keys, f->enrol_key, &chain, err)) !=
		DVT_OK) {
		dvt_chain_fini(&chain);
		goto out;
	}
	EVP_PKEY_free(f->identity_key);
	f->identity_key = f->enrol_key;
	f->enrol_key = NULL;
	dvt_chain_fini(&f->identity);
	f->identity = chain;
out:
	dvt_buf_fini(&der);
	return rc;
}

static void
enrol_done(void *user, const struct dvt_http_answer *a)
{
	struct gw_feed *f = user;
	const char *after;
	int64_t delay_s;
	struct dvt_err err;
	enum dvt_code rc;

	f->enrol.busy = false;
	if (a->end == DVT_HTTP_ANSWERED && a->status == 200) {
		rc = answer_take(f, a->body, &err);
		if (rc == DVT_OK) {
			f->enrol.failures = 0;
			log_event(LOG_NOTICE, "gateway.enrolled",
			    LI("not_after",
				dvt_x509_not_after(f->identity.cert[0])));
			gw_link_identity(f);
			enrol_again(f, LOOK_MS);
			return;
		}
		log_event(LOG_ERR, "gateway.enrol.failed", LE(&err));
		f->enrol.failures++;
	} else {
		gw_line_failed(&f->enrol, "enrol", a);
	}
	after = a->end == DVT_HTTP_ANSWERED
		    ? dvt_http_answer_header(a, "Retry-After")
		    : NULL;
	if (after != NULL &&
	    dvt_est_retry_after_parse(dvt_span_str(after),
		dvt_loop_time(f->loop).wall_s, &delay_s, NULL) == DVT_OK &&
	    delay_s > 0)
		enrol_again(f, delay_s < 3600 ? delay_s * 1000 : LOOK_MS);
	else
		enrol_again(f, gw_line_pause_ms(f->enrol.failures));
}

/* --- the request --- */

static enum dvt_code
request_make(struct gw_feed *f, struct dvt_buf *body, struct dvt_buf *basic,
    struct dvt_err *err)
{
	struct dvt_secret secret = {0};
	struct dvt_buf der;
	enum dvt_code rc;

	dvt_buf_init(&der, DVT_CSR_DER_MAX);
	if (f->identity_key == NULL) {
		if ((rc = gw_secret_read(
			 &f->program->settings, &secret, err)) != DVT_OK)
			goto out;
		dvt_est_basic_put(basic, f->program->settings.name, &secret);
	}
	if ((rc = gw_line_open(f, &f->enrol, f->identity_key == NULL, err)) !=
		DVT_OK ||
	    (rc = gw_identity_next_key(f->keys, &f->enrol_key, err)) !=
		DVT_OK ||
	    (rc = dvt_csr_make_named(f->enrol_key, f->program->settings.name,
		 NULL, 0, &der, err)) != DVT_OK)
		goto out;
	dvt_est_body_put(body, dvt_buf_span(&der), DVT_EST_ONE_LINE);
out:
	dvt_secret_free(&secret);
	dvt_buf_fini(&der);
	return rc;
}

static void
enrol_send(void *feed)
{
	struct gw_feed *f = feed;
	struct dvt_buf body, basic, path;
	struct dvt_http_header header = {"Authorization", NULL};
	struct dvt_http_ask ask = {
	    .method = "POST",
	    .host = f->program->settings.control_host,
	    .headers = &header,
	    .content_type = DVT_EST_TYPE_CSR,
	    .deadline_ms = EST_MS,
	    .max_body = DVT_EST_BODY_MAX,
	    .repeat_safe = true,
	};
	struct dvt_err err;

	if (f->stopping || f->enrol.busy)
		return;
	if (!is_due(f)) {
		enrol_again(f, LOOK_MS);
		return;
	}
	dvt_buf_init(&body, DVT_EST_BODY_MAX);
	dvt_buf_init(&basic, 4096);
	dvt_buf_init(&path, 256);
	if (request_make(f, &body, &basic, &err) != DVT_OK) {
		if (f->enrol.failures++ == 0)
			log_event(LOG_ERR, "gateway.enrol.failed", LE(&err));
		enrol_again(f, gw_line_pause_ms(f->enrol.failures));
		goto out;
	}
	dvt_est_path_put(&path,
	    f->identity_key == NULL ? DVT_EST_ENROLL : DVT_EST_REENROLL, LABEL);
	ask.target = dvt_buf_str(&path);
	ask.body = dvt_buf_span(&body);
	if (basic.n > 0) {
		header.value = dvt_buf_str(&basic);
		ask.headers_n = 1;
	}
	f->enrol.busy = true;
	dvt_http_client_ask(f->enrol.http, &ask, enrol_done, f);
out:
	dvt_buf_fini(&body);
	dvt_buf_cleanse(&basic);
	dvt_buf_fini(&path);
}

enum dvt_code
gw_enrol_start(struct gw_feed *f, struct dvt_err *err)
{
	enum dvt_code rc = gw_identity_load(
	    f->keys, &f->identity_key, &f->identity, err);

	if (rc == DVT_E_INPUT || rc == DVT_E_CONFLICT || rc == DVT_E_LIMIT)
		/* as without one: by its files it serves all the same */
		log_event(LOG_ERR, "gateway.key.broken",
		    LS("file", GW_IDENTITY_FILE), LE(err));
	else if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	f->enrol.timer = dvt_timer_new(f->loop, enrol_send, f);
	dvt_timer_start(f->enrol.timer, 0);
	return DVT_OK;
}

void
gw_enrol_end(struct gw_feed *f)
{
	gw_line_close(&f->enrol);
	EVP_PKEY_free(f->enrol_key);
	EVP_PKEY_free(f->identity_key);
	dvt_chain_fini(&f->identity);
}
