/* SPDX-License-Identifier: Apache-2.0 */
/* How an attempt ended: alerts, the outcome, the record, the memory. */
#include "loop/edge_conn.h"

#include "base/mem.h"

#include <openssl/err.h>

#include <string.h>

static enum dvt_edge_word
word_of(const struct dvt_edge_conn *c)
{
	char alone[DVT_DEVICE_ID_MAX + 1];

	if (c->peer.confidence != DVT_CONF_CERTIFICATE)
		return DVT_WORD_ANY;
	if (c->ticket_device[0] != '\0')
		memcpy(alone, c->ticket_device, sizeof(alone));
	else if (dvt_edge_memory_device_at(c->edge->memory, c->rec.address,
		     c->rec.at, alone) != DVT_CONF_ADDRESS)
		return DVT_WORD_PROVEN;
	return strcmp(alone, c->peer.device) == 0 ? DVT_WORD_OWN
						  : DVT_WORD_PROVEN;
}

static void
remember(struct dvt_edge_conn *c, bool accepted)
{
	struct dvt_edge_client who = dvt_edge_client_of(c);
	struct dvt_edge_memory *m = c->edge->memory;

	if (m == NULL || c->shown == NULL)
		return;
	who.word = word_of(c);
	dvt_edge_memory_learn(m, &who, c->shown->offer, accepted, c->rec.at);
	if (c->peer.confidence == DVT_CONF_CERTIFICATE)
		dvt_edge_memory_device_seen(
		    m, c->rec.address, c->peer.device, c->rec.at);
}

/* No word of refusal, where clients often leave without one. */
static bool
just_left(const struct dvt_edge_conn *c, enum dvt_hs_reason reason)
{
	const struct dvt_edge_set *set = dvt_edge_set_used(c->edge);

	return reason == DVT_HR_CLOSED && set != NULL &&
	       dvt_edge_set_is_whole(set);
}

/* The one record; the memory first, so that the next attempt finds it. */
static void
emit(struct dvt_edge_conn *c, enum dvt_outcome outcome,
    enum dvt_hs_reason reason)
{
	struct dvt_handshake *r = &c->rec;

	if (c->peer.settled)
		return;
	c->peer.settled = true;
	r->outcome = outcome;
	r->reason = reason;
	if (outcome == DVT_HS_OK ||
	    (outcome == DVT_HS_DEVICE_REFUSED && !just_left(c, reason)))
		remember(c, outcome == DVT_HS_OK);
	(void)dvt_copy_str(r->device, sizeof(r->device), c->peer.device);
	(void)dvt_copy_str(r->confidence, sizeof(r->confidence),
	    dvt_confidence_name(c->peer.confidence));
	memcpy(c->peer.done ? r->certificate : r->claimed, c->peer.certificate,
	    DVT_DIGEST_HEX);
	if (c->edge->record != NULL)
		c->edge->record(c->edge->user, r);
}

void
dvt_edge_done(struct dvt_edge_conn *c, SSL *ssl)
{
	if (c->peer.done)
		return;
	c->peer.done = true;
	(void)dvt_copy_str(
	    c->rec.protocol, sizeof(c->rec.protocol), SSL_get_version(ssl));
	if (c->peer.certificate[0] != '\0' && c->peer.device[0] != '\0' &&
	    !c->peer.unlisted)
		c->peer.confidence = DVT_CONF_CERTIFICATE;
}

/* RFC 8446 section 6.2; what devices send for what: docs of the ladder. */
static enum dvt_hs_reason
reason_of_alert(int number)
{
	switch (number) {
	case SSL_AD_UNKNOWN_CA:
		return DVT_HR_UNKNOWN_CA;
	case SSL_AD_CERTIFICATE_EXPIRED:
		return DVT_HR_EXPIRED;
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_INTERNAL_ERROR: /* mosquitto, for a wrong name */
		return DVT_HR_BAD_CERTIFICATE;
	default:
		return DVT_HR_PROTOCOL;
	}
}

void
dvt_edge_alert_in(struct dvt_edge_conn *c, int level, int number)
{
	if (c->peer.settled)
		return;
	if (number == SSL_AD_CLOSE_NOTIFY) {
		c->closed_in = true;
		/* these names are there to be tried and left */
		if (c->peer.done && c->peer.probe && !c->peer.unlisted)
			emit(c, DVT_HS_OK, DVT_HR_OK);
		return;
	}
	if (level != SSL3_AL_FATAL || number == SSL_AD_USER_CANCELLED)
		return;
	c->fatal_in = true;
	c->rec.alert = number;
	c->rec.alert_out = false;
	if (c->shown != NULL)
		emit(c, DVT_HS_DEVICE_REFUSED, reason_of_alert(number));
	else
		emit(c, DVT_HS_NETWORK, DVT_HR_PROTOCOL);
}

void
dvt_edge_alert_out(struct dvt_edge_conn *c, int level, int number)
{
	unsigned long e = ERR_peek_last_error();

	if (c->peer.settled || level != SSL3_AL_FATAL)
		return;
	if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
	    ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		/* it has left: OpenSSL 3 says so to nobody, as an alert */
		dvt_edge_conclude(c, DVT_EDGE_CLOSED);
		return;
	}
	c->rec.alert = number;
	c->rec.alert_out = true;
	if (c->refused)
		emit(c, DVT_HS_EDGE_REFUSED, c->rec.reason);
	else if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
		 ERR_GET_REASON(e) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		emit(c, DVT_HS_EDGE_REFUSED, DVT_HR_NO_CERTIFICATE);
	else if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
		 ERR_GET_REASON(e) == SSL_R_EXCESSIVE_MESSAGE_SIZE)
		emit(c, DVT_HS_EDGE_REFUSED, DVT_HR_BAD_CERTIFICATE);
	else
		emit(c, DVT_HS_EDGE_REFUSED, DVT_HR_PROTOCOL);
}

void
dvt_edge_byte(struct dvt_edge_conn *c, SSL *ssl)
{
	if (c->peer.unlisted)
		return; /* not before it is admitted */
	emit(c, DVT_HS_OK, DVT_HR_OK);
	SSL_set_msg_callback(ssl, NULL); /* nothing more to see */
}

void
dvt_edge_pass(SSL *ssl, struct dvt_span hello)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	if (c == NULL)
		return;
	dvt_edge_hello(c, hello);
	c->hello.authorities = (struct dvt_span){NULL, 0};
	c->hello.first_ticket = (struct dvt_span){NULL, 0};
	emit(c, DVT_HS_PASSED, DVT_HR_OK);
}

void
dvt_edge_settle(SSL *ssl)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	if (c != NULL && c->peer.done && !c->peer.unlisted)
		emit(c, DVT_HS_OK, DVT_HR_OK);
}

void
dvt_edge_admit(SSL *ssl, const char *device)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	if (c == NULL || !c->peer.unlisted)
		return;
	if (device == NULL) {
		emit(c, DVT_HS_EDGE_REFUSED, DVT_HR_UNKNOWN_DEVICE);
		return;
	}
	c->peer.unlisted = false;
	if (dvt_copy_str(c->peer.device, sizeof(c->peer.device), device) == 0)
		c->peer.confidence = DVT_CONF_CERTIFICATE;
	if (c->closed_in && c->peer.probe)
		emit(c, DVT_HS_OK, DVT_HR_OK);
}

void
dvt_edge_refuse(SSL *ssl, enum dvt_hs_reason reason)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	if (c != NULL && c->peer.done)
		emit(c, DVT_HS_EDGE_REFUSED, reason);
}

/* Handshake complete, no byte of application data since. */
static void
conclude_done(struct dvt_edge_conn *c, enum dvt_edge_how how)
{
	if (c->peer.unlisted)
		emit(c, DVT_HS_EDGE_REFUSED, DVT_HR_UNKNOWN_DEVICE);
	else if (how == DVT_EDGE_LOCAL || how == DVT_EDGE_TIMEOUT)
		emit(c, DVT_HS_OK, DVT_HR_OK);
	else if (how == DVT_EDGE_RESET)
		emit(c, DVT_HS_DEVICE_REFUSED, DVT_HR_RESET);
	else
		emit(c, DVT_HS_DEVICE_REFUSED, DVT_HR_CLOSED);
}

static void
conclude_half(struct dvt_edge_conn *c, enum dvt_edge_how how)
{
	/* once it has seen our chain, going away is an answer to it */
	enum dvt_outcome gone = c->shown != NULL ? DVT_HS_DEVICE_REFUSED
						 : DVT_HS_NETWORK;

	switch (how) {
	case DVT_EDGE_CLOSED:
		emit(c, gone, DVT_HR_CLOSED);
		break;
	case DVT_EDGE_RESET:
		emit(c, gone, DVT_HR_RESET);
		break;
	case DVT_EDGE_TIMEOUT:
		emit(c, DVT_HS_NETWORK, DVT_HR_TIMEOUT);
		break;
	case DVT_EDGE_LOCAL:
		emit(c, DVT_HS_NETWORK, DVT_HR_CLOSED);
		break;
	case DVT_EDGE_ERROR:
		emit(c, DVT_HS_EDGE_REFUSED, DVT_HR_PROTOCOL);
		break;
	}
}

void
dvt_edge_conclude(struct dvt_edge_conn *c, enum dvt_edge_how how)
{
	if (c->peer.settled || (!c->heard && how != DVT_EDGE_ERROR)) {
		c->peer.settled = true;
		return;
	}
	if (c->peer.done)
		conclude_done(c, how);
	else if (c->refused)
		emit(c, DVT_HS_EDGE_REFUSED, c->rec.reason);
	else
		conclude_half(c, how);
}

void
dvt_edge_end(SSL *ssl, enum dvt_edge_how how)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	if (c != NULL)
		dvt_edge_conclude(c, how);
}
