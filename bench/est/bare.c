/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peer of bench/est: what a few pages of C make of the OpenSSL API. A
 * blocking server, one process per core, that verifies the client, parses
 * the CSR with d2i_X509_REQ, signs an X509 and answers certs-only PKCS#7.
 * It stores nothing and checks nothing else.
 *
 *   bare PORT CERT.pem KEY.pem CLIENT-CA.pem ISSUER.pem ISSUER-KEY.pem
 * PROCESSES
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define BODY_MAX 65536

static X509 *issuer;
static EVP_PKEY *issuer_key;

static void
extend(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

/* The certificate for a CSR, or NULL. */
static X509 *
issue(const unsigned char *der, long n)
{
	X509_REQ *req = d2i_X509_REQ(NULL, &der, n);
	EVP_PKEY *key = req == NULL ? NULL : X509_REQ_get0_pubkey(req);
	unsigned char serial[20];
	X509 *cert = NULL;
	BIGNUM *bn;

	if (key == NULL || X509_REQ_verify(req, key) != 1)
		goto out;
	cert = X509_new();
	RAND_bytes(serial, sizeof(serial));
	serial[0] &= 0x7f;
	bn = BN_bin2bn(serial, sizeof(serial), NULL);
	BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
	BN_free(bn);
	X509_set_version(cert, 2);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer));
	X509_set_subject_name(cert, X509_REQ_get_subject_name(req));
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * 365);
	X509_set_pubkey(cert, key);
	extend(cert, NID_basic_constraints, "critical,CA:FALSE");
	extend(cert, NID_key_usage, "critical,digitalSignature");
	extend(cert, NID_ext_key_usage, "clientAuth");
	extend(cert, NID_subject_key_identifier, "hash");
	extend(cert, NID_authority_key_identifier, "keyid");
	X509_sign(cert, issuer_key, EVP_sha256());
out:
	X509_REQ_free(req);
	return cert;
}

/* certs-only PKCS#7 as base64; the length, or -1. */
static int
answer_body(X509 *cert, char *out)
{
	PKCS7 *p7 = PKCS7_new();
	unsigned char *der = NULL;
	int n;

	PKCS7_set_type(p7, NID_pkcs7_signed);
	PKCS7_content_new(p7, NID_pkcs7_data);
	PKCS7_set_detached(p7, 1);
	PKCS7_add_certificate(p7, cert);
	n = i2d_PKCS7(p7, &der);
	n = n <= 0 ? -1 : EVP_EncodeBlock((unsigned char *)out, der, n);
	OPENSSL_free(der);
	PKCS7_free(p7);
	return n;
}

/* Read one request; its body's length, 0 at the end, -1 when broken. */
static int
take_request(SSL *ssl, char *buf, char **body, int *keep)
{
	int got = 0, want = -1, n;
	char *end = NULL, *at;

	while (want < 0 || got < want) {
		n = SSL_read(ssl, buf + got, BODY_MAX - 1 - got);
		if (n <= 0)
			return got == 0 ? 0 : -1;
		got += n;
		buf[got] = '\0';
		if (end == NULL && (end = strstr(buf, "\r\n\r\n")) != NULL) {
			at = strcasestr(buf, "content-length:");
			if (at == NULL)
				return -1;
			*keep = strcasestr(buf, "connection: close") == NULL;
			*body = end + 4;
			want = (int)(*body - buf) + atoi(at + 15);
		}
	}
	return want - (int)(*body - buf);
}

static void
serve(SSL *ssl)
{
	static char buf[BODY_MAX], reply[BODY_MAX];
	static unsigned char der[BODY_MAX];
	char b64[BODY_MAX / 2], *body = NULL;
	int keep = 1, n, head, len;
	X509 *cert;

	if (SSL_accept(ssl) != 1)
		return;
	while (keep && (n = take_request(ssl, buf, &body, &keep)) > 0) {
		len = EVP_DecodeBlock(der, (unsigned char *)body, n);
		if (len <= 0 || (cert = issue(der, len)) == NULL)
			return;
		n = answer_body(cert, b64);
		X509_free(cert);
		head = snprintf(reply, sizeof(reply),
		    "HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime; "
		    "smime-type=certs-only\r\nContent-Length: %d\r\n\r\n",
		    n);
		memcpy(reply + head, b64, (size_t)n);
		if (SSL_write(ssl, reply, head + n) <= 0)
			return;
	}
	(void)SSL_shutdown(ssl);
}

static void
loop(int listener, SSL_CTX *ctx)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL), on = 1;
		SSL *ssl;

		if (fd < 0)
			continue;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fd);
		serve(ssl);
		SSL_free(ssl);
		close(fd);
		ERR_clear_error();
	}
}

static SSL_CTX *
context(char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(ctx, argv[4], NULL) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"b", 1);
	return ctx;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int listener, on = 1;
	SSL_CTX *ctx;
	FILE *f;

	if (argc != 8) {
		fprintf(stderr, "usage: bare PORT CERT KEY CLIENT-CA ISSUER "
				"ISSUER-KEY PROCESSES\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	ctx = context(argv);
	if ((f = fopen(argv[5], "r")) != NULL) {
		issuer = PEM_read_X509(f, NULL, NULL, NULL);
		fclose(f);
	}
	if ((f = fopen(argv[6], "r")) != NULL) {
		issuer_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		fclose(f);
	}
	listener = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	at.sin_port = htons((uint16_t)atoi(argv[1]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (issuer == NULL || issuer_key == NULL ||
	    bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(listener, 512) != 0) {
		perror("bare");
		return 1;
	}
	for (int p = 1; p < atoi(argv[7]); p++) {
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			break;
		}
	}
	loop(listener, ctx);
}
