/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from a head lies within it, and framing is never ambiguous. */
#include "fuzz.h"
#include "http/head.h"

static void
within(const char *s, const char *text, size_t n)
{
	FUZZ_ASSERT(s >= text && s + strlen(s) < text + n);
}

static void
check(const struct dvt_http_head *h, const char *text, size_t n)
{
	FUZZ_ASSERT(h->headers_n <= DVT_HTTP_HEADERS);
	for (size_t i = 0; i < h->headers_n; i++) {
		within(h->headers[i].name, text, n);
		within(h->headers[i].value, text, n);
		FUZZ_ASSERT(strpbrk(h->headers[i].value, "\r\n") == NULL);
	}
	if (dvt_http_header_find(
		h->headers, h->headers_n, "Transfer-Encoding") != NULL)
		FUZZ_ASSERT(dvt_http_header_find(h->headers, h->headers_n,
				"Content-Length") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_http_head head;
	size_t from = 0,
	       end = dvt_http_head_end((struct dvt_span){p, n}, &from);
	char *text;

	if (end == 0)
		return 0;
	FUZZ_ASSERT(end <= n && end >= 4);
	text = malloc(end + 1);
	FUZZ_ASSERT(text != NULL);
	memcpy(text, p, end);
	text[end] = '\0';
	if (dvt_http_head_request(text, end, &head, NULL) == DVT_OK) {
		within(head.method, text, end);
		within(head.target, text, end);
		FUZZ_ASSERT(head.target[0] == '/');
		FUZZ_ASSERT(head.framing != DVT_HTTP_TO_CLOSE);
		check(&head, text, end);
	} else {
		FUZZ_ASSERT(head.status >= 400 && head.status < 600);
	}
	memcpy(text, p, end);
	if (dvt_http_head_answer(text, end, false, &head, NULL) == DVT_OK) {
		FUZZ_ASSERT(head.status >= 100 && head.status < 600);
		check(&head, text, end);
	}
	free(text);
	return 0;
}
