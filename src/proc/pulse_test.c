/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/pulse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LIMIT 10000
#define BEAT  1000

/* Beats that come as late as said; when does a child hang that stops answering
 * behind the @answers-th beat? */
static void
silence_is_counted_in_beats_and_begins_anew_after_a_pause(void **state)
{
	static const struct {
		int answers;     /* beats that are answered */
		int64_t late_ms; /* each one */
		int pause_at;    /* a beat that comes much later; -1: none */
		int hangs_at;    /* beat */
		bool busy;       /* it said so before it fell silent */
	} cases[] = {
	    {0,  0,    -1, 10,  false},
	    {1,  0,    -1, 11,  false},
	    {25, 0,    -1, 35,  false},
	    {0,  4900, -1, 10,  false}, /* a loaded machine: longer, no earlier */
	    {0,  5100, -1, -1,  false}, /* one on which nothing can be said */
	    {0,  0,    9,  19,  false}, /* suspended for an hour */
	    {0,  0,    3,  13,  false},
	    {50, 0,    20, 60,  false},
	    {5,  0,    -1, 125, true },
	    {5,  0,    30, 150, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dvt_pulse p;
		struct dvt_pulse_child c = {0};
		int64_t now = 77;
		int hangs_at = -1;

		dvt_pulse_init(&p, LIMIT, now);
		for (int n = 0; n < 200; n++) {
			enum dvt_pulse_state s;

			assert_int_equal(dvt_pulse_due(&p), now + BEAT);
			assert_false(dvt_pulse_beat(&p, now + BEAT - 1));
			now += BEAT + cases[i].late_ms;
			if (n == cases[i].pause_at)
				now += 3600000;
			assert_true(dvt_pulse_beat(&p, now));
			s = dvt_pulse_look(&p, &c);
			assert_true(n != 0 || s == DVT_PULSE_ASK);
			if (s == DVT_PULSE_HANGS) {
				assert_int_equal(hangs_at, -1); /* once */
				hangs_at = n;
			}
			if (n < cases[i].answers) {
				assert_int_equal(s, DVT_PULSE_ASK);
				dvt_pulse_answered(&c);
			}
			if (n == cases[i].answers - 1 && cases[i].busy)
				dvt_pulse_busy(&c);
		}
		assert_int_equal(hangs_at, cases[i].hangs_at);
	}
}

static void
without_a_limit_nobody_is_asked(void **state)
{
	struct dvt_pulse p;

	(void)state;
	dvt_pulse_init(&p, 0, 1000);
	assert_int_equal(dvt_pulse_due(&p), INT64_MAX);
	assert_false(dvt_pulse_beat(&p, INT64_MAX - 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		silence_is_counted_in_beats_and_begins_anew_after_a_pause),
	    cmocka_unit_test(without_a_limit_nobody_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
