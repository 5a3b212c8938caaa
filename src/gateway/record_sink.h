/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where handshake records go as lines: a file, a pipe, standard output. Who
 * writes them hands out denials too, so nothing here waits: what is not taken
 * now is to be offered again. A line is there whole or not at all.
 */
#ifndef DVT_GATEWAY_RECORD_SINK_H
#define DVT_GATEWAY_RECORD_SINK_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_sink;

struct gw_sink *gw_sink_new(void); /* to nobody */
void gw_sink_free(struct gw_sink *s);

/*
 * Write to this file from now on, opened anew (it may have been moved away);
 * "-": standard output, which is borrowed and should not block (proc/output.h);
 * NULL: to nobody. A file that cannot be opened is tried again at each write.
 */
void gw_sink_use(struct gw_sink *s, const char *to);
bool gw_sink_used(const struct gw_sink *s);

/* A regular file tells by its size what of a write has happened. false: it is
 * none. @id: which file that is. */
bool gw_sink_size(const struct gw_sink *s, int64_t *size, uint64_t *id);

/**
 * gw_sink_write() - as much as is taken without waiting
 * @lines: whole ones
 * @begun: the first is the rest of one that is in the file
 * Return: bytes that need not come again; whole lines.
 */
size_t gw_sink_write(struct gw_sink *s, struct dvt_span lines, bool begun);
/* Milliseconds at most until it takes something; true: it does now. */
bool gw_sink_wait(const struct gw_sink *s, int ms);

/* Why the last write took less than all; NULL: it took all. */
const char *gw_sink_why(const struct gw_sink *s);
/* It is only that a reader is slow, or hangs. */
bool gw_sink_is_full(const struct gw_sink *s);
/* Lines of which a part went to a reader that is gone, since last asked. */
uint64_t gw_sink_lost(struct gw_sink *s);

#endif
