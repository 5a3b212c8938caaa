/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 heads: see head.h. */
#include "http/head.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define METHOD_MAX 16 /* characters */

size_t
dvt_http_head_end(struct dvt_span in, size_t *from)
{
	static const char blank[] = "\r\n\r\n";
	size_t start = *from > 3 ? *from - 3 : 0;
	const uint8_t *at;

	*from = in.n;
	if (in.n < 4 || start > in.n)
		return 0;
	at = memmem(in.p + start, in.n - start, blank, 4);
	return at == NULL ? 0 : (size_t)(at - in.p) + 4;
}

/* RFC 9110 section 5.6.2 */
static bool
is_token(const char *s)
{
	const char *p = s;

	while (isalnum((unsigned char)*p) ||
	       (*p != '\0' && strchr("!#$%&'*+-.^_`|~", *p) != NULL))
		p++;
	return p > s && *p == '\0';
}

/* Field text: no control characters but the tab (RFC 9110 section 5.5). */
static bool
is_text(const char *s)
{
	for (; *s != '\0'; s++) {
		if (iscntrl((unsigned char)*s) && *s != '\t')
			return false;
	}
	return true;
}

static enum dvt_code
refuse(struct dvt_http_head *head, int status, const char *why,
    struct dvt_err *err)
{
	head->status = status;
	return dvt_fail(err, DVT_E_INPUT, "HTTP: %s", why);
}

/* The next line, NUL-terminated in place; NULL: none, or not well-formed. */
static char *
line_next(char **at, char *end)
{
	char *line = *at, *cr = memmem(line, (size_t)(end - line), "\r\n", 2);

	if (cr == NULL)
		return NULL;
	*cr = '\0';
	*at = cr + 2;
	/* a bare CR or LF, or a NUL, is a line for one and none for another */
	return strlen(line) == (size_t)(cr - line) && is_text(line) ? line
								    : NULL;
}

static enum dvt_code
header_take(struct dvt_http_head *head, char *line, struct dvt_err *err)
{
	char *colon = strchr(line, ':'), *value, *end;

	if (colon == NULL)
		return refuse(head, 400, "header without a colon", err);
	*colon = '\0';
	if (!is_token(line)) /* also a folded line and "name :" */
		return refuse(head, 400, "bad header name", err);
	value = colon + 1;
	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (head->headers_n == DVT_HTTP_HEADERS)
		return refuse(head, 431, "too many headers", err);
	head->headers[head->headers_n++] = (struct dvt_http_header){
	    line, value};
	return DVT_OK;
}

const char *
dvt_http_header_find(
    const struct dvt_http_header *headers, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(headers[i].name, name) == 0)
			return headers[i].value;
	}
	return NULL;
}

static size_t
header_count(const struct dvt_http_head *head, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < head->headers_n; i++)
		n += strcasecmp(head->headers[i].name, name) == 0;
	return n;
}

static const char *
header(const struct dvt_http_head *head, const char *name)
{
	return dvt_http_header_find(head->headers, head->headers_n, name);
}

/* Is @word one of the comma-separated words of any header of that name? */
static bool
header_has(const struct dvt_http_head *head, const char *name, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < head->headers_n; i++) {
		const char *p = head->headers[i].value;

		if (strcasecmp(head->headers[i].name, name) != 0)
			continue;
		while (*p != '\0') {
			size_t len;

			p += strspn(p, ", \t");
			len = strcspn(p, ", \t");
			if (len == n && strncasecmp(p, word, n) == 0)
				return true;
			p += len;
		}
	}
	return false;
}

static enum dvt_code
length_take(struct dvt_http_head *head, const char *text, struct dvt_err *err)
{
	char *end;

	/* digits alone: strtoull would take a sign and blanks */
	if (!isdigit((unsigned char)text[0]) || strlen(text) > 18 ||
	    header_count(head, "Content-Length") != 1)
		return refuse(head, 400, "bad Content-Length", err);
	head->length = strtoull(text, &end, 10);
	if (*end != '\0')
		return refuse(head, 400, "bad Content-Length", err);
	head->framing = DVT_HTTP_LENGTH;
	return DVT_OK;
}

/* RFC 9112 section 6.3; what is ambiguous is refused, not resolved */
static enum dvt_code
framing_take(struct dvt_http_head *head, struct dvt_err *err)
{
	const char *length = header(head, "Content-Length");
	const char *coding = header(head, "Transfer-Encoding");

	head->framing = DVT_HTTP_NO_BODY;
	if (coding == NULL)
		return length == NULL ? DVT_OK : length_take(head, length, err);
	if (length != NULL)
		return refuse(head, 400,
		    "Content-Length together with Transfer-Encoding", err);
	if (head->minor == 0)
		return refuse(head, 400, "Transfer-Encoding in HTTP/1.0", err);
	if (header_count(head, "Transfer-Encoding") != 1 ||
	    strcasecmp(coding, "chunked") != 0)
		return refuse(head, 501, "transfer coding not known", err);
	head->framing = DVT_HTTP_CHUNKED;
	return DVT_OK;
}

/* All after the first line. */
static enum dvt_code
fields_take(
    struct dvt_http_head *head, char *at, char *end, struct dvt_err *err)
{
	enum dvt_code rc;
	char *line;

	for (;;) {
		if ((line = line_next(&at, end)) == NULL)
			return refuse(head, 400, "bad header line", err);
		if (line[0] == '\0')
			break;
		if ((rc = header_take(head, line, err)) != DVT_OK)
			return rc;
	}
	head->keep_alive = head->minor == 0
			       ? header_has(head, "Connection", "keep-alive")
			       : !header_has(head, "Connection", "close");
	return framing_take(head, err);
}

/* "HTTP/1.x"; -1: something else. */
static int
version_of(const char *s)
{
	if (strncmp(s, "HTTP/1.", 7) != 0 || s[8] != '\0' ||
	    !isdigit((unsigned char)s[7]))
		return -1;
	return s[7] == '0' ? 0 : 1;
}

/* The absolute form is for proxies, but must be taken (RFC 9112 3.2.2). */
static const char *
origin_form(const char *target)
{
	if (strncasecmp(target, "http://", 7) == 0)
		target = strchr(target + 7, '/');
	else if (strncasecmp(target, "https://", 8) == 0)
		target = strchr(target + 8, '/');
	return target != NULL && target[0] == '/' ? target : NULL;
}

static enum dvt_code
request_line(struct dvt_http_head *head, char *line, struct dvt_err *err)
{
	char *target = strchr(line, ' '), *version;

	if (target == NULL || (version = strchr(target + 1, ' ')) == NULL)
		return refuse(head, 400, "bad request line", err);
	*target++ = '\0';
	*version++ = '\0';
	if (!is_token(line) || strlen(line) > METHOD_MAX)
		return refuse(head, 400, "bad method", err);
	head->minor = version_of(version);
	if (head->minor < 0)
		return refuse(head,
		    strncmp(version, "HTTP/", 5) == 0 ? 505 : 400,
		    "version not known", err);
	if (strlen(target) > DVT_URI_MAX)
		return refuse(head, 414, "target too long", err);
	head->method = line;
	head->target = origin_form(target);
	if (head->target == NULL || strpbrk(target, "\t#") != NULL)
		return refuse(head, 400, "bad target", err);
	return DVT_OK;
}

enum dvt_code
dvt_http_head_request(
    char *text, size_t n, struct dvt_http_head *head, struct dvt_err *err)
{
	char *at = text, *line;
	const char *expect;
	enum dvt_code rc;

	*head = (struct dvt_http_head){0};
	if ((line = line_next(&at, text + n)) == NULL)
		return refuse(head, 400, "bad request line", err);
	if ((rc = request_line(head, line, err)) != DVT_OK ||
	    (rc = fields_take(head, at, text + n, err)) != DVT_OK)
		return rc;
	if (header_count(head, "Host") > 1 ||
	    (head->minor > 0 && header(head, "Host") == NULL))
		return refuse(head, 400, "not one Host header", err);
	expect = header(head, "Expect");
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return refuse(head, 417, "unknown expectation", err);
	head->expects_continue = expect != NULL && head->minor > 0;
	return DVT_OK;
}

enum dvt_code
dvt_http_head_answer(char *text, size_t n, bool to_head,
    struct dvt_http_head *head, struct dvt_err *err)
{
	char *at = text, *line, *status;
	enum dvt_code rc;

	*head = (struct dvt_http_head){0};
	line = line_next(&at, text + n);
	if (line == NULL || (status = strchr(line, ' ')) == NULL)
		return refuse(head, 0, "bad status line", err);
	*status++ = '\0';
	head->minor = version_of(line);
	if (head->minor < 0 || strspn(status, "0123456789") != 3 ||
	    (status[3] != ' ' && status[3] != '\0') || status[0] < '1' ||
	    status[0] > '5')
		return refuse(head, 0, "bad status line", err);
	if ((rc = fields_take(head, at, text + n, err)) != DVT_OK)
		return rc;
	head->status = (int)strtol(status, NULL, 10);
	if (to_head || head->status < 200 || head->status == 204 ||
	    head->status == 304)
		head->framing = DVT_HTTP_NO_BODY;
	else if (head->framing == DVT_HTTP_NO_BODY)
		head->framing = DVT_HTTP_TO_CLOSE;
	if (head->framing == DVT_HTTP_TO_CLOSE)
		head->keep_alive = false;
	return DVT_OK;
}
