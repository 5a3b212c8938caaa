/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity ticket: the name of a device sealed for its next visit. A claim,
 * never a session and never a proof.
 *
 * OpenSSL's own tickets carry the whole session with the client's certificate:
 * 700 bytes, and 90 us to make, since it encodes the session three times and
 * decodes it once. Where TLS 1.3 lets a server name sessions by 32 bytes of
 * its own choosing we choose these: 8 bytes of check, then 24 enciphered ones
 * with 2 at random and the name (names of 22 characters, and UUIDs). Longer
 * names travel in OpenSSL's form.
 */
#ifndef DVT_LOOP_EDGE_TICKET_H
#define DVT_LOOP_EDGE_TICKET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DVT_EDGE_TICKET_KEY 80 /* bytes, as OpenSSL wants them */
#define DVT_EDGE_TICKET     32 /* bytes of a short one */

struct dvt_edge_ticket; /* the keys */

DVT_MUST_USE enum dvt_code dvt_edge_ticket_new(
    const uint8_t key[DVT_EDGE_TICKET_KEY], struct dvt_edge_ticket **out,
    struct dvt_err *err);
void dvt_edge_ticket_free(struct dvt_edge_ticket *t); /* NULL-safe */

/* Can this name travel in a short ticket? */
bool dvt_edge_ticket_fits(const char *device);
/* @out: DVT_EDGE_TICKET bytes. false: it does not fit, or no random bytes. */
bool dvt_edge_ticket_seal(
    struct dvt_edge_ticket *t, const char *device, uint8_t *out);
/**
 * dvt_edge_ticket_open() - the name in what a client shows
 * @device: out: room for DVT_DEVICE_ID_MAX + 1; "" when false
 * Return: false for what was not sealed with this key.
 */
bool dvt_edge_ticket_open(
    struct dvt_edge_ticket *t, const uint8_t *p, size_t n, char *device);
/* Was this made with our key, in either form? What it says is not read. */
bool dvt_edge_ticket_is_ours(
    struct dvt_edge_ticket *t, const uint8_t *p, size_t n);

#endif
