/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the operator, run beside the loop and never waited for. */
#ifndef DVT_DEVICE_HOOK_H
#define DVT_DEVICE_HOOK_H

#include "loop/loop.h"

#include <stdint.h>

struct dvt_hook_run;

/**
 * dvt_hook_start() - run "@program @name"
 * @done: with the exit status, or 128 and the signal's number; it may free
 *        the run
 *
 * @more: "NAME=value" texts for its environment, ended by NULL; NULL: none
 *
 * In its environment DOVETAIL_HOOK, DOVETAIL_GENERATION, DOVETAIL_TRUST; its
 * standard input is empty. Return: DVT_OK; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_hook_start(struct dvt_loop *loop,
    const char *program, const char *name, int64_t generation,
    int64_t trust_version, const char *const *more,
    void (*done)(void *user, int status), void *user, struct dvt_hook_run **out,
    struct dvt_err *err);
/* Still running: it is killed, with what it started (its process group).
 * NULL-safe. */
void dvt_hook_free(struct dvt_hook_run *h);

#endif
