/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record in the very form in which we write it, read without a JSON tree:
 * an object of numbers and of texts without escapes, no field twice. What is
 * written in any other way is left to the JSON reader.
 */
#include "proto/feed_record_priv.h"

#include <string.h>

/* Numbers are small enough here to need no care about overflow. */
#define DIGITS_MAX 15

struct scan {
	const uint8_t *p, *end;
	size_t next; /* place of the text that comes next, most likely */
	bool has_at, has_outcome, has_reason, has_direction, out;
	uint32_t seen; /* texts */
	unsigned numbers;
};

static bool
take(struct scan *s, const char *lit)
{
	size_t n = strlen(lit);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, lit, n) != 0)
		return false;
	s->p += n;
	return true;
}

/* Between quotes, plain; the closing quote is taken too. */
static bool
take_text(struct scan *s, struct dvt_span *out)
{
	const uint8_t *from;

	if (!take(s, "\""))
		return false;
	from = s->p;
	while (s->p < s->end && *s->p != '"') {
		if (*s->p < ' ' || *s->p > '~' || *s->p == '\\')
			return false;
		s->p++;
	}
	*out = (struct dvt_span){from, (size_t)(s->p - from)};
	return take(s, "\"");
}

static bool
take_number(struct scan *s, int64_t *out)
{
	bool minus = take(s, "-");
	const uint8_t *from = s->p;
	int64_t v = 0;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		v = v * 10 + (*s->p++ - '0');
	*out = minus ? -v : v;
	if (s->p == from || s->p - from > DIGITS_MAX)
		return false;
	return *from != '0' || (s->p - from == 1 && !minus);
}

static bool
is(struct dvt_span text, const char *word)
{
	return text.n == strlen(word) && memcmp(text.p, word, text.n) == 0;
}

static bool
put_text(struct scan *s, struct dvt_handshake *h, struct dvt_span key,
    struct dvt_span value)
{
	size_t i = 0;

	for (; i < DVT_RECORD_TEXTS; i++, s->next++) {
		s->next %= DVT_RECORD_TEXTS;
		if (is(key, dvt_record_texts[s->next].key))
			break;
	}
	if (i == DVT_RECORD_TEXTS || (s->seen & 1u << s->next) != 0 ||
	    value.n >= dvt_record_texts[s->next].size)
		return false;
	s->seen |= 1u << s->next;
	memcpy((char *)h + dvt_record_texts[s->next].at, value.p, value.n);
	((char *)h + dvt_record_texts[s->next].at)[value.n] = '\0';
	s->next++;
	return true;
}

static bool
put_word(struct scan *s, struct dvt_handshake *h, struct dvt_span key,
    struct dvt_span value)
{
	char word[DVT_RECORD_WORD];

	if (value.n >= sizeof(word))
		return false;
	memcpy(word, value.p, value.n);
	word[value.n] = '\0';
	if (is(key, "outcome") && !s->has_outcome) {
		s->has_outcome = true;
		h->outcome = dvt_outcome_from_name(word);
		return h->outcome != DVT_OUTCOME_N;
	}
	if (is(key, "reason") && !s->has_reason) {
		s->has_reason = true;
		h->reason = dvt_hs_reason_from_name(word);
		return h->reason != DVT_HR_N;
	}
	if (!is(key, "direction") || s->has_direction)
		return false;
	s->has_direction = true;
	h->alert_out = strcmp(word, "out") == 0;
	return h->alert_out || strcmp(word, "in") == 0;
}

/* Those of every record; of others the JSON reader knows the limits. */
static bool
put_number(
    struct scan *s, struct dvt_handshake *h, struct dvt_span key, int64_t v)
{
	if (v < 0)
		return false;
	if (is(key, "at") && !s->has_at) {
		s->has_at = true;
		h->at = v;
		return true;
	}
	if (!is(key, "duration_us") || s->numbers++ > 0)
		return false;
	h->duration_us = v;
	return true;
}

static bool
take_field(struct scan *s, struct dvt_handshake *h)
{
	struct dvt_span key, value;
	int64_t number;

	if (!take_text(s, &key) || !take(s, ":"))
		return false;
	if (s->p < s->end && *s->p != '"')
		return take_number(s, &number) && put_number(s, h, key, number);
	if (!take_text(s, &value))
		return false;
	return put_word(s, h, key, value) || put_text(s, h, key, value);
}

bool
dvt_handshake_scan(struct dvt_span line, struct dvt_handshake *out)
{
	struct scan s = {.p = line.p, .end = line.p + line.n};
	struct dvt_handshake h;

	dvt_handshake_init(&h);
	if (line.n > DVT_RECORD_MAX || !take(&s, "{"))
		return false;
	do {
		if (!take_field(&s, &h))
			return false;
	} while (take(&s, ","));
	if (!take(&s, "}") || s.p != s.end || !s.has_at || !s.has_outcome ||
	    !s.has_reason)
		return false;
	*out = h;
	return true;
}
