/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that a program may have in how it writes, planted between the agent
 * and its disk: what the cuts of this folder are there to find.
 */
#ifndef POWER_FAULTS_H
#define POWER_FAULTS_H

#include "durable/memfs.h"

struct fault {
	const char *name;
	const char *life;   /* of lives.h, in which it must be found */
	const char *where;  /* path; "x*": all that begin with x */
	const char *other;  /* path of another file it is about, or NULL */
	struct dvt_fs over; /* calls that do it; NULL: as they should be */
};

/* The first is no fault at all. */
extern const struct fault faults[];
extern const size_t faults_n;

/* @out: the table over a struct dvt_memfs. One fault in a process at a time. */
void fault_plant(const struct fault *f, struct dvt_fs *out);

#endif
