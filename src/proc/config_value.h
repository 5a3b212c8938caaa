/* SPDX-License-Identifier: Apache-2.0 */
/* One setting's text to its value, checked against the table. */
#ifndef DVT_PROC_CONFIG_VALUE_H
#define DVT_PROC_CONFIG_VALUE_H

#include "proc/config.h"

/**
 * dvt_setting_check() - read @text as setting @s
 * @number: out: bool 0/1, number, seconds, milliseconds, bytes; 0 for texts
 * Return: DVT_OK; DVT_E_INPUT (what is wrong with the value; no key in it).
 */
DVT_MUST_USE enum dvt_code dvt_setting_check(const struct dvt_setting *s,
    const char *text, int64_t *number, struct dvt_err *err);

/* "duration", with its range where it has one: "duration, 1 to 3600 s". */
void dvt_setting_type_format(const struct dvt_setting *s, struct dvt_buf *out);

/* The key of the table that is most like @key; NULL: none is near. */
const char *dvt_setting_nearest(
    const struct dvt_setting *table, size_t n, const char *key);

#endif
