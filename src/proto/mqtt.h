/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT 3.1.1 packets (OASIS standard of 29 October 2014) to bytes and back.
 * No socket, no session: who sends what when is the caller's.
 */
#ifndef DVT_PROTO_MQTT_H
#define DVT_PROTO_MQTT_H

#include "base/span.h"

enum dvt_mqtt_type { /* section 2.2.1 */
	DVT_MQTT_CONNECT = 1,
	DVT_MQTT_CONNACK,
	DVT_MQTT_PUBLISH,
	DVT_MQTT_PUBACK,
	DVT_MQTT_PUBREC,
	DVT_MQTT_PUBREL,
	DVT_MQTT_PUBCOMP,
	DVT_MQTT_SUBSCRIBE,
	DVT_MQTT_SUBACK,
	DVT_MQTT_UNSUBSCRIBE,
	DVT_MQTT_UNSUBACK,
	DVT_MQTT_PINGREQ,
	DVT_MQTT_PINGRESP,
	DVT_MQTT_DISCONNECT,
};

struct dvt_mqtt_connect {
	struct dvt_span client_id;
	struct dvt_span user;     /* p NULL: none */
	struct dvt_span password; /* p NULL: none; needs a user */
	uint16_t keepalive_s;     /* 0: off */
	bool clean;
	struct dvt_span will_topic; /* p NULL: no will */
	struct dvt_span will_payload;
	uint8_t will_qos;
	bool will_retain;
};

struct dvt_mqtt_publish {
	struct dvt_span topic;
	struct dvt_span payload;
	uint16_t id; /* QoS 1 and 2: not 0 */
	uint8_t qos;
	bool retain;
	bool again; /* DUP */
};

struct dvt_mqtt_packet {
	enum dvt_mqtt_type type;
	struct dvt_span whole; /* the packet's own bytes */
	union {
		struct dvt_mqtt_connect connect;
		struct {
			bool session_present;
			uint8_t code; /* 0: accepted; section 3.2.2.3 */
		} connack;
		struct dvt_mqtt_publish publish;
		uint16_t id; /* PUBACK..PUBCOMP, UNSUBACK */
		struct {
			uint16_t id;
			struct dvt_span list; /* SUBACK: codes, one octet each;
					       * (UN)SUBSCRIBE: filters */
		} sub;
	} u;
};

/**
 * dvt_mqtt_take() - next packet, if all of it is there
 * @in:  what has arrived; moved past the packet on DVT_OK only
 * @max: bytes a packet may have; known from its first five, before the rest
 *       has to be held
 * @out: out: borrows from @in
 *
 * Return: DVT_OK; DVT_E_LATER (not all of it there: read more and come
 *         again); DVT_E_LIMIT; DVT_E_INPUT (not MQTT 3.1.1: close).
 */
DVT_MUST_USE enum dvt_code dvt_mqtt_take(struct dvt_span *in, size_t max,
    struct dvt_mqtt_packet *out, struct dvt_err *err);

/* From the list of a SUBSCRIBE: one filter and its QoS. */
DVT_MUST_USE enum dvt_code dvt_mqtt_take_filter(struct dvt_span *list,
    struct dvt_span *filter, uint8_t *qos, struct dvt_err *err);

/*
 * Writers append one packet. Text over 65,535 bytes marks the buffer as full
 * (dvt_buf_ok() then fails): that is the caller's limit to know.
 */
void dvt_mqtt_put_connect(
    struct dvt_buf *out, const struct dvt_mqtt_connect *connect);
void dvt_mqtt_put_connack(
    struct dvt_buf *out, bool session_present, uint8_t code);
void dvt_mqtt_put_publish(
    struct dvt_buf *out, const struct dvt_mqtt_publish *publish);
void dvt_mqtt_put_puback(struct dvt_buf *out, uint16_t id);
void dvt_mqtt_put_subscribe(
    struct dvt_buf *out, uint16_t id, const char *filter, uint8_t qos);
void dvt_mqtt_put_pingreq(struct dvt_buf *out);
void dvt_mqtt_put_disconnect(struct dvt_buf *out);

/* What a CONNACK code says (section 3.2.2.3). */
const char *dvt_mqtt_connack_text(uint8_t code);

#endif
