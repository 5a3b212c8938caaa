/* SPDX-License-Identifier: Apache-2.0 */
/* The check-in as bytes: docs/device-api.md. Nothing is decided here. */
#ifndef DVT_DEVICE_CHECKIN_H
#define DVT_DEVICE_CHECKIN_H

#include "device/confval.h"
#include "device/history.h"

#define DVT_CHECKIN_TARGET  "/v1/device/checkin"
#define DVT_CHECKIN_STEPS   40    /* steps in one check-in; fits its limit */
#define DVT_CHECKIN_DO      16    /* instructions looked at in one answer */
#define DVT_CHECKIN_NEXT    300   /* s, when the answer does not say */
#define DVT_CHECKIN_LONGEST 86400 /* s; no longer silence than this */

struct dvt_checkin {
	int64_t time; /* the device's clock */
	int64_t version;
	const char *digest; /* of the anchors loaded */
	const struct dvt_agent_event *steps;
	size_t steps_n;
	const struct dvt_agent_event *last;  /* one more step, or NULL */
	const struct dvt_history_done *done; /* those not told yet are sent */
	size_t done_n;
	const struct dvt_confval *config; /* values that are news */
	size_t config_n;
};

/* Append the body. DVT_E_LIMIT. */
DVT_MUST_USE enum dvt_code dvt_checkin_format(
    const struct dvt_checkin *c, struct dvt_buf *out, struct dvt_err *err);

enum dvt_do_action { DVT_DO_RENEW, DVT_DO_PROBE };

struct dvt_do {
	char id[DVT_NAME_MAX + 1];
	enum dvt_do_action action;
	char label[DVT_NAME_MAX + 1]; /* renew; "" none */
};

struct dvt_checkin_answer {
	int64_t time;
	int64_t next_s;
	int64_t version; /* newest bundle; 0: none */
	char digest[DVT_DIGEST_HEX];
	char edge_next[DVT_HOST_MAX + 1];  /* "" none */
	char edge_trial[DVT_HOST_MAX + 1]; /* "" none */
	struct dvt_do todo[DVT_CHECKIN_DO];
	size_t todo_n;
	struct dvt_confvals config; /* wanted, and what they are sealed to */
};

/**
 * dvt_checkin_parse() - the answer to a check-in
 *
 * Unknown fields and actions are passed over: a server may be newer.
 * Return: DVT_OK; DVT_E_INPUT, naming the field; DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_checkin_parse(
    struct dvt_span body, struct dvt_checkin_answer *out, struct dvt_err *err);

#endif
