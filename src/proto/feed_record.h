/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS attempt at an edge with its outcome, as a struct and as JSON.
 * Fields and words: docs/gateway-feed.md.
 */
#ifndef DVT_PROTO_FEED_RECORD_H
#define DVT_PROTO_FEED_RECORD_H

#include "base/hex.h"
#include "base/limits.h"
#include "base/span.h"

#include <jansson.h>

#define DVT_RECORD_ADDRESS 64 /* an IPv6 address with scope, and its NUL */
#define DVT_RECORD_SERIAL  66 /* hex digits, sign and NUL */
#define DVT_RECORD_WORD    24 /* one of our own words, and its NUL */
#define DVT_RECORD_DETAIL  64 /* a reason in words, and its NUL */
#define DVT_RECORD_PRINT   17 /* 8 bytes as hex, and its NUL */

#define DVT_OUTCOMES(X)                                                        \
	X(DVT_HS_OK, "ok")                                                     \
	X(DVT_HS_DEVICE_REFUSED, "device-refused") /* it did not take us */    \
	X(DVT_HS_EDGE_REFUSED, "edge-refused")     /* we did not take it */    \
	X(DVT_HS_NETWORK, "network")               /* neither said no */       \
	X(DVT_HS_PASSED, "passed") /* handed on by its name, not ours to end   \
				    */
#define DVT_OUTCOME_ENUM(id, name) id,
enum dvt_outcome { DVT_OUTCOMES(DVT_OUTCOME_ENUM) DVT_OUTCOME_N };
const char *dvt_outcome_name(enum dvt_outcome o);
enum dvt_outcome dvt_outcome_from_name(const char *name); /* or DVT_OUTCOME_N */

#define DVT_HS_REASONS(X)                                                      \
	X(DVT_HR_OK, "ok")                                                     \
	X(DVT_HR_UNKNOWN_CA, "unknown-ca")                                     \
	X(DVT_HR_EXPIRED, "expired")                                           \
	X(DVT_HR_NOT_YET_VALID, "not-yet-valid")                               \
	X(DVT_HR_BAD_CERTIFICATE, "bad-certificate")                           \
	X(DVT_HR_DENIED_REVOKED, "denied-revoked")                             \
	X(DVT_HR_DENIED_SUPERSEDED, "denied-superseded")                       \
	X(DVT_HR_DENIED_BLOCKED, "denied-blocked")                             \
	X(DVT_HR_NO_CERTIFICATE, "no-certificate")                             \
	X(DVT_HR_UNKNOWN_DEVICE, "unknown-device")                             \
	X(DVT_HR_CLOSED, "closed")                                             \
	X(DVT_HR_RESET, "reset")                                               \
	X(DVT_HR_TIMEOUT, "timeout")                                           \
	X(DVT_HR_PROTOCOL, "protocol")
#define DVT_HS_REASON_ENUM(id, name) id,
enum dvt_hs_reason { DVT_HS_REASONS(DVT_HS_REASON_ENUM) DVT_HR_N };
const char *dvt_hs_reason_name(enum dvt_hs_reason r);
enum dvt_hs_reason dvt_hs_reason_from_name(const char *name); /* or DVT_HR_N */

/* Texts are "" when they do not apply. Plain value: copy it freely. */
struct dvt_handshake {
	int64_t at;          /* Unix seconds */
	int64_t n;           /* how many like this it stands for; 0 is 1 */
	int64_t duration_us; /* accept to outcome of the TLS part */
	char address[DVT_RECORD_ADDRESS]; /* of the client, without port */
	char name[DVT_HOST_MAX + 1];      /* server name asked for */
	char print[DVT_RECORD_PRINT];     /* of the ClientHello */
	char stack[DVT_RECORD_WORD];      /* that the print suggests */
	char device[DVT_DEVICE_ID_MAX + 1];
	char confidence[DVT_RECORD_WORD]; /* enum dvt_confidence by name */
	char certificate[DVT_DIGEST_HEX]; /* of the client, when proven */
	char claimed[DVT_DIGEST_HEX];     /* one it showed and did not prove */
	char detail[DVT_RECORD_DETAIL];   /* why its certificate was refused */
	enum dvt_outcome outcome;
	enum dvt_hs_reason reason;
	int alert;      /* TLS alert number; -1: none */
	bool alert_out; /* we sent it; else it came from the device */
	int x509_error; /* X509_V_OK: the client chain did not fail */
	int depth;      /* of the certificate it complains about; -1 none */
	/* Dates: seconds since the end, or as a negative number until the
	 * beginning, of a client certificate that is refused for it; 0: not. */
	int64_t date_s;
	/* The client's clock less ours, where its hello tells it (stack.def) */
	bool has_clock;
	int64_t clock_s;
	char credential[DVT_NAME_MAX + 1]; /* shown */
	char serial[DVT_RECORD_SERIAL];    /* of the leaf shown */
	char root[DVT_DIGEST_HEX];         /* of the chain shown */
	char form[DVT_RECORD_WORD];        /* enum dvt_chain_form by name */
	char why[DVT_RECORD_WORD];         /* enum dvt_chain_why by name */
	char protocol[DVT_RECORD_WORD];    /* "TLSv1.3" */
};

#define DVT_RECORD_N_MAX 1000000000 /* handshakes in one record */

/* An empty record: nothing shown, nobody named. */
void dvt_handshake_init(struct dvt_handshake *h);

/* JSON object of the fields that apply; never NULL; the caller's. */
json_t *dvt_handshake_to_json(const struct dvt_handshake *h);
/* The same as one line without its line feed, appended. */
void dvt_handshake_format(const struct dvt_handshake *h, struct dvt_buf *out);

/**
 * dvt_handshake_from_json() - read one record
 * @out: filled on DVT_OK
 *
 * Unknown fields are passed over (an edge may be newer than its control
 * plane); unknown outcomes and reasons are refused.
 * Return: DVT_OK; DVT_E_INPUT, naming the field.
 */
DVT_MUST_USE enum dvt_code dvt_handshake_from_json(
    const json_t *obj, struct dvt_handshake *out, struct dvt_err *err);
/* From one line of at most DVT_RECORD_MAX bytes; also DVT_E_LIMIT. */
DVT_MUST_USE enum dvt_code dvt_handshake_parse(
    struct dvt_span line, struct dvt_handshake *out, struct dvt_err *err);

#endif
