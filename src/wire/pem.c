/* SPDX-License-Identifier: Apache-2.0 */
/* PEM: see pem.h. */
#include "wire/pem.h"

#include "wire/base64.h"

#define BEGIN DVT_SPAN_LIT("-----BEGIN ")
#define END   DVT_SPAN_LIT("-----END ")
#define DASH  DVT_SPAN_LIT("-----")

/* Next line without its end; @in moves past it. False: nothing left. */
static bool
take_line(struct dvt_span *in, struct dvt_span *line)
{
	const uint8_t *eol;

	if (in->n == 0)
		return false;
	eol = memchr(in->p, '\n', in->n);
	*line = (struct dvt_span){
	    in->p, eol == NULL ? in->n : (size_t)(eol - in->p)};
	*in = dvt_span_from(*in, line->n + 1);
	while (line->n > 0 &&
	       (line->p[line->n - 1] == '\r' || line->p[line->n - 1] == ' ' ||
		   line->p[line->n - 1] == '\t'))
		line->n--;
	return true;
}

static bool
starts_with(struct dvt_span s, struct dvt_span head)
{
	return s.n >= head.n && memcmp(s.p, head.p, head.n) == 0;
}

/* Is @line a boundary with @head? Then its label. */
static bool
boundary(struct dvt_span line, struct dvt_span head, struct dvt_span *label)
{
	if (!starts_with(line, head) || line.n < head.n + DASH.n)
		return false;
	*label = (struct dvt_span){line.p + head.n, line.n - head.n - DASH.n};
	return starts_with(dvt_span_from(line, line.n - DASH.n), DASH);
}

static bool
is_wanted(struct dvt_span found, const char *label)
{
	if (dvt_span_eq_str(found, label))
		return true;
	return strcmp(label, DVT_PEM_CSR) == 0 &&
	       dvt_span_eq_str(found, "NEW CERTIFICATE REQUEST");
}

/* From after the BEGIN line to the END line, which ends @text. */
static enum dvt_code
take_body(struct dvt_span *in, struct dvt_span label, struct dvt_span *text,
    struct dvt_err *err)
{
	struct dvt_span s = *in, line, found;
	const uint8_t *start = in->p;

	*text = (struct dvt_span){NULL, 0};
	while (take_line(&s, &line)) {
		if (boundary(line, BEGIN, &found))
			break;
		if (!boundary(line, END, &found))
			continue;
		if (!dvt_span_eq(found, label))
			return dvt_fail(err, DVT_E_INPUT,
			    "PEM: block ends under another label");
		*text = (struct dvt_span){start, (size_t)(line.p - start)};
		*in = s;
		return DVT_OK;
	}
	return dvt_fail(err, DVT_E_INPUT, "PEM: block without an end");
}

static enum dvt_code
decode_body(struct dvt_span text, struct dvt_buf *der, struct dvt_err *err)
{
	enum dvt_code rc;

	dvt_buf_reset(der);
	if (text.n > 0 && memchr(text.p, ':', text.n) != NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "PEM: header lines (an encrypted key of the old form?)");
	if ((rc = dvt_base64_decode(text, der, err)) != DVT_OK) {
		dvt_err_prefix(err, "PEM");
		return rc;
	}
	if (der->n == 0)
		return dvt_fail(err, DVT_E_INPUT, "PEM: empty block");
	return DVT_OK;
}

enum dvt_code
dvt_pem_take(struct dvt_span *in, const char *label, struct dvt_buf *der,
    struct dvt_err *err)
{
	struct dvt_span s = *in, line, found, text;
	enum dvt_code rc;

	while (take_line(&s, &line)) {
		if (!boundary(line, BEGIN, &found))
			continue;
		if ((rc = take_body(&s, found, &text, err)) != DVT_OK)
			return rc;
		if (!is_wanted(found, label))
			continue;
		if ((rc = decode_body(text, der, err)) != DVT_OK)
			return rc;
		*in = s;
		return DVT_OK;
	}
	return dvt_fail(err, DVT_E_ABSENT, "PEM: no %s", label);
}

void
dvt_pem_put(struct dvt_buf *out, const char *label, struct dvt_span der)
{
	dvt_buf_printf(out, "-----BEGIN %s-----\n", label);
	dvt_base64_encode(out, der, 64);
	dvt_buf_printf(out, "-----END %s-----\n", label);
}
