/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves that sandbox.c puts together. */
#ifndef DVT_PROC_SANDBOX_PRIV_H
#define DVT_PROC_SANDBOX_PRIV_H

#include "proc/sandbox.h"

/* @abi: out: 0 when the kernel has none (then nothing is done). */
enum dvt_code dvt_landlock_apply(
    const struct dvt_sandbox_plan *plan, int *abi, struct dvt_err *err);
enum dvt_code dvt_seccomp_apply(
    const struct dvt_sandbox_plan *plan, struct dvt_err *err);

#endif
