/* SPDX-License-Identifier: Apache-2.0 */
/* Which TLS stack the print of a ClientHello suggests. */
#ifndef DVT_PROTO_STACK_H
#define DVT_PROTO_STACK_H

#include <stdbool.h>

struct dvt_stack {
	const char *print; /* dvt_hello.print */
	const char *name;  /* "mbedTLS 2.28"; at most DVT_RECORD_WORD - 1 */
	bool clock;        /* the random of its TLS 1.2 hello tells its clock */
};

/* NULL: a print that is not known. */
const struct dvt_stack *dvt_stack_of(const char *print);

#endif
