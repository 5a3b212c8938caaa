/* SPDX-License-Identifier: Apache-2.0 */
/* The file "journal": read within limits, salvaged, added to, rewritten. */
#ifndef DVT_DEVICE_JOURNAL_H
#define DVT_DEVICE_JOURNAL_H

#include "device/history.h"

#define DVT_JOURNAL_MAX     262144 /* bytes; ours are rewritten far before */
#define DVT_JOURNAL_REWRITE 65536  /* bytes after which that is done */

struct dvt_journal_state {
	size_t size;    /* bytes on the disk */
	size_t damaged; /* bad lines before a good one */
	bool torn;      /* the end is not whole: rewrite before adding */
};

/**
 * dvt_journal_read() - add up what the file tells
 * @h: empty
 *
 * Each whole line counts; an absent file is an empty one. Nothing is written.
 * Return: DVT_OK; DVT_E_LIMIT (larger than DVT_JOURNAL_MAX); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_journal_read(const struct dvt_agent_env *env,
    struct dvt_history *h, struct dvt_journal_state *state,
    struct dvt_err *err);

/*
 * Add whole lines to the file, which exists (else its name would not be as
 * durable as its bytes). A failure may leave a torn end.
 */
DVT_MUST_USE enum dvt_code dvt_journal_append(const struct dvt_agent_env *env,
    struct dvt_span lines, struct dvt_err *err);

/* What was read is on the disk, too: a killed process may have written it and
 * not synced. The file exists. */
DVT_MUST_USE enum dvt_code dvt_journal_settle(
    const struct dvt_agent_env *env, struct dvt_err *err);

/* Replace the file by what @h adds up to. */
DVT_MUST_USE enum dvt_code dvt_journal_rewrite(const struct dvt_agent_env *env,
    const struct dvt_history *h, size_t *size, struct dvt_err *err);

/* Keep a copy as "journal.bad" (over a former one), or rename it when it is
 * too large to be copied. */
DVT_MUST_USE enum dvt_code dvt_journal_set_aside(
    const struct dvt_agent_env *env, struct dvt_err *err);

#endif
