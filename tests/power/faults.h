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
	const char *life; /* of lives.h, in which it must be found */
	struct dvt_fs fs; /* over a struct dvt_memfs */
};

#define FAULTS_MAX 24

/* Fill @out, the first with no fault at all. @return: how many. */
size_t faults_make(struct fault out[FAULTS_MAX]);

#endif
