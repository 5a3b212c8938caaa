/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed_report.h"

#include "base/mem.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

void
dvt_report_fini(struct dvt_report *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->credentials_n; i++) {
		free(r->credentials[i].chain_pem);
		dvt_feed_list_fini(&r->credentials[i].names);
	}
	for (size_t i = 0; i < r->csrs_n; i++)
		free(r->csrs[i].der);
	free(r->credentials);
	free(r->csrs);
	free(r->handshakes);
	dvt_feed_list_fini(&r->doubts);
	*r = (struct dvt_report){0};
}

/* --- parse --- */

static enum dvt_code
copy(const json_t *obj, const char *key, char *out, size_t size,
    struct dvt_err *err)
{
	const char *v;
	enum dvt_code rc;

	if ((rc = dvt_json_opt_str(obj, key, size - 1, "", &v, err)) == DVT_OK)
		memcpy(out, v, strlen(v) + 1);
	return rc;
}

static enum dvt_code
names_parse(const json_t *obj, struct dvt_feed_list *out, struct dvt_err *err)
{
	json_t *list, *item;
	size_t i;
	enum dvt_code rc;

	if ((rc = dvt_json_opt_list(obj, "names", &list, err)) != DVT_OK ||
	    list == NULL)
		return rc;
	if (json_array_size(list) > DVT_FEED_LIST_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "names: %zu entries",
		    json_array_size(list));
	json_array_foreach(list, i, item)
	{
		const char *s = json_string_value(item);

		if (s == NULL || strlen(s) > DVT_HOST_MAX)
			return dvt_fail(
			    err, DVT_E_INPUT, "names: entry %zu", i);
		dvt_feed_list_add(out, s);
	}
	return DVT_OK;
}

static enum dvt_code
credential_parse(
    const json_t *obj, struct dvt_report_credential *c, struct dvt_err *err)
{
	const char *pem;
	enum dvt_code rc;

	if ((rc = copy(obj, "id", c->id, sizeof(c->id), err)) != DVT_OK ||
	    (rc = copy(obj, "key_digest", c->key_digest, sizeof(c->key_digest),
		 err)) != DVT_OK ||
	    (rc = copy(obj, "root", c->root, sizeof(c->root), err)) != DVT_OK ||
	    (rc = dvt_json_get_str(
		 obj, "chain_pem", DVT_CHAIN_PEM_MAX, &pem, err)) != DVT_OK)
		return rc;
	c->chain_pem = dvt_strdup(pem);
	return names_parse(obj, &c->names, err);
}

static enum dvt_code
csr_parse(const json_t *obj, struct dvt_report_csr *c, struct dvt_err *err)
{
	const char *b64;
	struct dvt_buf der;
	enum dvt_code rc;

	if ((rc = copy(obj, "order", c->order, sizeof(c->order), err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_str(
		 obj, "csr", 2 * DVT_CSR_DER_MAX, &b64, err)) != DVT_OK)
		return rc;
	dvt_buf_init(&der, DVT_CSR_DER_MAX);
	rc = dvt_base64_decode(dvt_span_str(b64), &der, err);
	if (rc == DVT_OK) {
		c->der_n = der.n;
		c->der = (uint8_t *)dvt_buf_take_str(&der);
	}
	dvt_buf_fini(&der);
	return rc;
}

/* A list of @what, at most @most; its size, and the list or NULL. */
static enum dvt_code
list_of(const json_t *obj, const char *what, size_t most, json_t **list,
    struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_json_opt_list(obj, what, list, err)) != DVT_OK)
		return rc;
	if (*list != NULL && json_array_size(*list) > most)
		return dvt_fail(err, DVT_E_LIMIT, "%s: %zu entries", what,
		    json_array_size(*list));
	return DVT_OK;
}

static enum dvt_code
lists_parse(const json_t *obj, struct dvt_report *r, struct dvt_err *err)
{
	json_t *list, *item;
	size_t i;
	enum dvt_code rc;

	rc = list_of(obj, "credentials", DVT_FEED_LIST_MAX, &list, err);
	if (rc == DVT_OK && list != NULL)
		r->credentials = dvt_alloc_array(
		    json_array_size(list) + 1, sizeof(*r->credentials));
	for (i = 0; rc == DVT_OK && i < json_array_size(list); i++) {
		item = json_array_get(list, i);
		r->credentials_n++;
		rc = credential_parse(item, &r->credentials[i], err);
		if (rc != DVT_OK)
			dvt_err_prefix(err, "credentials[%zu]", i);
	}
	if (rc == DVT_OK)
		rc = list_of(obj, "csrs", DVT_FEED_LIST_MAX, &list, err);
	if (rc == DVT_OK && list != NULL)
		r->csrs = dvt_alloc_array(
		    json_array_size(list) + 1, sizeof(*r->csrs));
	for (i = 0; rc == DVT_OK && i < json_array_size(list); i++) {
		item = json_array_get(list, i);
		r->csrs_n++;
		rc = csr_parse(item, &r->csrs[i], err);
		if (rc != DVT_OK)
			dvt_err_prefix(err, "csrs[%zu]", i);
	}
	return rc;
}

static enum dvt_code
doubts_parse(const json_t *obj, struct dvt_report *r, struct dvt_err *err)
{
	json_t *list, *item;
	size_t i;
	enum dvt_code rc;

	rc = list_of(obj, "doubts", DVT_FEED_LIST_MAX, &list, err);
	if (rc != DVT_OK || list == NULL)
		return rc;
	json_array_foreach(list, i, item)
	{
		const char *s = json_string_value(item);

		if (s == NULL || s[0] == '\0' || strlen(s) >= DVT_DOUBT_MAX ||
		    strlen(s) != json_string_length(item))
			return dvt_fail(err, DVT_E_INPUT,
			    "doubts[%zu]: no text of 1 to %d bytes", i,
			    DVT_DOUBT_MAX - 1);
		dvt_feed_list_add(&r->doubts, s);
	}
	return DVT_OK;
}

static enum dvt_code
handshakes_parse(const json_t *obj, struct dvt_report *r, struct dvt_err *err)
{
	json_t *list, *item;
	size_t i;
	enum dvt_code rc;

	rc = list_of(obj, "handshakes", DVT_REPORT_RECORDS_MAX, &list, err);
	if (rc != DVT_OK || list == NULL)
		return rc;
	r->handshakes = dvt_alloc_array(
	    json_array_size(list) + 1, sizeof(*r->handshakes));
	json_array_foreach(list, i, item)
	{
		rc = dvt_handshake_from_json(
		    item, &r->handshakes[r->handshakes_n], err);
		if (rc != DVT_OK) {
			dvt_err_prefix(err, "handshakes[%zu]", i);
			return rc;
		}
		r->handshakes_n++;
	}
	return DVT_OK;
}

static enum dvt_code
numbers_parse(const json_t *obj, struct dvt_report *r, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_json_get_i64(
		 obj, "batch", 1, INT64_MAX, &r->batch, err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(
		 obj, "applied", 0, INT64_MAX, &r->applied, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(
		 obj, "epoch", 0, INT64_MAX, 0, &r->epoch, err)) != DVT_OK ||
	    (rc = dvt_json_get_i64(obj, "now", 0, INT64_MAX, &r->now, err)) !=
		DVT_OK ||
	    (rc = dvt_json_opt_i64(obj, "sessions", 0, INT64_MAX, 0,
		 &r->sessions, err)) != DVT_OK)
		return rc;
	return copy(obj, "version", r->version, sizeof(r->version), err);
}

enum dvt_code
dvt_report_parse(
    struct dvt_span body, struct dvt_report *out, struct dvt_err *err)
{
	json_t *obj = NULL;
	enum dvt_code rc;

	*out = (struct dvt_report){0};
	if ((rc = dvt_json_parse(body, DVT_REPORT_MAX, &obj, err)) == DVT_OK &&
	    (rc = numbers_parse(obj, out, err)) == DVT_OK &&
	    (rc = lists_parse(obj, out, err)) == DVT_OK &&
	    (rc = doubts_parse(obj, out, err)) == DVT_OK)
		rc = handshakes_parse(obj, out, err);
	json_decref(obj);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "report");
		dvt_report_fini(out);
	}
	return rc;
}

/* --- format --- */

static json_t *
credential_json(const struct dvt_report_credential *c)
{
	json_t *names = json_array();

	for (size_t i = 0; i < c->names.n; i++)
		json_array_append_new(names, json_string(c->names.v[i]));
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", c->id, "chain_pem",
	    c->chain_pem, "key_digest", c->key_digest, "names", names, "root",
	    c->root[0] != '\0' ? json_string(c->root) : json_null());
}

static json_t *
csr_json(const struct dvt_report_csr *c)
{
	struct dvt_buf b64;
	json_t *o;

	dvt_buf_init(&b64, 2 * DVT_CSR_DER_MAX);
	dvt_base64_encode(&b64, (struct dvt_span){c->der, c->der_n}, 0);
	o = json_pack(
	    "{s:s, s:s}", "order", c->order, "csr", dvt_buf_str(&b64));
	dvt_buf_fini(&b64);
	return o;
}

/* ",\"name\":[...]" of @n items made by @item. */
#define PUT_LIST(out, name, n, make)                                           \
	do {                                                                   \
		if ((n) == 0)                                                  \
			break;                                                 \
		dvt_buf_puts((out), ",\"" name "\":[");                        \
		for (size_t i = 0; i < (n); i++) {                             \
			json_t *o = (make);                                    \
                                                                               \
			if (i > 0)                                             \
				dvt_buf_putc((out), ',');                      \
			dvt_json_put((out), o);                                \
			json_decref(o);                                        \
		}                                                              \
		dvt_buf_putc((out), ']');                                      \
	} while (0)

static void
handshakes_format(
    const struct dvt_report *r, struct dvt_span lines, struct dvt_buf *out)
{
	const char *sep = "";

	dvt_buf_puts(out, ",\"handshakes\":[");
	for (size_t i = 0; i < r->handshakes_n; i++) {
		dvt_buf_puts(out, sep);
		dvt_handshake_format(&r->handshakes[i], out);
		sep = ",";
	}
	while (lines.n > 0) {
		const uint8_t *nl = memchr(lines.p, '\n', lines.n);
		size_t n = nl != NULL ? (size_t)(nl - lines.p) : lines.n;

		if (n > 0) {
			dvt_buf_puts(out, sep);
			dvt_buf_put(out, lines.p, n);
			sep = ",";
		}
		lines = dvt_span_from(lines, n + (nl != NULL ? 1 : 0));
	}
	dvt_buf_putc(out, ']');
}

void
dvt_report_format(
    const struct dvt_report *r, struct dvt_span lines, struct dvt_buf *out)
{
	dvt_buf_printf(out,
	    "{\"batch\":%lld,\"applied\":%lld,\"epoch\":%lld,\"now\":%lld,"
	    "\"version\":\"%s\",\"sessions\":%lld",
	    (long long)r->batch, (long long)r->applied, (long long)r->epoch,
	    (long long)r->now, r->version, (long long)r->sessions);
	PUT_LIST(out, "credentials", r->credentials_n,
	    credential_json(&r->credentials[i]));
	PUT_LIST(out, "csrs", r->csrs_n, csr_json(&r->csrs[i]));
	PUT_LIST(out, "doubts", r->doubts.n, json_string(r->doubts.v[i]));
	handshakes_format(r, lines, out);
	dvt_buf_puts(out, "}\n");
}

enum dvt_code
dvt_report_answer_parse(
    struct dvt_span body, struct dvt_report_answer *out, struct dvt_err *err)
{
	json_t *obj = NULL;
	enum dvt_code rc;

	*out = (struct dvt_report_answer){0};
	if ((rc = dvt_json_parse(body, DVT_FEED_LINE_MAX, &obj, err)) ==
		DVT_OK &&
	    (rc = dvt_json_get_i64(
		 obj, "batch", 0, INT64_MAX, &out->batch, err)) == DVT_OK)
		rc = dvt_json_get_i64(
		    obj, "position", 0, INT64_MAX, &out->position, err);
	json_decref(obj);
	return rc;
}

void
dvt_report_answer_format(const struct dvt_report_answer *a, struct dvt_buf *out)
{
	dvt_buf_printf(out, "{\"batch\":%lld,\"position\":%lld}\n",
	    (long long)a->batch, (long long)a->position);
}
