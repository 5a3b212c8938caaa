/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what cannot be read is damaged, or this host has no memory to read
 * it with. OpenSSL tells both alike, and what is set aside as damaged is not
 * used again: so before that a key known to be good must be read.
 */
#ifndef DVT_DEVICE_CANARY_H
#define DVT_DEVICE_CANARY_H

#include "base/err.h"

#include <stdbool.h>

#define DVT_CANARY_TRIES 8

/* A key is made, written, and read again. */
bool dvt_canary_lives(void);

/**
 * dvt_canary_again() - once more, after a read that failed
 * @rc:    what the read came to
 * @sound: in and out: canaries that lived since the last failure; begin at 0
 * @tries: in and out: begin at 0
 *
 * A read is sure to have failed by what it read when a canary lived before and
 * after it. Return: true: read again.
 */
bool dvt_canary_again(enum dvt_code rc, unsigned *sound, unsigned *tries);

#endif
