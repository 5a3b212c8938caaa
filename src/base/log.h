/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log: events with fields, not prose. One line per event on stderr,
 * "event=NAME severity=S proc=P key=value ...", or JSON.
 */
#ifndef DVT_BASE_LOG_H
#define DVT_BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h> /* LOG_CRIT .. LOG_DEBUG; nothing else of it */

/* Name in each line ("core", "front-1"), and the least severity written. */
void dvt_log_init(const char *proc, int least, int json);
void dvt_log_level_set(int least);
/* "crit".."debug" to a level; -1 when it is none of them. */
int dvt_log_level_from_name(const char *name);
/* Is this severity written? For fields that cost something to make. */
bool dvt_log_wants(int level);

/**
 * log_event() - one event with its fields
 * @event: dotted name, listed in docs/events.md
 *
 * Fields are pairs made by the macros below and end by themselves:
 * log_event(LOG_NOTICE, "rotation.paused", LI("rotation", id), LS("why", w))
 */
#define log_event(level, event, ...)                                           \
	dvt_log_event((level), (event),                                        \
	    (const struct dvt_log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

struct dvt_log_field {
	const char *key;
	const char *s; /* text, or NULL: the number */
	int64_t i;
};
#define LS(key, text)   ((struct dvt_log_field){(key), dvt_log_text(text), 0})
#define LI(key, number) ((struct dvt_log_field){(key), NULL, (int64_t)(number)})
/* The reason of a failure. */
#define LE(err) LS("code", dvt_code_name((err)->code)), LS("why", (err)->text)

/* A text that is not there is a dash. */
static inline const char *
dvt_log_text(const char *s)
{
	return s == 0 ? "-" : s;
}

void dvt_log_event(
    int level, const char *event, const struct dvt_log_field *fields);

#endif
