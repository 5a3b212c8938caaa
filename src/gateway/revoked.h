/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of CRLs in the shelf of what is denied: read once by the feed
 * process, looked up by all workers.
 */
#ifndef DVT_GATEWAY_REVOKED_H
#define DVT_GATEWAY_REVOKED_H

#include "pki/crl_lean.h"
#include "proto/shelf.h"

/**
 * gw_revoked_put() - take a list apart
 * @list: its number among those of the shelf, below 256
 * @head: out: the caller's; empty unless DVT_OK
 *
 * Return: DVT_OK; DVT_E_ABSENT: it has to be kept whole (dvt_crl_split()).
 */
DVT_MUST_USE enum dvt_code gw_revoked_put(struct dvt_shelf *s, uint8_t list,
    struct dvt_span der, struct dvt_crl_head *head);

/**
 * gw_revoked_list() - the list again, in this process or another
 * @shelf: descriptor of the shelf that has its entries, all of them; borrowed.
 *         It is mapped for as long as the list lives
 * @out:   out: one reference, the caller's
 */
DVT_MUST_USE enum dvt_code gw_revoked_list(int shelf, uint8_t list,
    const struct dvt_crl_head *head, X509_CRL **out, struct dvt_err *err);

#endif
