/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: see json.h. */
#include "wire/json.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

/*
 * Out of memory, the scanner of jansson 2.14 leaves out a byte of a text and
 * goes on, and where that is the closing quote it writes past its buffer.
 */
static void *
alloc_or_end(size_t n)
{
	void *p = malloc(n);

	if (p == NULL)
		dvt_out_of_memory();
	return p;
}

/*
 * jansson reads the seed of its hash tables from a file, at the first object.
 * A process that has given up opening files by then is killed for it, so it
 * is read at the start of every program.
 */
__attribute__((constructor)) static void
start_jansson(void)
{
	json_set_alloc_funcs(alloc_or_end, free);
	json_object_seed(0);
}

/* jansson allows 2048 levels; deeper than ours is refused before it starts. */
static bool
too_deep(struct dvt_span text)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DVT_JSON_DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

enum dvt_code
dvt_json_parse(
    struct dvt_span text, size_t max, json_t **out, struct dvt_err *err)
{
	json_error_t why;

	*out = NULL;
	if (text.n > max)
		return dvt_fail(err, DVT_E_LIMIT,
		    "JSON: %zu bytes, at most %zu", text.n, max);
	if (too_deep(text))
		return dvt_fail(err, DVT_E_LIMIT, "JSON: nested deeper than %d",
		    DVT_JSON_DEPTH_MAX);
	*out = json_loadb(text.n == 0 ? "" : (const char *)text.p, text.n,
	    JSON_REJECT_DUPLICATES, &why);
	if (*out == NULL)
		return dvt_fail(err, DVT_E_INPUT, "JSON: line %d column %d: %s",
		    why.line, why.column, why.text);
	return DVT_OK;
}

static int
put_chunk(const char *p, size_t n, void *arg)
{
	dvt_buf_put(arg, p, n);
	return 0;
}

void
dvt_json_put(struct dvt_buf *out, const json_t *value)
{
	if (json_dump_callback(
		value, put_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		out->full = true; /* a reference to itself: our own mistake */
}

enum dvt_code
dvt_json_only(const json_t *obj, const char *const *allowed, size_t n,
    struct dvt_err *err)
{
	const char *key;
	json_t *value;
	size_t i;

	if (!json_is_object(obj))
		return dvt_fail(err, DVT_E_INPUT, "JSON: an object is wanted");
	/* jansson's macros want it writable; nothing is written */
	json_object_foreach((json_t *)(uintptr_t)obj, key, value)
	{
		for (i = 0; i < n && strcmp(key, allowed[i]) != 0; i++)
			;
		if (i == n)
			return dvt_fail(
			    err, DVT_E_INPUT, "field \"%.64s\": unknown", key);
	}
	return DVT_OK;
}

/* The field, or NULL when it is missing or null. */
static json_t *
lookup(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_null(v) ? NULL : v;
}

static enum dvt_code
missing(const char *key, struct dvt_err *err)
{
	return dvt_fail(err, DVT_E_INPUT, "field \"%s\": missing", key);
}

static enum dvt_code
wrong(const char *key, const char *wanted, struct dvt_err *err)
{
	return dvt_fail(
	    err, DVT_E_INPUT, "field \"%s\": %s is wanted", key, wanted);
}

enum dvt_code
dvt_json_get_str(const json_t *obj, const char *key, size_t max,
    const char **out, struct dvt_err *err)
{
	json_t *v = lookup(obj, key);

	*out = NULL;
	if (v == NULL)
		return missing(key, err);
	if (!json_is_string(v))
		return wrong(key, "a text", err);
	if (max != 0 && json_string_length(v) > max)
		return dvt_fail(err, DVT_E_LIMIT,
		    "field \"%s\": %zu bytes, at most %zu", key,
		    json_string_length(v), max);
	*out = json_string_value(v); /* jansson refused \u0000 */
	return DVT_OK;
}

enum dvt_code
dvt_json_opt_str(const json_t *obj, const char *key, size_t max,
    const char *dflt, const char **out, struct dvt_err *err)
{
	*out = dflt;
	if (lookup(obj, key) == NULL)
		return DVT_OK;
	return dvt_json_get_str(obj, key, max, out, err);
}

enum dvt_code
dvt_json_get_i64(const json_t *obj, const char *key, int64_t least,
    int64_t most, int64_t *out, struct dvt_err *err)
{
	json_t *v = lookup(obj, key);
	int64_t n;

	*out = 0;
	if (v == NULL)
		return missing(key, err);
	if (!json_is_integer(v))
		return wrong(key, "a whole number", err);
	n = json_integer_value(v);
	if (n < least || n > most)
		return dvt_fail(err, DVT_E_INPUT,
		    "field \"%s\": %" PRId64 " is not from %" PRId64
		    " to %" PRId64,
		    key, n, least, most);
	*out = n;
	return DVT_OK;
}

enum dvt_code
dvt_json_opt_i64(const json_t *obj, const char *key, int64_t least,
    int64_t most, int64_t dflt, int64_t *out, struct dvt_err *err)
{
	*out = dflt;
	if (lookup(obj, key) == NULL)
		return DVT_OK;
	return dvt_json_get_i64(obj, key, least, most, out, err);
}

enum dvt_code
dvt_json_get_bool(
    const json_t *obj, const char *key, bool *out, struct dvt_err *err)
{
	json_t *v = lookup(obj, key);

	*out = false;
	if (v == NULL)
		return missing(key, err);
	if (!json_is_boolean(v))
		return wrong(key, "true or false", err);
	*out = json_is_true(v);
	return DVT_OK;
}

enum dvt_code
dvt_json_opt_bool(const json_t *obj, const char *key, bool dflt, bool *out,
    struct dvt_err *err)
{
	*out = dflt;
	if (lookup(obj, key) == NULL)
		return DVT_OK;
	return dvt_json_get_bool(obj, key, out, err);
}

enum dvt_code
dvt_json_opt_list(
    const json_t *obj, const char *key, json_t **out, struct dvt_err *err)
{
	*out = lookup(obj, key);
	if (*out == NULL || json_is_array(*out))
		return DVT_OK;
	*out = NULL;
	return wrong(key, "a list", err);
}

enum dvt_code
dvt_json_opt_obj(
    const json_t *obj, const char *key, json_t **out, struct dvt_err *err)
{
	*out = lookup(obj, key);
	if (*out == NULL || json_is_object(*out))
		return DVT_OK;
	*out = NULL;
	return wrong(key, "an object", err);
}

enum dvt_code
dvt_json_get_list(
    const json_t *obj, const char *key, json_t **out, struct dvt_err *err)
{
	enum dvt_code rc = dvt_json_opt_list(obj, key, out, err);

	return rc == DVT_OK && *out == NULL ? missing(key, err) : rc;
}

enum dvt_code
dvt_json_get_obj(
    const json_t *obj, const char *key, json_t **out, struct dvt_err *err)
{
	enum dvt_code rc = dvt_json_opt_obj(obj, key, out, err);

	return rc == DVT_OK && *out == NULL ? missing(key, err) : rc;
}
