/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table in one mapping that one process writes and others read: what all
 * workers of an edge must know is paid for once per machine.
 *
 * A record is written whole behind the others and never touched again; then
 * its place is put into a slot by one atomic store. So a reader needs no lock
 * and no second try, and a writer that dies at any point leaves the table as
 * it was before or after. What is replaced or dropped stays behind as waste
 * until the writer moves all that lives into a new mapping, which readers are
 * handed by its descriptor (dvt_shelf_generation() tells that it happened).
 */
#ifndef DVT_PROTO_SHELF_H
#define DVT_PROTO_SHELF_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DVT_SHELF_KINDS     5      /* kinds of records, counted apart */
#define DVT_SHELF_RARE      0      /* of this one, most look-ups find none */
#define DVT_SHELF_KEY_MAX   512    /* bytes of a key */
#define DVT_SHELF_VALUE_MAX 262144 /* bytes of a value */

struct dvt_shelf;

/**
 * dvt_shelf_new() - an empty one, this process its writer
 * @shared: readers are to get it: in a memfd which nobody can make longer,
 *          shorter or map for writing. Else it is private memory
 *
 * Nothing is mapped before the first dvt_shelf_put() or dvt_shelf_fd().
 * Never NULL.
 */
struct dvt_shelf *dvt_shelf_new(bool shared);
void dvt_shelf_free(struct dvt_shelf *s); /* NULL-safe */

/**
 * dvt_shelf_attach() - read what another process writes
 * @fd:  of dvt_shelf_fd(); borrowed
 * @out: out: the caller's; dvt_shelf_put() and _drop() do nothing on it
 *
 * Return: DVT_OK; DVT_E_INPUT (no shelf, or one that could be cut short);
 *         DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_shelf_attach(
    int fd, struct dvt_shelf **out, struct dvt_err *err);
bool dvt_shelf_is_reader(const struct dvt_shelf *s);

/* Of the mapping in use, for dvt_shelf_attach(); borrowed; -1: private, or no
 * memory to share. */
int dvt_shelf_fd(struct dvt_shelf *s);
/* Another number: all is in another mapping now. */
uint64_t dvt_shelf_generation(const struct dvt_shelf *s);

/* Add, or take the place of what has this key. Ends the process when there is
 * no memory. false: a size over its limit, or a reader's. */
bool dvt_shelf_put(struct dvt_shelf *s, unsigned kind, struct dvt_span key,
    struct dvt_span value);
/* false: it was not there. */
bool dvt_shelf_drop(struct dvt_shelf *s, unsigned kind, struct dvt_span key);
/* @value: out: borrowed until the next put, or attach; may be NULL. */
bool dvt_shelf_get(const struct dvt_shelf *s, unsigned kind,
    struct dvt_span key, struct dvt_span *value);
size_t dvt_shelf_count(const struct dvt_shelf *s, unsigned kind);
/* Memory in use, with waste. */
size_t dvt_shelf_bytes(const struct dvt_shelf *s);

/* One record of a walk; begin with DVT_SHELF_WALK. */
struct dvt_shelf_walk {
	uint64_t at;   /* next slot */
	uint64_t left; /* slots that may still be looked at */
	struct dvt_span key, value;
};
#define DVT_SHELF_WALK ((struct dvt_shelf_walk){.left = UINT64_MAX})
/* The next of @kind, in no order that matters; a record may be dropped on the
 * way, none put. false: no more (then @at is 0), or none is left to look at. */
bool dvt_shelf_next(
    const struct dvt_shelf *s, unsigned kind, struct dvt_shelf_walk *w);
/* Walk on from after this key; false when it is not there. */
bool dvt_shelf_walk_at(const struct dvt_shelf *s, unsigned kind,
    struct dvt_span key, struct dvt_shelf_walk *w);

#endif
