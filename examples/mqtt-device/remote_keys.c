/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key store of one's own: private keys stay in another process, which makes
 * them and signs with them, and are named by it. Here a line on a Unix socket
 * stands for the bus of a secure element:
 *
 *     make LABEL     ->  ok URI | there URI
 *     public URI     ->  ok HEX (DER SubjectPublicKeyInfo) | absent
 *     sign URI HEX   ->  ok HEX (DER ECDSA signature of a digest)
 *     wipe URI       ->  ok
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* EC_KEY_METHOD has no successor yet */
#include "device.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE 2048

static EC_KEY_METHOD *method;
static int place = -1; /* of struct where in a key's ex_data */

struct where {
	const char *socket;
	char uri[DOVETAIL_KEY_URI];
};

/* One question, one answer, each a line. */
static bool
ask(const char *path, char answer[LINE], const char *word, const char *a,
    const char *b)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[LINE];
	size_t n = 0;
	ssize_t got = 0;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	snprintf(line, sizeof(line), "%s %s%s%s\n", word, a,
	    b != NULL ? " " : "", b != NULL ? b : "");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    send(fd, line, strlen(line), MSG_NOSIGNAL) > 0)
		while (n < LINE - 1 &&
		       (got = read(fd, answer + n, LINE - 1 - n)) > 0)
			n += (size_t)got;
	close(fd);
	answer[n] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	return n > 0;
}

static enum dovetail_code
fail(struct dovetail_error *err, enum dovetail_code code, const char *what,
    const char *answer)
{
	err->code = code;
	snprintf(err->text, sizeof(err->text), "key store: %s: %.200s", what,
	    answer);
	return code;
}

static unsigned char *
from_hex(const char *text, long *n)
{
	return OPENSSL_hexstr2buf(text, n);
}

/* --- signing --- */

static int
sign(int type, const unsigned char *digest, int digest_len, unsigned char *sig,
    unsigned *sig_len, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
	struct where *w = EC_KEY_get_ex_data(key, place);
	char hex[2 * EVP_MAX_MD_SIZE + 1], answer[LINE];
	unsigned char *bytes;
	long n = 0;

	(void)type;
	(void)kinv;
	(void)r;
	for (int i = 0; i < digest_len && i < EVP_MAX_MD_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (!ask(w->socket, answer, "sign", w->uri, hex) ||
	    strncmp(answer, "ok ", 3) != 0 ||
	    (bytes = from_hex(answer + 3, &n)) == NULL)
		return 0;
	if (n > ECDSA_size(key))
		n = 0;
	memcpy(sig, bytes, (size_t)n);
	*sig_len = (unsigned)n;
	OPENSSL_free(bytes);
	return n > 0;
}

static ECDSA_SIG *
sign_sig(const unsigned char *digest, int digest_len, const BIGNUM *kinv,
    const BIGNUM *r, EC_KEY *key)
{
	unsigned char sig[256];
	const unsigned char *at = sig;
	unsigned n = 0;

	if (sign(0, digest, digest_len, sig, &n, kinv, r, key) != 1)
		return NULL;
	return d2i_ECDSA_SIG(NULL, &at, n);
}

/* --- opening what is encrypted to the key: configuration values --- */

static int
derive(unsigned char **secret, size_t *secret_len, const EC_POINT *peer,
    const EC_KEY *key)
{
	const struct where *w = EC_KEY_get_ex_data(key, place);
	char *hex = EC_POINT_point2hex(
	    EC_KEY_get0_group(key), peer, POINT_CONVERSION_UNCOMPRESSED, NULL);
	char answer[LINE] = "";
	long n = 0;

	if (hex != NULL && ask(w->socket, answer, "derive", w->uri, hex) &&
	    strncmp(answer, "ok ", 3) == 0)
		*secret = from_hex(answer + 3, &n);
	else
		n = -1;
	OPENSSL_cleanse(answer, sizeof(answer));
	OPENSSL_free(hex);
	if (n <= 0 || *secret == NULL)
		return 0;
	*secret_len = (size_t)n;
	return 1;
}

static void
forget(
    void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	free(ptr);
}

static void
method_make(void)
{
	if (method != NULL)
		return;
	method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	EC_KEY_METHOD_set_sign(method, sign, NULL, sign_sig);
	EC_KEY_METHOD_set_compute_key(method, derive);
	place = EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, forget);
}

/* The public half; what needs the other one is done elsewhere. */
static EVP_PKEY *
key_of(const char *path, const char *uri, const char *hex)
{
	struct where *w = calloc(1, sizeof(*w));
	long n = 0;
	unsigned char *der = from_hex(hex, &n);
	const unsigned char *at = der;
	EC_KEY *ec = der == NULL ? NULL : d2i_EC_PUBKEY(NULL, &at, n);
	EVP_PKEY *key = NULL;

	method_make();
	w->socket = path;
	snprintf(w->uri, sizeof(w->uri), "%s", uri);
	if (ec != NULL && EC_KEY_set_method(ec, method) == 1 &&
	    EC_KEY_set_ex_data(ec, place, w) == 1) {
		w = NULL;
		key = EVP_PKEY_new();
		EVP_PKEY_set1_EC_KEY(key, ec);
	}
	free(w);
	EC_KEY_free(ec);
	OPENSSL_free(der);
	return key;
}

/* --- the table --- */

static enum dovetail_code
keys_make(void *ctx, enum dovetail_key_kind kind, const char *want,
    char uri[DOVETAIL_KEY_URI], struct dovetail_error *err)
{
	char answer[LINE];
	bool there;

	(void)kind; /* this one makes P-256 alone */
	if (!ask(ctx, answer, "make", want, NULL))
		return fail(err, DOVETAIL_SYSTEM, want, "no answer");
	there = strncmp(answer, "there ", 6) == 0;
	if (!there && strncmp(answer, "ok ", 3) != 0)
		return fail(err, DOVETAIL_SYSTEM, want, answer);
	snprintf(uri, DOVETAIL_KEY_URI, "%s", strchr(answer, ' ') + 1);
	return there ? fail(err, DOVETAIL_CONFLICT, want, "there")
		     : DOVETAIL_OK;
}

static enum dovetail_code
keys_open(
    void *ctx, const char *uri, EVP_PKEY **key, struct dovetail_error *err)
{
	char answer[LINE];

	*key = NULL;
	if (!ask(ctx, answer, "public", uri, NULL))
		return fail(err, DOVETAIL_SYSTEM, uri, "no answer");
	if (strcmp(answer, "absent") == 0)
		return fail(err, DOVETAIL_ABSENT, uri, answer);
	if (strncmp(answer, "ok ", 3) == 0)
		*key = key_of(ctx, uri, answer + 3);
	return *key != NULL ? DOVETAIL_OK
			    : fail(err, DOVETAIL_SYSTEM, uri, answer);
}

static enum dovetail_code
keys_wipe(void *ctx, const char *uri, struct dovetail_error *err)
{
	char answer[LINE];

	if (!ask(ctx, answer, "wipe", uri, NULL) || strcmp(answer, "ok") != 0)
		return fail(err, DOVETAIL_SYSTEM, uri, "not wiped");
	return DOVETAIL_OK;
}

const struct dovetail_keys remote_keys = {
    .make = keys_make, .open = keys_open, .wipe = keys_wipe};
