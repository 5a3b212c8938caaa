/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed_cache.h"

#include "pki/key.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <string.h>

#define VERSION 1

static void
first_line(const struct dvt_feed_cache *meta, const struct dvt_feed *f,
    struct dvt_buf *out)
{
	json_t *o = json_pack("{s:i, s:s, s:I, s:I, s:I, s:I}", "cache",
	    VERSION, "gateway", meta->gateway, "sequence",
	    (json_int_t)meta->sequence, "heard_at", (json_int_t)meta->heard_at,
	    "position", (json_int_t)dvt_feed_position(f), "epoch",
	    (json_int_t)dvt_feed_epoch(f));

	dvt_json_put(out, o);
	dvt_buf_putc(out, '\n');
	json_decref(o);
}

static enum dvt_code
last_line(EVP_PKEY *key, size_t from, struct dvt_buf *out, struct dvt_err *err)
{
	char digest[DVT_DIGEST_HEX];
	struct dvt_buf sig;
	struct dvt_span body = dvt_span_from(dvt_buf_span(out), from);
	enum dvt_code rc;

	dvt_buf_init(&sig, DVT_CERT_DER_MAX);
	if ((rc = dvt_key_digest(key, digest, err)) == DVT_OK &&
	    (rc = dvt_key_sign(key, body, &sig, err)) == DVT_OK) {
		dvt_buf_printf(
		    out, "{\"key_digest\":\"%s\",\"signature\":\"", digest);
		dvt_base64_encode(out, dvt_buf_span(&sig), 0);
		dvt_buf_puts(out, "\"}\n");
	}
	dvt_buf_fini(&sig);
	return rc;
}

enum dvt_code
dvt_feed_cache_format(const struct dvt_feed_cache *meta,
    const struct dvt_feed *f, EVP_PKEY *key, struct dvt_buf *out,
    struct dvt_err *err)
{
	size_t from = out->n;
	enum dvt_code rc;

	first_line(meta, f, out);
	for (int k = 0; k < DVT_FEED_KIND_N; k++) {
		const struct dvt_feed_entry *e = NULL;
		enum dvt_feed_kind kind = (enum dvt_feed_kind)k;

		while ((e = dvt_feed_next(f, kind, e)) != NULL)
			dvt_feed_entry_format(e, out);
	}
	if ((rc = dvt_buf_ok(out, "feed cache", err)) != DVT_OK ||
	    (rc = last_line(key, from, out, err)) != DVT_OK)
		return rc;
	return dvt_buf_ok(out, "feed cache", err);
}

/* Where the last line begins; 0 when there is none before it. */
static size_t
last_begin(struct dvt_span file)
{
	size_t n = file.n;

	if (n == 0 || file.p[n - 1] != '\n')
		return 0; /* cut off */
	for (n--; n > 0 && file.p[n - 1] != '\n'; n--)
		;
	return n;
}

static enum dvt_code
signature_check(struct dvt_span body, struct dvt_span last, EVP_PKEY *key,
    struct dvt_err *err)
{
	json_t *o = NULL;
	const char *b64;
	struct dvt_buf sig;
	enum dvt_code rc;

	dvt_buf_init(&sig, DVT_CERT_DER_MAX);
	if ((rc = dvt_json_parse(last, DVT_CERT_PEM_MAX, &o, err)) == DVT_OK &&
	    (rc = dvt_json_get_str(o, "signature", 0, &b64, err)) == DVT_OK &&
	    (rc = dvt_base64_decode(dvt_span_str(b64), &sig, err)) == DVT_OK)
		rc = dvt_key_verify(key, body, dvt_buf_span(&sig), err);
	dvt_buf_fini(&sig);
	json_decref(o);
	return rc;
}

static enum dvt_code
meta_parse(struct dvt_span line, struct dvt_feed_cache *meta,
    struct dvt_feed *f, struct dvt_err *err)
{
	json_t *o = NULL;
	const char *gateway;
	int64_t version, position = 0, epoch = 0;
	enum dvt_code rc;

	if ((rc = dvt_json_parse(line, DVT_FEED_LINE_MAX, &o, err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(
		 o, "cache", VERSION, VERSION, &version, err)) == DVT_OK &&
	    (rc = dvt_json_get_str(
		 o, "gateway", DVT_NAME_MAX, &gateway, err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(o, "sequence", 0, INT64_MAX, &meta->sequence,
		 err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(o, "heard_at", 0, INT64_MAX, &meta->heard_at,
		 err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(
		 o, "position", 0, INT64_MAX, &position, err)) == DVT_OK &&
	    (rc = dvt_json_get_i64(o, "epoch", 0, INT64_MAX, &epoch, err)) ==
		DVT_OK) {
		memcpy(meta->gateway, gateway, strlen(gateway) + 1);
		dvt_feed_position_set(f, position, epoch);
	}
	json_decref(o);
	return rc;
}

static enum dvt_code
body_parse(struct dvt_span body, struct dvt_feed_cache *meta,
    struct dvt_feed *f, struct dvt_err *err)
{
	bool first = true;

	while (body.n > 0) {
		const uint8_t *nl = memchr(body.p, '\n', body.n);
		struct dvt_span line = {body.p, (size_t)(nl - body.p)};
		struct dvt_feed_entry *e;
		enum dvt_code rc;

		body = dvt_span_from(body, line.n + 1);
		if (first) {
			rc = meta_parse(line, meta, f, err);
		} else {
			rc = dvt_feed_entry_parse(line, &e, err);
			if (rc == DVT_OK)
				dvt_feed_put(f, e);
		}
		if (rc != DVT_OK)
			return rc;
		first = false;
	}
	return DVT_OK;
}

enum dvt_code
dvt_feed_cache_parse(struct dvt_span file, EVP_PKEY *key,
    struct dvt_feed_cache *meta, struct dvt_feed **out, struct dvt_err *err)
{
	size_t at = last_begin(file);
	struct dvt_span body = {file.p, at};
	struct dvt_feed *f;
	enum dvt_code rc;

	*out = NULL;
	*meta = (struct dvt_feed_cache){0};
	if (at == 0)
		return dvt_fail(err, DVT_E_INPUT, "feed cache: cut off");
	rc = signature_check(body, dvt_span_from(file, at), key, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "feed cache");
		return rc;
	}
	f = dvt_feed_new_shared();
	if ((rc = body_parse(body, meta, f, err)) != DVT_OK) {
		dvt_err_prefix(err, "feed cache");
		dvt_feed_free(f);
		*meta = (struct dvt_feed_cache){0};
		return rc;
	}
	*out = f;
	return DVT_OK;
}
