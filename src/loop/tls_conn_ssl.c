/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS half of an outgoing connection: checks asked for, reasons kept. */
#include "loop/tls_conn_priv.h"

#include "loop/tls_client.h"
#include "wire/ext.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHANNEL_BINDING "EXPORTER-Channel-Binding" /* RFC 9266 */

static const char *const end_names[] = {
#define DVT_TLS_END_NAME(id, name) [id] = name,
    DVT_TLS_ENDS(DVT_TLS_END_NAME)};

const char *
dvt_tls_end_name(enum dvt_tls_end end)
{
	return (size_t)end < DVT_COUNT(end_names) ? end_names[end] : "?";
}

/* The first error of the path is the one reported; OpenSSL's SSL keeps the
 * last and no depth, and nothing of the flight. */
static int
on_verify(int ok, X509_STORE_CTX *x)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct dvt_tls_conn *c = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get_current_cert(x);
	char subject[128] = "";

	if (c->r.verify_error == X509_V_OK)
		dvt_tls_path_dates(ok, x, &c->r.valid_from, &c->r.valid_until);
	if (ok || c->r.verify_error != X509_V_OK)
		return ok;
	c->r.verify_error = X509_STORE_CTX_get_error(x);
	c->r.verify_depth = X509_STORE_CTX_get_error_depth(x);
	if (cert != NULL)
		(void)X509_NAME_oneline(
		    X509_get_subject_name(cert), subject, (int)sizeof(subject));
	(void)snprintf(c->r.text, sizeof(c->r.text), "%s (depth %d, %.100s)",
	    X509_verify_cert_error_string(c->r.verify_error), c->r.verify_depth,
	    subject);
	if (c->refused == NULL)
		c->refused = X509_chain_up_ref(
		    X509_STORE_CTX_get0_untrusted(x));
	return ok;
}

void
dvt_tls_conn_dates(const struct dvt_tls_conn *c, int64_t *from, int64_t *until)
{
	*from = c->r.valid_from;
	*until = c->r.valid_until;
}

static void
on_info(const SSL *ssl, int where, int ret)
{
	struct dvt_tls_conn *c = SSL_get_app_data(ssl);
	int number = ret & 0xff;

	if ((where & SSL_CB_ALERT) == 0 || c == NULL ||
	    number == SSL3_AD_CLOSE_NOTIFY)
		return;
	if ((where & SSL_CB_READ) != 0)
		c->r.alert = number;
	else
		c->r.alert_sent = number;
}

static bool
is_ip(const char *name)
{
	uint8_t raw[DVT_IP_BYTES];

	return dvt_ip_parse(name, raw) > 0;
}

static enum dvt_code
names_set(struct dvt_tls_conn *c, struct dvt_err *err)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
	char host[DVT_ADDR_TEXT];
	const char *name = c->verify_name;
	int ok = 1;

	if (c->server_name != NULL && !is_ip(c->server_name))
		ok = (int)SSL_set_tlsext_host_name(c->ssl, c->server_name);
	if (name == NULL)
		name = c->server_name;
	if (name == NULL) /* asked for by address: then it must be named */
		name = dvt_addr_host(&c->addrs[c->addr_next - 1], host);
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (!c->cfg.any_name && is_ip(name))
		ok &= X509_VERIFY_PARAM_set1_ip_asc(param, name);
	else if (!c->cfg.any_name)
		ok &= X509_VERIFY_PARAM_set1_host(param, name, 0);
	if (c->cfg.verify_at != 0)
		X509_VERIFY_PARAM_set_time(param, (time_t)c->cfg.verify_at);
	if (ok != 1)
		return dvt_fail(
		    err, DVT_E_SYSTEM, "TLS: bad name \"%s\"", name);
	return DVT_OK;
}

/*
 * A copy is offered: OpenSSL marks the session it was given as spent when the
 * handshake fails, and the caller wants to offer it again.
 */
static void
ticket_offer(struct dvt_tls_conn *c)
{
	SSL_SESSION *copy;

	if (c->cfg.ticket == NULL || c->no_ticket ||
	    (copy = SSL_SESSION_dup(c->cfg.ticket)) == NULL)
		return;
	(void)SSL_set_session(c->ssl, copy);
	SSL_SESSION_free(copy);
	ERR_clear_error();
}

enum dvt_code
dvt_tls_conn_ssl_start(struct dvt_tls_conn *c, struct dvt_err *err)
{
	enum dvt_code rc;

	SSL_free(c->ssl);
	ERR_clear_error();
	c->ssl = SSL_new(c->cfg.ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) {
		ERR_clear_error();
		return dvt_fail(err, DVT_E_SYSTEM, "TLS: out of memory");
	}
	SSL_set_app_data(c->ssl, c);
	SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
				 SSL_MODE_RELEASE_BUFFERS |
				 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_verify(c->ssl,
	    c->cfg.unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
	    c->cfg.unverified ? NULL : on_verify);
	SSL_set_info_callback(c->ssl, on_info);
	if (c->cfg.trust != NULL)
		(void)SSL_set1_verify_cert_store(c->ssl, c->cfg.trust);
	if ((rc = names_set(c, err)) != DVT_OK)
		return rc;
	ticket_offer(c);
	SSL_set_connect_state(c->ssl);
	return DVT_OK;
}

/* The peer is gone without a TLS reason. */
static enum dvt_tls_end
end_of_file(const struct dvt_tls_conn *c)
{
	if (c->phase != DVT_TLS_OPEN)
		return DVT_TLS_EOF;
	return c->r.in_bytes == 0 && !c->finishing ? DVT_TLS_SILENT
						   : DVT_TLS_CLOSED;
}

enum dvt_tls_end
dvt_tls_conn_ssl_why(struct dvt_tls_conn *c, int ret, int sys)
{
	int what = SSL_get_error(c->ssl, ret);
	unsigned long e = ERR_peek_error();
	const char *reason = ERR_reason_error_string(e);
	char *text = c->r.text;
	const size_t size = sizeof(c->r.text);

	ERR_clear_error();
	if (c->r.alert < 0 && ERR_GET_LIB(e) == ERR_LIB_SSL &&
	    ERR_GET_REASON(e) > SSL_AD_REASON_OFFSET &&
	    ERR_GET_REASON(e) <= SSL_AD_REASON_OFFSET + 255)
		c->r.alert = ERR_GET_REASON(e) - SSL_AD_REASON_OFFSET;
	if (c->r.alert >= 0) {
		(void)snprintf(text, size, "peer's alert %d (%s)", c->r.alert,
		    SSL_alert_desc_string_long(c->r.alert));
		return DVT_TLS_ALERT;
	}
	if (c->r.verify_error != X509_V_OK)
		return DVT_TLS_VERIFY; /* on_verify() wrote the text */
	if (what == SSL_ERROR_ZERO_RETURN)
		return end_of_file(c);
	if (what == SSL_ERROR_SYSCALL && sys != 0 && sys != EAGAIN) {
		c->r.sys = sys;
		(void)snprintf(text, size, "%s", strerror(sys));
		return DVT_TLS_RESET;
	}
	if (what == SSL_ERROR_SYSCALL ||
	    ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		(void)snprintf(text, size, "the peer closed without a word");
		return end_of_file(c);
	}
	(void)snprintf(text, size, "TLS: %s", reason != NULL ? reason : "?");
	return DVT_TLS_PROTOCOL;
}

enum dvt_code
dvt_tls_conn_exporter(
    struct dvt_tls_conn *c, uint8_t out[32], struct dvt_err *err)
{
	if (c->ssl == NULL || c->phase != DVT_TLS_OPEN || c->over)
		return dvt_fail(
		    err, DVT_E_CONFLICT, "channel binding: no open TLS");
	if (SSL_export_keying_material(c->ssl, out, 32, CHANNEL_BINDING,
		sizeof(CHANNEL_BINDING) - 1, (const uint8_t *)"", 0, 1) != 1) {
		ERR_clear_error();
		return dvt_fail(err, DVT_E_CONFLICT,
		    "channel binding: none on this connection");
	}
	return DVT_OK;
}

STACK_OF(X509) * dvt_tls_conn_flight(const struct dvt_tls_conn *c)
{
	if (c->refused != NULL)
		return c->refused;
	return c->ssl != NULL ? SSL_get_peer_cert_chain(c->ssl) : NULL;
}

SSL_SESSION *
dvt_tls_conn_ticket(struct dvt_tls_conn *c)
{
	SSL_SESSION *now = c->ssl != NULL ? SSL_get0_session(c->ssl) : NULL;

	if (now == NULL || c->phase != DVT_TLS_OPEN ||
	    SSL_version(c->ssl) < TLS1_3_VERSION ||
	    !SSL_SESSION_has_ticket(now) || !SSL_SESSION_is_resumable(now))
		return NULL;
	return SSL_SESSION_dup(now);
}
