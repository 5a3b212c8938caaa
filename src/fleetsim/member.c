/* SPDX-License-Identifier: Apache-2.0 */
/* One device of the fleet: see member.h. */
#include "fleetsim/member.h"

#include "base/file.h"
#include "base/log.h"
#include "device/keyfile.h"
#include "durable/fs_posix.h"
#include "durable/memfs.h"
#include "pki/x509.h"
#include "wire/json.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 16
#define CUT_CALLS      70   /* at most, that change the disk, to a cut */
#define CUT_S          12   /* about, between cuts at any moment */
#define CUT_STEPS      30   /* about, of an agent in an update */
#define CUT_AIM        25   /* hits of each step of an update, of the fleet, */
#define CUT_SHARE      4    /* but not more than of one device in so many */
#define OFF_MS         1500 /* at most, without power */

struct member {
	struct fleet *fleet;
	char *device;
	json_t *line;
	size_t place;
	struct dvt_fs_posix *fs;
	struct dvt_memfs *mem; /* instead, where the power is cut */
	uint64_t dice;
	uint64_t cuts;
	bool counted;            /* the one that is about to come */
	struct dvt_timer *power; /* running: it is off, or about to be */
	struct dvt_keyfile keyfile;
	struct dvt_agent_env env;
	struct dvt_agent *agent;
	struct dvt_agent_io *io;
	struct session *session;
	uint64_t handshakes, failed;
	bool connected_at_end;
};

static void
random_bytes(void *ctx, uint8_t *p, size_t n)
{
	(void)ctx;
	if (RAND_bytes(p, (int)n) != 1)
		abort(); /* no device goes on without randomness */
}

static uint64_t
roll(struct member *m, uint64_t sides)
{
	m->dice = m->dice * UINT64_C(6364136223846793005) +
		  UINT64_C(1442695040888963407);
	return (m->dice >> 33) % sides;
}

/* --- the log of attempts and steps, one JSON object per line --- */

static void
write_line(struct fleet *fleet, json_t *line)
{
	char *text;

	if (fleet->log >= 0) {
		text = json_dumps(line, JSON_COMPACT);
		(void)!dprintf(fleet->log, "%s\n", text);
		free(text);
	}
	json_decref(line);
}

static void
on_attempt(void *user, const struct dvt_io_attempt *a)
{
	struct member *m = user;

	m->handshakes++;
	m->fleet->handshakes++;
	if (!a->ok) {
		m->failed++;
		m->fleet->failed++;
	}
	write_line(m->fleet,
	    json_pack("{s:I, s:s, s:s, s:s, s:b, s:s, s:s}", "at",
		(json_int_t)dvt_time_now().wall_s, "device", m->device, "to",
		a->to, "name", a->name == NULL ? "" : a->name, "ok", a->ok,
		"root", a->root, "text", a->text));
}

/*
 * An update is short, and some of its steps are over in one turn: who is at a
 * step that was hit less often than it is to be loses the power at every other
 * look, also when it is back at it, so that even a small fleet hits each.
 */
static bool
falls_in_update(struct member *m)
{
	struct dvt_agent_status s;
	json_int_t hits, aim = (json_int_t)m->fleet->size / CUT_SHARE;

	if (!m->fleet->cutting)
		return false;
	dvt_agent_status(m->agent, &s);
	if (s.update[0] == '\0')
		return false;
	hits = json_integer_value(
	    json_object_get(m->fleet->cut_steps, s.update_step));
	if (aim > CUT_AIM)
		aim = CUT_AIM;
	return roll(m, hits < aim ? 2 : CUT_STEPS) == 0;
}

static void
count_cut(struct member *m)
{
	struct dvt_agent_status s = {.update = ""};
	const char *at = "Start";

	if (m->agent != NULL) {
		dvt_agent_status(m->agent, &s);
		at = s.update[0] != '\0' ? s.update_step : "no update";
	}
	json_object_set_new(m->fleet->cut_steps, at,
	    json_integer(1 + json_integer_value(
				 json_object_get(m->fleet->cut_steps, at))));
	m->fleet->cuts++;
	m->cuts++;
}

/* Not under our own feet; but its disk takes nothing from now on, so what it
 * is at now is what was hit. */
static void
power_off_soon(struct member *m)
{
	if (!dvt_memfs_is_off(m->mem))
		dvt_memfs_cut(m->mem, 0, DVT_CUT_MIX, roll(m, UINT32_MAX));
	count_cut(m);
	m->counted = true;
	dvt_timer_start(m->power, 0);
}

static void
after_step(void *user)
{
	struct member *m = user;
	struct dvt_agent_event e[EVENTS_AT_ONCE];
	size_t n;

	while ((n = dvt_agent_events(m->agent, e, EVENTS_AT_ONCE)) > 0) {
		for (size_t i = 0; i < n; i++)
			write_line(m->fleet,
			    json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s}",
				"at", (json_int_t)e[i].at, "device", m->device,
				"update", e[i].id, "step", e[i].step, "target",
				e[i].target, "outcome",
				dvt_step_outcome_name(e[i].outcome), "text",
				e[i].detail));
	}
	if (m->session != NULL)
		session_nudge(m->session);
	if (m->mem != NULL && !m->counted &&
	    (dvt_memfs_is_off(m->mem) || falls_in_update(m)))
		power_off_soon(m);
}

/* --- making one --- */

static enum dvt_code
import(struct member *m, const json_t *line, struct dvt_err *err)
{
	static const char *const fields[] = {
	    "import_key", "import_cert", "anchor"};
	struct dvt_buf file[DVT_COUNT(fields)];
	struct dvt_command c = {.kind = DVT_COMMAND_IMPORT};
	const char *path;
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; i < DVT_COUNT(fields); i++)
		dvt_buf_init(&file[i], DVT_CHAIN_PEM_MAX);
	for (size_t i = 0; rc == DVT_OK && i < DVT_COUNT(fields); i++) {
		rc = dvt_json_get_str(line, fields[i], 0, &path, err);
		if (rc == DVT_OK)
			rc = dvt_read_regular(path, &file[i], err);
	}
	if (rc == DVT_OK) {
		c.key_pem = dvt_buf_span(&file[0]);
		c.chain_pem = dvt_buf_span(&file[1]);
		c.anchor_pem = dvt_buf_span(&file[2]);
		rc = dvt_agent_command(m->agent, &c, err);
	}
	for (size_t i = 0; i < DVT_COUNT(fields); i++)
		dvt_buf_cleanse(&file[i]);
	return rc;
}

/* Real files, or memory that loses its power. */
static enum dvt_code
open_disk(struct member *m, const char *state, struct dvt_err *err)
{
	enum dvt_code rc;

	if (m->fleet->cuts_seed != 0) {
		if (m->mem == NULL)
			m->mem = dvt_memfs_new();
		if (m->fleet->cutting)
			dvt_memfs_cut(m->mem, roll(m, CUT_CALLS), DVT_CUT_MIX,
			    roll(m, UINT32_MAX));
		m->keyfile.fs = &dvt_memfs;
		m->keyfile.fs_ctx = m->mem;
		return DVT_OK;
	}
	if (mkdir(state, 0700) != 0 && errno != EEXIST)
		return dvt_fail_errno(err, "state %s", state);
	if ((rc = dvt_fs_posix_open(state, true, &m->fs, err)) != DVT_OK)
		return rc;
	m->keyfile.fs = &dvt_fs_posix;
	m->keyfile.fs_ctx = m->fs;
	return DVT_OK;
}

static enum dvt_code
open_agent(struct member *m, const json_t *line, struct dvt_err *err)
{
	struct dvt_agent_config config = {
	    .retry_first_s = m->fleet->retry_first_s};
	const char *state;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(line, "state", 0, &state, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(line, "edge_name", DVT_HOST_MAX,
		 &config.edge_name, err)) != DVT_OK)
		return rc;
	config.device_id = m->device;
	if ((rc = open_disk(m, state, err)) != DVT_OK)
		return rc;
	m->env = (struct dvt_agent_env){.fs = m->keyfile.fs,
	    .fs_ctx = m->keyfile.fs_ctx,
	    .keys = &dvt_keyfile_table,
	    .keys_ctx = &m->keyfile,
	    .random = random_bytes};
	rc = dvt_agent_open(&m->env, &config, dvt_time_now(), &m->agent, err);
	if (rc == DVT_OK && dvt_agent_credential(m->agent) == NULL)
		rc = import(m, line, err);
	return rc;
}

static enum dvt_code
read_edges(
    const json_t *line, struct dvt_addr *out, size_t *n, struct dvt_err *err)
{
	json_t *list, *item;
	size_t i;
	enum dvt_code rc;

	*n = 0;
	if ((rc = dvt_json_get_list(line, "edges", &list, err)) != DVT_OK)
		return rc;
	json_array_foreach(list, i, item)
	{
		if (*n == DVT_IO_ADDRS || !json_is_string(item))
			return dvt_fail(err, DVT_E_INPUT,
			    "edges: 1 to %d addresses", DVT_IO_ADDRS);
		rc = dvt_addr_parse(json_string_value(item), &out[*n], err);
		if (rc != DVT_OK)
			return rc;
		(*n)++;
	}
	return *n > 0 ? DVT_OK
		      : dvt_fail(err, DVT_E_INPUT, "edges: there is none");
}

/* The edges in another order for each device, so that they share the load. */
static void
turn_edges(struct dvt_addr *edges, size_t n, size_t place)
{
	struct dvt_addr from[DVT_IO_ADDRS];

	memcpy(from, edges, n * sizeof(*edges));
	for (size_t i = 0; i < n; i++)
		edges[i] = from[(i + place) % n];
}

/* Agent, network and session, from the disk. */
static enum dvt_code
start(struct member *m, struct dvt_err *err)
{
	struct dvt_addr edges[DVT_IO_ADDRS], server;
	struct dvt_agent_io_config io = {.loop = m->fleet->loop,
	    .server = &server,
	    .server_n = 1,
	    .edge = edges,
	    .attempt = on_attempt,
	    .after_step = after_step,
	    .user = m};
	const char *address, *edge_name;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(m->line, "server", 0, &address, err)) !=
		DVT_OK ||
	    (rc = dvt_addr_parse(address, &server, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(m->line, "server_name", DVT_HOST_MAX,
		 &io.server_name, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(m->line, "edge_name", DVT_HOST_MAX,
		 &edge_name, err)) != DVT_OK ||
	    (rc = read_edges(m->line, edges, &io.edge_n, err)) != DVT_OK ||
	    (rc = open_agent(m, m->line, err)) != DVT_OK)
		return rc;
	turn_edges(edges, io.edge_n, m->place);
	io.agent = m->agent;
	m->io = dvt_agent_io_new(&io);
	m->session = session_new(
	    &(struct session_config){.loop = m->fleet->loop,
		.agent = m->agent,
		.device = m->device,
		.edge_name = edge_name,
		.edge = edges,
		.edge_n = io.edge_n,
		.interval_ms = m->fleet->interval_ms,
		.retry_first_s = m->fleet->retry_first_s,
		.attempt = on_attempt,
		.user = m});
	session_nudge(m->session);
	return DVT_OK;
}

static void
stop(struct member *m)
{
	session_free(m->session);
	dvt_agent_io_free(m->io);
	dvt_agent_free(m->agent);
	m->session = NULL;
	m->io = NULL;
	m->agent = NULL;
}

/* --- its power --- */

/* It goes, or it is back. */
static void
power_due(void *user)
{
	struct member *m = user;
	struct dvt_err err;

	if (m->agent != NULL) {
		if (!m->counted)
			count_cut(m);
		m->counted = false;
		stop(m);
		dvt_timer_start(m->power, (int64_t)roll(m, OFF_MS));
		return;
	}
	dvt_memfs_power_on(m->mem);
	if (start(m, &err) == DVT_OK && !dvt_memfs_is_off(m->mem))
		return;
	if (!dvt_memfs_is_off(m->mem)) { /* what is never to happen */
		fprintf(stderr, "dovetail-fleet: %s is lost: %s\n", m->device,
		    err.text);
		exit(1);
	}
	count_cut(m);
	stop(m);
	dvt_timer_start(m->power, (int64_t)roll(m, OFF_MS));
}

void
member_dice(struct member *m)
{
	if (m->mem == NULL || dvt_memfs_is_off(m->mem))
		return;
	if (!m->fleet->cutting)
		dvt_memfs_cut(m->mem, UINT64_MAX, DVT_CUT_MIX, 0);
	else if (m->agent != NULL && !dvt_timer_running(m->power) &&
		 roll(m, CUT_S) == 0)
		dvt_timer_start(m->power, (int64_t)roll(m, 1000));
}

bool
member_on(const struct member *m)
{
	return m->agent != NULL;
}

enum dvt_code
member_new(struct fleet *fleet, const json_t *line, size_t place,
    struct member **out, struct dvt_err *err)
{
	struct member *m = dvt_alloc(sizeof(*m));
	const char *device;
	enum dvt_code rc;

	*out = NULL;
	m->fleet = fleet;
	m->line = json_deep_copy(line);
	m->place = place;
	m->dice = fleet->cuts_seed + place;
	m->power = dvt_timer_new(fleet->loop, power_due, m);
	rc = dvt_json_get_str(line, "device", DVT_DEVICE_ID_MAX, &device, err);
	if (rc != DVT_OK)
		goto out;
	m->device = dvt_strdup(device);
	rc = start(m, err);
	if (rc != DVT_OK && m->mem != NULL && dvt_memfs_is_off(m->mem)) {
		count_cut(m);
		stop(m);
		dvt_timer_start(m->power, (int64_t)roll(m, OFF_MS));
		rc = DVT_OK;
	}
	if (rc != DVT_OK)
		goto out;
	*out = m;
	m = NULL;
out:
	member_free(m);
	return rc;
}

void
member_free(struct member *m)
{
	if (m == NULL)
		return;
	stop(m);
	dvt_timer_free(m->power);
	dvt_fs_posix_free(m->fs);
	dvt_memfs_free(m->mem);
	json_decref(m->line);
	free(m->device);
	free(m);
}

/* --- watching and ending --- */

bool
member_connected(const struct member *m)
{
	struct session_status s;

	if (m->session == NULL)
		return false;
	session_status(m->session, &s);
	return s.up;
}

void
member_drain(struct member *m)
{
	if (m->session != NULL)
		session_drain(m->session);
}

bool
member_idle(const struct member *m)
{
	return m->session == NULL || session_idle(m->session);
}

void
member_goodbye(struct member *m)
{
	m->connected_at_end = member_connected(m);
	if (m->session != NULL)
		session_goodbye(m->session);
}

json_t *
member_status(const struct member *m)
{
	const struct dvt_agent_credential *c = NULL;
	struct dvt_agent_status a = {.update = ""};
	struct session_status s = {.up = false};
	char issuer[DVT_DN_TEXT] = "";

	if (m->agent != NULL) { /* it has power */
		c = dvt_agent_credential(m->agent);
		dvt_agent_status(m->agent, &a);
		session_status(m->session, &s);
	}
	if (c != NULL)
		(void)dvt_x509_issuer(c->chain.cert[0], issuer);
	return json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s, "
			 "s:I, s:s, s:s, s:s, s:I, s:s, s:I}",
	    "device", m->device, "connected", s.up, "connected_at_end",
	    m->connected_at_end, "made", (json_int_t)s.made, "acked",
	    (json_int_t)s.acked, "reconnects", (json_int_t)s.reconnects,
	    "handshakes", (json_int_t)m->handshakes, "failed",
	    (json_int_t)m->failed, "generation", (json_int_t)a.generation,
	    "issuer", issuer, "bundle", (json_int_t)a.trust_version, "digest",
	    a.trust_digest, "edge_root", s.root, "update", a.update,
	    "checkin_at", (json_int_t)a.checkin_at, "last_error", a.last_error,
	    "cuts", (json_int_t)m->cuts);
}
