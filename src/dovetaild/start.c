/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/start.h"

#include "base/log.h"
#include "base/mem.h"
#include "dovetaild/policy.h"
#include "dovetaild/unlock.h"
#include "ipc/channel.h"
#include "proc/children.h"
#include "proc/listen.h"
#include "proc/service.h"
#include "proc/user.h"

#include <openssl/rand.h>

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STOP_MS      8000
#define MEMORY_LINES 65536 /* clients the fronts remember, 64 bytes each */
#define STALE_TRIES  40    /* of 50 ms, for a socket of one that is going */

enum dvt_code
program_configure(struct program *p, const char *path, const char *const *set,
    size_t set_n, struct dvt_err *err)
{
	char *full = realpath(path, NULL);
	enum dvt_code rc;

	if (full == NULL)
		return dvt_fail_errno(err, "%s", path);
	if (dvt_copy_str(p->dir, sizeof(p->dir), dirname(full)) != 0) {
		free(full);
		return dvt_fail(err, DVT_E_LIMIT, "%s: path too long", path);
	}
	free(full);
	rc = dvt_config_load(
	    settings_table, settings_count, path, &p->config, err);
	for (size_t i = 0; rc == DVT_OK && i < set_n; i++)
		rc = dvt_config_set(p->config, set[i], err);
	if (rc != DVT_OK || (rc = settings_check(p->config, err)) != DVT_OK)
		return rc;
	program_log(p, "parent");
	return DVT_OK;
}

/* Root's socket is the account's group's too: who is in it may ask. */
static enum dvt_code
listen_operators(struct program *p, struct dvt_err *err)
{
	const char *path = dvt_config_text(p->config, "operator.socket");
	struct dvt_user u;
	static const struct timespec pause = {.tv_nsec = 50000000};
	enum dvt_code rc = dvt_listen_unix(path, 0660, &p->socket_fd, err);

	/* the fronts of one that was killed notice it moments later */
	for (int i = 0; rc == DVT_E_CONFLICT && i < STALE_TRIES; i++) {
		(void)nanosleep(&pause, NULL);
		rc = dvt_listen_unix(path, 0660, &p->socket_fd, err);
	}
	if (rc != DVT_OK || !dvt_user_changes(program_user(p)) ||
	    (rc = dvt_user_find(program_user(p), &u, err)) != DVT_OK)
		return rc;
	if (lchown(path, 0, u.gid) != 0)
		return dvt_fail_errno(err, "%s", path);
	return DVT_OK;
}

static enum dvt_code
open_sockets(struct program *p, struct dvt_err *err)
{
	unsigned fronts = (unsigned)dvt_config_int(p->config, "fronts");
	const char *operators = dvt_config_text(p->config, "operator.listen");
	struct dvt_addr bound;
	enum dvt_code rc;

	for (unsigned i = 0; i < DVT_FRONTS_MAX; i++)
		p->device_fd[i] = p->operator_fd[i] = -1;
	rc = dvt_listen_tcp(dvt_config_text(p->config, "device.listen"), fronts,
	    p->device_fd, &p->device_addr, err);
	if (rc == DVT_OK && operators != NULL)
		rc = dvt_listen_tcp(
		    operators, fronts, p->operator_fd, &bound, err);
	if (rc == DVT_OK)
		rc = listen_operators(p, err);
	return rc;
}

static enum dvt_code
seal_secret(struct program *p, struct dvt_err *err)
{
	struct dvt_secret secret = {NULL, 0};
	enum dvt_code rc;

	rc = unlock_read(
	    p->dir, dvt_config_text(p->config, "signer.unlock"), &secret, err);
	if (rc == DVT_OK)
		rc = dvt_sealed_new(secret.p, secret.n, &p->unlock_fd, err);
	dvt_secret_free(&secret);
	return rc;
}

static enum dvt_code
share_memory(struct program *p, struct dvt_err *err)
{
	if (RAND_bytes(p->ticket_key, sizeof(p->ticket_key)) != 1)
		return dvt_fail(err, DVT_E_SYSTEM, "no random numbers");
	return dvt_edge_memory_new(MEMORY_LINES, &p->memory, err);
}

/* The account our children become gets to what they need, or we say so. */
static enum dvt_code
check_user(const struct program *p, struct dvt_err *err)
{
	const char *user = program_user(p);
	const char *database = dvt_config_text(p->config, "database");
	enum dvt_code rc;

	if (geteuid() == 0 && !dvt_user_changes(user))
		log_event(LOG_WARNING, "dovetaild.as-root",
		    LS("why",
			user == NULL ? "no setting user" : "user = root"));
	if (!dvt_user_changes(user))
		return DVT_OK;
	rc = dvt_user_reaches(user, database, R_OK | W_OK, err);
	if (rc == DVT_E_ABSENT && access(database, F_OK) != 0)
		return DVT_OK; /* core says what is missing */
	if (rc != DVT_OK)
		dvt_err_prefix(err, "setting user");
	return rc;
}

enum dvt_code
program_start(struct program *p, struct dvt_err *err)
{
	char path[1200];
	enum dvt_code rc;

	(void)dvt_files_max();
	if ((rc = check_user(p, err)) != DVT_OK)
		return rc;
	rc = dvt_pidfile_take(
	    program_path(p, DIR_PID, path, sizeof(path)), err);
	if (rc == DVT_OK)
		rc = seal_secret(p, err);
	if (rc == DVT_OK)
		rc = share_memory(p, err);
	if (rc == DVT_OK)
		rc = open_sockets(p, err);
	return rc;
}

static void
on_ready(void *ctx)
{
	struct program *p = ctx;
	char text[DVT_ADDR_TEXT];

	log_event(LOG_NOTICE, "dovetaild.ready",
	    LS("devices", dvt_addr_format(&p->device_addr, text)),
	    LS("version", DVT_VERSION));
	dvt_service_ready("serving");
}

static size_t
front_sockets(const struct program *p, int *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < DVT_FRONTS_MAX; i++) {
		if (p->device_fd[i] >= 0)
			out[n++] = p->device_fd[i];
		if (p->operator_fd[i] >= 0)
			out[n++] = p->operator_fd[i];
	}
	out[n++] = p->socket_fd;
	return n;
}

int
program_loop(struct program *p)
{
	static const struct dvt_child_pair pairs[] = {
	    {DVT_ROLE_FRONT, DVT_ROLE_CORE   },
	    {DVT_ROLE_FRONT, DVT_ROLE_READER },
	    {DVT_ROLE_CORE,  DVT_ROLE_SIGNER },
	    {DVT_ROLE_CORE,  DVT_ROLE_COURIER},
	};
	int sockets[2 * DVT_FRONTS_MAX + 1];
	struct dvt_child_kind signer = {.role = DVT_ROLE_SIGNER,
	    .name = "signer",
	    .user = program_user(p),
	    .count = 1,
	    .stop_stage = 2,
	    .fds = &p->unlock_fd,
	    .fds_n = 1,
	    .run = signer_run};
	struct dvt_child_kind courier = {.role = DVT_ROLE_COURIER,
	    .name = "courier",
	    .user = program_user(p),
	    .count = 1,
	    .stop_stage = 2,
	    .run = courier_run};
	struct dvt_child_kind core = {.role = DVT_ROLE_CORE,
	    .name = "core",
	    .user = program_user(p),
	    .count = 1,
	    .stop_stage = 1,
	    .run = core_run};
	struct dvt_child_kind reader = {.role = DVT_ROLE_READER,
	    .name = "reader",
	    .user = program_user(p),
	    .count = (unsigned)dvt_config_int(p->config, "readers"),
	    .stop_stage = 1,
	    .run = reader_run};
	struct dvt_child_kind front = {.role = DVT_ROLE_FRONT,
	    .name = "front",
	    .user = program_user(p),
	    .count = (unsigned)dvt_config_int(p->config, "fronts"),
	    .fds = sockets,
	    .fds_n = front_sockets(p, sockets),
	    .run = front_run};
	struct dvt_child_kind kinds[] = {signer, courier, core, reader, front};
	struct dvt_parent_plan plan = {
	    .kinds = kinds,
	    .kinds_n = DVT_COUNT(kinds),
	    .pairs = pairs,
	    .pairs_n = DVT_COUNT(pairs),
	    .stop_ms = STOP_MS,
	    .ctx = p,
	    .ready = on_ready,
	};

	return dvt_parent_run(&plan);
}

void
program_fini(struct program *p)
{
	dvt_edge_memory_free(p->memory);
	dvt_config_free(p->config);
	dvt_cleanse(p->ticket_key, sizeof(p->ticket_key));
}
