/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's own business: one MQTT session, with libmosquitto. Its loop
 * returns on a TLS error and would leave it at that; here every end, whatever
 * the reason, is followed by another attempt with the credential and anchors
 * of that moment.
 */
#include "device.h"

#include <mosquitto.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_FIRST_MS 500
#define PAUSE_MOST_MS  30000
#define KEEPALIVE_S    30

static void
on_connect(struct mosquitto *m, void *user, int code)
{
	struct device *d = user;

	(void)m;
	d->up = code == 0;
	if (d->up)
		d->mqtt_pause_ms = PAUSE_FIRST_MS;
	printf("mqtt %s\n", d->up ? "connected" : "refused");
	fflush(stdout);
}

static void
on_disconnect(struct mosquitto *m, void *user, int code)
{
	struct device *d = user;

	(void)m;
	d->up = false;
	printf("mqtt ended: %s\n", mosquitto_strerror(code));
	fflush(stdout);
}

void
session_end(struct device *d)
{
	if (d->mqtt == NULL)
		return;
	mosquitto_disconnect(d->mqtt);
	mosquitto_destroy(d->mqtt);
	d->mqtt = NULL;
	d->up = false;
}

static int
session_begin(struct device *d)
{
	struct dovetail_error err;
	SSL_CTX *ctx;
	char host[256];
	const char *colon = strrchr(d->edge, ':');
	int rc;

	if (dovetail_agent_tls(d->agent, &ctx, &err) != DOVETAIL_OK)
		return MOSQ_ERR_NO_CONN; /* no credential yet */
	X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(ctx), d->edge_name, 0);
	d->mqtt = mosquitto_new(d->device, true, d);
	mosquitto_connect_callback_set(d->mqtt, on_connect);
	mosquitto_disconnect_callback_set(d->mqtt, on_disconnect);
	mosquitto_void_option(d->mqtt, MOSQ_OPT_SSL_CTX, ctx);
	mosquitto_int_option(d->mqtt, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
	SSL_CTX_free(ctx); /* libmosquitto took a reference */
	snprintf(host, sizeof(host), "%.*s", (int)(colon - d->edge), d->edge);
	rc = mosquitto_connect(d->mqtt, host, atoi(colon + 1), KEEPALIVE_S);
	if (rc != MOSQ_ERR_SUCCESS) {
		printf("mqtt not connected: %s\n", mosquitto_strerror(rc));
		fflush(stdout);
	}
	return rc;
}

static void
publish(struct device *d, int64_t now_ms)
{
	char text[64];

	if (!d->up || now_ms < d->publish_ms)
		return;
	d->publish_ms = now_ms + d->interval_ms;
	snprintf(text, sizeof(text), "%lu", ++d->sent);
	(void)mosquitto_publish(
	    d->mqtt, NULL, d->topic, (int)strlen(text), text, 1, false);
}

/* A new credential or new anchors: the session follows. */
static bool
is_outdated(struct device *d)
{
	struct dovetail_status s;

	dovetail_agent_status(d->agent, &s);
	if (s.generation == d->shown_generation &&
	    s.trust_version == d->shown_trust)
		return false;
	d->shown_generation = s.generation;
	d->shown_trust = s.trust_version;
	return true;
}

void
session_turn(struct device *d, int timeout_ms)
{
	int64_t now = dovetail_now().mono_ms;
	int rc;

	if (is_outdated(d) && d->mqtt != NULL)
		session_end(d);
	if (d->mqtt == NULL && now >= d->mqtt_again_ms) {
		rc = session_begin(d);
	} else if (d->mqtt != NULL) {
		publish(d, now);
		rc = mosquitto_loop(d->mqtt, timeout_ms, 1);
	} else {
		struct timespec t = {0, timeout_ms * 1000000L};

		nanosleep(&t, NULL);
		return;
	}
	if (rc == MOSQ_ERR_SUCCESS)
		return;
	session_end(d);
	if (d->mqtt_pause_ms == 0)
		d->mqtt_pause_ms = PAUSE_FIRST_MS;
	d->mqtt_again_ms = now + d->mqtt_pause_ms;
	if (d->mqtt_pause_ms < PAUSE_MOST_MS)
		d->mqtt_pause_ms *= 2;
}
