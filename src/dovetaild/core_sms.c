/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short messages to devices, by the operator's own gateway: a row of the
 * outbox each, sent after its commit, sent again until the gateway takes it.
 */
#include "dovetaild/core_outbound.h"

#include "base/log.h"
#include "dovetaild/core_rotation_priv.h"
#include "dovetaild/outbound.h"
#include "store/rotation.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SMS          "sms/"
#define TRIES_MAX    12
#define BACKOFF_S    5   /* doubled with each try ... */
#define BACKOFF_MOST 600 /* ... up to this */

/* What a modem shows the device: one line, all of it in GSM's alphabet. */
static void
text_put(struct core *c, const char *action, struct dvt_buf *out)
{
	const char *name = dvt_config_item(core_config(c), "est.names", 0);
	const char *listen = dvt_config_text(core_config(c), "device.listen");
	const char *port = listen == NULL ? NULL : strrchr(listen, ':');

	dvt_buf_printf(out, "DOVETAIL %s https://%s%s/trust/bundles", action,
	    name == NULL ? "localhost" : name, port == NULL ? "" : port);
}

enum dvt_code
core_sms_put(struct core *c, const struct dvt_row_device *device,
    const char *action, struct dvt_err *err)
{
	int64_t now = core_now(c).wall_s;
	char key[DVT_DEVICE_ID_MAX + 48];
	struct dvt_buf text;
	json_t *body;
	enum dvt_code rc;

	if (dvt_config_text(core_config(c), "sms.url") == NULL)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "method SMS: the setting sms.url names no gateway for "
		    "messages; use BUNDLE or FALLBACK_CHANNEL, or set it");
	if (device->oob_address == NULL || device->oob_address[0] == '\0')
		return dvt_fail(err, DVT_E_CONFLICT,
		    "device %s: the inventory has no out-of-band address "
		    "(oob_address) to send a message to",
		    device->device_id);
	snprintf(key, sizeof(key), SMS "%s/%s/%" PRId64, device->device_id,
	    action, now);
	dvt_buf_init(&text, 1024);
	text_put(c, action, &text);
	body = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", key, "fleet",
	    core_fleet(c), "device", device->device_id, "to",
	    device->oob_address, "text", dvt_buf_str(&text));
	rc = core_outbox_put(c, key, 0, "sms", body, err);
	json_decref(body);
	dvt_buf_fini(&text);
	return rc;
}

/* --- sending --- */

struct sending {
	struct dvt_buf msg;
};

static void
post(struct core *c, void *ctx, bool committed)
{
	struct sending *s = ctx;
	struct dvt_msg m = {
	    .type = DVT_MSG_OUTBOUND, .body = dvt_buf_span(&s->msg), .fd = -1};
	struct dvt_err err;

	if (committed &&
	    peers_send(c->peers, DVT_ROLE_COURIER, 0, &m, &err) != DVT_OK)
		log_event(LOG_WARNING, "sms.unsent", LE(&err));
	dvt_buf_fini(&s->msg);
	free(s);
}

/* Told to the courier; done when it answers, due again when it does not. */
enum dvt_code
core_act_sms(struct core *c, struct core_act *a, struct dvt_err *err)
{
	struct sending *s;
	struct outbound o = {.kind = "sms", .body = dvt_span_str(a->row->body)};

	if (dvt_copy_str(o.key, sizeof(o.key), a->row->key) != 0)
		return dvt_fail(err, DVT_E_INPUT, "key too long");
	s = dvt_alloc(sizeof(*s));
	dvt_buf_init(&s->msg, OUTBOUND_BODY_MAX + 4096);
	outbound_put(&s->msg, &o);
	core_after(c, post, s);
	a->again = true;
	a->again_s = 10 +
		     2 * dvt_config_int(core_config(c), "webhook.timeout") /
			 1000;
	a->cursor = "sent";
	return DVT_OK;
}

/* --- the gateway's answer --- */

static enum dvt_code
taken(struct core *c, const struct dvt_row_outbox *row, const json_t *body,
    struct dvt_err *err)
{
	const char *device = json_string_value(json_object_get(body, "device"));
	json_t *detail = json_pack("{s:O?, s:I}", "to",
	    json_object_get(body, "to"), "tries", (json_int_t)row->tries);
	enum dvt_code rc = dvt_store_outbox_end(
	    core_tx(c), row->id, DVT_OUTBOX_DONE, "", err);

	if (rc == DVT_OK)
		rc = core_event(c, "RECOVERY_SMS_SENT",
		    device == NULL ? "" : device, row->key, detail, err);
	if (rc == DVT_OK)
		rc = core_audit(c, "core", "device.recover.sms",
		    device == NULL ? "" : device, detail, err);
	json_decref(detail);
	return rc;
}

static enum dvt_code
refused(struct core *c, const struct dvt_row_outbox *row,
    const struct outbound_done *d, struct dvt_err *err)
{
	int64_t wait = BACKOFF_S;
	enum dvt_code rc;

	for (int64_t i = 0; i < row->tries && wait < BACKOFF_MOST; i += 2)
		wait *= 2;
	log_event(LOG_WARNING, "sms.failed", LS("key", row->key),
	    LI("tries", row->tries), LS("why", d->why));
	if (row->tries < TRIES_MAX)
		return dvt_store_outbox_again(core_tx(c), row->id,
		    core_now(c).wall_s + wait, d->why, err);
	rc = dvt_store_outbox_end(
	    core_tx(c), row->id, DVT_OUTBOX_FAILED, d->why, err);
	return rc == DVT_OK ? core_alert(c, "warn", row->key, "sms-not-taken",
				  d->why, err)
			    : rc;
}

static enum dvt_code
note(struct core *c, void *ctx, struct dvt_err *err)
{
	const struct outbound_done *d = ctx;
	struct dvt_row_outbox row;
	json_t *body;
	enum dvt_code rc = dvt_store_outbox_by_key(
	    core_tx(c), core_arena(c), d->key, &row, err);

	if (rc != DVT_OK || row.state != DVT_OUTBOX_QUEUED)
		return rc; /* answered twice */
	if (d->code != DVT_OK)
		return refused(c, &row, d, err);
	body = json_loads(row.body, 0, NULL);
	rc = taken(c, &row, body, err);
	json_decref(body);
	return rc;
}

void
core_sms_done(struct core *c, const struct outbound_done *d)
{
	struct dvt_err err = {0};

	if (core_within(c, note, (void *)d, &err) != DVT_OK)
		log_event(
		    LOG_WARNING, "sms.unwritten", LS("key", d->key), LE(&err));
}
