/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed_record_priv.h"

#include "base/mem.h"
#include "wire/json.h"

#include <stddef.h>
#include <string.h>

#define NAME_OF(id, name) name,

#define DATES_S  1000000000000 /* certificates end in the year 9999 */
#define NO_CLOCK INT64_MIN

const char *
dvt_outcome_name(enum dvt_outcome o)
{
	static const char *const names[] = {DVT_OUTCOMES(NAME_OF)};

	return (size_t)o < DVT_COUNT(names) ? names[o] : "?";
}

enum dvt_outcome
dvt_outcome_from_name(const char *name)
{
	int i = 0;

	while (i < DVT_OUTCOME_N &&
	       strcmp(dvt_outcome_name((enum dvt_outcome)i), name) != 0)
		i++;
	return (enum dvt_outcome)i;
}

const char *
dvt_hs_reason_name(enum dvt_hs_reason r)
{
	static const char *const names[] = {DVT_HS_REASONS(NAME_OF)};

	return (size_t)r < DVT_COUNT(names) ? names[r] : "?";
}

enum dvt_hs_reason
dvt_hs_reason_from_name(const char *name)
{
	int i = 0;

	while (i < DVT_HR_N &&
	       strcmp(dvt_hs_reason_name((enum dvt_hs_reason)i), name) != 0)
		i++;
	return (enum dvt_hs_reason)i;
}

#define TEXT(field)                                                            \
	{                                                                      \
#field, offsetof(struct dvt_handshake, field),                 \
		    sizeof(((struct dvt_handshake *)0)->field)                 \
	}
const struct dvt_record_text dvt_record_texts[DVT_RECORD_TEXTS] = {
    TEXT(address),
    TEXT(name),
    TEXT(print),
    TEXT(stack),
    TEXT(device),
    TEXT(confidence),
    TEXT(certificate),
    TEXT(claimed),
    TEXT(detail),
    TEXT(credential),
    TEXT(serial),
    TEXT(root),
    TEXT(form),
    TEXT(why),
    TEXT(protocol),
};

void
dvt_handshake_init(struct dvt_handshake *h)
{
	*h = (struct dvt_handshake){.n = 1, .alert = -1, .depth = -1};
}

json_t *
dvt_handshake_to_json(const struct dvt_handshake *h)
{
	json_t *o = json_object();

	json_object_set_new(o, "at", json_integer(h->at));
	json_object_set_new(o, "duration_us", json_integer(h->duration_us));
	json_object_set_new(
	    o, "outcome", json_string(dvt_outcome_name(h->outcome)));
	json_object_set_new(
	    o, "reason", json_string(dvt_hs_reason_name(h->reason)));
	if (h->n > 1)
		json_object_set_new(o, "n", json_integer(h->n));
	for (size_t i = 0; i < DVT_RECORD_TEXTS; i++) {
		const char *t = (const char *)h + dvt_record_texts[i].at;

		if (t[0] != '\0')
			json_object_set_new(
			    o, dvt_record_texts[i].key, json_string(t));
	}
	if (h->alert >= 0) {
		json_object_set_new(o, "alert", json_integer(h->alert));
		json_object_set_new(
		    o, "direction", json_string(h->alert_out ? "out" : "in"));
	}
	if (h->x509_error != 0)
		json_object_set_new(
		    o, "x509_error", json_integer(h->x509_error));
	if (h->depth >= 0)
		json_object_set_new(o, "depth", json_integer(h->depth));
	if (h->date_s != 0)
		json_object_set_new(o, "date_s", json_integer(h->date_s));
	if (h->has_clock)
		json_object_set_new(o, "clock_s", json_integer(h->clock_s));
	return o;
}

/* Nothing in it that JSON would write in another way. */
static bool
is_plain(const char *t)
{
	for (; *t != '\0'; t++)
		if (*t < ' ' || *t > '~' || *t == '"' || *t == '\\')
			return false;
	return true;
}

/* The same by hand, since an edge writes one for each handshake. */
static void
format_plain(const struct dvt_handshake *h, struct dvt_buf *out)
{
	dvt_buf_printf(out,
	    "{\"at\":%lld,\"duration_us\":%lld,\"outcome\":\"%s\","
	    "\"reason\":\"%s\"",
	    (long long)h->at, (long long)h->duration_us,
	    dvt_outcome_name(h->outcome), dvt_hs_reason_name(h->reason));
	if (h->n > 1)
		dvt_buf_printf(out, ",\"n\":%lld", (long long)h->n);
	for (size_t i = 0; i < DVT_RECORD_TEXTS; i++) {
		const char *t = (const char *)h + dvt_record_texts[i].at;

		if (t[0] == '\0')
			continue;
		dvt_buf_puts(out, ",\"");
		dvt_buf_puts(out, dvt_record_texts[i].key);
		dvt_buf_puts(out, "\":\"");
		dvt_buf_puts(out, t);
		dvt_buf_putc(out, '"');
	}
	if (h->alert >= 0)
		dvt_buf_printf(out, ",\"alert\":%d,\"direction\":\"%s\"",
		    h->alert, h->alert_out ? "out" : "in");
	if (h->x509_error != 0)
		dvt_buf_printf(out, ",\"x509_error\":%d", h->x509_error);
	if (h->depth >= 0)
		dvt_buf_printf(out, ",\"depth\":%d", h->depth);
	if (h->date_s != 0)
		dvt_buf_printf(out, ",\"date_s\":%lld", (long long)h->date_s);
	if (h->has_clock)
		dvt_buf_printf(out, ",\"clock_s\":%lld", (long long)h->clock_s);
	dvt_buf_putc(out, '}');
}

void
dvt_handshake_format(const struct dvt_handshake *h, struct dvt_buf *out)
{
	bool plain = true;
	json_t *o;

	for (size_t i = 0; plain && i < DVT_RECORD_TEXTS; i++)
		plain = is_plain((const char *)h + dvt_record_texts[i].at);
	if (plain) {
		format_plain(h, out);
		return;
	}
	o = dvt_handshake_to_json(h);

	dvt_json_put(out, o);
	json_decref(o);
}

static enum dvt_code
texts_from_json(const json_t *obj, struct dvt_handshake *h, struct dvt_err *err)
{
	for (size_t i = 0; i < DVT_RECORD_TEXTS; i++) {
		char *to = (char *)h + dvt_record_texts[i].at;
		const char *v;
		enum dvt_code rc;

		rc = dvt_json_opt_str(obj, dvt_record_texts[i].key,
		    dvt_record_texts[i].size - 1, "", &v, err);
		if (rc != DVT_OK)
			return rc;
		memcpy(to, v, strlen(v) + 1);
	}
	return DVT_OK;
}

static enum dvt_code
small(const json_t *obj, const char *key, int least, int most, int dflt,
    int *out, struct dvt_err *err)
{
	int64_t v;
	enum dvt_code rc;

	rc = dvt_json_opt_i64(obj, key, least, most, dflt, &v, err);
	if (rc == DVT_OK)
		*out = (int)v;
	return rc;
}

static enum dvt_code
numbers_from_json(
    const json_t *obj, struct dvt_handshake *h, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_json_get_i64(obj, "at", 0, INT64_MAX, &h->at, err)) !=
		DVT_OK ||
	    (rc = dvt_json_opt_i64(
		 obj, "n", 1, DVT_RECORD_N_MAX, 1, &h->n, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(obj, "duration_us", 0, INT64_MAX, 0,
		 &h->duration_us, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(obj, "date_s", -DATES_S, DATES_S, 0,
		 &h->date_s, err)) != DVT_OK ||
	    (rc = dvt_json_opt_i64(obj, "clock_s", -DATES_S, DATES_S, NO_CLOCK,
		 &h->clock_s, err)) != DVT_OK ||
	    (rc = small(obj, "alert", 0, 255, -1, &h->alert, err)) != DVT_OK ||
	    (rc = small(obj, "x509_error", 0, 65535, 0, &h->x509_error, err)) !=
		DVT_OK)
		return rc;
	h->has_clock = h->clock_s != NO_CLOCK;
	if (!h->has_clock)
		h->clock_s = 0;
	return small(obj, "depth", 0, 255, -1, &h->depth, err);
}

static enum dvt_code
words_from_json(const json_t *obj, struct dvt_handshake *h, struct dvt_err *err)
{
	const char *outcome, *reason, *direction;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(obj, "outcome", 0, &outcome, err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_str(obj, "reason", 0, &reason, err)) != DVT_OK ||
	    (rc = dvt_json_opt_str(
		 obj, "direction", 0, "in", &direction, err)) != DVT_OK)
		return rc;
	h->outcome = dvt_outcome_from_name(outcome);
	if (h->outcome == DVT_OUTCOME_N)
		return dvt_fail(err, DVT_E_INPUT, "outcome: unknown word");
	h->reason = dvt_hs_reason_from_name(reason);
	if (h->reason == DVT_HR_N)
		return dvt_fail(err, DVT_E_INPUT, "reason: unknown word");
	h->alert_out = strcmp(direction, "out") == 0;
	if (!h->alert_out && strcmp(direction, "in") != 0)
		return dvt_fail(err, DVT_E_INPUT, "direction: in or out");
	return DVT_OK;
}

enum dvt_code
dvt_handshake_from_json(
    const json_t *obj, struct dvt_handshake *out, struct dvt_err *err)
{
	struct dvt_handshake h;
	enum dvt_code rc;

	dvt_handshake_init(&h);
	if (!json_is_object(obj))
		return dvt_fail(err, DVT_E_INPUT, "handshake: not an object");
	if ((rc = numbers_from_json(obj, &h, err)) != DVT_OK ||
	    (rc = words_from_json(obj, &h, err)) != DVT_OK ||
	    (rc = texts_from_json(obj, &h, err)) != DVT_OK)
		return rc;
	*out = h;
	return DVT_OK;
}

enum dvt_code
dvt_handshake_parse(
    struct dvt_span line, struct dvt_handshake *out, struct dvt_err *err)
{
	json_t *obj = NULL;
	enum dvt_code rc;

	if (dvt_handshake_scan(line, out))
		return DVT_OK;
	if ((rc = dvt_json_parse(line, DVT_RECORD_MAX, &obj, err)) != DVT_OK)
		return rc;
	rc = dvt_handshake_from_json(obj, out, err);
	json_decref(obj);
	return rc;
}
