/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this example share. */
#ifndef MQTT_DEVICE_H
#define MQTT_DEVICE_H

#include <dovetail/agent.h>

struct device {
	/* of the command line */
	const char *state, *server, *server_name, *edge, *edge_name;
	const char *device, *anchor, *secret_file, *topic, *keys;
	const char *recovery;
	long interval_ms;

	struct dovetail_agent *agent;
	int64_t recover_ms; /* not before */
	uint8_t *body;      /* of the last answer */
	char text[256];

	struct mosquitto *mqtt;
	bool up;
	int64_t mqtt_again_ms, mqtt_pause_ms, publish_ms;
	int64_t shown_generation,
	    shown_trust; /* what the session was made of */
	unsigned long sent;
};

/* net.c: do what the agent wants, at most ten seconds. */
void net_answer(struct device *d, const struct dovetail_want *want,
    struct dovetail_answer *answer);

/* session.c: the MQTT session, made anew with each new credential. */
void session_turn(struct device *d, int timeout_ms);
void session_end(struct device *d);

/* remote_keys.c: keys held by another process, behind a Unix socket. */
extern const struct dovetail_keys remote_keys; /* ctx: path of the socket */

#endif
