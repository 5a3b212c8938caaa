/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's failures: see ssl_err.h. */
#include "pki/ssl_err.h"

#include <openssl/err.h>

#include <stdarg.h>
#include <stdio.h>

enum dvt_code
dvt_fail_ssl_at(struct dvt_err *err, enum dvt_code code, const char *file,
    int line, const char *fmt, ...)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e == 0 ? NULL : ERR_reason_error_string(e);
	char text[sizeof(err->text)];
	va_list ap;

	ERR_clear_error();
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (reason == NULL)
		return dvt_fail_at(err, code, 0, file, line, "%s", text);
	return dvt_fail_at(
	    err, code, 0, file, line, "%s: %s (OpenSSL)", text, reason);
}
