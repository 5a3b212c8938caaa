/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front is an edge: it applies the feed that core pushes, makes keys when
 * it is ordered to, and reports what it saw and did.
 */
#include "base/log.h"
#include "dovetaild/front_priv.h"
#include "pki/csr.h"

#include <stdlib.h>

#define REPORT_SOON_MS 200
#define REPORT_MS      2000
#define REPORT_BODY    (1024 * 1024)

/* --- the feed --- */

static bool
serves(struct front *f)
{
	struct dvt_http_listen l = {
	    .fd = f->program->device_fd[f->index],
	    .tls = front_tls_ctx(f),
	    .conns_max = (size_t)dvt_config_int(
		f->program->config, "device.connections"),
	    .request_ms = dvt_config_int(
		f->program->config, "device.requestTimeout"),
	    .proxied = front_tls_proxied,
	    .prepare = front_tls_prepare,
	    .closing = front_tls_closing,
	    .user = f,
	};
	struct dvt_err err = {0};

	if (f->device != NULL)
		return true;
	if (l.tls == NULL)
		return false;
	if (dvt_http_server_listen(f->http, &l, &f->device, &err) != DVT_OK) {
		log_event(LOG_CRIT, "front.listen.failed", LE(&err));
		return false;
	}
	return true;
}

static void
start_operators(struct front *f)
{
	struct dvt_http_listen l = {.fd = f->program->operator_fd[f->index],
	    .write_ms = dvt_config_int(
		f->program->config, "operator.writeTimeout"),
	    .user = f};
	struct dvt_err err = {0};

	if (l.fd < 0 || f->operators != NULL)
		return;
	if (front_operator_ctx(f, &l.tls, &err) != DVT_OK ||
	    dvt_http_server_listen(f->http, &l, &f->operators, &err) != DVT_OK)
		log_event(LOG_CRIT, "front.listen.failed", LE(&err));
	SSL_CTX_free(l.tls);
}

/* The state built aside is whole: from now on it is the one. */
static void
exchange(struct front *f)
{
	struct dvt_feed *old = f->feed;

	f->feed = f->fresh;
	f->fresh = NULL;
	if (front_tls_update(f)) {
		dvt_feed_free(old);
		return;
	}
	dvt_feed_free(f->feed);
	f->feed = old;
}

void
front_feed(struct front *f, struct dvt_span answer)
{
	const unsigned shown = (1u << DVT_FEED_ANCHOR) |
			       (1u << DVT_FEED_CREDENTIAL) |
			       (1u << DVT_FEED_POLICY);
	struct dvt_err err = {0};
	struct dvt_feed_head head;
	unsigned changed = 0;
	enum dvt_code rc;

	rc = dvt_feed_apply(f->fresh != NULL ? f->fresh : f->feed, answer,
	    &head, &changed, &err);
	if (rc != DVT_OK) {
		/* core sends all of it again to a front that starts */
		log_event(LOG_CRIT, "front.feed.broken", LE(&err));
		dvt_loop_stop(f->loop);
		return;
	}
	if (f->fresh != NULL && !head.more)
		exchange(f);
	else if (f->fresh == NULL && (changed & shown))
		(void)front_tls_update(f);
	if (!f->told_ready && serves(f)) {
		start_operators(f);
		f->told_ready = true;
		peers_ready(f->peers);
	}
	dvt_timer_start(f->report, dvt_feed_position(f->feed) != f->applied
				       ? REPORT_SOON_MS
				       : REPORT_MS);
}

/* --- the report --- */

/* What was verified, and how that ended. */
static void
log_certificate(const struct front *f, const struct dvt_handshake *h)
{
	if (!dvt_config_bool(
		f->program->config, "security.logging.cert.validation"))
		return;
	log_event(LOG_NOTICE, "front.certificate",
	    LS("result", h->x509_error != X509_V_OK
			     ? X509_verify_cert_error_string(h->x509_error)
			     : dvt_hs_reason_name(h->reason)),
	    LI("x509_error", h->x509_error), LI("depth", h->depth),
	    LS("certificate", h->certificate), LS("device", h->device),
	    LS("address", h->address));
}

void
front_record(struct front *f, const struct dvt_handshake *h)
{
	if (dvt_config_bool(
		f->program->config, "security.logging.tls.handshake"))
		log_event(LOG_NOTICE, "front.handshake",
		    LS("outcome", dvt_outcome_name(h->outcome)),
		    LS("reason", dvt_hs_reason_name(h->reason)),
		    LS("address", h->address), LS("device", h->device));
	if (h->certificate[0] != '\0' || h->x509_error != X509_V_OK)
		log_certificate(f, h);
	if (f->record_n < FRONT_RECORDS_MAX)
		f->record[f->record_n++] = *h;
	if (!dvt_timer_running(f->report))
		dvt_timer_start(f->report, REPORT_SOON_MS);
}

static enum dvt_code
make_csr(struct front *f, const struct dvt_feed_csr *order, struct dvt_buf *der,
    struct dvt_err *err)
{
	EVP_PKEY *key;
	enum dvt_code rc = front_key_make(f, order->order, &key, err);

	return rc != DVT_OK ? rc
			    : dvt_csr_make_named(key, f->name,
				  (const char *const *)order->names.v,
				  order->names.n, der, err);
}

/* Every order that still stands, answered (again: it is idempotent). */
static void
add_csrs(struct front *f, struct dvt_report *r)
{
	const struct dvt_feed_entry *e = NULL;
	size_t n = dvt_feed_count(f->feed, DVT_FEED_CSR);

	if (n == 0)
		return;
	r->csrs = dvt_alloc_array(n, sizeof(*r->csrs));
	while ((e = dvt_feed_next(f->feed, DVT_FEED_CSR, e)) != NULL) {
		struct dvt_report_csr *to = &r->csrs[r->csrs_n];
		struct dvt_err err = {0};
		struct dvt_buf der;

		if (strcmp(e->u.csr.gateway, f->name) != 0)
			continue;
		dvt_buf_init(&der, DVT_CSR_DER_MAX);
		if (make_csr(f, &e->u.csr, &der, &err) != DVT_OK) {
			log_event(LOG_ERR, "front.order.failed",
			    LS("order", e->u.csr.order), LE(&err));
			dvt_buf_fini(&der);
			continue;
		}
		(void)dvt_copy_str(
		    to->order, sizeof(to->order), e->u.csr.order);
		to->der = der.p;
		to->der_n = der.n;
		r->csrs_n++;
	}
}

static void
send_report(struct front *f, struct dvt_report *r)
{
	struct dvt_msg m = {.type = DVT_MSG_OBSERVED, .fd = -1};
	struct dvt_buf body;
	struct dvt_err err;

	dvt_buf_init(&body, REPORT_BODY);
	dvt_report_format(r, (struct dvt_span){NULL, 0}, &body);
	m.body = dvt_buf_span(&body);
	if (peers_send(f->peers, DVT_ROLE_CORE, 0, &m, &err) == DVT_OK) {
		f->record_n = 0;
		f->applied = r->applied;
	}
	dvt_buf_fini(&body);
}

void
front_report_now(void *front)
{
	struct front *f = front;
	struct dvt_report r = {
	    .batch = ++f->batch,
	    .applied = dvt_feed_position(f->feed),
	    .epoch = dvt_feed_epoch(f->feed),
	    .now = dvt_loop_time(f->loop).wall_s,
	    .sessions = (int64_t)dvt_http_server_counts(f->http).conns,
	    .handshakes = f->record,
	    .handshakes_n = f->record_n,
	};

	(void)dvt_copy_str(r.version, sizeof(r.version), DVT_VERSION);
	add_csrs(f, &r);
	send_report(f, &r);
	r.handshakes = NULL; /* ours */
	r.handshakes_n = 0;
	dvt_report_fini(&r);
	if (f->fresh == NULL && f->told_ready)
		front_keys_prune(f);
	dvt_timer_start(f->report, REPORT_MS);
}
