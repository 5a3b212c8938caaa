/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: an edge with two roots and some devices, and clients that shake
 * hands with it in memory. The tests of one program share one world. */
#ifndef DVT_LOOP_EDGE_KIT_H
#define DVT_LOOP_EDGE_KIT_H

#include "loop/edge_tls.h"
#include "pki/testca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY_S 86400

/* Two roots for servers, one for devices, and what hangs below them. */
extern struct testca root_old, sub_old, leaf_old;
extern struct testca root_new, sub_new, leaf_new;
extern X509 *cross;
extern struct testca root_dev, dev[3], expired, early, is_ca, wrong_eku;
extern struct testca sub_dev, below; /* a device under an issuing CA */
extern struct testca pinned, stranger, foreign_root, foreign;
extern char fp_old[DVT_DIGEST_HEX], fp_new[DVT_DIGEST_HEX];

extern struct dvt_feed *feed;
extern struct dvt_edge_memory *memory;
extern struct dvt_edge *edge;
extern struct dvt_handshake last; /* record */
extern int records;               /* of the attempt */
extern int64_t clock_s;           /* the edge's clock */
extern SSL_SESSION *ticket;       /* the client's newest */
extern const int versions[2];     /* TLS 1.2, TLS 1.3 */

/* Group setup and teardown of cmocka. */
int world_make(void **state);
int world_drop(void **state);

void feed_device(const char *id, X509 *cert, const char *state, bool pin);
void feed_deny(X509 *cert, enum dvt_deny_reason why);
void set_add(struct dvt_edge_set *s, const char *id, const struct testca *leaf,
    const struct testca *sub, const struct testca *root, X509 *crossed,
    enum dvt_slot slot, int generation);
/*
 * Old and new credential, the anchor of devices, a policy. @roots: "O" or "N"
 * default, then next; "!" forced; "+" with cross.
 */
struct dvt_edge_set *set_begin(const char *roots);
void set_use(struct dvt_edge_set *s); /* sealed and taken by the edge */
void use(const char *roots);          /* both at once */

struct client {
	const struct testca *cert;  /* NULL: none */
	const struct testca *above; /* sent with it, or NULL */
	const char *trusts;         /* "O", "N", "ON" */
	const char *name;
	int version; /* TLS1_2_VERSION, TLS1_3_VERSION */
	bool tells;  /* certificate_authorities */
	bool keep;   /* offers and keeps the ticket */
	const char *from;
	uint8_t fragment;       /* RFC 6066 section 4; 0: not asked for */
	const char *ciphers;    /* of TLS 1.2; NULL: usual ones */
	const char *algorithms; /* of signatures; NULL: usual ones */
};

struct pair {
	SSL_CTX *ctx;
	SSL *client, *server;
	bool client_ok, server_ok;
};

void pair_begin(struct pair *p, const struct client *c);
void pair_open(struct pair *p, const struct client *c);
/* One byte each way, so that late refusals come to light. */
bool pair_talk(struct pair *p);
void pair_close(struct pair *p);
/* All of that; exactly one record is made. */
bool attempt(const struct client *c);

#endif
