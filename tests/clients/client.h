/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the clients of all stacks share: arguments, a TCP connection, and an
 * MQTT CONNECT whose answer proves that the session works both ways.
 *
 *   client-STACK PORT TRUST.pem CERT.pem KEY.pem [1.2|1.3] [FRAGMENT]
 *
 * Exit status: 0 let in; 1 we refused the server's certificate; 2 anything
 * else. One line tells more.
 */
#ifndef DVT_TESTS_CLIENT_H
#define DVT_TESTS_CLIENT_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client_args {
	int port;
	const char *trust, *cert, *key, *version;
	int fragment; /* bytes; 0: not asked for */
};

static inline struct client_args
client_args(int argc, char **argv)
{
	struct client_args a = {.version = "1.2"};

	if (argc < 5) {
		fprintf(stderr,
		    "usage: %s PORT TRUST CERT KEY [1.2|1.3] [FRAGMENT]\n",
		    argv[0]);
		exit(64);
	}
	a.port = (int)strtol(argv[1], NULL, 10);
	a.trust = argv[2];
	a.cert = argv[3];
	a.key = argv[4];
	if (argc > 5)
		a.version = argv[5];
	if (argc > 6)
		a.fragment = (int)strtol(argv[6], NULL, 10);
	return a;
}

static inline int
client_connect(int port)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval limit = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("connect");
		exit(2);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

/* MQTT 3.1.1 CONNECT, clean session, client id "s"; CONNACK is 4 bytes. */
static const unsigned char client_hello[] = {
    0x10, 0x0d, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0x3c, 0, 1, 's'};
static const unsigned char client_bye[] = {0xe0, 0};

#endif
