/* SPDX-License-Identifier: Apache-2.0 */
/* Values of settings: see config_value.h. */
#include "proc/config_value.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#define TEXT_MAX 32768 /* bytes, when the table sets no limit */
#define KEY_MAX  96    /* characters of keys compared */

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit seconds[] = {
    {"",  1       },
    {"s", 1       },
    {"m", 60      },
    {"h", 3600    },
    {"d", 86400   },
    {"w", 604800  },
    {"y", 31557600}
};
static const struct unit millis[] = {
    {"",   1       },
    {"ms", 1       },
    {"s",  1000    },
    {"m",  60000   },
    {"h",  3600000 },
    {"d",  86400000}
};
static const struct unit bytes[] = {
    {"",  1      },
    {"k", 1 << 10},
    {"K", 1 << 10},
    {"M", 1 << 20},
    {"G", 1 << 30}
};
static const struct unit plain[] = {
    {"", 1}
};

static const char *const type_names[] = {
#define TYPE_NAME(id, name) [id] = name,
    DVT_SETTING_TYPES(TYPE_NAME)};

static enum dvt_code
units_of(const struct dvt_setting *s, const struct unit **u, size_t *n)
{
	*u = plain;
	*n = DVT_COUNT(plain);
	if (s->type == DVT_SET_SECONDS) {
		*u = seconds;
		*n = DVT_COUNT(seconds);
	} else if (s->type == DVT_SET_MS) {
		*u = millis;
		*n = DVT_COUNT(millis);
	} else if (s->type == DVT_SET_BYTES) {
		*u = bytes;
		*n = DVT_COUNT(bytes);
	}
	return DVT_OK;
}

static enum dvt_code
number_check(const struct dvt_setting *s, const char *text, int64_t *number,
    struct dvt_err *err)
{
	const struct unit *u;
	size_t n, i;
	char *end;
	int64_t v;

	(void)units_of(s, &u, &n);
	errno = 0;
	v = strtoll(text, &end, 10);
	if (end == text || errno != 0 || isspace((unsigned char)text[0]))
		return dvt_fail(err, DVT_E_INPUT, "\"%.64s\" is no %s", text,
		    type_names[s->type]);
	while (*end == ' ')
		end++;
	for (i = 0; i < n && strcmp(end, u[i].name) != 0; i++)
		continue;
	if (i == n)
		return dvt_fail(err, DVT_E_INPUT,
		    "\"%.64s\": unknown unit \"%.16s\"", text, end);
	if (__builtin_mul_overflow(v, u[i].factor, &v))
		return dvt_fail(
		    err, DVT_E_INPUT, "\"%.64s\" is too much", text);
	if ((s->min != 0 || s->max != 0) && (v < s->min || v > s->max))
		return dvt_fail(err, DVT_E_INPUT,
		    "\"%.64s\" is not within %" PRId64 " to %" PRId64 "%s%s",
		    text, s->min, s->max, s->unit != NULL ? " " : "",
		    s->unit != NULL ? s->unit : "");
	*number = v;
	return DVT_OK;
}

static enum dvt_code
bool_check(const char *text, int64_t *number, struct dvt_err *err)
{
	static const char *const words[] = {
	    "no", "yes", "false", "true", "off", "on", "0", "1"};

	for (size_t i = 0; i < DVT_COUNT(words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*number = (int64_t)(i & 1);
			return DVT_OK;
		}
	}
	return dvt_fail(
	    err, DVT_E_INPUT, "\"%.64s\" is neither yes nor no", text);
}

static enum dvt_code
choice_check(const struct dvt_setting *s, const char *text, struct dvt_err *err)
{
	size_t n = strlen(text);

	for (const char *w = s->unit; w != NULL; w = strchr(w, '|')) {
		w += *w == '|';
		if (n > 0 && strncmp(w, text, n) == 0 &&
		    (w[n] == '|' || w[n] == '\0'))
			return DVT_OK;
	}
	return dvt_fail(
	    err, DVT_E_INPUT, "\"%.64s\" is none of %s", text, s->unit);
}

static enum dvt_code
text_check(const struct dvt_setting *s, const char *text, struct dvt_err *err)
{
	size_t n = strlen(text);
	int64_t max = s->max > 0 ? s->max : TEXT_MAX;

	if ((int64_t)n > max)
		return dvt_fail(err, DVT_E_INPUT,
		    "%zu characters, at most %" PRId64, n, max);
	if ((int64_t)n < s->min)
		return dvt_fail(err, DVT_E_INPUT,
		    n == 0 ? "must not be empty"
			   : "%zu characters, at least %" PRId64,
		    n, s->min);
	return DVT_OK;
}

enum dvt_code
dvt_setting_check(const struct dvt_setting *s, const char *text,
    int64_t *number, struct dvt_err *err)
{
	*number = 0;
	switch (s->type) {
	case DVT_SET_BOOL:
		return bool_check(text, number, err);
	case DVT_SET_INT:
	case DVT_SET_SECONDS:
	case DVT_SET_MS:
	case DVT_SET_BYTES:
		return number_check(s, text, number, err);
	case DVT_SET_CHOICE:
		return choice_check(s, text, err);
	case DVT_SET_TEXT:
	case DVT_SET_PATH:
	case DVT_SET_LIST:
	case DVT_SET_PATHS:
	case DVT_SET_OUTPUT:
	case DVT_SET_PLACE:
	case DVT_SET_PLACES:
		break;
	}
	return text_check(s, text, err);
}

void
dvt_setting_type_format(const struct dvt_setting *s, struct dvt_buf *out)
{
	if (s->type == DVT_SET_CHOICE) {
		dvt_buf_printf(out, "one of %s", s->unit);
		return;
	}
	dvt_buf_puts(out, type_names[s->type]);
	if (s->type == DVT_SET_BOOL || (s->min == 0 && s->max == 0))
		return;
	dvt_buf_printf(out, ", %" PRId64 " to %" PRId64 "%s%s", s->min, s->max,
	    s->unit != NULL ? " " : "", s->unit != NULL ? s->unit : "");
}

/* Edits (insert, drop, replace) between two keys, letter case aside. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[KEY_MAX + 1], n = strlen(b);

	if (n > KEY_MAX || strlen(a) > KEY_MAX)
		return SIZE_MAX;
	for (size_t k = 0; k <= n; k++)
		row[k] = k;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t k = 0; k < n; k++) {
			size_t best = corner;

			if (tolower((unsigned char)a[i]) !=
			    tolower((unsigned char)b[k]))
				best++;
			corner = row[k + 1];
			if (corner + 1 < best)
				best = corner + 1;
			if (row[k] + 1 < best)
				best = row[k] + 1;
			row[k + 1] = best;
		}
	}
	return row[n];
}

const char *
dvt_setting_nearest(const struct dvt_setting *table, size_t n, const char *key)
{
	const char *dot = strrchr(key, '.');
	/* of the word itself: sections are alike in any case */
	size_t best = strlen(dot != NULL ? dot + 1 : key) / 3 + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *last = strrchr(table[i].key, '.');
		size_t d = distance(key, table[i].key);

		/* the right word without its section is near, too */
		if (last != NULL && strcasecmp(key, last + 1) == 0)
			d = 1;
		if (d < best) {
			best = d;
			found = table[i].key;
		}
	}
	return found;
}
