/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program as its parent made it ready: settings, sockets, the sealed
 * secret. Handed to every child; each keeps only what its kind lists.
 */
#ifndef DVT_DOVETAILD_PROGRAM_H
#define DVT_DOVETAILD_PROGRAM_H

#include "dovetaild/settings.h"
#include "loop/addr.h"
#include "loop/edge_tls.h"
#include "proc/sandbox.h"

struct program {
	char dir[1024]; /* data folder, absolute */
	struct dvt_config *config;
	int unlock_fd;                   /* sealed; signer only */
	int device_fd[DVT_FRONTS_MAX];   /* listening, one per front */
	int operator_fd[DVT_FRONTS_MAX]; /* the same for HTTPS; -1: none */
	int socket_fd;                   /* the API's Unix socket, shared */
	struct dvt_addr device_addr;     /* what was bound */
	/* Shared by the fronts: identity tickets, and what clients did. */
	uint8_t ticket_key[DVT_EDGE_TICKET_KEY];
	struct dvt_edge_memory *memory;
};

/* The account of all children, when we are root; NULL: ours. */
const char *program_user(const struct program *p);

/* "<dir>/<path>"; @out of @size bytes. */
const char *program_path(
    const struct program *p, const char *path, char *out, size_t size);

/**
 * program_sandbox() - give up what this child does not need, as configured
 * @groups: DVT_SYS_...
 * @paths:  all it may still reach
 */
DVT_MUST_USE enum dvt_code program_sandbox(const struct program *p,
    unsigned groups, const struct dvt_sandbox_path *paths, size_t paths_n,
    struct dvt_err *err);

/* Log lines of a child carry its name, at the configured level. */
void program_log(const struct program *p, const char *name);

/* What children do; each returns its exit status. */
struct dvt_child;
int front_run(struct dvt_child *me, void *program);
int core_run(struct dvt_child *me, void *program);
int reader_run(struct dvt_child *me, void *program);
int signer_run(struct dvt_child *me, void *program);
int courier_run(struct dvt_child *me, void *program);

/* `dovetaild --init DIR [options]`; the exit status. */
int init_main(int argc, char **argv);

#endif
