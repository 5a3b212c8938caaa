/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error contract: a code for programs, a text for the operator.
 * Log, REST and CLI all read the table below.
 */
#ifndef DVT_BASE_ERR_H
#define DVT_BASE_ERR_H

#define DVT_MUST_USE     __attribute__((warn_unused_result))
#define DVT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define DVT_COUNT(a)     (sizeof(a) / sizeof((a)[0]))

/* code, name in logs and JSON, HTTP status, exit status (sysexits.h) */
#define DVT_CODES(X)                                                           \
	X(DVT_OK, "ok", 200, 0)                                                \
	X(DVT_E_INPUT, "bad-input", 400, 65)                                   \
	X(DVT_E_AUTH, "who-are-you", 401, 77)                                  \
	X(DVT_E_DENIED, "denied", 403, 77)                                     \
	X(DVT_E_ABSENT, "absent", 404, 69)                                     \
	X(DVT_E_CONFLICT, "conflict", 409, 73)                                 \
	X(DVT_E_UNSAFE, "interlock", 409, 73) /* would cut devices off */      \
	X(DVT_E_APPROVAL, "needs-approval", 412, 73)                           \
	X(DVT_E_LIMIT, "over-limit", 413, 65)                                  \
	X(DVT_E_BUSY, "slow-down", 429, 75)                                    \
	X(DVT_E_LATER, "try-later", 503, 75)                                   \
	X(DVT_E_SYSTEM, "system", 500, 71) /* disk, socket, library */

#define DVT_CODE_ENUM(code, name, http, status) code,
enum dvt_code { DVT_CODES(DVT_CODE_ENUM) };

struct dvt_err {
	enum dvt_code code;
	const char *file; /* where dvt_fail() was called */
	int line;
	int sys;        /* errno at that moment, or 0 */
	char text[512]; /* for the operator: what, which object, why */
};

/**
 * dvt_fail() - record why and return the code
 * @err:  where to; NULL when the caller needs no reason
 * @code: any but DVT_OK
 *
 * Return: @code, so that "return dvt_fail(...)" reads as one step.
 */
#define dvt_fail(err, code, ...)                                               \
	dvt_fail_at((err), (code), 0, __FILE__, __LINE__, __VA_ARGS__)

/* The same, with ": <strerror(errno)>" appended; for failed system calls. */
#define dvt_fail_errno(err, ...)                                               \
	dvt_fail_at((err), DVT_E_SYSTEM, 1, __FILE__, __LINE__, __VA_ARGS__)

enum dvt_code dvt_fail_at(struct dvt_err *err, enum dvt_code code,
    int with_errno, const char *file, int line, const char *fmt, ...)
    DVT_PRINTF(6, 7);

/* Put "what: " before the text already in @err; the code stays. */
void dvt_err_prefix(struct dvt_err *err, const char *fmt, ...) DVT_PRINTF(2, 3);

const char *dvt_code_name(enum dvt_code code);
int dvt_code_http(enum dvt_code code);
int dvt_code_exit(enum dvt_code code);

/* DVT_E_SYSTEM when no code has that name. */
enum dvt_code dvt_code_from_name(const char *name);

#endif
