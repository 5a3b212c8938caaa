/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of an mqtt: upstream: its CONNECT is read once, judged by the
 * certificate it came with, and goes on under the device's name.
 */
#include "gateway/conn_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "proto/proxy.h"

#include <openssl/err.h>

#include <stdlib.h>

#define BYE_MS 5000 /* for the border of a packet to come by */

void
gw_conn_mqtt_new(struct gw_conn *c)
{
	c->mqtt = dvt_alloc(sizeof(*c->mqtt));
	dvt_buf_init(&c->mqtt->opening, DVT_MQTT_OPENING_MAX + GW_RECORD);
}

void
gw_conn_mqtt_free(struct gw_conn *c)
{
	if (c->mqtt == NULL)
		return;
	dvt_buf_cleanse(&c->mqtt->opening);
	free(c->mqtt);
	c->mqtt = NULL;
}

static void
refuse(struct gw_conn *c, enum dvt_mqtt_refusal why, struct dvt_span id,
    const char *text)
{
	char client[128];
	struct dvt_buf b;

	(void)snprintf(client, sizeof(client), "%.*s",
	    (int)(id.n < 100 ? id.n : 100), id.n > 0 ? (const char *)id.p : "");
	log_event(LOG_WARNING, "gateway.mqtt.refused",
	    LS("device", gw_conn_device(c)),
	    LS("reason", dvt_mqtt_refusal_name(why)), LS("client", client),
	    LS("why", text));
	dvt_buf_init(&b, DVT_MQTT_BYE_MAX);
	dvt_mqtt_refuse_put(&b, c->mqtt->version, why);
	if (b.n == 0 || gw_conn_tell_client(c, b.p, b.n))
		gw_conn_close(c);
	dvt_buf_fini(&b);
}

void
gw_conn_unavailable(struct gw_conn *c)
{
	if (c->mqtt != NULL && c->mqtt->out.packets == 0)
		refuse(c, DVT_MQTT_UNAVAILABLE, (struct dvt_span){0},
		    "no upstream is reached");
	else
		gw_conn_close(c);
}

/* The CONNECT is whole: may it come in? false: refused, and gone. */
static bool
judge(struct gw_conn *c, const struct dvt_mqtt_opening *o)
{
	const char *device = gw_conn_device(c);
	char id[DVT_DEVICE_ID_MAX + 1];

	if (device[0] == '\0') {
		refuse(c, DVT_MQTT_NOT_AUTHORISED, o->client_id,
		    "its certificate names no device");
		return false;
	}
	if (!dvt_mqtt_may_be_user(device)) {
		refuse(c, DVT_MQTT_NOT_AUTHORISED, o->client_id,
		    "its name cannot be a user name at a broker");
		return false;
	}
	if (!dvt_mqtt_owns(device, o->client_id)) {
		refuse(c, DVT_MQTT_CLIENT_ID, o->client_id,
		    "the client id is not the device's");
		return false;
	}
	/* "a/b" may be a device of its own beside "a" */
	if (o->client_id.n <= DVT_DEVICE_ID_MAX && o->client_id.n > 0) {
		memcpy(id, o->client_id.p, o->client_id.n);
		id[o->client_id.n] = '\0';
		if (strcmp(id, device) != 0 &&
		    dvt_feed_get(c->w->feed, DVT_FEED_DEVICE, id) != NULL) {
			refuse(c, DVT_MQTT_CLIENT_ID, o->client_id,
			    "the client id is another device's");
			return false;
		}
	}
	return true;
}

/* The first bytes of the upstream: who it is, its CONNECT, what follows. */
static bool
let_in(
    struct gw_conn *c, const struct dvt_mqtt_opening *o, struct dvt_span rest)
{
	struct dvt_buf head;

	dvt_buf_init(&head, DVT_PROXY_MAX + DVT_MQTT_OPENING_MAX +
				2 * DVT_DEVICE_ID_MAX + 2 * GW_RECORD);
	gw_conn_proxy_put(c, &head);
	dvt_mqtt_opening_put(
	    &head, o, gw_conn_device(c), c->w->program->settings.keep_password);
	dvt_buf_put_span(&head, rest);
	(void)dvt_mqtt_border_pass(&c->mqtt->in, rest.p, rest.n, false);
	gw_pending_add(&c->to_up, head.p, head.n);
	dvt_buf_cleanse(&head);
	c->mqtt->let_in = true;
	dvt_buf_cleanse(&c->mqtt->opening);
	return gw_conn_upstream(c);
}

bool
gw_conn_mqtt_in(struct gw_conn *c, const uint8_t *p, size_t n)
{
	struct gw_mqtt *m = c->mqtt;
	struct dvt_mqtt_opening o;
	enum dvt_mqtt_refusal why;
	struct dvt_span in;
	struct dvt_err err;
	enum dvt_code rc;

	dvt_buf_put(&m->opening, p, n);
	in = dvt_buf_span(&m->opening);
	rc = dvt_mqtt_opening_take(&in, &o, &why, &err);
	if (rc == DVT_E_LATER)
		return true;
	m->version = o.version;
	if (rc != DVT_OK) {
		refuse(c, why, (struct dvt_span){0}, err.text);
		return false;
	}
	return judge(c, &o) && let_in(c, &o, in);
}

/* --- goodbye --- */

void
gw_conn_mqtt_leave(struct gw_conn *c)
{
	static const uint8_t disconnect[] = {0xe0, 0}; /* 5.0: reason 0x00 */
	struct gw_mqtt *m = c->mqtt;

	if (m == NULL || !m->let_in || c->up != GW_UP_OPEN ||
	    !dvt_mqtt_border_is(&m->in))
		return;
	gw_pending_add(&c->to_up, disconnect, sizeof(disconnect));
	(void)gw_conn_flush_up(c);
}

size_t
gw_conn_mqtt_out(struct gw_conn *c, uint8_t *p, size_t n)
{
	struct gw_mqtt *m = c->mqtt;
	struct dvt_buf b;

	n = dvt_mqtt_border_pass(&m->out, p, n, m->bye);
	if (!m->bye || !dvt_mqtt_border_is(&m->out))
		return n;
	dvt_buf_init(&b, DVT_MQTT_BYE_MAX);
	dvt_mqtt_bye_put(&b, DVT_MQTT_ADMINISTRATIVE);
	memcpy(p + n, b.p, b.n);
	n += b.n;
	dvt_buf_fini(&b);
	gw_conn_mqtt_leave(c);
	c->up_eof = true; /* nothing goes after it */
	return n;
}

void
gw_conn_send_away(struct gw_conn *c)
{
	struct gw_mqtt *m = c->mqtt;
	uint8_t bye[DVT_MQTT_BYE_MAX];
	size_t n;

	if (c->stage != GW_OPEN || m == NULL || m->version < 5 ||
	    m->out.packets == 0 || m->out.broken) {
		gw_conn_mqtt_leave(c);
		gw_conn_close(c);
		return;
	}
	if (m->bye)
		return;
	m->bye = true;
	dvt_timer_start(c->timer, BYE_MS);
	if (!dvt_mqtt_border_is(&m->out))
		return;
	n = gw_conn_mqtt_out(c, bye, 0);
	if (gw_conn_tell_client(c, bye, n))
		gw_conn_rearm(c);
}
