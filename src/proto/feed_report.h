/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an edge tells the control plane: POST /v1/gateway/report. The edge
 * formats, dovetaild parses. Fields: docs/gateway-feed.md.
 */
#ifndef DVT_PROTO_FEED_REPORT_H
#define DVT_PROTO_FEED_REPORT_H

#include "proto/feed.h"
#include "proto/feed_record.h"

/* A chain that came from the edge's own files. */
struct dvt_report_credential {
	char id[DVT_NAME_MAX + 1]; /* "file" or "file:NAME" */
	char *chain_pem;
	char key_digest[DVT_DIGEST_HEX];
	struct dvt_feed_list names;
	char root[DVT_DIGEST_HEX]; /* "" not known */
};

/* The answer to a "csr" of the feed. */
struct dvt_report_csr {
	char order[DVT_NAME_MAX + 1];
	uint8_t *der;
	size_t der_n;
};

struct dvt_report {
	int64_t batch; /* counts up per gateway; repeated until acknowledged */
	int64_t applied; /* position that every worker has in force */
	int64_t epoch;
	int64_t now; /* the edge's clock, Unix seconds */
	char version[32];
	int64_t sessions; /* open now */
	struct dvt_report_credential *credentials;
	size_t credentials_n;
	struct dvt_report_csr *csrs;
	size_t csrs_n;
	struct dvt_feed_list doubts; /* what its operator should see to */
	struct dvt_handshake *handshakes;
	size_t handshakes_n;
};

void dvt_report_fini(struct dvt_report *r); /* NULL-safe; empty afterwards */

/**
 * dvt_report_parse() - a report as received
 * @body: at most DVT_REPORT_MAX bytes
 * @out:  out: the caller's, dvt_report_fini(); empty on failure
 *
 * Unknown fields are passed over.
 * Return: DVT_OK; DVT_E_INPUT (names the field; for handshakes and CSRs the
 *         place in the list); DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_report_parse(
    struct dvt_span body, struct dvt_report *out, struct dvt_err *err);

/**
 * dvt_report_format() - a report, appended
 * @lines: records ready as JSON, one per line (a spool); come after
 *         @r->handshakes; {NULL, 0}: none
 */
void dvt_report_format(
    const struct dvt_report *r, struct dvt_span lines, struct dvt_buf *out);

/* {"batch": 41, "position": 815} */
struct dvt_report_answer {
	int64_t batch;
	int64_t position; /* of the control plane: ask when it is ahead */
};
DVT_MUST_USE enum dvt_code dvt_report_answer_parse(
    struct dvt_span body, struct dvt_report_answer *out, struct dvt_err *err);
void dvt_report_answer_format(
    const struct dvt_report_answer *a, struct dvt_buf *out);

#endif
