/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device of one's own: libdovetail-agent beside libmosquitto, in one loop.
 *
 *     mqtt-device --state DIR --server HOST:PORT --server-name NAME
 *                 --edge HOST:PORT --edge-name NAME --device ID
 *                 [--anchor FILE --secret-file FILE] [--keys SOCKET]
 *                 [--recovery FILE] [--topic TOPIC] [--interval MS]
 *
 * With --secret-file a device without a credential enrols first. When nobody
 * answers any more, FILE is looked at: a stick that is mounted there, say.
 */
#include "device.h"

#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_MS    50
#define LOOK_MS    10000   /* at --recovery, so often */
#define LOCKED_OUT 2       /* check-ins in a row that failed */
#define FILE_MAX   1048577 /* bytes */

static volatile sig_atomic_t stopping;

static void
on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static struct dovetail_bytes
read_file(const char *path)
{
	struct dovetail_bytes b = {NULL, 0};
	FILE *f = path == NULL ? NULL : fopen(path, "rb");
	uint8_t *bytes;

	if (f == NULL) {
		fprintf(stderr, "mqtt-device: cannot read %s\n", path);
		exit(66);
	}
	bytes = calloc(1, FILE_MAX + 1);
	b.n = fread(bytes, 1, FILE_MAX, f);
	b.p = bytes;
	fclose(f);
	return b;
}

static void
enrol(struct device *d)
{
	struct dovetail_status s;
	struct dovetail_error err;
	struct dovetail_bytes secret;
	struct dovetail_command c = {.kind = DOVETAIL_ENROLL};

	dovetail_agent_status(d->agent, &s);
	if (s.generation != 0 || d->secret_file == NULL)
		return;
	c.anchor_pem = read_file(d->anchor);
	secret = read_file(d->secret_file);
	((char *)(uintptr_t)
		secret.p)[strcspn((const char *)secret.p, "\r\n")] = '\0';
	c.secret = (const char *)secret.p;
	if (dovetail_agent_command(d->agent, &c, &err) != DOVETAIL_OK)
		fprintf(stderr, "mqtt-device: enrol: %s\n", err.text);
	free((void *)(uintptr_t)c.anchor_pem.p);
	free((void *)(uintptr_t)secret.p);
}

/* Its signatures are what counts, not whose stick it is. */
static void
recover(struct device *d)
{
	struct dovetail_command c = {.kind = DOVETAIL_RECOVER};
	int64_t now_ms = dovetail_now().mono_ms;
	struct dovetail_status s;
	struct dovetail_error err;

	dovetail_agent_status(d->agent, &s);
	if (d->recovery == NULL || s.checkin_failures < LOCKED_OUT ||
	    now_ms < d->recover_ms || access(d->recovery, R_OK) != 0)
		return;
	d->recover_ms = now_ms + LOOK_MS;
	c.bundle_lines = read_file(d->recovery);
	if (dovetail_agent_command(d->agent, &c, &err) != DOVETAIL_OK)
		fprintf(stderr, "mqtt-device: %s: %s\n", d->recovery, err.text);
	free((void *)(uintptr_t)c.bundle_lines.p);
}

/* What hangs on credential and anchors is made anew by itself (session.c). */
static struct dovetail_answer
hook(const struct dovetail_want *want)
{
	if (want->hook == DOVETAIL_ON_CONFIG)
		printf("configuration value: config/%s\n", want->config);
	return (struct dovetail_answer){.ticket = want->ticket};
}

static void
tell(struct device *d)
{
	struct dovetail_event e[8];
	size_t n;

	while ((n = dovetail_agent_events(d->agent, e, 8)) > 0)
		for (size_t i = 0; i < n; i++)
			printf("%s : %s(%s) -> %s %s\n", e[i].id, e[i].step,
			    e[i].target, e[i].outcome, e[i].detail);
	fflush(stdout);
}

/* One step after the other, the session's turns between. */
static void
run(struct device *d)
{
	struct dovetail_answer answer, *came = NULL;
	struct dovetail_want want;
	struct dovetail_error err;

	while (!stopping) {
		recover(d);
		if (dovetail_agent_step(d->agent, dovetail_now(), came, &want,
			&err) != DOVETAIL_OK)
			fprintf(stderr, "mqtt-device: %s\n", err.text);
		tell(d);
		came = NULL;
		if (want.kind == DOVETAIL_WAIT) {
			do
				session_turn(d, TURN_MS);
			while (!stopping &&
			       dovetail_now().mono_ms < want.wake_at_ms);
			continue;
		}
		session_turn(d, 0);
		if (want.kind == DOVETAIL_HOOK)
			answer = hook(&want);
		else
			net_answer(d, &want, &answer);
		came = &answer;
	}
}

static void
arguments(struct device *d, int argc, char **argv)
{
	const struct {
		const char *word;
		const char **to;
	} words[] = {
	    {"--state",       &d->state      },
	    {"--server",      &d->server     },
	    {"--server-name", &d->server_name},
	    {"--edge",        &d->edge       },
	    {"--edge-name",   &d->edge_name  },
	    {"--device",      &d->device     },
	    {"--anchor",      &d->anchor     },
	    {"--secret-file", &d->secret_file},
	    {"--keys",        &d->keys       },
	    {"--topic",       &d->topic      },
	    {"--recovery",    &d->recovery   },
	};

	for (int i = 1; i + 1 < argc; i += 2) {
		for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
			if (strcmp(argv[i], words[k].word) == 0)
				*words[k].to = argv[i + 1];
		if (strcmp(argv[i], "--interval") == 0)
			d->interval_ms = atol(argv[i + 1]);
	}
	if (d->state == NULL || d->server == NULL || d->server_name == NULL ||
	    d->edge == NULL || d->edge_name == NULL || d->device == NULL ||
	    strrchr(d->edge, ':') == NULL) {
		fprintf(stderr,
		    "usage: mqtt-device --state DIR --server HOST:PORT "
		    "--server-name NAME\n"
		    "                   --edge HOST:PORT --edge-name NAME "
		    "--device ID ...\n");
		exit(64);
	}
}

int
main(int argc, char **argv)
{
	struct device d = {.interval_ms = 1000, .topic = "device/state"};
	struct dovetail_env env = {0};
	struct dovetail_config config = {0};
	struct dovetail_error err;

	arguments(&d, argc, argv);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	mosquitto_lib_init();
	config.device_id = d.device;
	config.edge_name = d.edge_name;
	config.retry_first_s = 1;
	config.hook_config = true;
	if (d.keys != NULL) {
		env.keys = &remote_keys;
		env.keys_ctx = (void *)(uintptr_t)d.keys;
	}
	if (dovetail_posix_open(d.state, &env.posix, &err) != DOVETAIL_OK ||
	    dovetail_agent_open(
		&env, &config, dovetail_now(), &d.agent, &err) != DOVETAIL_OK) {
		fprintf(stderr, "mqtt-device: %s\n", err.text);
		return 71;
	}
	enrol(&d);
	run(&d);
	session_end(&d);
	dovetail_agent_free(d.agent);
	dovetail_posix_close(env.posix);
	free(d.body);
	mosquitto_lib_cleanup();
	return 0;
}
