/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT 3.1.1: see mqtt.h. Section numbers are those of the standard. */
#include "proto/mqtt.h"

#include "wire/utf8.h"

#define LEVEL_3_1_1 4

/* flags of a CONNECT (section 3.1.2.3) */
#define HAS_USER     0x80
#define HAS_PASSWORD 0x40
#define WILL_RETAIN  0x20
#define WILL_QOS     0x18
#define HAS_WILL     0x04
#define CLEAN        0x02
#define RESERVED     0x01

static enum dvt_code
bad(struct dvt_err *err, const char *what)
{
	return dvt_fail(err, DVT_E_INPUT, "MQTT: %s", what);
}

/*
 * Remaining length (section 2.2.3): 1-4 bytes, the highest bit means more.
 * @width: out: how many.
 */
static enum dvt_code
read_length(struct dvt_span s, size_t *len, size_t *width, struct dvt_err *err)
{
	*len = *width = 0;
	for (size_t i = 0; i < 4; i++) {
		if (i == s.n)
			return dvt_fail(err, DVT_E_LATER, "MQTT: more to come");
		*len |= (size_t)(s.p[i] & 0x7f) << 7 * i;
		if (s.p[i] < 0x80) {
			*width = i + 1;
			return DVT_OK;
		}
	}
	return bad(err, "length of over four bytes");
}

static enum dvt_code
take_u8(struct dvt_span *in, uint8_t *out, struct dvt_err *err)
{
	*out = 0;
	if (in->n < 1)
		return bad(err, "packet too short");
	*out = in->p[0];
	*in = dvt_span_from(*in, 1);
	return DVT_OK;
}

static enum dvt_code
take_u16(struct dvt_span *in, uint16_t *out, struct dvt_err *err)
{
	*out = 0;
	if (in->n < 2)
		return bad(err, "packet too short");
	*out = (uint16_t)dvt_be_uint(in->p, 2);
	*in = dvt_span_from(*in, 2);
	return DVT_OK;
}

static enum dvt_code
take_id(struct dvt_span *in, uint16_t *id, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = take_u16(in, id, err)) != DVT_OK)
		return rc;
	return *id == 0 ? bad(err, "packet identifier 0") : DVT_OK;
}

/* Length and that many bytes; never {NULL, 0}. */
static enum dvt_code
take_bytes(struct dvt_span *in, struct dvt_span *out, struct dvt_err *err)
{
	enum dvt_code rc;
	uint16_t n;

	if ((rc = take_u16(in, &n, err)) != DVT_OK)
		return rc;
	if (n > in->n)
		return bad(err, "text longer than its packet");
	*out = (struct dvt_span){in->p, n};
	*in = dvt_span_from(*in, n);
	return DVT_OK;
}

/*
 * The same as text (section 1.5.3). Control characters are allowed to be
 * refused, and are: they end in logs.
 */
static enum dvt_code
take_text(struct dvt_span *in, struct dvt_span *out, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = take_bytes(in, out, err)) != DVT_OK)
		return rc;
	return dvt_utf8_is_text(*out) ? DVT_OK : bad(err, "text is no UTF-8");
}

static enum dvt_code
take_topic(struct dvt_span *in, struct dvt_span *out, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = take_text(in, out, err)) != DVT_OK)
		return rc;
	if (out->n == 0 || memchr(out->p, '+', out->n) != NULL ||
	    memchr(out->p, '#', out->n) != NULL)
		return bad(err, "topic empty or with a wildcard");
	return DVT_OK;
}

static enum dvt_code
read_will(struct dvt_span *in, uint8_t flags, struct dvt_mqtt_connect *c,
    struct dvt_err *err)
{
	enum dvt_code rc;

	c->will_qos = (flags & WILL_QOS) >> 3;
	c->will_retain = (flags & WILL_RETAIN) != 0;
	if ((flags & HAS_WILL) == 0) {
		if (c->will_qos != 0 || c->will_retain)
			return bad(err, "flags of a will without one");
		return DVT_OK;
	}
	if (c->will_qos > 2)
		return bad(err, "QoS 3");
	if ((rc = take_topic(in, &c->will_topic, err)) != DVT_OK)
		return rc;
	return take_bytes(in, &c->will_payload, err);
}

/* Section 3.1. */
static enum dvt_code
read_connect(
    struct dvt_span in, struct dvt_mqtt_connect *c, struct dvt_err *err)
{
	struct dvt_span protocol;
	uint8_t level, flags;
	enum dvt_code rc;

	*c = (struct dvt_mqtt_connect){0};
	if ((rc = take_text(&in, &protocol, err)) != DVT_OK ||
	    (rc = take_u8(&in, &level, err)) != DVT_OK ||
	    (rc = take_u8(&in, &flags, err)) != DVT_OK ||
	    (rc = take_u16(&in, &c->keepalive_s, err)) != DVT_OK)
		return rc;
	if (!dvt_span_eq_str(protocol, "MQTT") || level != LEVEL_3_1_1)
		return bad(err, "not version 3.1.1");
	if ((flags & RESERVED) != 0)
		return bad(err, "reserved flag of CONNECT");
	if ((flags & HAS_PASSWORD) != 0 && (flags & HAS_USER) == 0)
		return bad(err, "password without a user name");
	c->clean = (flags & CLEAN) != 0;
	if ((rc = take_text(&in, &c->client_id, err)) != DVT_OK ||
	    (rc = read_will(&in, flags, c, err)) != DVT_OK)
		return rc;
	if ((flags & HAS_USER) != 0 &&
	    (rc = take_text(&in, &c->user, err)) != DVT_OK)
		return rc;
	if ((flags & HAS_PASSWORD) != 0 &&
	    (rc = take_bytes(&in, &c->password, err)) != DVT_OK)
		return rc;
	return in.n == 0 ? DVT_OK : bad(err, "bytes after CONNECT");
}

/* Section 3.2. */
static enum dvt_code
read_connack(
    struct dvt_span in, struct dvt_mqtt_packet *out, struct dvt_err *err)
{
	if (in.n != 2 || in.p[0] > 1)
		return bad(err, "CONNACK");
	out->u.connack.session_present = in.p[0] == 1;
	out->u.connack.code = in.p[1];
	return DVT_OK;
}

/* Section 3.3. */
static enum dvt_code
read_publish(struct dvt_span in, uint8_t flags, struct dvt_mqtt_publish *p,
    struct dvt_err *err)
{
	enum dvt_code rc;

	*p = (struct dvt_mqtt_publish){
	    .qos = flags >> 1 & 3,
	    .retain = (flags & 1) != 0,
	    .again = (flags & 8) != 0,
	};
	if (p->qos > 2)
		return bad(err, "QoS 3");
	if (p->again && p->qos == 0)
		return bad(err, "DUP with QoS 0");
	if ((rc = take_topic(&in, &p->topic, err)) != DVT_OK)
		return rc;
	if (p->qos > 0 && (rc = take_id(&in, &p->id, err)) != DVT_OK)
		return rc;
	p->payload = in;
	return DVT_OK;
}

static enum dvt_code
read_id_only(struct dvt_span in, uint16_t *id, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = take_id(&in, id, err)) != DVT_OK)
		return rc;
	return in.n == 0 ? DVT_OK : bad(err, "bytes after an identifier");
}

static enum dvt_code
read_sub(struct dvt_span in, struct dvt_mqtt_packet *out, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = take_id(&in, &out->u.sub.id, err)) != DVT_OK)
		return rc;
	if (in.n == 0)
		return bad(err, "empty list");
	out->u.sub.list = in;
	return DVT_OK;
}

/* The flags that a packet of this type must have (section 2.2.2). */
static bool
flags_fit(enum dvt_mqtt_type type, uint8_t flags)
{
	if (type == DVT_MQTT_PUBLISH)
		return true;
	if (type == DVT_MQTT_PUBREL || type == DVT_MQTT_SUBSCRIBE ||
	    type == DVT_MQTT_UNSUBSCRIBE)
		return flags == 2;
	return flags == 0;
}

static enum dvt_code
read_body(struct dvt_span body, uint8_t flags, struct dvt_mqtt_packet *out,
    struct dvt_err *err)
{
	if (!flags_fit(out->type, flags))
		return bad(err, "reserved flags");
	switch (out->type) {
	case DVT_MQTT_CONNECT:
		return read_connect(body, &out->u.connect, err);
	case DVT_MQTT_CONNACK:
		return read_connack(body, out, err);
	case DVT_MQTT_PUBLISH:
		return read_publish(body, flags, &out->u.publish, err);
	case DVT_MQTT_PUBACK:
	case DVT_MQTT_PUBREC:
	case DVT_MQTT_PUBREL:
	case DVT_MQTT_PUBCOMP:
	case DVT_MQTT_UNSUBACK:
		return read_id_only(body, &out->u.id, err);
	case DVT_MQTT_SUBSCRIBE:
	case DVT_MQTT_SUBACK:
	case DVT_MQTT_UNSUBSCRIBE:
		return read_sub(body, out, err);
	case DVT_MQTT_PINGREQ:
	case DVT_MQTT_PINGRESP:
	case DVT_MQTT_DISCONNECT:
		return body.n == 0 ? DVT_OK : bad(err, "bytes too many");
	}
	return bad(err, "unknown packet type");
}

enum dvt_code
dvt_mqtt_take(struct dvt_span *in, size_t max, struct dvt_mqtt_packet *out,
    struct dvt_err *err)
{
	struct dvt_span body;
	size_t len, width;
	enum dvt_code rc;

	*out = (struct dvt_mqtt_packet){0};
	if (in->n < 2)
		return dvt_fail(err, DVT_E_LATER, "MQTT: more to come");
	if ((in->p[0] >> 4) < DVT_MQTT_CONNECT ||
	    (in->p[0] >> 4) > DVT_MQTT_DISCONNECT)
		return bad(err, "unknown packet type");
	out->type = (enum dvt_mqtt_type)(in->p[0] >> 4);
	rc = read_length(dvt_span_from(*in, 1), &len, &width, err);
	if (rc != DVT_OK)
		return rc;
	if (1 + width + len > max)
		return dvt_fail(err, DVT_E_LIMIT,
		    "MQTT: packet of %zu bytes, at most %zu", 1 + width + len,
		    max);
	body = dvt_span_from(*in, 1 + width);
	if (body.n < len)
		return dvt_fail(err, DVT_E_LATER, "MQTT: more to come");
	body.n = len;
	if ((rc = read_body(body, in->p[0] & 0x0f, out, err)) != DVT_OK)
		return rc;
	out->whole = (struct dvt_span){in->p, 1 + width + len};
	*in = dvt_span_from(*in, out->whole.n);
	return DVT_OK;
}

enum dvt_code
dvt_mqtt_take_filter(struct dvt_span *list, struct dvt_span *filter,
    uint8_t *qos, struct dvt_err *err)
{
	struct dvt_span s = *list;
	enum dvt_code rc;

	if ((rc = take_text(&s, filter, err)) != DVT_OK ||
	    (rc = take_u8(&s, qos, err)) != DVT_OK)
		return rc;
	if (filter->n == 0 || *qos > 2)
		return bad(err, "filter");
	*list = s;
	return DVT_OK;
}

static void
put_u8(struct dvt_buf *out, unsigned v)
{
	dvt_buf_be(out, v, 1);
}

static void
put_text(struct dvt_buf *out, struct dvt_span s)
{
	if (s.n > UINT16_MAX) {
		out->full = true;
		return;
	}
	dvt_buf_be(out, s.n, 2);
	dvt_buf_put_span(out, s);
}

/* First byte and remaining length, at most 268,435,455 (section 2.2.3). */
static void
put_head(
    struct dvt_buf *out, enum dvt_mqtt_type type, unsigned flags, size_t len)
{
	if (len > 0x0fffffff) {
		out->full = true;
		return;
	}
	put_u8(out, (unsigned)type << 4 | flags);
	do {
		unsigned low = len & 0x7f;

		len >>= 7;
		put_u8(out, len > 0 ? low | 0x80 : low);
	} while (len > 0);
}

void
dvt_mqtt_put_connect(struct dvt_buf *out, const struct dvt_mqtt_connect *c)
{
	unsigned flags = c->clean ? CLEAN : 0;
	size_t len = 10 + 2 + c->client_id.n;

	if (c->will_topic.p != NULL) {
		flags |= HAS_WILL | (unsigned)c->will_qos << 3 |
			 (c->will_retain ? WILL_RETAIN : 0U);
		len += 2 + c->will_topic.n + 2 + c->will_payload.n;
	}
	if (c->user.p != NULL) {
		flags |= HAS_USER;
		len += 2 + c->user.n;
	}
	if (c->password.p != NULL) {
		flags |= HAS_PASSWORD;
		len += 2 + c->password.n;
	}
	put_head(out, DVT_MQTT_CONNECT, 0, len);
	put_text(out, DVT_SPAN_LIT("MQTT"));
	put_u8(out, LEVEL_3_1_1);
	put_u8(out, flags);
	dvt_buf_be(out, c->keepalive_s, 2);
	put_text(out, c->client_id);
	if (c->will_topic.p != NULL) {
		put_text(out, c->will_topic);
		put_text(out, c->will_payload);
	}
	if (c->user.p != NULL)
		put_text(out, c->user);
	if (c->password.p != NULL)
		put_text(out, c->password);
}

void
dvt_mqtt_put_connack(struct dvt_buf *out, bool session_present, uint8_t code)
{
	put_head(out, DVT_MQTT_CONNACK, 0, 2);
	put_u8(out, session_present ? 1 : 0);
	put_u8(out, code);
}

void
dvt_mqtt_put_publish(struct dvt_buf *out, const struct dvt_mqtt_publish *p)
{
	unsigned flags = (p->again ? 8U : 0U) | (unsigned)p->qos << 1 |
			 (p->retain ? 1U : 0U);
	size_t id = p->qos > 0 ? 2 : 0;

	put_head(
	    out, DVT_MQTT_PUBLISH, flags, 2 + p->topic.n + id + p->payload.n);
	put_text(out, p->topic);
	dvt_buf_be(out, p->id, id);
	dvt_buf_put_span(out, p->payload);
}

void
dvt_mqtt_put_puback(struct dvt_buf *out, uint16_t id)
{
	put_head(out, DVT_MQTT_PUBACK, 0, 2);
	dvt_buf_be(out, id, 2);
}

void
dvt_mqtt_put_subscribe(
    struct dvt_buf *out, uint16_t id, const char *filter, uint8_t qos)
{
	put_head(out, DVT_MQTT_SUBSCRIBE, 2, 2 + 2 + strlen(filter) + 1);
	dvt_buf_be(out, id, 2);
	put_text(out, dvt_span_str(filter));
	put_u8(out, qos);
}

void
dvt_mqtt_put_pingreq(struct dvt_buf *out)
{
	put_head(out, DVT_MQTT_PINGREQ, 0, 0);
}

void
dvt_mqtt_put_disconnect(struct dvt_buf *out)
{
	put_head(out, DVT_MQTT_DISCONNECT, 0, 0);
}

const char *
dvt_mqtt_connack_text(uint8_t code)
{
	static const char *const texts[] = {
	    "accepted",
	    "protocol version refused",
	    "client identifier refused",
	    "server unavailable",
	    "bad user name or password",
	    "not authorised",
	};

	return code < DVT_COUNT(texts) ? texts[code] : "unknown code";
}
