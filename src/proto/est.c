/* SPDX-License-Identifier: Apache-2.0 */
/* EST: see est.h. */
#include "proto/est.h"

#include "wire/base64.h"
#include "wire/der.h"
#include "wire/oid.h"
#include "wire/utf8.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#define YEAR_S (366 * 86400)

static const struct {
	const char *name;
	const char *method;
} ops[] = {
#define DVT_EST_OP_ROW(op, name, method) [op] = {name, method},
    DVT_EST_OPS(DVT_EST_OP_ROW)};

const char *
dvt_est_op_name(enum dvt_est_op op)
{
	return ops[op].name;
}

const char *
dvt_est_op_method(enum dvt_est_op op)
{
	return ops[op].method;
}

static bool
is_label(struct dvt_span s)
{
	if (s.n == 0 || s.n > DVT_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '.' || c == '_' ||
			c == '-'))
			return false;
	}
	return true;
}

static bool
find_op(struct dvt_span name, enum dvt_est_op *op)
{
	for (size_t i = 0; i < DVT_COUNT(ops); i++) {
		if (dvt_span_eq_str(name, ops[i].name)) {
			*op = (enum dvt_est_op)i;
			return true;
		}
	}
	return false;
}

enum dvt_code
dvt_est_path_parse(
    struct dvt_span path, struct dvt_est_path *out, struct dvt_err *err)
{
	const struct dvt_span prefix = DVT_SPAN_LIT(DVT_EST_PREFIX "/");
	struct dvt_span rest = dvt_span_from(path, prefix.n), label;
	const uint8_t *slash;

	*out = (struct dvt_est_path){0};
	if (path.n < prefix.n || memcmp(path.p, prefix.p, prefix.n) != 0)
		return dvt_fail(err, DVT_E_ABSENT, "EST: another path");
	slash = rest.n == 0 ? NULL : memchr(rest.p, '/', rest.n);
	if (slash != NULL) {
		label = (struct dvt_span){rest.p, (size_t)(slash - rest.p)};
		if (!is_label(label))
			return dvt_fail(err, DVT_E_ABSENT, "EST: bad label");
		memcpy(out->label, label.p, label.n);
		rest = dvt_span_from(rest, label.n + 1);
	}
	if (!find_op(rest, &out->op))
		return dvt_fail(err, DVT_E_ABSENT, "EST: no such operation");
	return DVT_OK;
}

void
dvt_est_path_put(struct dvt_buf *out, enum dvt_est_op op, const char *label)
{
	dvt_buf_puts(out, DVT_EST_PREFIX "/");
	if (label != NULL && label[0] != '\0')
		dvt_buf_printf(out, "%s/", label);
	dvt_buf_puts(out, ops[op].name);
}

/* One line, but for ends of line at its end. */
static enum dvt_est_form
form_of(struct dvt_span body)
{
	while (body.n > 0 &&
	       (body.p[body.n - 1] == '\n' || body.p[body.n - 1] == '\r'))
		body.n--;
	return body.n > 0 && memchr(body.p, '\n', body.n) == NULL
		   ? DVT_EST_ONE_LINE
		   : DVT_EST_WRAPPED;
}

enum dvt_code
dvt_est_body_decode(struct dvt_span body, struct dvt_buf *der,
    enum dvt_est_form *form, struct dvt_err *err)
{
	const size_t before = der->n;
	enum dvt_code rc;

	if (form != NULL)
		*form = form_of(body);
	if (body.n > DVT_EST_BODY_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "EST: body of over %d bytes",
		    DVT_EST_BODY_MAX);
	if ((rc = dvt_base64_decode(body, der, err)) != DVT_OK) {
		dvt_err_prefix(err, "EST body");
		return rc;
	}
	if (der->n == before)
		return dvt_fail(err, DVT_E_INPUT, "EST: empty body");
	return DVT_OK;
}

void
dvt_est_body_put(
    struct dvt_buf *out, struct dvt_span der, enum dvt_est_form form)
{
	dvt_base64_encode(out, der, form == DVT_EST_WRAPPED ? 64 : 0);
}

void
dvt_est_certs_put(struct dvt_buf *out, const struct dvt_span *certs, size_t n)
{
	const struct dvt_span none = {NULL, 0};
	size_t info = dvt_der_open(out, DVT_DER_SEQ), content, data, inner, set;

	dvt_der_put_oid(out, DVT_OID_PKCS7_SIGNED);
	content = dvt_der_open(out, DVT_DER_CTXC(0));
	data = dvt_der_open(out, DVT_DER_SEQ);
	dvt_der_put_i64(out, 1);             /* version */
	dvt_der_put(out, DVT_DER_SET, none); /* no digest algorithms */
	inner = dvt_der_open(out, DVT_DER_SEQ);
	dvt_der_put_oid(out, DVT_OID_PKCS7_DATA);
	dvt_der_close(out, inner);
	set = dvt_der_open(out, DVT_DER_CTXC(0));
	for (size_t i = 0; i < n; i++)
		dvt_buf_put_span(out, certs[i]);
	dvt_der_close(out, set);
	dvt_der_put(out, DVT_DER_SET, none); /* no signers */
	dvt_der_close(out, data);
	dvt_der_close(out, content);
	dvt_der_close(out, info);
}

/* ContentInfo down to the contents of SignedData. */
static enum dvt_code
open_signed(struct dvt_span der, struct dvt_span *data, struct dvt_err *err)
{
	struct dvt_span info, oid, content;
	enum dvt_code rc;

	if ((rc = dvt_der_take(&der, DVT_DER_SEQ, &info, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_done(der, "answer", err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_oid(&info, &oid, err)) != DVT_OK)
		return rc;
	if (!dvt_span_eq(oid, DVT_OID_PKCS7_SIGNED))
		return dvt_fail(err, DVT_E_INPUT, "no SignedData");
	if ((rc = dvt_der_take(&info, DVT_DER_CTXC(0), &content, err)) !=
	    DVT_OK)
		return rc;
	if ((rc = dvt_der_done(info, "ContentInfo", err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take(&content, DVT_DER_SEQ, data, err)) != DVT_OK)
		return rc;
	return dvt_der_done(content, "ContentInfo", err);
}

/* SignedData: the contents of its certificates field. */
static enum dvt_code
find_certs(struct dvt_span data, struct dvt_span *certs, struct dvt_err *err)
{
	struct dvt_span skipped;
	enum dvt_code rc;
	int64_t version;

	if ((rc = dvt_der_take_u63(&data, &version, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take(&data, DVT_DER_SET, &skipped, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take(&data, DVT_DER_SEQ, &skipped, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take(&data, DVT_DER_CTXC(0), certs, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_opt(&data, DVT_DER_CTXC(1), &skipped, err)) !=
	    DVT_OK)
		return rc;
	if ((rc = dvt_der_take(&data, DVT_DER_SET, &skipped, err)) != DVT_OK)
		return rc;
	return dvt_der_done(data, "SignedData", err);
}

static enum dvt_code
parse_certs(struct dvt_span der, struct dvt_span *certs, size_t max, size_t *n,
    struct dvt_err *err)
{
	struct dvt_span data, list, body;
	enum dvt_code rc;

	if ((rc = dvt_der_check(der, DVT_DER_DEPTH_MAX, err)) != DVT_OK)
		return rc;
	if ((rc = open_signed(der, &data, err)) != DVT_OK)
		return rc;
	if ((rc = find_certs(data, &list, err)) != DVT_OK)
		return rc;
	do {
		if (*n == max)
			return dvt_fail(err, DVT_E_LIMIT,
			    "more than %zu certificates", max);
		rc = dvt_der_take_whole(
		    &list, DVT_DER_SEQ, &certs[*n], &body, err);
		if (rc != DVT_OK)
			return rc;
		++*n;
	} while (list.n > 0);
	return DVT_OK;
}

enum dvt_code
dvt_est_certs_parse(struct dvt_span der, struct dvt_span *certs, size_t max,
    size_t *n, struct dvt_err *err)
{
	enum dvt_code rc;

	*n = 0;
	if ((rc = parse_certs(der, certs, max, n, err)) != DVT_OK) {
		*n = 0;
		dvt_err_prefix(err, "certs-only");
	}
	return rc;
}

/* user ":" password */
static bool
split(
    struct dvt_span pair, char *user, size_t size, struct dvt_secret *password)
{
	const uint8_t *colon = pair.n == 0 ? NULL : memchr(pair.p, ':', pair.n);
	struct dvt_span name, rest;

	if (colon == NULL)
		return false;
	name = (struct dvt_span){pair.p, (size_t)(colon - pair.p)};
	rest = dvt_span_from(pair, name.n + 1);
	if (name.n >= size || !dvt_utf8_is_text(name) ||
	    !dvt_utf8_is_text(rest))
		return false;
	memcpy(user, name.p, name.n);
	user[name.n] = '\0';
	dvt_secret_set(password, rest.p, rest.n);
	return true;
}

enum dvt_code
dvt_est_basic_parse(struct dvt_span value, char *user, size_t size,
    struct dvt_secret *password, struct dvt_err *err)
{
	const struct dvt_span scheme = DVT_SPAN_LIT("Basic ");
	enum dvt_code rc = DVT_OK;
	struct dvt_buf pair;

	user[0] = '\0';
	*password = (struct dvt_secret){0};
	if (value.n < scheme.n || strncasecmp((const char *)value.p,
				      (const char *)scheme.p, scheme.n) != 0)
		return dvt_fail(err, DVT_E_AUTH, "not HTTP Basic");
	dvt_buf_init(&pair, DVT_HEADERS_MAX);
	if (dvt_base64_decode(dvt_span_from(value, scheme.n), &pair, NULL) !=
		DVT_OK ||
	    !split(dvt_buf_span(&pair), user, size, password))
		rc = dvt_fail(err, DVT_E_AUTH,
		    "HTTP Basic: not readable (RFC 7617 section 2)");
	dvt_buf_cleanse(&pair);
	return rc;
}

void
dvt_est_basic_put(
    struct dvt_buf *out, const char *user, const struct dvt_secret *password)
{
	struct dvt_buf pair;

	dvt_buf_init(&pair, DVT_HEADERS_MAX);
	dvt_buf_puts(&pair, user);
	dvt_buf_putc(&pair, ':');
	dvt_buf_put(&pair, password->p, password->n);
	dvt_buf_puts(out, "Basic ");
	dvt_base64_encode(out, dvt_buf_span(&pair), 0);
	if (pair.full)
		out->full = true;
	dvt_buf_cleanse(&pair);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). */
static bool
parse_date(const char *text, int64_t *at_s)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm = {0};
	char month[4];
	int end = 0, i;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n",
		&tm.tm_mday, month, &tm.tm_year, &tm.tm_hour, &tm.tm_min,
		&tm.tm_sec, &end) != 6 ||
	    end == 0 || text[end] != '\0')
		return false;
	for (i = 0; i < 12 && strcmp(month, months[i]) != 0; i++)
		;
	if (i == 12 || tm.tm_year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
	    tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	tm.tm_mon = i;
	tm.tm_year -= 1900;
	*at_s = timegm(&tm);
	return true;
}

enum dvt_code
dvt_est_retry_after_parse(
    struct dvt_span value, int64_t now_s, int64_t *delay_s, struct dvt_err *err)
{
	char text[40];
	int64_t at_s, n = 0;
	size_t i;

	*delay_s = 0;
	if (value.n == 0 || value.n >= sizeof(text))
		return dvt_fail(
		    err, DVT_E_INPUT, "Retry-After: %zu bytes", value.n);
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	for (i = 0; text[i] >= '0' && text[i] <= '9' && n <= YEAR_S; i++)
		n = n * 10 + (text[i] - '0');
	if (i == value.n || n > YEAR_S) {
		*delay_s = n < YEAR_S ? n : YEAR_S;
		return DVT_OK;
	}
	if (!parse_date(text, &at_s))
		return dvt_fail(err, DVT_E_INPUT,
		    "Retry-After: neither seconds nor a date");
	if (at_s > now_s)
		*delay_s = at_s - now_s < YEAR_S ? at_s - now_s : YEAR_S;
	return DVT_OK;
}
