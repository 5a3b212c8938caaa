/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON by jansson, made strict: limits, no duplicate names, nothing after
 * the value, and errors that name the field.
 */
#ifndef DVT_WIRE_JSON_H
#define DVT_WIRE_JSON_H

#include "base/span.h"

#include <jansson.h>

/**
 * dvt_json_parse() - one object or list
 * @text: at most @max bytes, UTF-8
 * @out:  out: the caller's, json_decref() it; NULL on failure
 *
 * Return: DVT_OK; DVT_E_LIMIT (size, or nested deeper than
 *         DVT_JSON_DEPTH_MAX); DVT_E_INPUT with line and column.
 * Source: RFC 8259; duplicate names are refused (section 4 leaves it open).
 */
DVT_MUST_USE enum dvt_code dvt_json_parse(
    struct dvt_span text, size_t max, json_t **out, struct dvt_err *err);

/* Append as one line without blanks, names in the order they were set. */
void dvt_json_put(struct dvt_buf *out, const json_t *value);

/* DVT_E_INPUT naming the first field that is not in @allowed, or that @obj
 * is no object. */
DVT_MUST_USE enum dvt_code dvt_json_only(const json_t *obj,
    const char *const *allowed, size_t n, struct dvt_err *err);

/*
 * Fields of an object. get: DVT_E_INPUT when missing, null or of another
 * type. opt: @dflt when missing or null. Texts, objects and lists are
 * borrowed from @obj. A text holds no NUL and is at most @max bytes (0: no
 * own limit).
 */
DVT_MUST_USE enum dvt_code dvt_json_get_str(const json_t *obj, const char *key,
    size_t max, const char **out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_json_opt_str(const json_t *obj, const char *key,
    size_t max, const char *dflt, const char **out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_json_get_i64(const json_t *obj, const char *key,
    int64_t least, int64_t most, int64_t *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_json_opt_i64(const json_t *obj, const char *key,
    int64_t least, int64_t most, int64_t dflt, int64_t *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_json_get_bool(
    const json_t *obj, const char *key, bool *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_json_opt_bool(const json_t *obj, const char *key,
    bool dflt, bool *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_json_get_list(
    const json_t *obj, const char *key, json_t **out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_json_get_obj(
    const json_t *obj, const char *key, json_t **out, struct dvt_err *err);
/* NULL in @out when missing or null. */
DVT_MUST_USE enum dvt_code dvt_json_opt_list(
    const json_t *obj, const char *key, json_t **out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_json_opt_obj(
    const json_t *obj, const char *key, json_t **out, struct dvt_err *err);

#endif
