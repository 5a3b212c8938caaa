/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of what fronts ask (REQUEST, EST_REQUEST) and hear (REPLY, PUBLISH).
 * A front has parsed and bounded everything; identity is the fingerprint of a
 * certificate proven in TLS, never a claim.
 */
#ifndef DVT_DOVETAILD_REQUEST_H
#define DVT_DOVETAILD_REQUEST_H

#include "base/hex.h"
#include "base/limits.h"
#include "base/span.h"

#define REQUEST_TOKEN_MAX  128 /* characters of a bearer token */
#define REQUEST_SECRET_MAX 128 /* bytes of a one-time secret */
#define REQUEST_ACCEPT_MAX 255 /* characters of an Accept header kept */
#define REQUEST_GRANT_MAX  33  /* bytes of a grant, with NUL */
#define REQUEST_ADDR_MAX   64  /* characters of a client's address */
#define REPLY_TYPE_MAX     128 /* characters of a content type */

enum request_from { FROM_DEVICE, FROM_OPERATOR, FROM_SOCKET };

struct request {
	enum request_from from;
	char method[8];
	char path[DVT_URI_MAX + 1]; /* without query, still encoded */
	char query[DVT_URI_MAX + 1];
	char token[REQUEST_TOKEN_MAX + 1];
	char fingerprint[DVT_DIGEST_HEX]; /* of the client, proven; "" none */
	char address[REQUEST_ADDR_MAX];
	char accept[REQUEST_ACCEPT_MAX + 1];
	struct dvt_span body; /* JSON was parsed and written again */
};

void request_put(struct dvt_buf *out, const struct request *r);
/* @out->body points into @msg. DVT_OK; DVT_E_INPUT. */
DVT_MUST_USE enum dvt_code request_get(
    struct dvt_span msg, struct request *out, struct dvt_err *err);

/* A certification request whose key is proven, as typed fields. */
struct est_request {
	bool reenroll;
	char label[DVT_NAME_MAX + 1];     /* "" none */
	char fingerprint[DVT_DIGEST_HEX]; /* of the client, proven; "" none */
	char address[REQUEST_ADDR_MAX];
	char user[DVT_DEVICE_ID_MAX + 1]; /* HTTP Basic; "" none */
	char secret_hash[DVT_DIGEST_HEX]; /* SHA-256 of its password */
	struct dvt_span client;  /* DER of the proven certificate, or empty */
	struct dvt_span subject; /* DER Name of the request */
	struct dvt_span san;     /* value of the asked extension, or empty */
	struct dvt_span spki;    /* DER; kind and size are checked */
	char key_digest[DVT_DIGEST_HEX];
	bool asks_ca;
	char grant[REQUEST_GRANT_MAX]; /* for an ended certificate; "" none */
};

void est_request_put(struct dvt_buf *out, const struct est_request *r);
DVT_MUST_USE enum dvt_code est_request_get(
    struct dvt_span msg, struct est_request *out, struct dvt_err *err);

/* The answer to either. For EST with status 200 the body is one DER
 * certificate; the front makes the certs-only message of it. */
struct reply {
	int status;
	char type[REPLY_TYPE_MAX + 1]; /* "" no body */
	int64_t retry_after_s;         /* 0: no such header */
	struct dvt_span body;
};

void reply_put(struct dvt_buf *out, const struct reply *r);
DVT_MUST_USE enum dvt_code reply_get(
    struct dvt_span msg, struct reply *out, struct dvt_err *err);

/* What fronts answer without asking. */
#define PUBLISH_CACERTS "cacerts" /* certs-only message, DER */
#define PUBLISH_BUNDLES "bundles" /* "VERSION KEYS_VERSION LINE\n" ... */

struct publish {
	char what[32];
	struct dvt_span body;
};

void publish_put(struct dvt_buf *out, const struct publish *p);
DVT_MUST_USE enum dvt_code publish_get(
    struct dvt_span msg, struct publish *out, struct dvt_err *err);

#endif
