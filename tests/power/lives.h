/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lives of an agent that are cut short in this folder: what is prepared,
 * what is to be reached, and what must hold whenever it is on again. What does
 * not hold ends the program, by abort().
 */
#ifndef POWER_LIVES_H
#define POWER_LIVES_H

#include "device/testworld.h"

#define HOUR_S    3600
#define CALLS_MAX 1000 /* a life has fewer */

struct life {
	const char *name;
	void (*prepare)(struct testworld *w); /* off afterwards */
	/* what is asked of an agent that has no credential (again) */
	enum dvt_code (*command)(struct testworld *w);
	bool (*is_done)(const struct testworld *w);
	/* the first credential must be on the disk all the time */
	bool keeps_first;
};

extern const struct life lives[];
extern const size_t lives_n;

/* Say why and end the program. */
_Noreturn void life_failed(const char *when, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* On; false when the power went while it opened. */
bool life_turn_on(struct testworld *w);

/* Prepared for lives.c: adopted, trusting bundle 1, and told to renew. */
void life_prepare_renewal(struct testworld *w);
/* It told that the renewal failed. */
bool life_is_back(const struct testworld *w);

/* What a person asks for, where it has no credential and is not about it.
 * DVT_OK where nothing is. */
DVT_MUST_USE enum dvt_code life_try_ask(
    const struct life *l, struct testworld *w);
void life_ask(const struct life *l, struct testworld *w);

/* From on to done, or until the power goes. */
void life_run(const struct life *l, struct testworld *w);

/*
 * It is on: a handshake with the edge stands, and nothing on the disk is what
 * may not be there. A life without a first credential may have none yet.
 */
void life_check_now(
    const struct life *l, struct testworld *w, const char *when);

/* The power is back: it works at once, finishes, and works from the disk. */
void life_check(const struct life *l, struct testworld *w, const char *when);

/* The same from now on, for a world that is on. */
void life_finish(const struct life *l, struct testworld *w, const char *when);

/* Calls that change the disk in the whole life, without a cut. */
uint64_t life_calls(const struct life *l, const struct testworld *ready);

/* A life with one cut before its call @k, and what must hold after it. */
void life_cut(const struct life *l, const struct testworld *ready, uint64_t k,
    enum dvt_cut mode, uint64_t seed);

#endif
