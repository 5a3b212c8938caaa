/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT at an edge: see mqtt_gate.h. */
#include "proto/mqtt_gate.h"

#include "wire/utf8.h"

#include <string.h>

#define CONNECT    0x10
#define CONNACK    0x20
#define DISCONNECT 0xe0

#define BRIDGE 0x80 /* of a version: a bridge asks, by convention */

/* flags of a CONNECT (section 3.1.2.3) */
#define HAS_USER     0x80
#define HAS_PASSWORD 0x40
#define WILL_RETAIN  0x20
#define WILL_QOS     0x18
#define HAS_WILL     0x04
#define RESERVED     0x01

#define REFUSAL_NAME(id, name, v4, v5) name,
#define REFUSAL_V4(id, name, v4, v5)   v4,
#define REFUSAL_V5(id, name, v4, v5)   v5,

const char *
dvt_mqtt_refusal_name(enum dvt_mqtt_refusal r)
{
	static const char *const names[] = {DVT_MQTT_REFUSALS(REFUSAL_NAME)};

	return (size_t)r < DVT_COUNT(names) ? names[r] : "?";
}

static enum dvt_code
bad(struct dvt_err *err, const char *what)
{
	return dvt_fail(err, DVT_E_INPUT, "MQTT CONNECT: %s", what);
}

/* Variable byte integer (section 1.5.5); DVT_E_LATER when it is not whole. */
static enum dvt_code
take_varint(struct dvt_span *in, size_t *out, struct dvt_err *err)
{
	*out = 0;
	for (size_t i = 0; i < 4; i++) {
		if (i == in->n)
			return dvt_fail(err, DVT_E_LATER, "MQTT: more to come");
		*out |= (size_t)(in->p[i] & 0x7f) << 7 * i;
		if (in->p[i] >= 0x80)
			continue;
		if (i > 0 && in->p[i] == 0)
			return bad(err, "length padded");
		*in = dvt_span_from(*in, i + 1);
		return DVT_OK;
	}
	return bad(err, "length of over four bytes");
}

static void
put_varint(struct dvt_buf *out, size_t v)
{
	do {
		dvt_buf_putc(out, (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0)));
		v >>= 7;
	} while (v > 0);
}

/* Two bytes of length, then so many (sections 1.5.4, 1.5.6). */
static enum dvt_code
take_data(struct dvt_span *in, struct dvt_span *out, const char *what,
    struct dvt_err *err)
{
	size_t n;

	if (in->n < 2)
		return bad(err, what);
	n = (size_t)in->p[0] << 8 | in->p[1];
	if (n > in->n - 2)
		return bad(err, what);
	*out = (struct dvt_span){in->p + 2, n};
	*in = dvt_span_from(*in, 2 + n);
	return DVT_OK;
}

static enum dvt_code
take_text(struct dvt_span *in, struct dvt_span *out, const char *what,
    struct dvt_err *err)
{
	enum dvt_code rc = take_data(in, out, what, err);

	/* section 1.5.4; control characters "should not" be there, and would
	 * go into logs */
	return rc == DVT_OK && !dvt_utf8_is_text(*out) ? bad(err, what) : rc;
}

/* Properties as one piece with their length; what is in them is the broker's.
 */
static enum dvt_code
take_properties(struct dvt_span *in, struct dvt_span *out, struct dvt_err *err)
{
	struct dvt_span rest = *in;
	size_t n;

	if (take_varint(&rest, &n, err) != DVT_OK || n > rest.n)
		return bad(err, "properties");
	rest = dvt_span_from(rest, n);
	*out = (struct dvt_span){in->p, in->n - rest.n};
	*in = rest;
	return DVT_OK;
}

/* --- the packet --- */

static enum dvt_code
take_head(struct dvt_span *in, struct dvt_mqtt_opening *o,
    enum dvt_mqtt_refusal *why, struct dvt_err *err)
{
	struct dvt_span name;
	enum dvt_code rc;

	if ((rc = take_data(in, &name, "protocol name", err)) != DVT_OK)
		return rc;
	if (in->n < 4)
		return bad(err, "too short");
	o->version = in->p[0];
	if (!dvt_span_eq_str(name, "MQTT") ||
	    (o->version != 4 && o->version != 5)) {
		*why = DVT_MQTT_VERSION;
		return bad(err, "neither 3.1.1 nor 5.0");
	}
	o->flags = in->p[1];
	o->keepalive_s = (uint16_t)(in->p[2] << 8 | in->p[3]);
	*in = dvt_span_from(*in, 4);
	if ((o->flags & RESERVED) != 0 || (o->flags & WILL_QOS) == WILL_QOS ||
	    ((o->flags & HAS_WILL) == 0 &&
		(o->flags & (WILL_QOS | WILL_RETAIN)) != 0))
		return bad(err, "flags");
	if (o->version == 4 &&
	    (o->flags & (HAS_USER | HAS_PASSWORD)) == HAS_PASSWORD)
		return bad(err, "a password without a user name");
	return o->version == 5 ? take_properties(in, &o->properties, err)
			       : DVT_OK;
}

static enum dvt_code
take_will(struct dvt_span *in, struct dvt_mqtt_opening *o, struct dvt_err *err)
{
	const uint8_t *from = in->p;
	struct dvt_span part;
	enum dvt_code rc = DVT_OK;

	if (o->version == 5)
		rc = take_properties(in, &part, err);
	if (rc == DVT_OK)
		rc = take_text(in, &part, "will topic", err);
	if (rc == DVT_OK && part.n == 0)
		rc = bad(err, "will topic");
	if (rc == DVT_OK)
		rc = take_data(in, &part, "will payload", err);
	o->will = (struct dvt_span){from, (size_t)(in->p - from)};
	return rc;
}

static enum dvt_code
take_payload(
    struct dvt_span *in, struct dvt_mqtt_opening *o, struct dvt_err *err)
{
	enum dvt_code rc = take_text(in, &o->client_id, "client id", err);

	if (rc == DVT_OK && (o->flags & HAS_WILL) != 0)
		rc = take_will(in, o, err);
	if (rc == DVT_OK && (o->flags & HAS_USER) != 0)
		rc = take_text(in, &o->user, "user name", err);
	if (rc == DVT_OK && (o->flags & HAS_PASSWORD) != 0)
		rc = take_data(in, &o->password, "password", err);
	if (rc == DVT_OK && in->n > 0)
		rc = bad(err, "bytes after its end");
	return rc;
}

enum dvt_code
dvt_mqtt_opening_take(struct dvt_span *in, struct dvt_mqtt_opening *out,
    enum dvt_mqtt_refusal *why, struct dvt_err *err)
{
	struct dvt_span rest = *in, body;
	size_t n;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	*why = DVT_MQTT_MALFORMED;
	if (rest.n == 0)
		return dvt_fail(err, DVT_E_LATER, "MQTT: more to come");
	if (rest.p[0] != CONNECT)
		return bad(err, "the first packet is another");
	rest = dvt_span_from(rest, 1);
	if ((rc = take_varint(&rest, &n, err)) != DVT_OK)
		return rc;
	if (n > DVT_MQTT_OPENING_MAX) {
		*why = DVT_MQTT_TOO_LARGE;
		return dvt_fail(err, DVT_E_LIMIT,
		    "MQTT CONNECT: %zu bytes, at most %d", n,
		    DVT_MQTT_OPENING_MAX);
	}
	if (n > rest.n)
		return dvt_fail(err, DVT_E_LATER, "MQTT: more to come");
	body = (struct dvt_span){rest.p, n};
	if ((rc = take_head(&body, out, why, err)) == DVT_OK)
		rc = take_payload(&body, out, err);
	if (rc == DVT_OK)
		*in = dvt_span_from(rest, n);
	return rc == DVT_E_LATER ? DVT_E_INPUT : rc;
}

/* --- writing --- */

static void
put_data(struct dvt_buf *out, struct dvt_span s)
{
	dvt_buf_be(out, s.n, 2);
	dvt_buf_put_span(out, s);
}

void
dvt_mqtt_opening_put(struct dvt_buf *out, const struct dvt_mqtt_opening *o,
    const char *user, bool keep_password)
{
	bool password = keep_password && o->password.p != NULL;
	uint8_t flags = (uint8_t)((o->flags & ~HAS_PASSWORD) | HAS_USER |
				  (password ? HAS_PASSWORD : 0));
	size_t n = 2 + 4 + 4 + o->properties.n + 2 + o->client_id.n +
		   o->will.n + 2 + strlen(user) +
		   (password ? 2 + o->password.n : 0);

	dvt_buf_putc(out, CONNECT);
	put_varint(out, n);
	put_data(out, DVT_SPAN_LIT("MQTT"));
	dvt_buf_be(out, o->version, 1);
	dvt_buf_be(out, flags, 1);
	dvt_buf_be(out, o->keepalive_s, 2);
	dvt_buf_put_span(out, o->properties);
	put_data(out, o->client_id);
	dvt_buf_put_span(out, o->will);
	put_data(out, dvt_span_str(user));
	if (password)
		put_data(out, o->password);
}

void
dvt_mqtt_refuse_put(
    struct dvt_buf *out, uint8_t version, enum dvt_mqtt_refusal why)
{
	static const uint8_t v4[] = {DVT_MQTT_REFUSALS(REFUSAL_V4)};
	static const uint8_t v5[] = {DVT_MQTT_REFUSALS(REFUSAL_V5)};

	/* who asks for a later version reads the form of 5.0; a bridge of
	 * mosquitto sets the top bit, and asks again without it (3.1.1) */
	if (version >= 5 && version < BRIDGE) {
		const uint8_t packet[] = {CONNACK, 3, 0, v5[why], 0};

		dvt_buf_put(out, packet, sizeof(packet));
	} else if (v4[why] != 0) {
		const uint8_t packet[] = {CONNACK, 2, 0, v4[why]};

		dvt_buf_put(out, packet, sizeof(packet));
	}
}

void
dvt_mqtt_bye_put(struct dvt_buf *out, uint8_t reason)
{
	const uint8_t packet[] = {DISCONNECT, 1, reason};

	dvt_buf_put(out, packet, sizeof(packet));
}

bool
dvt_mqtt_owns(const char *device, struct dvt_span client_id)
{
	size_t n = strlen(device);

	if (client_id.n == 0)
		return true;
	if (n == 0 || client_id.n < n || memcmp(client_id.p, device, n) != 0)
		return false;
	return client_id.n == n || client_id.p[n] == ':' ||
	       client_id.p[n] == '/';
}

bool
dvt_mqtt_may_be_user(const char *device)
{
	return device[0] != '\0' && strpbrk(device, "+#") == NULL &&
	       dvt_utf8_is_text(dvt_span_str(device));
}

/* --- borders --- */

bool
dvt_mqtt_border_is(const struct dvt_mqtt_border *b)
{
	return !b->broken && b->head == 0 && b->left == 0;
}

/* One byte of a fixed header (section 2.1). */
static void
head_byte(struct dvt_mqtt_border *b, uint8_t byte)
{
	if (b->head == 0) {
		b->head = 1;
		b->length = 0;
		return;
	}
	b->length |= (uint32_t)(byte & 0x7f) << 7 * (b->head - 1);
	if (byte < 0x80) {
		b->left = b->length;
		b->head = 0;
		b->packets += b->left == 0;
	} else if (++b->head > 4) {
		b->broken = true;
	}
}

size_t
dvt_mqtt_border_pass(
    struct dvt_mqtt_border *b, const uint8_t *p, size_t n, bool stop)
{
	size_t at = 0;

	while (at < n && !b->broken) {
		if (b->left > 0) {
			size_t step = b->left < n - at ? b->left : n - at;

			b->left -= (uint32_t)step;
			at += step;
			b->packets += b->left == 0;
		} else {
			head_byte(b, p[at++]);
		}
		if (stop && dvt_mqtt_border_is(b))
			return at;
	}
	return n;
}
