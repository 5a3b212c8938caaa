/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths above leaves: issuing CAs up to the anchor, as they verified. A
 * fleet has few. A session keeps the number of its own, so that what becomes
 * of an issuing CA reaches it whatever its client sent, and however its
 * certificate was judged (a remembered verdict has no path at hand).
 */
#ifndef DVT_LOOP_EDGE_PATH_H
#define DVT_LOOP_EDGE_PATH_H

#include "loop/edge_set.h"

#include <openssl/x509.h>

#define DVT_EDGE_PATHS 256 /* different ones that are kept */

struct dvt_edge_paths;

struct dvt_edge_paths *dvt_edge_paths_new(void);    /* never NULL */
void dvt_edge_paths_free(struct dvt_edge_paths *p); /* NULL-safe */

/* @path as it verified, leaf first, anchor last. Return: its number, from 1
 * on; 0: there are too many, and nothing can be asked of it later. */
uint32_t dvt_edge_paths_keep(
    struct dvt_edge_paths *p, const STACK_OF(X509) * path);

/**
 * dvt_edge_paths_cut() - is something of it revoked or denied by now?
 * @id:    of dvt_edge_paths_keep(), not 0
 * @epoch: another number for another @set; the answer is kept with it
 */
bool dvt_edge_paths_cut(struct dvt_edge_paths *p, uint32_t id,
    const struct dvt_edge_set *set, uint64_t epoch);

#endif
