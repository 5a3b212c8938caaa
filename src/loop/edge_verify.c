/* SPDX-License-Identifier: Apache-2.0 */
/* The client's certificate: pins, denials, the path, our own checks. */
#include "loop/edge_conn.h"

#include "base/mem.h"
#include "pki/key.h"

#include <openssl/x509_vfy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A refusal: OpenSSL's number (it chooses the alert by it) and our word. */
struct refusal {
	int error;
	int depth;
	enum dvt_hs_reason reason;
};

static const struct refusal fine = {X509_V_OK, -1, DVT_HR_OK};

static struct refusal
denied(enum dvt_deny_reason why)
{
	switch (why) {
	case DVT_DENY_SUPERSEDED:
		return (struct refusal){
		    X509_V_ERR_CERT_REVOKED, 0, DVT_HR_DENIED_SUPERSEDED};
	case DVT_DENY_BLOCKED:
		return (struct refusal){
		    X509_V_ERR_CERT_REJECTED, 0, DVT_HR_DENIED_BLOCKED};
	case DVT_DENY_REVOKED:
	case DVT_DENY_N:
		break;
	}
	return (struct refusal){
	    X509_V_ERR_CERT_REVOKED, 0, DVT_HR_DENIED_REVOKED};
}

static bool
is_listed(const struct dvt_edge_set *set, X509 *cert)
{
	return dvt_edge_set_revoked(set, cert) ||
	       dvt_edge_set_denies(set, &cert, 1);
}

static bool
is_pinned(const struct dvt_edge_conn *c, const struct dvt_feed_entry *device)
{
	return device != NULL &&
	       strcmp(device->u.device.pin, c->peer.certificate) == 0;
}

/* What the feed says against this certificate and its device. */
static struct refusal
check_denied(const struct dvt_edge *e, const char *fingerprint,
    const struct dvt_feed_entry *device)
{
	const struct dvt_feed_entry *d;

	if (e->feed == NULL)
		return fine;
	d = dvt_feed_get(e->feed, DVT_FEED_DENY, fingerprint);
	if (d != NULL && !(d->u.deny.reason == DVT_DENY_SUPERSEDED &&
			     (e->flags & DVT_EDGE_MEND) != 0))
		return denied(d->u.deny.reason);
	if (device != NULL &&
	    (strcmp(device->u.device.state, "blocked") == 0 ||
		strcmp(device->u.device.state, "retired") == 0))
		return denied(DVT_DENY_BLOCKED);
	return fine;
}

static enum dvt_hs_reason
reason_of(int error)
{
	switch (error) {
	case X509_V_OK:
		return DVT_HR_OK;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return DVT_HR_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return DVT_HR_NOT_YET_VALID;
	case X509_V_ERR_CERT_REVOKED:
		return DVT_HR_DENIED_REVOKED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return DVT_HR_UNKNOWN_CA;
	default:
		return DVT_HR_BAD_CERTIFICATE;
	}
}

/* The dates of a certificate that is accepted by its fingerprint. */
static struct refusal
check_dates(X509 *leaf, int64_t now)
{
	if (dvt_x509_not_after(leaf) < now)
		return (struct refusal){
		    X509_V_ERR_CERT_HAS_EXPIRED, 0, DVT_HR_EXPIRED};
	if (dvt_x509_not_before(leaf) > now)
		return (struct refusal){
		    X509_V_ERR_CERT_NOT_YET_VALID, 0, DVT_HR_NOT_YET_VALID};
	return fine;
}

/* The flight, and the issuing CAs we hold for who sends only a leaf. */
static enum dvt_code
flight_of(
    const struct dvt_edge_conn *c, X509_STORE_CTX *ctx, struct dvt_chain *out)
{
	X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
	STACK_OF(X509) *rest = X509_STORE_CTX_get0_untrusted(ctx);
	X509 *const *issuers;
	size_t n;
	enum dvt_code rc = dvt_chain_add(out, leaf, NULL);

	for (int i = 0; rc == DVT_OK && i < sk_X509_num(rest); i++)
		if (X509_cmp(sk_X509_value(rest, i), leaf) != 0)
			rc = dvt_chain_add(out, sk_X509_value(rest, i), NULL);
	if (rc != DVT_OK || out->n > 1)
		return rc;
	issuers = dvt_edge_set_issuers(c->set, &n);
	for (size_t i = 0; i < n && out->n < DVT_CHAIN_MAX; i++)
		if (dvt_x509_is_issued_by(leaf, issuers[i]) &&
		    (rc = dvt_chain_add(out, issuers[i], NULL)) != DVT_OK)
			return rc;
	return DVT_OK;
}

/*
 * A verdict on the same certificate, under the set that is in use: a
 * connection that began with the one before is not helped by it, nor helps.
 */
static struct dvt_verdict_cache *
verdicts_of(const struct dvt_edge_conn *c)
{
	return c->set == c->edge->set ? c->edge->verdicts : NULL;
}

static bool
is_known_good(struct dvt_edge_conn *c, const uint8_t *digest, int64_t now)
{
	struct dvt_verdict_cache *v = verdicts_of(c);
	struct dvt_verdict_dates dates;

	if (v == NULL || !dvt_verdict_cache_get(v, digest, now, &dates))
		return false;
	c->not_after = dates.not_after;
	c->path = dates.path;
	return true;
}

static void
keep_verdict(struct dvt_edge_conn *c, const uint8_t *digest,
    const struct dvt_verdict *verdict)
{
	struct dvt_verdict_cache *v = verdicts_of(c);
	struct dvt_verdict_dates dates = {
	    verdict->not_before, verdict->not_after, c->path};

	c->not_after = verdict->not_after;
	/* without a path it has to be shown again */
	if (v != NULL && c->path != 0)
		dvt_verdict_cache_put(v, digest, &dates);
}

/* In the mend lane an ended certificate is judged as of its end: who it is
 * stands, and what it may do is decided by who asked for the lane. */
static int64_t
judged_at(const struct dvt_edge *e, X509 *leaf, int64_t now)
{
	int64_t end;

	if ((e->flags & DVT_EDGE_MEND) == 0)
		return now;
	end = dvt_x509_not_after(leaf);
	return end <= now ? end - 1 : now;
}

/* By how much a date was missed: a device whose clock or renewal is at fault
 * is told by it from one that was forgotten. */
static void
note_dates(struct dvt_edge_conn *c, enum dvt_hs_reason reason,
    const struct dvt_chain *flight, int64_t now)
{
	for (size_t i = 0; i < flight->n && c->rec.date_s == 0; i++) {
		int64_t begin = dvt_x509_not_before(flight->cert[i]);
		int64_t end = dvt_x509_not_after(flight->cert[i]);

		if (reason == DVT_HR_EXPIRED && end <= now)
			c->rec.date_s = now - end;
		else if (reason == DVT_HR_NOT_YET_VALID && begin > now)
			c->rec.date_s = now - begin;
	}
}

static void
on_path(void *conn, const STACK_OF(X509) * path)
{
	struct dvt_edge_conn *c = conn;

	c->path = dvt_edge_paths_keep(c->edge->paths, path);
}

/* In words, where one number stands for many things. */
static void
note_detail(struct dvt_edge_conn *c, const char *reason)
{
	if (reason != NULL)
		(void)snprintf(
		    c->rec.detail, sizeof(c->rec.detail), "%s", reason);
}

static struct refusal
check_path(struct dvt_edge_conn *c, X509_STORE_CTX *ctx, const uint8_t *digest,
    int64_t now)
{
	struct dvt_chain flight = {0};
	struct dvt_verify how = {.purpose = DVT_FOR_CLIENT,
	    .now = now,
	    .max_depth = dvt_edge_set_max_depth(c->set),
	    .edge = true,
	    .path = on_path,
	    .path_arg = c};
	struct dvt_verdict verdict;
	struct refusal r = fine;

	if (flight_of(c, ctx, &flight) != DVT_OK) {
		r = (struct refusal){X509_V_ERR_CERT_CHAIN_TOO_LONG,
		    DVT_CHAIN_MAX, DVT_HR_BAD_CERTIFICATE};
	} else if (dvt_edge_set_denies(c->set, flight.cert, flight.n)) {
		r = denied(DVT_DENY_REVOKED);
	} else if (dvt_trust_verify(dvt_edge_set_trust(c->set), &flight, &how,
		       &verdict, NULL) != DVT_OK) {
		r = (struct refusal){
		    verdict.error, verdict.depth, reason_of(verdict.error)};
		if (r.error == X509_V_OK) /* no verdict but a failure */
			r.error = X509_V_ERR_UNSPECIFIED;
		if (r.reason == DVT_HR_OK)
			r.reason = DVT_HR_BAD_CERTIFICATE;
		note_dates(c, r.reason, &flight, now);
		note_detail(c, verdict.reason);
		if (r.error == X509_V_ERR_APPLICATION_VERIFICATION)
			r.error = X509_V_ERR_INVALID_PURPOSE; /* its alert */
	} else {
		keep_verdict(c, digest, &verdict);
	}
	dvt_chain_fini(&flight);
	return r;
}

/* Fill in who it says it is; proven only when the handshake is complete. */
static const struct dvt_feed_entry *
identify(struct dvt_edge_conn *c, X509 *leaf, uint8_t digest[DVT_VERDICT_KEY])
{
	const struct dvt_feed_entry *device = NULL;
	char cn[DVT_DN_TEXT];
	size_t n;

	dvt_x509_fingerprint(leaf, c->peer.certificate);
	if (dvt_unhex(c->peer.certificate, digest, DVT_VERDICT_KEY, &n, NULL) !=
		DVT_OK ||
	    n != DVT_VERDICT_KEY)
		abort(); /* out of memory: base/mem.h's rule */
	if (dvt_copy_str(c->peer.common_name, sizeof(c->peer.common_name),
		dvt_x509_common_name(leaf, cn)) != 0)
		c->peer.common_name[0] = '\0';
	if (c->edge->feed != NULL)
		device = dvt_feed_device_by_certificate(
		    c->edge->feed, c->peer.certificate);
	return device;
}

/*
 * Whose the certificate is: by the lists, where the feed has them; else, as a
 * claim, by its common name. "" when it tells of no device.
 */
static const char *
owner_of(const struct dvt_edge_conn *c, const struct dvt_feed_entry *device)
{
	const struct dvt_feed *feed = c->edge->feed;
	const char *claimed = c->peer.common_name;
	const struct dvt_feed_entry *d;

	if (device != NULL)
		return device->key;
	if (!dvt_edge_has_inventory(c->edge))
		return claimed;
	d = dvt_feed_get(feed, DVT_FEED_DENY, c->peer.certificate);
	if (d != NULL && d->u.deny.device[0] != '\0')
		return d->u.deny.device;
	/* a ticket of ours says more than a name that anybody can write */
	if (c->peer.confidence != DVT_CONF_TICKET && claimed[0] != '\0' &&
	    dvt_feed_get(feed, DVT_FEED_DEVICE, claimed) != NULL)
		return claimed;
	return "";
}

/* With a certificate shown, who else was seen at its address is no hint. */
static void
name_it(struct dvt_edge_conn *c, const struct dvt_feed_entry *device)
{
	const char *id = owner_of(c, device);

	if (id[0] != '\0') {
		/* shown, not proven yet: no better than a name it asked for */
		memcpy(c->peer.device, id, strlen(id) + 1);
		c->peer.confidence = DVT_CONF_NAME;
	} else if (c->peer.confidence > DVT_CONF_NAME ||
		   !dvt_edge_has_inventory(c->edge)) {
		c->peer.device[0] = '\0';
		c->peer.confidence = DVT_CONF_NONE;
	}
}

/*
 * In TLS 1.2 OpenSSL takes no client key of a curve that is not among our
 * groups. P-384 is none, as its key exchange costs fifteen times as much; that
 * is over by now.
 */
static void
allow_curve(SSL *ssl, X509 *leaf)
{
	static const int groups[] = {
	    NID_X25519, NID_X9_62_prime256v1, NID_secp384r1};

	if (SSL_version(ssl) == TLS1_2_VERSION &&
	    dvt_key_kind(X509_get0_pubkey(leaf)) == DVT_KEY_P384)
		(void)SSL_set1_groups(
		    ssl, (int *)(uintptr_t)groups, DVT_COUNT(groups));
}

int
dvt_edge_verify_cb(X509_STORE_CTX *ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
	const struct dvt_feed_entry *device;
	uint8_t digest[DVT_VERDICT_KEY];
	struct refusal r;
	int64_t now, at;

	(void)arg;
	if (c == NULL || c->set == NULL || leaf == NULL)
		return 0;
	now = dvt_edge_wall_s(c->edge);
	at = judged_at(c->edge, leaf, now);
	device = identify(c, leaf, digest);
	name_it(c, device);
	r = check_denied(c->edge, c->peer.certificate, device);
	if (r.error == X509_V_OK) {
		if (is_pinned(c, device))
			r = is_listed(c->set, leaf) ? denied(DVT_DENY_REVOKED)
						    : check_dates(leaf, now);
		else if (!is_known_good(c, digest, at))
			r = check_path(c, ctx, digest, at);
	}
	if (r.error == X509_V_OK) {
		c->peer.unlisted = dvt_edge_has_inventory(c->edge) &&
				   (device == NULL || c->edge->stale);
		if (!c->peer.unlisted)
			dvt_edge_ticket_give(c, ssl);
		allow_curve(ssl, leaf);
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	c->refused = true;
	c->rec.x509_error = r.error;
	c->rec.depth = r.depth;
	c->rec.reason = r.reason;
	X509_STORE_CTX_set_error(ctx, r.error);
	X509_STORE_CTX_set_error_depth(ctx, r.depth > 0 ? r.depth : 0);
	return 0;
}

/* The verdict is whole already. */
int
dvt_edge_verify_ok(int ok, X509_STORE_CTX *ctx)
{
	(void)ctx;
	return ok;
}

/*
 * By a CRL or a denied key of now, anywhere on its path. Where the path is not
 * known its client has sent it. A pinned one rests on itself alone.
 */
static bool
is_cut(const struct dvt_edge_conn *c, SSL *ssl,
    const struct dvt_feed_entry *device)
{
	const struct dvt_edge *e = c->edge;
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	STACK_OF(X509) *rest = SSL_get_peer_cert_chain(ssl);

	if (leaf == NULL || e->set == NULL)
		return false;
	if (is_listed(e->set, leaf))
		return true;
	if (is_pinned(c, device))
		return false;
	if (c->path != 0)
		return dvt_edge_paths_cut(e->paths, c->path, e->set, e->epoch);
	for (int i = 0; i < sk_X509_num(rest); i++)
		if (is_listed(e->set, sk_X509_value(rest, i)))
			return true;
	return false;
}

enum dvt_hs_reason
dvt_edge_check(SSL *ssl)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);
	const struct dvt_feed_entry *device;
	struct refusal r;

	if (c == NULL || c->edge->feed == NULL ||
	    c->peer.certificate[0] == '\0')
		return DVT_HR_OK;
	device = dvt_feed_device_by_certificate(
	    c->edge->feed, c->peer.certificate);
	r = check_denied(c->edge, c->peer.certificate, device);
	if (r.error != X509_V_OK)
		return r.reason;
	if (is_cut(c, ssl, device))
		return DVT_HR_DENIED_REVOKED;
	return device != NULL || !dvt_edge_has_inventory(c->edge)
		   ? DVT_HR_OK
		   : DVT_HR_UNKNOWN_DEVICE;
}
