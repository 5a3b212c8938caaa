/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int http;
	int exit;
} codes[] = {
#define DVT_CODE_ROW(code, name, http, status) [code] = {name, http, status},
    DVT_CODES(DVT_CODE_ROW)};

const char *
dvt_code_name(enum dvt_code code)
{
	return (unsigned)code < DVT_COUNT(codes) ? codes[code].name : "system";
}

int
dvt_code_http(enum dvt_code code)
{
	return (unsigned)code < DVT_COUNT(codes) ? codes[code].http : 500;
}

int
dvt_code_exit(enum dvt_code code)
{
	return (unsigned)code < DVT_COUNT(codes) ? codes[code].exit : 71;
}

enum dvt_code
dvt_code_from_name(const char *name)
{
	for (size_t i = 0; i < DVT_COUNT(codes); i++) {
		if (strcmp(codes[i].name, name) == 0)
			return (enum dvt_code)i;
	}
	return DVT_E_SYSTEM;
}

enum dvt_code
dvt_fail_at(struct dvt_err *err, enum dvt_code code, int with_errno,
    const char *file, int line, const char *fmt, ...)
{
	int sys = with_errno ? errno : 0;
	va_list ap;
	size_t n;

	if (err == NULL)
		return code;
	err->code = code;
	err->file = file;
	err->line = line;
	err->sys = sys;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	if (with_errno && n < sizeof(err->text) - 1)
		(void)snprintf(err->text + n, sizeof(err->text) - n, ": %s",
		    strerror(sys));
	return code;
}

void
dvt_err_prefix(struct dvt_err *err, const char *fmt, ...)
{
	char head[sizeof(err->text)], tail[sizeof(err->text)];
	va_list ap;

	if (err == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	memcpy(tail, err->text, sizeof(tail));
	tail[sizeof(tail) - 1] = '\0';
	head[sizeof(head) / 2] = '\0';
	(void)snprintf(
	    err->text, sizeof(err->text), "%.255s: %.250s", head, tail);
}
