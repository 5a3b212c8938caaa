/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT as an edge between a client and its broker reads it: the CONNECT, whole
 * and strictly, of versions 3.1.1 and 5.0; of all the rest only where packets
 * begin. Section numbers: MQTT 5.0 (OASIS, 7 March 2019), and 3.1.1.
 */
#ifndef DVT_PROTO_MQTT_GATE_H
#define DVT_PROTO_MQTT_GATE_H

#include "base/limits.h"
#include "base/span.h"

/* Why a client is refused: name, code of 3.1.1 (0: it has none), of 5.0. */
#define DVT_MQTT_REFUSALS(X)                                                   \
	X(DVT_MQTT_MALFORMED, "malformed", 0, 0x81)                            \
	X(DVT_MQTT_VERSION, "unsupported-version", 1, 0x84)                    \
	X(DVT_MQTT_CLIENT_ID, "client-id", 2, 0x85)                            \
	X(DVT_MQTT_UNAVAILABLE, "unavailable", 3, 0x88)                        \
	X(DVT_MQTT_NOT_AUTHORISED, "not-authorised", 5, 0x87)                  \
	X(DVT_MQTT_TOO_LARGE, "too-large", 0, 0x95)
#define DVT_MQTT_REFUSAL_ENUM(id, name, v4, v5) id,
enum dvt_mqtt_refusal { DVT_MQTT_REFUSALS(DVT_MQTT_REFUSAL_ENUM) };
const char *dvt_mqtt_refusal_name(enum dvt_mqtt_refusal r);

/* Reason codes of a DISCONNECT by the server (5.0 section 3.14.2.1). */
#define DVT_MQTT_ADMINISTRATIVE 0x98

struct dvt_mqtt_opening {
	uint8_t version; /* 4: 3.1.1; 5; else what it asked for, or 0 */
	uint8_t flags;
	uint16_t keepalive_s;
	struct dvt_span properties; /* 5.0, with their length; else n 0 */
	struct dvt_span client_id;  /* n 0: the broker shall choose one */
	struct dvt_span will;       /* properties, topic and payload; n 0 */
	struct dvt_span user;       /* p NULL: none */
	struct dvt_span password;   /* p NULL: none */
};

/**
 * dvt_mqtt_opening_take() - the first packet of a client
 * @in:  what has arrived; moved past the CONNECT on DVT_OK only
 * @out: out: borrows from @in; its version also when refused
 * @why: out: what to answer, when it is refused
 *
 * Return: DVT_OK; DVT_E_LATER (not all there: read more); DVT_E_LIMIT (over
 *         DVT_MQTT_OPENING_MAX) and DVT_E_INPUT: refuse and close.
 * Source: section 3.1 of both.
 */
DVT_MUST_USE enum dvt_code dvt_mqtt_opening_take(struct dvt_span *in,
    struct dvt_mqtt_opening *out, enum dvt_mqtt_refusal *why,
    struct dvt_err *err);

/*
 * The same CONNECT under the name @user. Its password goes with it only where
 * @keep_password.
 */
void dvt_mqtt_opening_put(struct dvt_buf *out, const struct dvt_mqtt_opening *o,
    const char *user, bool keep_password);

/*
 * CONNACK that refuses. Nothing is written where the version has no word for
 * the reason: the connection is then just closed (3.1.1 section 3.1.4).
 */
void dvt_mqtt_refuse_put(
    struct dvt_buf *out, uint8_t version, enum dvt_mqtt_refusal why);
#define DVT_MQTT_BYE_MAX 8 /* bytes of it */
/* DISCONNECT by the server; only in 5.0, and after its CONNACK. */
void dvt_mqtt_bye_put(struct dvt_buf *out, uint8_t reason);

/**
 * dvt_mqtt_owns() - does a client id belong to this device?
 *
 * It is the device's id, or begins with it and ":" or "/". An empty one claims
 * nothing: the broker chooses.
 */
bool dvt_mqtt_owns(const char *device, struct dvt_span client_id);

/*
 * May a device of this name be a user name at a broker? Text, not empty, and
 * without the wildcards + and #, which a rule by user name would take for its
 * own (3.1.1 section 4.7.1).
 */
bool dvt_mqtt_may_be_user(const char *device);

/* Where packets begin in a stream that is passed on in pieces. */
struct dvt_mqtt_border {
	uint32_t left;    /* bytes of the packet that are still to come */
	uint32_t length;  /* of the one whose head is being read */
	uint8_t head;     /* bytes of its head so far; 0: between packets */
	bool broken;      /* no MQTT: there are no borders any more */
	uint64_t packets; /* ended so far */
};
bool dvt_mqtt_border_is(const struct dvt_mqtt_border *b);
/**
 * dvt_mqtt_border_pass() - go through the next piece
 * @stop: end at the first border after a byte, when there is one
 * Return: bytes gone through: @n, or fewer with @stop.
 */
size_t dvt_mqtt_border_pass(
    struct dvt_mqtt_border *b, const uint8_t *p, size_t n, bool stop);

#endif
