/* SPDX-License-Identifier: Apache-2.0 */
/* One device's MQTT session: see session.h. */
#include "fleetsim/session.h"

#include "loop/tls_conn.h"
#include "proto/mqtt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define UNACKED_MAX    512  /* messages waiting; then none are made */
#define PACKET_MAX     4096 /* bytes of a packet a broker may send us */
#define KEEPALIVE_S    60
#define CONNACK_MS     10000 /* to answer our CONNECT */
#define AFTER_CLOSE_MS 300   /* about: edges that close in order are back */

struct session {
	struct session_config c;
	struct dvt_addr edge[DVT_IO_ADDRS];
	char *device, *edge_name, *topic;
	size_t at; /* index of the edge in use */
	struct dvt_tls_conn *conn;
	struct dvt_buf in;
	bool tls, up, draining, leaving;
	bool told; /* this attempt was reported */
	unsigned failures;
	uint64_t made, acked, reconnects;
	bool got[UNACKED_MAX]; /* acknowledged out of order, by number */
	struct dvt_timer *retry, *tick, *ping;
	char root[DVT_DIGEST_HEX];
};

/* --- messages --- */

static void
put(struct session *s, struct dvt_buf *packet)
{
	if (s->conn != NULL && s->tls)
		(void)!dvt_tls_conn_write(s->conn, dvt_buf_span(packet), NULL);
	dvt_buf_fini(packet);
}

static void
send_message(struct session *s, uint64_t number, bool again)
{
	char text[32];
	struct dvt_buf packet;
	struct dvt_mqtt_publish p = {.topic = dvt_span_str(s->topic),
	    .id = (uint16_t)(number % 65535 + 1),
	    .qos = 1,
	    .again = again};

	(void)snprintf(text, sizeof(text), "%" PRIu64, number);
	p.payload = dvt_span_str(text);
	dvt_buf_init(&packet, PACKET_MAX);
	dvt_mqtt_put_publish(&packet, &p);
	put(s, &packet);
}

static void
send_unacked(struct session *s)
{
	for (uint64_t n = s->acked + 1; n <= s->made; n++) {
		if (!s->got[n % UNACKED_MAX])
			send_message(s, n, true);
	}
}

static void
tick(void *user)
{
	struct session *s = user;

	if (s->draining || s->made - s->acked >= UNACKED_MAX - 1)
		return;
	s->made++;
	s->got[s->made % UNACKED_MAX] = false;
	if (s->up)
		send_message(s, s->made, false);
}

static void
take_puback(struct session *s, uint16_t id)
{
	for (uint64_t n = s->acked + 1; n <= s->made; n++) {
		if (n % 65535 + 1 == id)
			s->got[n % UNACKED_MAX] = true;
	}
	while (s->acked < s->made && s->got[(s->acked + 1) % UNACKED_MAX])
		s->acked++;
}

static void
ping(void *user)
{
	struct session *s = user;
	struct dvt_buf packet;

	dvt_buf_init(&packet, PACKET_MAX);
	dvt_mqtt_put_pingreq(&packet);
	put(s, &packet);
}

/* --- the connection --- */

static void
report(struct session *s, bool ok, const char *text)
{
	struct dvt_io_attempt a = {.to = "edge",
	    .name = s->edge_name,
	    .ok = ok,
	    .text = ok ? "" : text};

	if (s->told)
		return;
	s->told = true;
	if (ok)
		dvt_agent_tls_root(dvt_tls_conn_ssl(s->conn), s->root);
	(void)dvt_copy_str(a.root, sizeof(a.root), ok ? s->root : "");
	s->c.attempt(s->c.user, &a);
}

/* A pause that grows with each failure, with a fifth of jitter. */
static void
retry_later(struct session *s, bool failed)
{
	static const int64_t factor[] = {1, 2, 4, 10};
	int64_t ms = AFTER_CLOSE_MS;

	if (failed) {
		size_t i = s->failures < DVT_COUNT(factor)
			       ? s->failures
			       : DVT_COUNT(factor) - 1;

		ms = s->c.retry_first_s * factor[i] * 1000;
		s->failures++;
		s->at = (s->at + 1) % s->c.edge_n;
	}
	ms += ms * (int64_t)(random() % 400 - 200) / 1000;
	dvt_timer_start(s->retry, ms);
}

static void
hang_up(struct session *s)
{
	dvt_tls_conn_free(s->conn);
	s->conn = NULL;
	s->tls = s->up = false;
	dvt_buf_reset(&s->in);
	dvt_timer_stop(s->ping);
}

static void
take_packet(struct session *s, const struct dvt_mqtt_packet *p)
{
	char text[96];

	if (p->type == DVT_MQTT_CONNACK && p->u.connack.code == 0) {
		s->up = true;
		s->failures = 0;
		s->reconnects++;
		report(s, true, "");
		send_unacked(s);
		dvt_timer_repeat(s->ping, KEEPALIVE_S * 1000 / 2);
		dvt_timer_stop(s->retry);
	} else if (p->type == DVT_MQTT_CONNACK) {
		(void)snprintf(text, sizeof(text), "broker: %s",
		    dvt_mqtt_connack_text(p->u.connack.code));
		report(s, false, text);
	} else if (p->type == DVT_MQTT_PUBACK) {
		take_puback(s, p->u.id);
	}
}

static void
on_read(void *user, struct dvt_span bytes)
{
	struct session *s = user;
	struct dvt_mqtt_packet p;
	struct dvt_span in;
	enum dvt_code rc;

	dvt_buf_put_span(&s->in, bytes);
	in = dvt_buf_span(&s->in);
	while ((rc = dvt_mqtt_take(&in, PACKET_MAX, &p, NULL)) == DVT_OK)
		take_packet(s, &p);
	dvt_buf_drop(&s->in, s->in.n - in.n);
	if (rc != DVT_E_LATER || s->in.full) {
		report(s, false, "the broker's answer is not MQTT");
		hang_up(s);
		retry_later(s, true);
	}
}

static void
on_open(void *user)
{
	struct session *s = user;
	struct dvt_buf packet;
	struct dvt_mqtt_connect c = {.client_id = dvt_span_str(s->device),
	    .keepalive_s = KEEPALIVE_S,
	    .clean = true};

	s->tls = true;
	dvt_buf_init(&packet, PACKET_MAX);
	dvt_mqtt_put_connect(&packet, &c);
	put(s, &packet);
	dvt_timer_start(s->retry, CONNACK_MS);
}

static void
on_end(void *user, const struct dvt_tls_result *r)
{
	struct session *s = user;
	bool was_up = s->up;

	if (!was_up)
		report(s, false, r->text);
	hang_up(s);
	if (!s->leaving)
		retry_later(s, !was_up);
}

static void
dial(struct session *s)
{
	const struct dvt_agent_credential *credential = dvt_agent_credential(
	    s->c.agent);
	const struct dvt_agent_trust *trust = dvt_agent_trust(s->c.agent);
	struct dvt_tls_conn_config c = {.addrs = &s->edge[s->at],
	    .addrs_n = 1,
	    .server_name = s->edge_name,
	    .opened = on_open,
	    .read = on_read,
	    .ended = on_end,
	    .user = s};
	struct dvt_err err;

	if (credential == NULL || trust == NULL)
		return;
	s->told = false;
	if (dvt_agent_tls(credential, trust, &c.ctx, &err) != DVT_OK) {
		report(s, false, err.text);
		retry_later(s, true);
		return;
	}
	s->conn = dvt_tls_conn_new(s->c.loop, &c);
	SSL_CTX_free(c.ctx);
}

/* Time to dial; or CONNACK did not come in time. */
static void
retry(void *user)
{
	struct session *s = user;

	if (s->conn != NULL && !s->up) {
		report(s, false, "the broker did not answer CONNECT");
		hang_up(s);
		retry_later(s, true);
	} else if (s->conn == NULL && !s->leaving) {
		dial(s);
	}
}

void
session_nudge(struct session *s)
{
	if (s->conn == NULL && !dvt_timer_running(s->retry) && !s->leaving)
		dial(s);
}

void
session_drain(struct session *s)
{
	s->draining = true;
	dvt_timer_stop(s->tick);
}

bool
session_idle(const struct session *s)
{
	return s->acked == s->made;
}

void
session_goodbye(struct session *s)
{
	struct dvt_buf packet;

	s->leaving = true;
	dvt_timer_stop(s->retry);
	if (s->conn == NULL)
		return;
	dvt_buf_init(&packet, PACKET_MAX);
	dvt_mqtt_put_disconnect(&packet);
	put(s, &packet);
	dvt_tls_conn_finish(s->conn);
}

void
session_status(const struct session *s, struct session_status *out)
{
	*out = (struct session_status){.up = s->up,
	    .made = s->made,
	    .acked = s->acked,
	    .reconnects = s->reconnects > 0 ? s->reconnects - 1 : 0};
	memcpy(out->root, s->root, sizeof(out->root));
}

struct session *
session_new(const struct session_config *c)
{
	struct session *s = dvt_alloc(sizeof(*s));

	s->c = *c;
	if (s->c.edge_n > DVT_IO_ADDRS)
		s->c.edge_n = DVT_IO_ADDRS;
	memcpy(s->edge, c->edge, s->c.edge_n * sizeof(*c->edge));
	s->at = c->edge_first % s->c.edge_n;
	s->device = dvt_strdup(c->device);
	s->edge_name = dvt_strdup(c->edge_name);
	s->topic = dvt_asprintf("dovetail/%s/seq", c->device);
	dvt_buf_init(&s->in, 4 * PACKET_MAX);
	s->retry = dvt_timer_new(c->loop, retry, s);
	s->tick = dvt_timer_new(c->loop, tick, s);
	s->ping = dvt_timer_new(c->loop, ping, s);
	dvt_timer_repeat(s->tick, c->interval_ms);
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	hang_up(s);
	dvt_timer_free(s->retry);
	dvt_timer_free(s->tick);
	dvt_timer_free(s->ping);
	dvt_buf_fini(&s->in);
	free(s->device);
	free(s->edge_name);
	free(s->topic);
	free(s);
}
