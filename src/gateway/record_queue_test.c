/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/record_queue.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE 49152
#define DEVICES 50
#define WHOLE   4194304 /* bytes */

struct seen {
	int64_t all, by_device[DEVICES], whole;
	int64_t by_outcome[DVT_OUTCOME_N];
};

static struct dvt_handshake
from_device(unsigned i, int64_t at)
{
	struct dvt_handshake h;

	dvt_handshake_init(&h);
	h.at = at;
	h.outcome = i % 3 == 0 ? DVT_HS_OK : DVT_HS_DEVICE_REFUSED;
	snprintf(h.device, sizeof(h.device), "%u", i);
	strcpy(h.confidence, "certificate");
	memset(h.certificate, 'a', sizeof(h.certificate) - 1);
	strcpy(h.serial, "0a");
	return h;
}

/* With a name of its own, as long as they can be. */
static struct dvt_handshake
from_stranger(unsigned i, int64_t at)
{
	struct dvt_handshake h;

	dvt_handshake_init(&h);
	h.at = at;
	h.outcome = DVT_HS_DEVICE_REFUSED;
	memset(h.name, 'n', 200);
	snprintf(h.name + 200, sizeof(h.name) - 200, "%u", i);
	snprintf(h.print, sizeof(h.print), "%016x", i);
	strcpy(h.confidence, "none");
	return h;
}

static void
see(struct seen *s, struct dvt_span lines)
{
	while (lines.n > 0) {
		const uint8_t *nl = memchr(lines.p, '\n', lines.n);
		size_t n = (size_t)(nl - lines.p);
		struct dvt_handshake h;

		assert_non_null(nl);
		assert_int_equal(dvt_handshake_parse(
				     (struct dvt_span){lines.p, n}, &h, NULL),
		    DVT_OK);
		s->whole += h.n == 1;
		s->all += h.n;
		s->by_outcome[h.outcome] += h.n;
		if (h.device[0] != '\0')
			s->by_device[atoi(h.device)] += h.n;
		lines = dvt_span_from(lines, n + 1);
	}
}

/* The feed process takes all that there is. */
static struct seen
drain(struct gw_queue *q)
{
	struct seen s = {0};
	struct dvt_span some;
	uint64_t number;

	while ((some = gw_queue_next(q, MESSAGE, &number)).n > 0) {
		assert_true(some.n <= MESSAGE);
		see(&s, some);
		assert_true(gw_queue_taken(q, number));
	}
	return s;
}

static void
what_does_not_fit_is_counted_by_device_and_comes_later(void **state)
{
	static const struct {
		unsigned rounds, strangers; /* of these for each device */
	} cases[] = {
	    {1,   0 },
	    {600, 0 },
	    {100, 10},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct gw_queue *q = gw_queue_new();
		int64_t refused = 0, n = 0;
		struct seen s;

		for (unsigned r = 0; r < cases[i].rounds * DEVICES; r++) {
			struct dvt_handshake h = from_device(
			    r % DEVICES, 1000 + r / 1000);

			gw_queue_add(q, &h);
			for (unsigned k = 0; k < cases[i].strangers; k++) {
				h = from_stranger(
				    r * cases[i].strangers + k, 1000);
				gw_queue_add(q, &h);
				refused++;
			}
		}
		assert_true(gw_queue_bytes(q) <= WHOLE);
		s = drain(q);
		for (unsigned d = 0; d < DEVICES; d++) {
			assert_int_equal(s.by_device[d], cases[i].rounds);
			n += s.by_device[d];
			refused += d % 3 == 0 ? 0 : s.by_device[d];
		}
		assert_int_equal(n, cases[i].rounds * DEVICES);
		assert_int_equal(s.by_outcome[DVT_HS_DEVICE_REFUSED], refused);
		assert_int_equal(s.all, n * (1 + (int64_t)cases[i].strangers));
		assert_int_equal(s.whole == s.all, cases[i].rounds == 1);
		assert_int_equal(gw_queue_bytes(q), 0);
		assert_int_equal(gw_queue_finish(q), 0);
		gw_queue_free(q);
	}
}

static void
what_was_not_taken_goes_again_and_nothing_else_with_it(void **state)
{
	struct gw_queue *q = gw_queue_new();
	struct dvt_handshake h = from_device(7, 1000);
	uint64_t first, again;
	struct dvt_span a, b;
	struct seen s;

	(void)state;
	assert_int_equal(gw_queue_next(q, MESSAGE, &first).n, 0);
	assert_false(gw_queue_is_under_way(q));
	gw_queue_add(q, &h);
	a = gw_queue_next(q, MESSAGE, &first);
	assert_true(gw_queue_is_under_way(q));
	gw_queue_add(q, &h);
	b = gw_queue_next(q, MESSAGE, &again);
	assert_int_equal(a.n, b.n);
	assert_int_equal(first, again);
	assert_false(gw_queue_taken(q, first + 1));
	assert_true(gw_queue_taken(q, first));
	assert_false(gw_queue_taken(q, first));
	s = drain(q);
	assert_int_equal(s.all, 1);
	gw_queue_free(q);
}

static void
counts_become_lines_at_the_end(void **state)
{
	struct gw_queue *q = gw_queue_new();
	size_t before;
	unsigned n = 0;

	(void)state;
	do {
		struct dvt_handshake h = from_device(n % DEVICES, 1000);

		before = gw_queue_bytes(q);
		gw_queue_add(q, &h);
		n++;
	} while (gw_queue_bytes(q) > before);
	assert_int_equal(gw_queue_finish(q), 0);
	assert_true(gw_queue_bytes(q) > before);
	assert_int_equal(drain(q).all, n);
	gw_queue_free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		what_does_not_fit_is_counted_by_device_and_comes_later),
	    cmocka_unit_test(
		what_was_not_taken_goes_again_and_nothing_else_with_it),
	    cmocka_unit_test(counts_become_lines_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
