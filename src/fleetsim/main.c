/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dovetail-fleet run: the agents of a fleet file in one process, until told
 * to stop. A status file is made anew every second.
 */
#include "fleetsim/member.h"

#include "base/log.h"
#include "wire/json.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_BYTES 8192
#define START_MS   5 /* between two devices: no stampede at start */
#define STATUS_MS  1000
#define DRAIN_MS   10000 /* for the last acknowledgements */
#define GOODBYE_MS 300

struct options {
	const char *fleet_file, *status_file, *log_file;
	int64_t interval_ms, retry_first_s, cuts_seed;
	size_t devices; /* 0: all lines */
};

struct run {
	struct fleet fleet;
	struct options o;
	json_t *lines;
	struct member **member;
	size_t n;
	struct dvt_timer *start, *status, *end, *dice;
	int64_t drain_until_ms; /* 0: running */
	bool leaving;
};

static void
write_status(struct run *r)
{
	json_t *all = json_array(), *whole;
	json_int_t connected = 0;
	char *part;

	if (r->o.status_file == NULL) {
		json_decref(all);
		return;
	}
	for (size_t i = 0; i < r->n; i++) {
		connected += member_connected(r->member[i]);
		json_array_append_new(all, member_status(r->member[i]));
	}
	whole = json_pack("{s:I, s:I, s:I, s:I, s:I, s:O, s:o}", "of",
	    (json_int_t)json_array_size(r->lines), "connected", connected,
	    "handshakes", (json_int_t)r->fleet.handshakes, "failed",
	    (json_int_t)r->fleet.failed, "cuts", (json_int_t)r->fleet.cuts,
	    "cut_steps", r->fleet.cut_steps, "devices", all);
	part = dvt_asprintf("%s.new", r->o.status_file);
	if (json_dump_file(whole, part, JSON_COMPACT) != 0 ||
	    rename(part, r->o.status_file) != 0)
		log_event(
		    LOG_ERR, "fleet.status", LS("file", r->o.status_file));
	free(part);
	json_decref(whole);
}

static void
status_due(void *user)
{
	write_status(user);
}

static void
dice_due(void *user)
{
	struct run *r = user;

	for (size_t i = 0; i < r->n; i++)
		member_dice(r->member[i]);
}

/* SIGUSR1: no more cuts, what is off comes back. */
static void
on_calm(void *user)
{
	struct run *r = user;

	r->fleet.cutting = false;
}

/* The next device; a line that cannot be taken ends the program. */
static void
start_one(void *user)
{
	struct run *r = user;
	struct dvt_err err;

	if (r->n == json_array_size(r->lines)) {
		dvt_timer_stop(r->start);
		return;
	}
	if (member_new(&r->fleet, json_array_get(r->lines, r->n), r->n,
		&r->member[r->n], &err) != DVT_OK) {
		fprintf(stderr, "dovetail-fleet: line %zu: %s\n", r->n + 1,
		    err.text);
		exit(dvt_code_exit(err.code));
	}
	r->n++;
}

static void
end_due(void *user)
{
	struct run *r = user;
	bool idle = true;

	if (r->leaving) {
		dvt_loop_stop(r->fleet.loop);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		idle = idle && member_idle(r->member[i]);
	if (!idle && dvt_loop_time(r->fleet.loop).mono_ms < r->drain_until_ms)
		return;
	r->leaving = true;
	for (size_t i = 0; i < r->n; i++)
		member_goodbye(r->member[i]);
	write_status(r);
	dvt_timer_stop(r->status);
	dvt_timer_repeat(r->end, GOODBYE_MS);
}

static void
on_stop(void *user)
{
	struct run *r = user;

	if (r->drain_until_ms != 0)
		return;
	r->fleet.cutting = false;
	r->drain_until_ms = dvt_loop_time(r->fleet.loop).mono_ms + DRAIN_MS;
	dvt_timer_stop(r->start);
	for (size_t i = 0; i < r->n; i++)
		member_drain(r->member[i]);
	dvt_timer_repeat(r->end, 100);
}

static enum dvt_code
read_fleet(struct run *r, struct dvt_err *err)
{
	FILE *f = fopen(r->o.fleet_file, "re");
	char line[LINE_BYTES];
	json_t *one;
	enum dvt_code rc = DVT_OK;

	if (f == NULL)
		return dvt_fail_errno(err, "%s", r->o.fleet_file);
	r->lines = json_array();
	while (
	    rc == DVT_OK && fgets(line, sizeof(line), f) != NULL &&
	    (r->o.devices == 0 || json_array_size(r->lines) < r->o.devices)) {
		rc = dvt_json_parse(
		    dvt_span_str(line), sizeof(line), &one, err);
		if (rc == DVT_OK)
			json_array_append_new(r->lines, one);
		else
			dvt_err_prefix(err, "%s, line %zu", r->o.fleet_file,
			    json_array_size(r->lines) + 1);
	}
	fclose(f);
	if (rc == DVT_OK && json_array_size(r->lines) == 0)
		rc = dvt_fail(err, DVT_E_INPUT, "%s: no line", r->o.fleet_file);
	return rc;
}

static enum dvt_code
run(struct run *r, struct dvt_err *err)
{
	struct dvt_signal *term, *interrupt, *calm;
	enum dvt_code rc;

	if ((rc = read_fleet(r, err)) != DVT_OK ||
	    (rc = dvt_loop_new(&r->fleet.loop, err)) != DVT_OK)
		return rc;
	if (r->o.log_file != NULL) {
		r->fleet.log = open(r->o.log_file,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (r->fleet.log < 0)
			return dvt_fail_errno(err, "%s", r->o.log_file);
	}
	r->fleet.size = json_array_size(r->lines);
	r->member = dvt_alloc_array(
	    json_array_size(r->lines), sizeof(struct member *));
	r->start = dvt_timer_new(r->fleet.loop, start_one, r);
	r->status = dvt_timer_new(r->fleet.loop, status_due, r);
	r->end = dvt_timer_new(r->fleet.loop, end_due, r);
	dvt_timer_repeat(r->start, START_MS);
	dvt_timer_repeat(r->status, STATUS_MS);
	r->dice = dvt_timer_new(r->fleet.loop, dice_due, r);
	if (r->fleet.cuts_seed != 0)
		dvt_timer_repeat(r->dice, 1000);
	calm = dvt_signal_new(r->fleet.loop, SIGUSR1, on_calm, r);
	term = dvt_signal_new(r->fleet.loop, SIGTERM, on_stop, r);
	interrupt = dvt_signal_new(r->fleet.loop, SIGINT, on_stop, r);
	dvt_loop_run(r->fleet.loop);
	dvt_signal_free(term);
	dvt_signal_free(interrupt);
	dvt_signal_free(calm);
	for (size_t i = 0; i < r->n; i++)
		member_free(r->member[i]);
	dvt_timer_free(r->start);
	dvt_timer_free(r->status);
	dvt_timer_free(r->end);
	dvt_timer_free(r->dice);
	json_decref(r->fleet.cut_steps);
	free(r->member);
	json_decref(r->lines);
	dvt_loop_free(r->fleet.loop);
	return DVT_OK;
}

static void
usage(FILE *to)
{
	fprintf(to, "usage: dovetail-fleet run --fleet FILE [--devices N]\n"
		    "           [--status-file FILE] [--log FILE]\n"
		    "           [--interval-ms N] [--retry-first SECONDS]\n"
		    "           [--cuts SEED]\n");
}

static int64_t
number(const char *name, const char *text, int64_t least)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (*end != '\0' || n < least) {
		fprintf(stderr,
		    "dovetail-fleet: --%s takes a number from %" PRId64 "\n",
		    name, least);
		exit(64);
	}
	return n;
}

static void
arguments(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
	    {"fleet",            required_argument, NULL, 'f'},
	    {"devices",              required_argument, NULL, 'n'},
	    {"status-file",                  required_argument, NULL, 's'},
	    {"log",required_argument, NULL, 'l'},
	    {"interval-ms",               required_argument, NULL, 'i'},
	    {"retry-first",      required_argument, NULL, 'r'},
	    {"cuts",              required_argument, NULL, 'c'},
	    {"help",                  no_argument, NULL, 'h'},
	    {"version",              no_argument, NULL, 'V'},
	    {0	      },
	};
	int c;

	while ((c = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		switch (c) {
		case 'f':
			o->fleet_file = optarg;
			break;
		case 'n':
			o->devices = (size_t)number("devices", optarg, 1);
			break;
		case 's':
			o->status_file = optarg;
			break;
		case 'l':
			o->log_file = optarg;
			break;
		case 'i':
			o->interval_ms = number("interval-ms", optarg, 1);
			break;
		case 'r':
			o->retry_first_s = number("retry-first", optarg, 1);
			break;
		case 'c':
			o->cuts_seed = number("cuts", optarg, 1);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			puts("dovetail-fleet " DVT_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(64);
		}
	}
	if (optind + 1 != argc || strcmp(argv[optind], "run") != 0 ||
	    o->fleet_file == NULL) {
		usage(stderr);
		exit(64);
	}
}

int
main(int argc, char **argv)
{
	struct run r = {
	    .o = {.interval_ms = 1000, .retry_first_s = 30}
        };
	struct dvt_err err = {0};
	enum dvt_code rc;

	arguments(argc, argv, &r.o);
	dvt_log_init("fleet", LOG_NOTICE, 0);
	srandom((unsigned)getpid());
	r.fleet.log = -1;
	r.fleet.interval_ms = r.o.interval_ms;
	r.fleet.retry_first_s = r.o.retry_first_s;
	r.fleet.cuts_seed = (uint64_t)r.o.cuts_seed;
	r.fleet.cutting = r.fleet.cuts_seed != 0;
	r.fleet.cut_steps = json_object();
	rc = run(&r, &err);
	if (rc != DVT_OK)
		fprintf(stderr, "dovetail-fleet: %s\n", err.text);
	return dvt_code_exit(rc);
}
