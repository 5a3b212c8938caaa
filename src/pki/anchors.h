/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's trust file, judged without the device: for each certificate in it
 * what it would accept as an anchor, and the day that ends. Pure.
 */
#ifndef DVT_PKI_ANCHORS_H
#define DVT_PKI_ANCHORS_H

#include "base/err.h"

#include <openssl/x509.h>

#include <stdbool.h>

#define DVT_ANCHOR_KINDS(X)                                                    \
	X(DVT_ANCHOR_ROOT, "root")   /* a CA that signed itself */             \
	X(DVT_ANCHOR_CROSS, "cross") /* the name and key of a root here, */    \
	/* signed by another CA */                                             \
	X(DVT_ANCHOR_INTERMEDIATE, "intermediate")                             \
	X(DVT_ANCHOR_LEAF, "leaf") /* no CA: one server certificate */
#define DVT_ANCHOR_KIND_ENUM(id, name) id,
enum dvt_anchor_kind { DVT_ANCHOR_KINDS(DVT_ANCHOR_KIND_ENUM) DVT_ANCHOR_N };
const char *dvt_anchor_kind_name(enum dvt_anchor_kind kind);

struct dvt_anchor_verdict {
	enum dvt_anchor_kind kind;
	bool covered; /* its issuer is in the file as well: it adds nothing */
	bool useful;  /* by its dates, now */
	int64_t breaks_at;   /* Unix seconds: it accepts nothing any more, at
				the latest */
	const char *accepts; /* for people */
	const char *before;  /* what ends it before that day; "" nothing */
	const char *mind;    /* what else to know; "" nothing */
};

struct dvt_anchors_sum {
	enum dvt_anchor_kind pins; /* the widest that is useful now; N: none */
	int64_t breaks_at; /* the last useful one ends; 0: none is useful */
};

/**
 * dvt_anchors_judge() - what a trust file accepts, and until when
 * @certs: of the file, in its order; borrowed
 * @out:   @n verdicts; texts are constants
 */
void dvt_anchors_judge(X509 *const *certs, size_t n, int64_t now,
    struct dvt_anchor_verdict *out, struct dvt_anchors_sum *sum);

#endif
