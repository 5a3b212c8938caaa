/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the settings name: certificates with keys, client anchors, CRLs and
 * the denied list. Read whole by the feed process, handed to each worker.
 */
#ifndef DVT_GATEWAY_FILES_H
#define DVT_GATEWAY_FILES_H

#include "gateway/revoked.h"
#include "gateway/settings.h"
#include "pki/chain.h"
#include "proto/feed_report.h"
#include "proto/shelf.h"

#define GW_FILE_ID   "file"  /* id in records; of the sections "file:NAME" */
#define GW_CLIENT_CA 64      /* anchors in client-ca */
#define GW_CRLS_MAX  64      /* lists in all files of crl */
#define GW_CRL_PART  4194304 /* bytes of a list in one message */

/* A certificate of ours. */
struct gw_pair {
	char id[DVT_NAME_MAX + 1];
	struct dvt_chain chain;
	EVP_PKEY *key;
	struct dvt_feed_list names; /* host names it is for; n 0: any */
	X509 *cross, *root;         /* or NULL */
	uint8_t *staple;            /* OCSP response as DER, or NULL */
	size_t staple_n;
	int64_t staple_until; /* Unix seconds; 0: it is not good */
	char staple_why[160]; /* why not */
};

struct gw_files {
	struct gw_pair pair[GW_PAIRS_MAX];
	size_t pairs_n;
	X509 *anchor[GW_CLIENT_CA];
	size_t anchor_n;
	X509_CRL *crl[GW_CRLS_MAX];
	/* of those whose entries are in @denied; else its der is empty */
	struct dvt_crl_head crl_head[GW_CRLS_MAX];
	size_t crl_n;
	int max_depth;            /* as dvt_verify.max_depth */
	struct dvt_shelf *denied; /* by the deny file and lists, never NULL */
};

void gw_files_fini(struct gw_files *f); /* NULL-safe; empty afterwards */

/**
 * gw_files_load() - read and check all of them
 * @now: Unix seconds
 * @out: out: the caller's; empty on failure
 *
 * A staple that is not good, a CRL and a certificate that are out of date are
 * no failures: the edge must go on; see gw_files_doubt().
 * Return: DVT_OK; DVT_E_INPUT, DVT_E_CONFLICT (key and certificate; a CRL
 *         its issuer did not sign), DVT_E_LIMIT, DVT_E_SYSTEM, each naming the
 *         file.
 */
DVT_MUST_USE enum dvt_code gw_files_load(const struct gw_settings *s,
    int64_t now, struct gw_files *out, struct dvt_err *err);

/**
 * gw_files_check_dates() - refuse a certificate of ours that has ended already
 * or has not begun
 * @s:      what @f was loaded from
 * @before: those in force, which may stay; or NULL
 */
DVT_MUST_USE enum dvt_code gw_files_check_dates(const struct gw_settings *s,
    const struct gw_files *f, const struct gw_files *before, int64_t now,
    struct dvt_err *err);
/* There is none that is good now. */
bool gw_files_out_of_time(const struct gw_files *f, int64_t now);

/**
 * gw_files_doubt() - what an operator should see to
 * @i: from 0; counts up until NULL is returned
 *
 * Return: "credential ...: OCSP response: ..." or "CRL of ...: out of date
 *         since ..."; @event the name for the log.
 */
const char *gw_files_doubt(const struct gw_files *f, int64_t now, size_t i,
    const char **event, char text[DVT_DOUBT_MAX]);

/* --- files_wire.c: to a worker, keys included --- */

/* CRLs that are kept whole come first, in pieces, each one message's fields. */
struct gw_crl_parts {
	struct dvt_buf der[GW_CRLS_MAX];
	size_t n;
};
struct dvt_fields;
/* Bytes of list @i from @from on as a message; how many; 0: no more, or its
 * entries are in the shelf. */
size_t gw_crl_part_put(
    const struct gw_files *f, size_t i, size_t from, struct dvt_buf *out);
DVT_MUST_USE enum dvt_code gw_crl_part_get(
    struct dvt_fields *in, struct gw_crl_parts *parts, struct dvt_err *err);
void gw_crl_parts_fini(struct gw_crl_parts *parts);

/* All else; what is denied goes beside it: @denied is attached to
 * dvt_shelf_fd() of it. */
void gw_files_put(const struct gw_files *f, struct dvt_buf *out);
/* @parts: the lists that came before; empty afterwards. */
DVT_MUST_USE enum dvt_code gw_files_get(struct dvt_fields *in, int denied,
    struct gw_crl_parts *parts, struct gw_files *out, struct dvt_err *err);

/* What a report says of one pair; @out is the caller's (texts are copied). */
DVT_MUST_USE enum dvt_code gw_files_report(const struct gw_files *f,
    const struct gw_pair *p, struct dvt_report_credential *out,
    struct dvt_err *err);

#endif
