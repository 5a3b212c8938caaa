/* SPDX-License-Identifier: Apache-2.0 */
/* The deny file: certificates refused whatever the feed says. */
#ifndef DVT_GATEWAY_DENIED_H
#define DVT_GATEWAY_DENIED_H

#include "proto/shelf.h"

#include <stdio.h>

#define GW_DENIED_MAX  2000000 /* lines that count in a deny file */
#define GW_DENIED_KEYS 1000    /* of them keys */
#define GW_DENIED_LINE 1024    /* bytes of a line */

/**
 * gw_denied_load() - read it into a shelf that workers can attach
 * @path: a SHA-256 fingerprint on each line, or "key:" and the SHA-256 of a
 *        public key (its SPKI), of which nothing is taken, nor anything issued
 *        with it; "#" begins a comment. NULL: none
 * @out:  out: the caller's; NULL on failure
 *
 * Return: DVT_OK; DVT_E_INPUT (names the line); DVT_E_LIMIT; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code gw_denied_load(
    const char *path, struct dvt_shelf **out, struct dvt_err *err);

/* The same from a stream; @name stands for the file in errors. */
DVT_MUST_USE enum dvt_code gw_denied_read(
    FILE *in, const char *name, struct dvt_shelf **out, struct dvt_err *err);

/* Each denied key of it. */
void gw_denied_keys(const struct dvt_shelf *s,
    void (*each)(void *arg, const char *digest), void *arg);

#endif
