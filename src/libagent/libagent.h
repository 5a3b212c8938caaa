/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of libdovetail-agent share: the public interface
 * (include/dovetail/agent.h) on the agent's steps (device/agent.h).
 */
#ifndef DVT_LIBAGENT_LIBAGENT_H
#define DVT_LIBAGENT_LIBAGENT_H

#include "device/agent.h"
#include "device/keyfile.h"
#include "durable/fs_posix.h"

#include <dovetail/agent.h>

struct dovetail_posix {
	struct dvt_fs_posix *fs;
	struct dvt_keyfile keyfile;
};

struct libagent_shelf;

struct dovetail_agent {
	struct dovetail_env env;    /* as given */
	struct dvt_agent_env steps; /* the same, for the steps */
	struct dvt_agent *agent;
	struct dvt_want want; /* the last one */
	struct libagent_shelf *shelf;
};

/* The tables of @a->env behind those of @a->steps. */
enum dovetail_code libagent_env_bind(
    struct dovetail_agent *a, struct dovetail_error *err);

/* @e into @err, which may be NULL. Return: the code. */
enum dovetail_code libagent_told(
    enum dvt_code rc, const struct dvt_err *e, struct dovetail_error *err);
/* A failure of this library's own. */
enum dovetail_code libagent_fail(
    struct dovetail_error *err, enum dovetail_code code, const char *text);

/* Tickets that came: shared with the SSL_CTXs handed out, the last frees it. */
struct libagent_shelf *libagent_shelf_new(void);
void libagent_shelf_free(struct libagent_shelf *s); /* NULL-safe */
/* What lies there to the agent, before each step. */
void libagent_tickets_take(struct dovetail_agent *a);
/* Connections of @ctx offer the ticket kept for @with (NULL: none), and bring
 * new ones. @dates: and tell when the chain that is shown to them holds. */
void libagent_bind(struct dovetail_agent *a, enum dvt_ticket_of of,
    const struct dvt_agent_credential *with, bool dates,
    struct ssl_ctx_st *ctx);
/* Told since the last SSL_CTX with @dates was made; 0, 0: nothing. */
void libagent_dates_take(
    struct dovetail_agent *a, int64_t *from, int64_t *until);

#endif
