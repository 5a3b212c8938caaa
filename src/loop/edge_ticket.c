/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing as RFC 5297 does it: the check is over the text and is the starting
 * value of the cipher, so that a repeated random value gives nothing away. */
#include "loop/edge_ticket.h"

#include "base/hex.h"
#include "base/limits.h"
#include "base/mem.h"
#include "loop/edge_conn.h"
#include "pki/ssl_err.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_N  8
#define RANDOM_N 2
#define TEXT_N   (DVT_EDGE_TICKET - CHECK_N) /* random, name, zeros */
#define NAME_N   (TEXT_N - RANDOM_N)
#define MAC_N    32
#define UUID     1  /* in front of 16 bytes; no name begins with it */
#define HMAC_AT  16 /* OpenSSL's 80 bytes: name, HMAC key, cipher key */
#define IV_N     16 /* its form: name, IV, cipher text, HMAC of all these */

struct dvt_edge_ticket {
	EVP_MAC_CTX *check, *stream;
	uint8_t
	    name[HMAC_AT]; /* of the key, and that key: for OpenSSL's form */
	EVP_MAC_CTX *whole;
};

static EVP_MAC_CTX *
mac_new(const uint8_t *key, size_t n)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end()};

	EVP_MAC_free(mac);
	if (ctx != NULL && EVP_MAC_init(ctx, key, n, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

static bool
mac_run(EVP_MAC_CTX *ctx, const uint8_t *p, size_t n, uint8_t out[MAC_N])
{
	size_t done = 0;

	return EVP_MAC_init(ctx, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(ctx, p, n) == 1 &&
	       EVP_MAC_final(ctx, out, &done, MAC_N) == 1 && done == MAC_N;
}

/* Two keys of our own, so that OpenSSL's tickets share nothing with ours. */
static EVP_MAC_CTX *
derived(const uint8_t *key, const char *use)
{
	EVP_MAC_CTX *from = mac_new(key + HMAC_AT, MAC_N), *ctx = NULL;
	uint8_t own[MAC_N];

	if (from != NULL &&
	    mac_run(from, (const uint8_t *)use, strlen(use), own))
		ctx = mac_new(own, sizeof(own));
	EVP_MAC_CTX_free(from);
	dvt_cleanse(own, sizeof(own));
	return ctx;
}

enum dvt_code
dvt_edge_ticket_new(const uint8_t key[DVT_EDGE_TICKET_KEY],
    struct dvt_edge_ticket **out, struct dvt_err *err)
{
	struct dvt_edge_ticket *t = dvt_alloc(sizeof(*t));

	*out = NULL;
	t->check = derived(key, "dovetail identity ticket, check");
	t->stream = derived(key, "dovetail identity ticket, cipher");
	t->whole = mac_new(key + HMAC_AT, MAC_N);
	memcpy(t->name, key, sizeof(t->name));
	if (t->check == NULL || t->stream == NULL || t->whole == NULL) {
		dvt_edge_ticket_free(t);
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "ticket key");
	}
	*out = t;
	return DVT_OK;
}

void
dvt_edge_ticket_free(struct dvt_edge_ticket *t)
{
	if (t == NULL)
		return;
	EVP_MAC_CTX_free(t->check);
	EVP_MAC_CTX_free(t->stream);
	EVP_MAC_CTX_free(t->whole);
	free(t);
}

/* --- names as bytes --- */

#define UUID_TEXT 36

/* "6ba7b810-9dad-11d1-80b4-00c04fd430c8" and nothing that reads otherwise. */
static bool
uuid_pack(const char *text, uint8_t out[16])
{
	char digits[33];
	size_t n = 0, bytes;

	if (strlen(text) != UUID_TEXT)
		return false;
	for (size_t i = 0; i < UUID_TEXT; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (text[i] == '-') || isupper((uint8_t)text[i]))
			return false;
		if (!dash)
			digits[n++] = text[i];
	}
	digits[n] = '\0';
	return dvt_unhex(digits, out, 16, &bytes, NULL) == DVT_OK;
}

static void
uuid_unpack(const uint8_t in[16], char *text)
{
	char digits[33];
	const char *d = digits;

	dvt_hex(in, 16, digits, sizeof(digits));
	for (size_t i = 0; i < UUID_TEXT; i++)
		text[i] = i == 8 || i == 13 || i == 18 || i == 23 ? '-' : *d++;
	text[UUID_TEXT] = '\0';
}

static bool
name_pack(const char *device, uint8_t out[NAME_N])
{
	size_t n = strlen(device);

	memset(out, 0, NAME_N);
	if (n > 0 && n <= NAME_N && (uint8_t)device[0] != UUID) {
		memcpy(out, device, n);
		return true;
	}
	out[0] = UUID;
	return uuid_pack(device, out + 1);
}

static void
name_unpack(const uint8_t in[NAME_N], char *device)
{
	if (in[0] == UUID) {
		uuid_unpack(in + 1, device);
		return;
	}
	memcpy(device, in, NAME_N);
	device[NAME_N] = '\0';
}

/* --- sealing --- */

static bool
encipher(struct dvt_edge_ticket *t, const uint8_t *check, uint8_t *text)
{
	uint8_t stream[MAC_N];

	if (!mac_run(t->stream, check, CHECK_N, stream))
		return false;
	for (size_t i = 0; i < TEXT_N; i++)
		text[i] ^= stream[i];
	return true;
}

bool
dvt_edge_ticket_fits(const char *device)
{
	uint8_t name[NAME_N];

	return name_pack(device, name);
}

bool
dvt_edge_ticket_seal(
    struct dvt_edge_ticket *t, const char *device, uint8_t *out)
{
	uint8_t mac[MAC_N], *text = out + CHECK_N;

	if (RAND_bytes(text, RANDOM_N) != 1 ||
	    !name_pack(device, text + RANDOM_N) ||
	    !mac_run(t->check, text, TEXT_N, mac))
		return false;
	memcpy(out, mac, CHECK_N);
	return encipher(t, out, text);
}

bool
dvt_edge_ticket_open(
    struct dvt_edge_ticket *t, const uint8_t *p, size_t n, char *device)
{
	uint8_t text[TEXT_N], mac[MAC_N];

	device[0] = '\0';
	if (n != DVT_EDGE_TICKET)
		return false;
	memcpy(text, p + CHECK_N, TEXT_N);
	if (!encipher(t, p, text) || !mac_run(t->check, text, TEXT_N, mac) ||
	    CRYPTO_memcmp(mac, p, CHECK_N) != 0)
		return false;
	name_unpack(text + RANDOM_N, device);
	return true;
}

bool
dvt_edge_ticket_is_ours(struct dvt_edge_ticket *t, const uint8_t *p, size_t n)
{
	char device[DVT_DEVICE_ID_MAX + 1];
	uint8_t mac[MAC_N];

	if (n == DVT_EDGE_TICKET)
		return dvt_edge_ticket_open(t, p, n, device);
	return n > sizeof(t->name) + IV_N + MAC_N &&
	       memcmp(p, t->name, sizeof(t->name)) == 0 &&
	       mac_run(t->whole, p, n - MAC_N, mac) &&
	       CRYPTO_memcmp(mac, p + n - MAC_N, MAC_N) == 0;
}

/* --- in a handshake --- */

/*
 * TLS 1.2 gets no ticket: some stacks fail on one that is not resumed. With
 * SSL_OP_NO_TICKET TLS 1.3 asks for 32 bytes by our callbacks, without it
 * OpenSSL reads and writes its own form. What the client shows decides how it
 * is read.
 */
void
dvt_edge_ticket_hello(struct dvt_edge_conn *c, SSL *ssl)
{
	c->short_ticket = !c->hello.tls13 || !c->hello.ticket ||
			  c->hello.ticket_n == DVT_EDGE_TICKET;
	if (c->short_ticket)
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
}

void
dvt_edge_ticket_give(struct dvt_edge_conn *c, SSL *ssl)
{
	if (c->edge->ticket == NULL || !c->hello.tls13 ||
	    c->peer.device[0] == '\0')
		return;
	if (c->short_ticket && !dvt_edge_ticket_fits(c->peer.device)) {
		c->short_ticket = false;
		SSL_clear_options(ssl, SSL_OP_NO_TICKET);
	}
	SSL_set_num_tickets(ssl, 1);
}

int
dvt_edge_ticket_make_short(SSL *ssl, unsigned char *id, unsigned int *n)
{
	const struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	if (c != NULL && c->edge->ticket != NULL && c->short_ticket &&
	    *n == DVT_EDGE_TICKET &&
	    dvt_edge_ticket_seal(c->edge->ticket, c->peer.device, id))
		return 1;
	return RAND_bytes(id, (int)*n) == 1;
}

/* Never a session: the handshake stays full. */
SSL_SESSION *
dvt_edge_ticket_read_short(SSL *ssl, const unsigned char *p, int n, int *copy)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	*copy = 0;
	if (c != NULL && c->edge->ticket != NULL && c->hello.tls13 && n > 0)
		(void)dvt_edge_ticket_open(
		    c->edge->ticket, p, (size_t)n, c->ticket_device);
	return NULL;
}

int
dvt_edge_ticket_make(SSL *ssl, void *arg)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);

	(void)arg;
	if (c == NULL || c->short_ticket)
		return 1;
	return SSL_SESSION_set1_ticket_appdata(
	    SSL_get_session(ssl), c->peer.device, strlen(c->peer.device));
}

SSL_TICKET_RETURN
dvt_edge_ticket_read(SSL *ssl, SSL_SESSION *session,
    const unsigned char *key_name, size_t key_name_n, SSL_TICKET_STATUS status,
    void *arg)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);
	void *data = NULL;
	size_t n = 0;

	(void)key_name, (void)key_name_n, (void)arg;
	if (c != NULL && session != NULL &&
	    (status == SSL_TICKET_SUCCESS ||
		status == SSL_TICKET_SUCCESS_RENEW) &&
	    SSL_SESSION_get0_ticket_appdata(session, &data, &n) == 1 &&
	    n <= DVT_DEVICE_ID_MAX && memchr(data, '\0', n) == NULL) {
		memcpy(c->ticket_device, data, n);
		c->ticket_device[n] = '\0';
	}
	/* with IGNORE alone a client that shows one gets no fresh one */
	return SSL_TICKET_RETURN_IGNORE_RENEW;
}
