/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identity tickets, and dates of the server's chain, on TLS that others drive:
 * they get an SSL_CTX, and make connections of it when and in what thread they
 * like, also after the agent is gone. So what a connection brings is put on a
 * shelf under a lock, and the next step takes it from there.
 *
 * A ticket is offered with a secret of chance in place of its own: nobody can
 * resume by it, which would skip the proof of the chain. A server that tries
 * all the same ends the handshake; then the ticket is not offered again.
 */
#include "libagent/libagent.h"

#include "base/mem.h"
#include "device/tls.h"
#include "loop/tls_client.h"
#include "pki/x509.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#define ILLEGAL_PARAMETER 47 /* RFC 8446 section 6.2 */
#define DECRYPT_ERROR     51
#define SECRET_MAX        64

struct libagent_shelf {
	pthread_mutex_t lock;
	unsigned refs;
	struct {
		char leaf[DVT_DIGEST_HEX];
		SSL_SESSION *session; /* came, and was not taken yet */
		bool spoilt;
	} of[DVT_TICKET_N];
	/* of the control plane's chain, as last verified; 0: not known */
	int64_t valid_from, valid_until;
};

/* What hangs on one SSL_CTX. */
struct hook {
	struct libagent_shelf *shelf;
	enum dvt_ticket_of of;
	char leaf[DVT_DIGEST_HEX];
	SSL_SESSION *offer; /* NULL: none */
	bool dates;         /* of the chain are of interest */
};

static int hook_index = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* --- the shelf --- */

struct libagent_shelf *
libagent_shelf_new(void)
{
	struct libagent_shelf *s = dvt_alloc(sizeof(*s));

	(void)pthread_mutex_init(&s->lock, NULL);
	s->refs = 1;
	return s;
}

void
libagent_shelf_free(struct libagent_shelf *s)
{
	unsigned left;

	if (s == NULL)
		return;
	(void)pthread_mutex_lock(&s->lock);
	left = --s->refs;
	(void)pthread_mutex_unlock(&s->lock);
	if (left > 0)
		return;
	for (size_t i = 0; i < DVT_TICKET_N; i++)
		SSL_SESSION_free(s->of[i].session);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static void
put(const struct hook *h, SSL_SESSION *session, bool spoilt)
{
	struct libagent_shelf *s = h->shelf;

	(void)pthread_mutex_lock(&s->lock);
	SSL_SESSION_free(s->of[h->of].session);
	s->of[h->of].session = session;
	s->of[h->of].spoilt = spoilt;
	memcpy(s->of[h->of].leaf, h->leaf, sizeof(h->leaf));
	(void)pthread_mutex_unlock(&s->lock);
}

static bool
is_of(const struct dvt_agent_credential *c, const char *leaf)
{
	char fp[DVT_DIGEST_HEX];

	if (c == NULL)
		return false;
	dvt_x509_fingerprint(c->chain.cert[0], fp);
	return strcmp(fp, leaf) == 0;
}

/* Of the current credential, or the one on trial. */
static const struct dvt_agent_credential *
whose(struct dovetail_agent *a, const char *leaf)
{
	const struct dvt_agent_credential *c = dvt_agent_credential(a->agent);

	if (is_of(c, leaf))
		return c;
	c = a->want.kind == DVT_WANT_PROBE ? a->want.u.probe.credential : NULL;
	return is_of(c, leaf) ? c : NULL;
}

void
libagent_tickets_take(struct dovetail_agent *a)
{
	struct libagent_shelf *s = a->shelf;

	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < DVT_TICKET_N; i++) {
		const struct dvt_agent_credential *c = NULL;

		if (s->of[i].session != NULL || s->of[i].spoilt)
			c = whose(a, s->of[i].leaf);
		if (c != NULL && s->of[i].session != NULL)
			dvt_agent_tls_keep(a->agent, i, c, s->of[i].session);
		else if (c != NULL)
			dvt_agent_ticket_drop(a->agent, i);
		else
			SSL_SESSION_free(s->of[i].session);
		s->of[i].session = NULL;
		s->of[i].spoilt = false;
	}
	(void)pthread_mutex_unlock(&s->lock);
}

/* --- an SSL_CTX --- */

static void
hook_free(
    void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	struct hook *h = ptr;

	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	if (h == NULL)
		return;
	SSL_SESSION_free(h->offer);
	libagent_shelf_free(h->shelf);
	free(h);
}

static void
make_index(void)
{
	hook_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, hook_free);
}

static struct hook *
hook_of(const SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), hook_index);
}

static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	const struct hook *h = hook_of(ssl);

	if (h == NULL || SSL_version(ssl) < TLS1_3_VERSION ||
	    !SSL_SESSION_has_ticket(session))
		return 0;
	put(h, SSL_SESSION_dup(session), false);
	return 0; /* OpenSSL keeps its own reference */
}

static void
offer(SSL *ssl, const struct hook *h)
{
	SSL_SESSION *copy = SSL_SESSION_dup(h->offer);

	if (copy != NULL)
		(void)SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
	ERR_clear_error();
}

static void
on_info(const SSL *ssl, int where, int what)
{
	const struct hook *h = hook_of(ssl);
	int alert = what & 0xff;

	if (h == NULL || h->offer == NULL)
		return;
	if ((where & SSL_CB_HANDSHAKE_START) != 0 &&
	    SSL_get_session(ssl) == NULL)
		offer((SSL *)(uintptr_t)ssl, h);
	if (where == SSL_CB_READ_ALERT &&
	    (alert == ILLEGAL_PARAMETER || alert == DECRYPT_ERROR))
		put(h, NULL, true);
}

static int
on_verify(int ok, X509_STORE_CTX *x)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    x, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct hook *h = hook_of(ssl);
	int64_t from = 0, until = 0;

	dvt_tls_path_dates(ok, x, &from, &until);
	if (until == 0 || h == NULL || !h->dates)
		return ok;
	(void)pthread_mutex_lock(&h->shelf->lock);
	h->shelf->valid_from = from;
	h->shelf->valid_until = until;
	(void)pthread_mutex_unlock(&h->shelf->lock);
	return ok;
}

void
libagent_dates_take(struct dovetail_agent *a, int64_t *from, int64_t *until)
{
	struct libagent_shelf *s = a->shelf;

	(void)pthread_mutex_lock(&s->lock);
	*from = s->valid_from;
	*until = s->valid_until;
	(void)pthread_mutex_unlock(&s->lock);
}

/* The secret is replaced by chance. */
static SSL_SESSION *
blind(SSL_SESSION *session)
{
	unsigned char secret[SECRET_MAX];
	size_t n;

	if (session == NULL)
		return NULL;
	n = SSL_SESSION_get_master_key(session, NULL, 0);
	if (n > 0 && n <= sizeof(secret) && RAND_bytes(secret, (int)n) == 1 &&
	    SSL_SESSION_set1_master_key(session, secret, n) == 1)
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

static void
bind_ticket(struct dovetail_agent *a, struct hook *h,
    const struct dvt_agent_credential *with, SSL_CTX *ctx)
{
	dvt_x509_fingerprint(with->chain.cert[0], h->leaf);
	libagent_tickets_take(a);
	h->offer = blind(dvt_agent_tls_ticket(a->agent, h->of, with));
	SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	SSL_CTX_set_info_callback(ctx, on_info);
}

void
libagent_bind(struct dovetail_agent *a, enum dvt_ticket_of of,
    const struct dvt_agent_credential *with, bool dates, SSL_CTX *ctx)
{
	struct hook *h;

	(void)pthread_once(&once, make_index);
	if (hook_index < 0)
		return;
	h = dvt_alloc(sizeof(*h));
	h->shelf = a->shelf;
	h->of = of;
	h->dates = dates;
	(void)pthread_mutex_lock(&h->shelf->lock);
	h->shelf->refs++;
	if (dates)
		h->shelf->valid_from = h->shelf->valid_until = 0;
	(void)pthread_mutex_unlock(&h->shelf->lock);
	if (SSL_CTX_set_ex_data(ctx, hook_index, h) != 1) {
		hook_free(NULL, h, NULL, 0, 0, NULL);
		return;
	}
	if (with != NULL && with->key != NULL)
		bind_ticket(a, h, with, ctx);
	if (dates)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
}
