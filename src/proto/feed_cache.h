/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An edge's state as a file: a first line that says of whom, when and which
 * in a row, the lines of the feed, and a last line with a signature by the
 * edge's own key over all before it.
 */
#ifndef DVT_PROTO_FEED_CACHE_H
#define DVT_PROTO_FEED_CACHE_H

#include "proto/feed.h"

#include <openssl/evp.h>

struct dvt_feed_cache {
	char gateway[DVT_NAME_MAX + 1];
	int64_t sequence; /* counts up with every file written */
	int64_t heard_at; /* Unix seconds: last answer of the control plane */
};

/**
 * dvt_feed_cache_format() - the whole file, appended
 * @key: the edge's own; its name is in the file
 * Return: DVT_OK; DVT_E_LIMIT (@out); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_feed_cache_format(
    const struct dvt_feed_cache *meta, const struct dvt_feed *f, EVP_PKEY *key,
    struct dvt_buf *out, struct dvt_err *err);

/**
 * dvt_feed_cache_parse() - read it back
 * @key:  the edge's own
 * @meta: out: its first line; zeroed on failure
 * @out:  out: the caller's; NULL on failure
 *
 * Nothing is parsed before the signature holds.
 * Return: DVT_OK; DVT_E_AUTH (another key, or changed); DVT_E_INPUT;
 *         DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_feed_cache_parse(struct dvt_span file,
    EVP_PKEY *key, struct dvt_feed_cache *meta, struct dvt_feed **out,
    struct dvt_err *err);

#endif
