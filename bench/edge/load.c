/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for bench/edge: many mutual-TLS clients in one process.
 *
 *   load echo HOST:PORT
 *   load shake HOST:PORT CA DEVICES CHAIN 1.2|1.3 COUNT AT-ONCE RATE
 *   load hold HOST:PORT CA DEVICES CHAIN 1.2|1.3 COUNT AT-ONCE
 *   load relay HOST:PORT CA DEVICES CHAIN 1.2|1.3 CONNECTIONS MIB
 *   load half HOST:PORT COUNT
 *
 * DEVICES holds certificate and key of each device in turn, CHAIN what each
 * sends above its certificate ("-": nothing). "shake" makes COUNT full
 * handshakes with an echo of 32 bytes through each, at RATE per second (0: as
 * fast as AT-ONCE open ones allow), and prints "ok N failed N seconds S p50 MS
 * p99 MS max MS", counted from when each was due. "hold" opens COUNT and says
 * "open N"; a line on standard input makes it echo through each ("alive N lost
 * N"); it ends with the input. "relay" sends MIB through the echo and says
 * "mib N seconds S". "half" opens connections that stop in the middle of their
 * ClientHello and holds them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#define DEVICES_MAX 20000
#define ECHO_BYTES  32
#define CHUNK       16384
#define WINDOW      (4 * CHUNK) /* on its way in one relayed connection */
#define SOURCES     40          /* addresses we come from: 28,000 ports each */
#define GIVE_UP_S   20.0

enum state { FREE, SHAKING, ECHOING, HELD, PUMPING, LEAVING };

struct client {
	enum state state;
	SSL *ssl;
	int fd;
	double due, begun;
	size_t sent, got;
};

struct device {
	X509 *cert;
	EVP_PKEY *key;
};

static struct {
	struct sockaddr_in to;
	SSL_CTX *ctx;
	struct device device[DEVICES_MAX];
	size_t devices_n, device_next;
	STACK_OF(X509) * chain;
	int epoll;
	struct client *client;
	size_t clients_n;
	enum state after; /* a handshake and its echo: HELD, PUMPING, LEAVING */
	long ok, failed, busy;
	double *took;
	size_t took_n;
	size_t pump_left, pump_got;
} g;

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void
target(const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		die(text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	g.to = (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(colon + 1))};
	if (inet_pton(AF_INET, host, &g.to.sin_addr) != 1)
		die(text);
}

static void
identities(const char *devices, const char *chain)
{
	FILE *f = fopen(devices, "r");
	X509 *cert;

	if (f == NULL)
		die(devices);
	while (g.devices_n < DEVICES_MAX &&
	       (cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
		struct device *d = &g.device[g.devices_n++];

		d->cert = cert;
		d->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		if (d->key == NULL)
			die(devices);
	}
	fclose(f);
	ERR_clear_error();
	g.chain = sk_X509_new_null();
	if (strcmp(chain, "-") == 0)
		return;
	if ((f = fopen(chain, "r")) == NULL)
		die(chain);
	while ((cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		sk_X509_push(g.chain, cert);
	fclose(f);
	ERR_clear_error();
}

static void
context(const char *ca, const char *version)
{
	int v = strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;

	g.ctx = SSL_CTX_new(TLS_client_method());
	if (g.ctx == NULL || SSL_CTX_set_min_proto_version(g.ctx, v) != 1 ||
	    SSL_CTX_set_max_proto_version(g.ctx, v) != 1 ||
	    SSL_CTX_load_verify_locations(g.ctx, ca, NULL) != 1)
		die(ca);
	SSL_CTX_set_verify(g.ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(g.ctx, SSL_MODE_RELEASE_BUFFERS |
				    SSL_MODE_ENABLE_PARTIAL_WRITE |
				    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(g.ctx, SSL_SESS_CACHE_OFF);
}

/* A socket on its way to the target, from one of our addresses. */
static int
dial(void)
{
	static unsigned turn;
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	from.sin_addr.s_addr = htonl(0x7f000101u + turn++ % SOURCES);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
	    (connect(fd, (struct sockaddr *)&g.to, sizeof(g.to)) == 0 ||
		errno == EINPROGRESS))
		return fd;
	close(fd);
	return -1;
}

/* --- one client --- */

static void
client_end(struct client *c, int ok)
{
	if (c->state != LEAVING) {
		if (ok)
			g.ok++;
		else
			g.failed++;
	}
	if (c->ssl != NULL) {
		SSL_set_shutdown(
		    c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(c->ssl);
	}
	ERR_clear_error();
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct client){.fd = -1};
	g.busy--;
}

static void
client_begin(struct client *c, double due)
{
	struct device *d = &g.device[g.device_next++ % g.devices_n];
	struct epoll_event e = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};

	*c = (struct client){.state = SHAKING, .due = due, .begun = now_s()};
	g.busy++;
	c->fd = dial();
	c->ssl = c->fd >= 0 ? SSL_new(g.ctx) : NULL;
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    SSL_use_cert_and_key(c->ssl, d->cert, d->key, g.chain, 1) != 1 ||
	    epoll_ctl(g.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0) {
		client_end(c, 0);
		return;
	}
	SSL_set_connect_state(c->ssl);
}

/* 1: go on; 0: wait; -1: broken */
static int
outcome(const struct client *c, int n)
{
	int why = SSL_get_error(c->ssl, n);

	if (n > 0)
		return 1;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0
									 : -1;
}

static void
echo_done(struct client *c)
{
	if (g.took != NULL)
		g.took[g.took_n++] = now_s() - c->due;
	g.ok++;
	c->state = g.after;
	c->sent = c->got = 0;
	if (c->state == LEAVING) {
		(void)SSL_shutdown(c->ssl);
		(void)shutdown(c->fd, SHUT_WR);
	}
}

static int
echo_step(struct client *c)
{
	static const char bytes[ECHO_BYTES] = "mortise and tenon";
	char back[ECHO_BYTES];
	int n, r;

	if (c->sent == 0) {
		n = SSL_write(c->ssl, bytes, ECHO_BYTES);
		if ((r = outcome(c, n)) <= 0)
			return r;
		c->sent = ECHO_BYTES;
	}
	while (c->got < ECHO_BYTES) {
		n = SSL_read(c->ssl, back, (int)(ECHO_BYTES - c->got));
		if ((r = outcome(c, n)) <= 0)
			return r;
		c->got += (size_t)n;
	}
	echo_done(c);
	return 1;
}

static int
pump_step(struct client *c)
{
	static char bytes[CHUNK];
	int n, r, moved = 1;

	while (moved) {
		moved = 0;
		while (g.pump_left >= CHUNK && c->sent - c->got < WINDOW) {
			n = SSL_write(c->ssl, bytes, CHUNK);
			if ((r = outcome(c, n)) < 0)
				return r;
			if (r == 0)
				break;
			c->sent += (size_t)n;
			g.pump_left -= (size_t)n;
			moved = 1;
		}
		while (
		    (r = outcome(c, n = SSL_read(c->ssl, bytes, CHUNK))) > 0) {
			c->got += (size_t)n;
			g.pump_got += (size_t)n;
			moved = 1;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int
leave_step(struct client *c)
{
	char waste[256];
	ssize_t n;

	while ((n = recv(c->fd, waste, sizeof(waste), 0)) > 0)
		continue;
	return n < 0 && errno == EAGAIN ? 0 : -1;
}

static void
client_step(struct client *c)
{
	int r = 1;

	while (r > 0 && c->state != FREE) {
		ERR_clear_error();
		switch (c->state) {
		case SHAKING:
			r = outcome(c, SSL_connect(c->ssl));
			if (r > 0)
				c->state = ECHOING;
			break;
		case ECHOING:
			r = echo_step(c);
			break;
		case PUMPING:
			r = pump_step(c);
			break;
		case LEAVING:
			r = leave_step(c);
			break;
		case HELD:
			r = outcome(c, SSL_read(c->ssl, &(char){0}, 1)) < 0 ? -1
									    : 0;
			break;
		case FREE:
			break;
		}
	}
	if (r < 0)
		client_end(c, 0);
}

static void
turn(int wait_ms)
{
	struct epoll_event e[256];
	int n = epoll_wait(g.epoll, e, 256, wait_ms);

	for (int i = 0; i < n; i++)
		client_step(e[i].data.ptr);
}

/* --- what is measured --- */

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
quantile_ms(double q)
{
	if (g.took_n == 0)
		return 0;
	return 1000 * g.took[(size_t)(q * (double)(g.took_n - 1))];
}

static void
give_up(double now)
{
	for (size_t i = 0; i < g.clients_n; i++)
		if (g.client[i].state != FREE && g.client[i].state != HELD &&
		    g.client[i].state != PUMPING &&
		    now - g.client[i].begun > GIVE_UP_S)
			client_end(&g.client[i], 0);
}

static void
pool(size_t n)
{
	g.client = calloc(n, sizeof(*g.client));
	g.clients_n = n;
	g.epoll = epoll_create1(EPOLL_CLOEXEC);
}

/* Begin @count clients, as many at once as there is room for. */
static void
begin_all(long count, double rate)
{
	double from = now_s(), now = from, looked = from;
	long begun = 0;

	while (begun < count || g.busy > 0) {
		for (size_t i = 0; i < g.clients_n && begun < count; i++) {
			double due = rate > 0 ? from + (double)begun / rate
					      : now;

			if (due > now)
				break;
			if (g.client[i].state != FREE)
				continue;
			client_begin(&g.client[i], due);
			begun++;
		}
		turn(rate > 0 ? 1 : 100);
		now = now_s();
		if (now - looked > 1) {
			give_up(now);
			looked = now;
		}
	}
}

static int
do_shake(long count, size_t at_once, double rate)
{
	double from = now_s();

	g.after = LEAVING;
	g.took = calloc((size_t)count, sizeof(*g.took));
	pool(at_once);
	begin_all(count, rate);
	qsort(g.took, g.took_n, sizeof(*g.took), by_size);
	printf("ok %ld failed %ld seconds %.3f p50 %.2f p99 %.2f max %.2f\n",
	    g.ok, g.failed, now_s() - from, quantile_ms(0.5), quantile_ms(0.99),
	    quantile_ms(1));
	return 0;
}

/* Open all, not more than @at_once in their handshake. */
static void
open_all(size_t count, size_t at_once)
{
	size_t begun = 0;

	pool(count);
	while (g.ok + g.failed < (long)count) {
		while (begun < count &&
		       begun - (size_t)(g.ok + g.failed) < at_once)
			client_begin(&g.client[begun++], now_s());
		turn(100);
		give_up(now_s());
	}
}

static void
echo_through_all(void)
{
	double until = now_s() + GIVE_UP_S;
	long held = 0;

	g.ok = g.failed = 0;
	for (size_t i = 0; i < g.clients_n; i++) {
		if (g.client[i].state != HELD)
			continue;
		held++;
		g.client[i].state = ECHOING;
		client_step(&g.client[i]);
	}
	while (g.ok + g.failed < held && now_s() < until)
		turn(50);
	printf("alive %ld lost %ld\n", g.ok, (long)g.clients_n - g.ok);
}

static int
do_hold(size_t count, size_t at_once)
{
	char line[64];
	ssize_t n;

	g.after = HELD;
	open_all(count, at_once);
	printf("open %ld\n", g.ok);
	fflush(stdout);
	(void)fcntl(0, F_SETFL, O_NONBLOCK);
	while ((n = read(0, line, sizeof(line))) != 0) {
		if (n > 0)
			echo_through_all();
		else
			turn(50);
		fflush(stdout);
	}
	return 0;
}

static int
do_relay(size_t connections, size_t mib)
{
	size_t all = mib << 20;
	double from;

	g.after = PUMPING;
	open_all(connections, 16);
	if (g.failed > 0)
		die("not all connections opened");
	g.pump_left = all;
	g.pump_got = 0;
	from = now_s();
	for (size_t i = 0; i < g.clients_n; i++)
		client_step(&g.client[i]);
	while (g.pump_got < all && g.busy > 0)
		turn(100);
	printf("mib %zu seconds %.3f\n", g.pump_got >> 20, now_s() - from);
	return 0;
}

static int
do_half(long count)
{
	static const unsigned char begun[] = {
	    22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 1, 2, 3};
	long open = 0;

	for (long i = 0; i < count; i++) {
		int fd = dial();

		if (fd < 0)
			continue;
		for (int k = 0; k < 100; k++) {
			if (send(fd, begun, sizeof(begun), MSG_NOSIGNAL) > 0) {
				open++;
				break;
			}
			usleep(1000);
		}
	}
	printf("open %ld\n", open);
	fflush(stdout);
	while (read(0, &(char){0}, 1) > 0)
		continue;
	return 0;
}

/* --- the upstream --- */

static void
echo_back(int epoll, int fd)
{
	static char buf[65536];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	/* the client side of a benchmark reads what it sends */
	for (ssize_t at = 0; n > 0 && at < n;) {
		ssize_t did = send(
		    fd, buf + at, (size_t)(n - at), MSG_NOSIGNAL);

		if (did < 0 && errno == EAGAIN) {
			usleep(50);
			continue;
		}
		if (did < 0)
			n = -1;
		else
			at += did;
	}
	if (n <= 0) {
		(void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
		close(fd);
	}
}

static _Noreturn void
do_echo(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&g.to, sizeof(g.to)) != 0 ||
	    listen(fd, 4096) != 0)
		die("listen");
	(void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
	for (;;) {
		struct epoll_event got[256];
		int n = epoll_wait(epoll, got, 256, -1);

		for (int i = 0; i < n; i++) {
			if (got[i].data.fd != fd) {
				echo_back(epoll, got[i].data.fd);
				continue;
			}
			e.data.fd = accept4(
			    fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
			if (e.data.fd >= 0)
				(void)epoll_ctl(
				    epoll, EPOLL_CTL_ADD, e.data.fd, &e);
		}
	}
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	const char *mode = argc > 2 ? argv[1] : "";

	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (argc > 2)
		target(argv[2]);
	if (strcmp(mode, "echo") == 0)
		do_echo();
	if (strcmp(mode, "half") == 0 && argc == 4)
		return do_half(atol(argv[3]));
	if (argc < 9) {
		fputs("load: see the head of load.c for arguments\n", stderr);
		return 64;
	}
	identities(argv[4], argv[5]);
	context(argv[3], argv[6]);
	if (strcmp(mode, "shake") == 0 && argc == 10)
		return do_shake(
		    atol(argv[7]), (size_t)atol(argv[8]), atof(argv[9]));
	if (strcmp(mode, "hold") == 0)
		return do_hold((size_t)atol(argv[7]), (size_t)atol(argv[8]));
	if (strcmp(mode, "relay") == 0)
		return do_relay((size_t)atol(argv[7]), (size_t)atol(argv[8]));
	return 64;
}
