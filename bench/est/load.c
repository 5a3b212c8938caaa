/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for bench/est: re-enrolments over mutual TLS, plain blocking OpenSSL.
 *
 *   load HOST:PORT CA.pem DEVICES-DIR REQUESTS PROCESSES new|keep OUT-DIR
 *
 * Every request carries a fresh P-256 key. "new" opens a connection per
 * request, "keep" uses one connection for all requests of a device. Each
 * answered certificate is appended to OUT-DIR/<process>.b64 as one line, so
 * that the caller can look for it in the inventory. Prints "ok N failed N
 * seconds S".
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#define ANSWER_MAX 65536

struct job {
	struct sockaddr_in to;
	const char *ca;
	const char *devices;
	int requests;
	int keep;
	const char *out;
};

struct result {
	long ok;
	long failed;
};

static int
dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static SSL *
tls_open(SSL_CTX *ctx, const struct sockaddr_in *to)
{
	SSL *ssl;
	int fd = dial(to);

	if (fd < 0)
		return NULL;
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1) {
		ERR_print_errors_fp(stderr);
		SSL_free(ssl);
		close(fd);
		return NULL;
	}
	return ssl;
}

static void
tls_close(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

/* A request for a fresh key with the subject of @cert, base64 in @out. */
static int
make_csr(X509 *cert, char *out, size_t size)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	int n = -1, len = 0;

	if (key == NULL || req == NULL)
		goto out;
	X509_REQ_set_subject_name(req, X509_get_subject_name(cert));
	X509_REQ_set_pubkey(req, key);
	if (X509_REQ_sign(req, key, EVP_sha256()) <= 0)
		goto out;
	len = i2d_X509_REQ(req, &der);
	if (len > 0 && (size_t)len * 4 / 3 + 8 < size)
		n = EVP_EncodeBlock((unsigned char *)out, der, len);
out:
	OPENSSL_free(der);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
	return n;
}

/* One POST; the answer's body goes to @body. Returns the HTTP status. */
static int
post(SSL *ssl, const char *csr, int len, int keep, char *body)
{
	static char buf[ANSWER_MAX];
	char head[512];
	char *end = NULL, *at;
	int n, got = 0, want = 0, status;

	n = snprintf(head, sizeof(head),
	    "POST /.well-known/est/simplereenroll HTTP/1.1\r\nHost: bench\r\n"
	    "Content-Type: application/pkcs10\r\nContent-Length: %d\r\n%s\r\n",
	    len, keep ? "" : "Connection: close\r\n");
	memcpy(buf, head, (size_t)n);
	memcpy(buf + n, csr, (size_t)len);
	if (SSL_write(ssl, buf, n + len) != n + len)
		return -1;
	while (end == NULL || got < want) {
		n = SSL_read(ssl, buf + got, ANSWER_MAX - 1 - got);
		if (n <= 0)
			return -1;
		got += n;
		buf[got] = '\0';
		if (end == NULL && (end = strstr(buf, "\r\n\r\n")) != NULL) {
			end += 4;
			at = strcasestr(buf, "content-length:");
			want = (int)(end - buf) +
			       (at == NULL ? 0 : atoi(at + 15));
		}
	}
	strcpy(body, end);
	if (sscanf(buf, "HTTP/1.1 %d", &status) != 1)
		return -1;
	return status;
}

static SSL_CTX *
context(const struct job *job, const char *name, X509 **cert)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char path[4096];

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_load_verify_locations(ctx, job->ca, NULL) != 1)
		goto bad;
	SSL_CTX_set0_CA_list(ctx, SSL_load_client_CA_file(job->ca));
	(void)snprintf(
	    path, sizeof(path), "%s/%s/cert.pem", job->devices, name);
	if (SSL_CTX_use_certificate_chain_file(ctx, path) != 1)
		goto bad;
	(void)snprintf(path, sizeof(path), "%s/%s/key.pem", job->devices, name);
	if (SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) != 1)
		goto bad;
	*cert = SSL_CTX_get0_certificate(ctx);
	return ctx;
bad:
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void
keep_answer(FILE *out, const char *body)
{
	for (const char *c = body; *c != '\0'; c++) {
		if (*c != '\r' && *c != '\n')
			putc(*c, out);
	}
	putc('\n', out);
}

static struct result
run(const struct job *job, int self, char **names, int count, int processes)
{
	struct result r = {0};
	char csr[8192], path[4096], body[ANSWER_MAX];
	int per = job->requests / processes, each, mine = 0;
	FILE *out;

	(void)snprintf(path, sizeof(path), "%s/%d.b64", job->out, self);
	if ((out = fopen(path, "w")) == NULL)
		exit(1);
	for (int i = self; i < count; i += processes)
		mine++;
	each = mine == 0 ? 0 : (per + mine - 1) / mine;
	for (int i = self; i < count; i += processes) {
		X509 *cert;
		SSL_CTX *ctx = context(job, names[i], &cert);
		SSL *ssl = NULL;

		for (int k = 0; k < each; k++) {
			int len = make_csr(cert, csr, sizeof(csr)), status = -1;

			if (ssl == NULL)
				ssl = tls_open(ctx, &job->to);
			if (ssl != NULL)
				status = post(ssl, csr, len, job->keep, body);
			if (status == 200) {
				r.ok++;
				keep_answer(out, body);
			} else {
				if (r.failed++ == 0)
					fprintf(stderr,
					    "%s: status %d %.300s\n", names[i],
					    status, body);
			}
			if (ssl != NULL && (!job->keep || status != 200)) {
				tls_close(ssl);
				ssl = NULL;
			}
		}
		if (ssl != NULL)
			tls_close(ssl);
		SSL_CTX_free(ctx);
	}
	fclose(out);
	return r;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **
list(const char *dir, int *count)
{
	DIR *d = opendir(dir);
	char **names = NULL;
	struct dirent *e;

	*count = 0;
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		names = realloc(names, sizeof(*names) * (size_t)(*count + 1));
		names[(*count)++] = strdup(e->d_name);
	}
	if (d != NULL)
		closedir(d);
	if (*count > 0)
		qsort(names, (size_t)*count, sizeof(*names), by_name);
	return names;
}

int
main(int argc, char **argv)
{
	struct job job = {0};
	struct result all = {0}, r;
	struct timespec t0, t1;
	char host[64];
	int port, processes, count, pipes[2];
	char **names;

	if (argc != 8 || sscanf(argv[1], "%63[^:]:%d", host, &port) != 2) {
		fprintf(stderr, "usage: load HOST:PORT CA.pem DEVICES REQUESTS "
				"PROCESSES new|keep OUT\n");
		return 64;
	}
	job.to.sin_family = AF_INET;
	job.to.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, host, &job.to.sin_addr);
	job.ca = argv[2];
	job.devices = argv[3];
	job.requests = atoi(argv[4]);
	processes = atoi(argv[5]);
	job.keep = strcmp(argv[6], "keep") == 0;
	job.out = argv[7];
	names = list(job.devices, &count);
	if (count < 1 || processes < 1 || pipe(pipes) != 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int p = 0; p < processes; p++) {
		if (fork() == 0) {
			r = run(&job, p, names, count, processes);
			_exit(write(pipes[1], &r, sizeof(r)) != sizeof(r));
		}
	}
	close(pipes[1]);
	while (read(pipes[0], &r, sizeof(r)) == sizeof(r)) {
		all.ok += r.ok;
		all.failed += r.failed;
	}
	while (wait(NULL) > 0)
		;
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("ok %ld failed %ld seconds %.3f\n", all.ok, all.failed,
	    (double)(t1.tv_sec - t0.tv_sec) +
		(double)(t1.tv_nsec - t0.tv_nsec) / 1e9);
	return all.failed == 0 ? 0 : 1;
}
