/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lives of a device that has configuration values: a renewal under a lease
 * that gives them back under the new key, one that goes back, a new version.
 * What must hold: the value in clear is on the disk, whole, all the time, in
 * its place and nowhere else; in the end the server's opens with the key in
 * use.
 */
#ifndef POWER_VALUES_H
#define POWER_VALUES_H

#include "device/testworld.h"

void values_prepare(struct testworld *w);
void values_prepare_bad_hook(struct testworld *w);
void values_prepare_new(struct testworld *w);

/* Ends of these lives; for a world that is on. */
bool values_are_sealed_anew(const struct testworld *w);
bool values_are_back(const struct testworld *w);
bool values_are_taken(const struct testworld *w);

/* Each value is on the disk, as the server has or had it. */
void values_check(const struct testworld *w, const char *when);

/* Some value is in these bytes, in clear. */
bool values_are_in(struct dvt_span bytes);

#endif
