/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identity tickets: what edge and control plane gave us to be named by on the
 * next visit, before either side has shown a certificate. Offered, never
 * resumed. They are kept in one file, "tickets"; to lose it costs a name in a
 * record and nothing else, so it is written seldom and never in an update.
 */
#ifndef DVT_DEVICE_TICKETS_H
#define DVT_DEVICE_TICKETS_H

#include "device/agent.h"

#define DVT_TICKETS_FILE "tickets"

struct dvt_tickets {
	struct {
		char leaf[DVT_DIGEST_HEX]; /* certificate it names; "" none */
		struct dvt_buf der;        /* SSL_SESSION */
	} of[DVT_TICKET_N];
	int64_t at;       /* of the file, Unix seconds */
	bool dirty;       /* the file says something else */
	int64_t write_ms; /* dvt_time.mono_ms; not before */
};
void dvt_tickets_init(struct dvt_tickets *t);
void dvt_tickets_fini(struct dvt_tickets *t);

/**
 * dvt_tickets_parse() - the file
 * @t: gets what is in it; without any on failure
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_tickets_parse(
    struct dvt_tickets *t, struct dvt_span text, struct dvt_err *err);
/* Those for the certificate @leaf; nothing when there are none. */
void dvt_tickets_format(
    const struct dvt_tickets *t, const char *leaf, struct dvt_buf *out);

#endif
