/* SPDX-License-Identifier: Apache-2.0 */
/* UTCTime and GeneralizedTime, read and written: see der.h. */
#include "wire/der.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_S 86400
/* 0000-01-01 and 9999-12-31T23:59:59Z: all that GeneralizedTime can say. */
#define YEAR_0_S    INT64_C(-62167219200)
#define YEAR_9999_S INT64_C(253402300799)
#define YEAR_1950_S INT64_C(-631152000)
#define YEAR_2050_S INT64_C(2524608000)

struct date {
	int64_t year;
	unsigned month, day; /* from 1 */
};

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned
days_in(int64_t year, unsigned month)
{
	static const uint8_t days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1U : 0U);
}

/*
 * Days since 1970-01-01 of the proleptic Gregorian calendar. Years are
 * counted from March, so that the leap day is the last one of a year.
 */
static int64_t
days_from_date(struct date d)
{
	int64_t year = d.month <= 2 ? d.year - 1 : d.year;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t in_era = year - era * 400;
	int64_t month = ((int64_t)d.month + 9) % 12; /* March is 0 */
	int64_t in_year = (153 * month + 2) / 5 + d.day - 1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 +
	       in_year - 719468;
}

static struct date
date_from_days(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t in_era = z - era * 146097;
	int64_t year = (in_era - in_era / 1460 + in_era / 36524 -
			   in_era / 146096) /
		       365;
	int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * in_year + 2) / 153; /* March is 0 */
	struct date d = {
	    .year = year + era * 400 + (month >= 10 ? 1 : 0),
	    .month = (unsigned)(month < 10 ? month + 3 : month - 9),
	    .day = (unsigned)(in_year - (153 * month + 2) / 5 + 1),
	};

	return d;
}

/* @n digits at @p; false when one is none. */
static bool
digits(const uint8_t *p, size_t n, unsigned *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*out = *out * 10 + (p[i] - '0');
	}
	return true;
}

/* "MMDDHHMMSSZ" after the year. */
static bool
parse_rest(const uint8_t *p, unsigned year, int64_t *out)
{
	unsigned month, day, hour, minute, second;

	if (!digits(p, 2, &month) || !digits(p + 2, 2, &day) ||
	    !digits(p + 4, 2, &hour) || !digits(p + 6, 2, &minute) ||
	    !digits(p + 8, 2, &second) || p[10] != 'Z')
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
	    hour > 23 || minute > 59 || second > 59)
		return false;
	*out = days_from_date((struct date){year, month, day}) * DAY_S +
	       (int64_t)(hour * 3600 + minute * 60 + second);
	return true;
}

static bool
parse_time(uint8_t tag, struct dvt_span body, int64_t *out)
{
	unsigned year;

	if (tag == DVT_DER_UTC)
		return body.n == 13 && digits(body.p, 2, &year) &&
		       parse_rest(
			   body.p + 2, year + (year < 50 ? 2000 : 1900), out);
	return tag == DVT_DER_GENERALIZED && body.n == 15 &&
	       digits(body.p, 4, &year) && parse_rest(body.p + 4, year, out);
}

enum dvt_code
dvt_der_take_time(struct dvt_span *in, int64_t *out, struct dvt_err *err)
{
	struct dvt_span s = *in, body;
	enum dvt_code rc;
	int64_t at;
	uint8_t tag;

	if ((rc = dvt_der_take_any(&s, &tag, NULL, &body, err)) != DVT_OK)
		return rc;
	if (!parse_time(tag, body, &at))
		return dvt_fail(err, DVT_E_INPUT,
		    "DER: no time as RFC 5280 section 4.1.2.5 wants it");
	*out = at;
	*in = s;
	return DVT_OK;
}

/* Append the time; a moment that has no four-digit year becomes the nearest. */
static void
put_time(struct dvt_buf *b, uint8_t tag, int64_t at_s)
{
	int64_t days, left;
	struct date d;
	char text[64];
	int n;

	if (at_s < YEAR_0_S)
		at_s = YEAR_0_S;
	if (at_s > YEAR_9999_S)
		at_s = YEAR_9999_S;
	left = at_s % DAY_S;
	if (left < 0)
		left += DAY_S;
	days = (at_s - left) / DAY_S;
	d = date_from_days(days);
	n = snprintf(text, sizeof(text), "%04" PRId64 "%02u%02u%02u%02u%02uZ",
	    d.year, d.month, d.day, (unsigned)(left / 3600),
	    (unsigned)(left / 60 % 60), (unsigned)(left % 60));
	if (n != 15)
		return; /* cannot be: the year is within 0 to 9999 */
	dvt_der_put_str(b, tag, tag == DVT_DER_UTC ? text + 2 : text);
}

void
dvt_der_put_time(struct dvt_buf *b, int64_t at_s)
{
	put_time(b,
	    at_s >= YEAR_1950_S && at_s < YEAR_2050_S ? DVT_DER_UTC
						      : DVT_DER_GENERALIZED,
	    at_s);
}

void
dvt_der_put_generalized(struct dvt_buf *b, int64_t at_s)
{
	put_time(b, DVT_DER_GENERALIZED, at_s);
}
