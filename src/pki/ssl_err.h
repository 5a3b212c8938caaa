/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of OpenSSL as ours: its reason in the text, its queue emptied. */
#ifndef DVT_PKI_SSL_ERR_H
#define DVT_PKI_SSL_ERR_H

#include "base/err.h"

/**
 * dvt_fail_ssl() - dvt_fail() with OpenSSL's last reason appended
 * @err:  where to; NULL when the caller needs no reason
 * @code: any but DVT_OK
 *
 * The thread's error queue is empty afterwards, so that nothing of it shows
 * up in an unrelated SSL_get_error() later.
 * Return: @code.
 */
#define dvt_fail_ssl(err, code, ...)                                           \
	dvt_fail_ssl_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)

enum dvt_code dvt_fail_ssl_at(struct dvt_err *err, enum dvt_code code,
    const char *file, int line, const char *fmt, ...) DVT_PRINTF(5, 6);

#endif
