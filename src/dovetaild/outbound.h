/* SPDX-License-Identifier: Apache-2.0 */
/* What core hands to the courier, and what it hears of it. */
#ifndef DVT_DOVETAILD_OUTBOUND_H
#define DVT_DOVETAILD_OUTBOUND_H

#include "base/limits.h"
#include "base/span.h"

#define OUTBOUND_KEY_MAX  255
#define OUTBOUND_BODY_MAX 262144 /* bytes */

struct outbound {
	char key[OUTBOUND_KEY_MAX + 1]; /* unique: sent at least once */
	char kind[32];                  /* "webhook", "sms" */
	struct dvt_span body;           /* JSON */
};
void outbound_put(struct dvt_buf *out, const struct outbound *o);
DVT_MUST_USE enum dvt_code outbound_get(
    struct dvt_span msg, struct outbound *out, struct dvt_err *err);

struct outbound_done {
	char key[OUTBOUND_KEY_MAX + 1];
	enum dvt_code code; /* DVT_E_LATER: worth another try */
	char why[256];      /* unless DVT_OK */
};
void outbound_done_put(struct dvt_buf *out, const struct outbound_done *d);
DVT_MUST_USE enum dvt_code outbound_done_get(
    struct dvt_span msg, struct outbound_done *out, struct dvt_err *err);

#endif
