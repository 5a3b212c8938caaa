/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail-gateway: arguments, settings, sockets, children. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/program.h"
#include "gateway/secret.h"
#include "ipc/messages.h"
#include "proc/args.h"
#include "proc/children.h"
#include "proc/listen.h"
#include "proc/output.h"
#include "proc/sandbox.h"
#include "proc/service.h"
#include "proc/user.h"

#include <openssl/rand.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICKET_RATE                                                            \
	1 /* per second, of one ticket at an address over its rate */
#define STOP_MS     6000
#define TICKET_FILE "ticket.key"

#define USAGE                                                                  \
	"usage: dovetail-gateway --config FILE [-n] [--set KEY=VALUE ...]\n"   \
	"       dovetail-gateway --settings-man | --version | --help\n"

enum dvt_code
gw_sandbox(const struct gw_program *p, unsigned groups,
    const struct dvt_sandbox_path *paths, size_t paths_n, struct dvt_err *err)
{
	struct dvt_sandbox_plan plan = {
	    .groups = groups,
	    .paths = paths,
	    .paths_n = paths_n,
	    .landlock = dvt_config_bool(p->config, "sandbox.landlock"),
	    .seccomp = dvt_config_bool(p->config, "sandbox.seccomp"),
	    .explain = true,
	};

	return dvt_sandbox(&plan, err);
}

void
gw_log_start(const struct gw_program *p, const char *name)
{
	dvt_log_init(name,
	    dvt_log_level_from_name(dvt_config_text(p->config, "log.level")),
	    dvt_config_bool(p->config, "log.json"));
}

/*
 * What does not stop a gateway that runs, but an operator who asks wants to
 * hear: a late CRL and an anchor that ended as a warning, one that cannot be
 * used and a staple that would not be shown as faults.
 */
static enum dvt_code
doubts_print(const struct gw_files *files, int64_t now, struct dvt_err *err)
{
	const char *event;
	char text[DVT_DOUBT_MAX];

	for (size_t i = 0; gw_files_doubt(files, now, i, &event, text) != NULL;
	     i++) {
		if (strcmp(event, "gateway.crl.stale") != 0 &&
		    strcmp(event, "gateway.anchor.ended") != 0)
			return dvt_fail(err, DVT_E_INPUT, "%s", text);
		fprintf(stderr, "dovetail-gateway: warning: %s\n", text);
	}
	return DVT_OK;
}

/*
 * One that ended while we ran must not keep us from starting again, nor a
 * clock that is set later, as long as there is another: in the files, or of
 * the control plane's.
 */
static enum dvt_code
dates_check(const struct gw_settings *s, const struct gw_files *files,
    int64_t now, struct dvt_err *err)
{
	if (s->control_n > 0 || !gw_files_out_of_time(files, now))
		return DVT_OK;
	return gw_files_check_dates(s, files, NULL, now, err);
}

/* Read again by the feed process; here so that -n and the start tell. */
static enum dvt_code
control_ca_check(const struct gw_settings *s, int64_t now, struct dvt_err *err)
{
	struct gw_settings only = {.client_ca = s->control_ca};
	struct gw_files files;
	enum dvt_code rc = gw_files_load(&only, now, &files, err);

	gw_files_fini(&files);
	return rc;
}

/* Without any it waits for one to be set; a file that fails is a fault. */
static enum dvt_code
secret_check(const struct gw_settings *s, struct dvt_err *err)
{
	enum dvt_code rc = gw_secret_check(s, err);

	if (rc != DVT_E_ABSENT || s->secret != NULL)
		return rc;
	fprintf(stderr, "dovetail-gateway: warning: %s\n", err->text);
	return DVT_OK;
}

static enum dvt_code
settings_read(
    const struct dvt_args *a, struct gw_program *p, struct dvt_err *err)
{
	struct gw_files files;
	int64_t now = dvt_time_now().wall_s;
	enum dvt_code rc;

	if (a->man)
		dvt_args_man(gw_settings, gw_settings_count);
	if (a->set_n > 0) /* a reload reads the file alone */
		return dvt_fail(err, DVT_E_INPUT, "--set %s: write it into %s",
		    a->set[0], a->config);
	p->config_path = realpath(a->config, NULL);
	if (p->config_path == NULL)
		return dvt_fail_errno(err, "%s", a->config);
	if ((rc = gw_settings_load(p->config_path, NULL, &p->config,
		 &p->settings, err)) != DVT_OK ||
	    (rc = control_ca_check(&p->settings, now, err)) != DVT_OK ||
	    (rc = gw_files_load(&p->settings, now, &files, err)) != DVT_OK)
		return rc;
	rc = dates_check(&p->settings, &files, now, err);
	if (rc == DVT_OK && a->check)
		rc = doubts_print(&files, now, err);
	if (rc == DVT_OK && a->check)
		rc = secret_check(&p->settings, err);
	gw_files_fini(&files);
	if (rc != DVT_OK)
		return rc;
	if (a->check)
		dvt_args_dump(p->config);
	gw_log_start(p, "parent");
	return DVT_OK;
}

/*
 * Who the workers, which meet the network, are: the setting, else the account
 * of this host's packages when it is there. The feed process reads key files
 * by name, at every reload; it leaves root by the setting alone.
 */
static const char *
worker_user(const struct gw_program *p)
{
	const char *user = dvt_config_text(p->config, "user");
	struct dvt_user u;

	if (user == NULL && dvt_user_find(DVT_USER_DEFAULT, &u, NULL) == DVT_OK)
		user = DVT_USER_DEFAULT;
	return user;
}

/* The feed process writes there, as whom it is told to be. */
static enum dvt_code
state_hand_over(
    const struct gw_program *p, const char *ticket, struct dvt_err *err)
{
	const char *user = dvt_config_text(p->config, "user");
	struct dvt_user u;
	enum dvt_code rc;

	if (!dvt_user_changes(user))
		return DVT_OK;
	if ((rc = dvt_user_find(user, &u, err)) != DVT_OK)
		return rc;
	if (lchown(p->settings.state, u.uid, u.gid) != 0 ||
	    lchown(ticket, u.uid, u.gid) != 0)
		return dvt_fail_errno(err, "hand over %s", p->settings.state);
	return dvt_user_reaches(user, p->settings.state, W_OK | X_OK, err);
}

/*
 * The same over restarts, so that a device stays known by its ticket; without
 * a state folder only as long as we run.
 */
static enum dvt_code
ticket_key_read(struct gw_program *p, struct dvt_err *err)
{
	char path[4096];
	ssize_t n;
	int fd;

	if (RAND_bytes(p->ticket_key, sizeof(p->ticket_key)) != 1)
		return dvt_fail(err, DVT_E_SYSTEM, "no random bytes");
	if (p->settings.state == NULL)
		return DVT_OK;
	if (mkdir(p->settings.state, 0700) != 0 && errno != EEXIST)
		return dvt_fail_errno(err, "%s", p->settings.state);
	snprintf(path, sizeof(path), "%s/" TICKET_FILE, p->settings.state);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EROFS) /* as it is, it can still be read */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return dvt_fail_errno(err, "%s", path);
	if (pread(fd, p->ticket_key, sizeof(p->ticket_key), 0) !=
	    (ssize_t)sizeof(p->ticket_key)) {
		n = pwrite(fd, p->ticket_key, sizeof(p->ticket_key), 0);
		if (n != (ssize_t)sizeof(p->ticket_key)) {
			(void)dvt_fail_errno(err, "%s", path);
			close(fd);
			return DVT_E_SYSTEM;
		}
	}
	close(fd);
	return state_hand_over(p, path, err);
}

static enum dvt_code
listen_all(struct gw_program *p, struct dvt_err *err)
{
	enum dvt_code rc = dvt_listen_tcp(p->settings.listen,
	    p->settings.workers, p->listen_fd, &p->listen, err);

	if (rc != DVT_OK)
		dvt_err_prefix(err, "gateway.listen");
	return rc;
}

/* Its users are those who may write to the socket, or this host's. */
static enum dvt_code
admin_listen(struct gw_program *p, struct dvt_err *err)
{
	const char *where = p->settings.admin;
	enum dvt_code rc;

	if (where == NULL)
		return DVT_OK;
	rc = where[0] == '/'
		 ? dvt_listen_unix(where, 0660, &p->admin_fd, err)
		 : dvt_listen_tcp(where, 1, &p->admin_fd, NULL, err);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "gateway.admin");
	return rc;
}

static enum dvt_code
start(struct gw_program *p, struct dvt_err *err)
{
	enum dvt_code rc;

	(void)dvt_files_max();
	/* who reads log or records holds up no denial */
	dvt_output_unblock(STDOUT_FILENO);
	dvt_output_unblock(STDERR_FILENO);
	if ((rc = ticket_key_read(p, err)) != DVT_OK ||
	    (rc = dvt_edge_memory_new(
		 DVT_EDGE_MEMORY_LINES, &p->memory, err)) != DVT_OK ||
	    (rc = gw_rate_new(
		 (unsigned)dvt_config_int(p->config, "gateway.address-rate"),
		 &p->rate, err)) != DVT_OK ||
	    (rc = gw_rate_new(TICKET_RATE, &p->spared, err)) != DVT_OK ||
	    (rc = gw_half_count_new(
		 p->settings.workers, &p->half_count, err)) != DVT_OK ||
	    (rc = gw_ledger_new(&p->ledger, err)) != DVT_OK ||
	    (rc = gw_pulse_new(&p->pulse, err)) != DVT_OK)
		return rc;
	if ((rc = admin_listen(p, err)) != DVT_OK)
		return rc;
	return listen_all(p, err);
}

static void
on_ready(void *ctx)
{
	const struct gw_program *p = ctx;
	char where[DVT_ADDR_TEXT];

	log_event(LOG_NOTICE, "gateway.ready",
	    LS("listen", dvt_addr_format(&p->listen, where)),
	    LI("workers", p->settings.workers));
	dvt_service_ready("serving");
}

/* One of those that are watched. */
static void
on_silent(void *ctx, int role, unsigned index, int64_t silent_ms, bool killed)
{
	const struct gw_program *p = ctx;
	enum gw_process which = role == DVT_ROLE_EDGE_FEED ? GW_PROCESS_FEED
							   : GW_PROCESS_WORKER;

	gw_pulse_silent(p->pulse, which, index, silent_ms);
	if (killed)
		gw_pulse_replaced(
		    p->pulse, which, index, dvt_time_now().wall_s);
}

/* Upstreams that are told by names: somebody has to look them up again. */
static bool
has_names(const struct gw_settings *s)
{
	bool named = false;

	for (size_t i = 0; i < s->upstreams.n; i++)
		named |= gw_upstream_is_named(&s->upstreams.one[i]);
	for (size_t i = 0; i < s->pass_to.n; i++)
		named |= gw_upstream_is_named(&s->pass_to.one[i]);
	return named;
}

static int
run(struct gw_program *p)
{
	struct dvt_child_kind kinds[] = {
	    {.role = DVT_ROLE_EDGE_FEED,
             .name = "feed",
             .count = 1,
             .stop_stage = 1,
             .watched = true,
             .user = dvt_config_text(p->config, "user"),
             .fds = &p->admin_fd,
             .fds_n = p->admin_fd > 0,
             .run = gw_feed_run},
	    {.role = DVT_ROLE_EDGE_WORKER,
             .name = "worker",
             .count = p->settings.workers,
             .stop_stage = 0,
             .watched = true,
             .fds = p->listen_fd,
             .fds_n = p->settings.workers,
             .user = worker_user(p),
             .run = gw_worker_run},
	    {.role = DVT_ROLE_EDGE_RESOLVER,
             .name = "resolver",
             .count = has_names(&p->settings),
             .stop_stage = 0,
             .user = worker_user(p),
             .run = gw_resolver_run             },
	};
	struct dvt_child_pair pairs[] = {
	    {DVT_ROLE_EDGE_FEED,     DVT_ROLE_EDGE_WORKER},
	    {DVT_ROLE_EDGE_RESOLVER, DVT_ROLE_EDGE_WORKER},
	};
	struct dvt_parent_plan plan = {
	    .kinds = kinds,
	    .kinds_n = DVT_COUNT(kinds),
	    .pairs = pairs,
	    .pairs_n = DVT_COUNT(pairs),
	    .stop_ms = STOP_MS,
	    .ctx = p,
	    .ready = on_ready,
	    .watch_ms = 1000 * dvt_config_int(p->config, "gateway.watchdog"),
	    .silent = on_silent,
	};

	return dvt_parent_run(&plan);
}

static void
program_fini(struct gw_program *p)
{
	for (unsigned i = 0; i < GW_WORKERS_MAX; i++)
		if (p->listen_fd[i] > 0)
			close(p->listen_fd[i]);
	if (p->admin_fd > 0)
		close(p->admin_fd);
	dvt_edge_memory_free(p->memory);
	gw_rate_free(p->rate);
	gw_rate_free(p->spared);
	gw_half_count_free(p->half_count);
	gw_ledger_free(p->ledger);
	gw_pulse_free(p->pulse);
	dvt_cleanse(p->ticket_key, sizeof(p->ticket_key));
	dvt_config_free(p->config);
	free(p->config_path);
}

int
main(int argc, char **argv)
{
	struct dvt_args arguments;
	struct gw_program program = {0};
	struct dvt_err err = {0};
	enum dvt_code rc;
	int status;

	if (dvt_args_read(argc, argv, "dovetail-gateway", USAGE, &arguments,
		&err) != DVT_OK) {
		fprintf(stderr, "dovetail-gateway: %s\n" USAGE, err.text);
		return DVT_ARGS_STATUS;
	}
	if ((rc = settings_read(&arguments, &program, &err)) != DVT_OK ||
	    (rc = start(&program, &err)) != DVT_OK) {
		fprintf(stderr, "dovetail-gateway: %s\n", err.text);
		status = dvt_code_exit(rc);
	} else {
		status = run(&program);
	}
	program_fini(&program);
	return status;
}
