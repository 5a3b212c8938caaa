/* SPDX-License-Identifier: Apache-2.0 */
/* What the settings name: certificate, key, client anchors, denied list. */
#ifndef DVT_GATEWAY_FILES_H
#define DVT_GATEWAY_FILES_H

#include "gateway/settings.h"
#include "pki/chain.h"
#include "proto/feed_report.h"
#include "proto/shelf.h"

#define GW_FILE_ID   "file" /* the credential's id in records and reports */
#define GW_CLIENT_CA 64     /* anchors in client-ca */

struct gw_files {
	struct dvt_chain chain; /* n 0: none */
	EVP_PKEY *key;
	struct dvt_feed_list names; /* DNS names of the leaf */
	X509 *anchor[GW_CLIENT_CA];
	size_t anchor_n;
	struct dvt_shelf *denied; /* of the deny file, never NULL */
};

void gw_files_fini(struct gw_files *f); /* NULL-safe; empty afterwards */

/**
 * gw_files_load() - read and check all of them
 * @now: Unix seconds
 * @out: out: the caller's; empty on failure
 *
 * Return: DVT_OK; DVT_E_INPUT, DVT_E_CONFLICT (key and certificate),
 *         DVT_E_LIMIT, DVT_E_SYSTEM, each naming the file.
 */
DVT_MUST_USE enum dvt_code gw_files_load(const struct gw_settings *s,
    int64_t now, struct gw_files *out, struct dvt_err *err);

/* The whole file; DVT_E_LIMIT over @out's limit; DVT_E_SYSTEM. */
DVT_MUST_USE enum dvt_code gw_file_read(
    const char *path, struct dvt_buf *out, struct dvt_err *err);

/* As fields of a message to a worker, and back; keys included. What is denied
 * goes beside it: @denied is attached to dvt_shelf_fd() of it. */
void gw_files_put(const struct gw_files *f, struct dvt_buf *out);
struct dvt_fields;
DVT_MUST_USE enum dvt_code gw_files_get(struct dvt_fields *in, int denied,
    struct gw_files *out, struct dvt_err *err);

/* What a report says of them; @out is the caller's (texts are copied). */
DVT_MUST_USE enum dvt_code gw_files_report(const struct gw_files *f,
    struct dvt_report_credential *out, struct dvt_err *err);

#endif
