/* SPDX-License-Identifier: Apache-2.0 */
#include "device/journal.h"

#include "durable/memfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct disk {
	struct dvt_memfs *fs;
	struct dvt_agent_env env;
};

static int
setup(void **state)
{
	static struct disk d;

	d.fs = dvt_memfs_new();
	d.env = (struct dvt_agent_env){.fs = &dvt_memfs, .fs_ctx = d.fs};
	*state = &d;
	return 0;
}

static int
teardown(void **state)
{
	struct disk *d = *state;

	dvt_memfs_free(d->fs);
	return 0;
}

static struct dvt_record
step(uint64_t seq, const char *name, enum dvt_step_outcome outcome)
{
	struct dvt_record r = {.kind = DVT_REC_STEP};

	r.event.seq = seq;
	r.event.at = 1764547200;
	r.event.outcome = outcome;
	(void)snprintf(r.event.id, sizeof(r.event.id), "certs-1764547200");
	(void)snprintf(r.event.step, sizeof(r.event.step), "%s", name);
	(void)snprintf(r.event.target, sizeof(r.event.target), "7");
	(void)snprintf(
	    r.event.detail, sizeof(r.event.detail), "\"quoted\" \\ \xc3\xa9");
	return r;
}

static struct dvt_record
begin(void)
{
	struct dvt_record r = {
	    .kind = DVT_REC_BEGIN, .generation = 7, .old = 6, .at = 1764547200};

	(void)snprintf(r.id, sizeof(r.id), "certs-1764547200");
	(void)snprintf(r.instruction, sizeof(r.instruction), "r2-renew");
	(void)snprintf(r.label, sizeof(r.label), "device");
	return r;
}

static struct dvt_record
done(const char *instruction, bool ok)
{
	struct dvt_record r = {.kind = DVT_REC_DONE, .ok = ok};

	(void)snprintf(r.instruction, sizeof(r.instruction), "%s", instruction);
	(void)snprintf(r.detail, sizeof(r.detail), "why");
	return r;
}

static void
every_record_goes_through_its_line_and_back(void **state)
{
	const struct dvt_record all[] = {
	    step(3, "Switch", DVT_STEP_FAIL), begin(),
	    {.kind = DVT_REC_END, .id = "certs-1764547200", .ok = true},
	    {.kind = DVT_REC_ACK,                   .event.seq = 3                        },
               done("r2-renew", false),
	    {.kind = DVT_REC_TOLD,                   .instruction = "r2-renew"},
	    {.kind = DVT_REC_SEEN,                   .at = 1764547201                        },
	    {.kind = DVT_REC_HOLD,                   .generation = 6,.at = 1764547202},
	    {.kind = DVT_REC_GONE,   .generation = 6                           },
	    {.kind = DVT_REC_PROBED,  .version = 4},
	    {.kind = DVT_REC_HOOKED,      .version = 4                               }
        };
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(all); i++) {
		struct dvt_record back;
		struct dvt_buf line;

		dvt_buf_init(&line, DVT_RECORD_LINE_MAX);
		dvt_record_format(&all[i], &line);
		assert_int_equal(line.p[line.n - 1], '\n');
		assert_int_equal(
		    dvt_record_parse(
			(struct dvt_span){line.p, line.n - 1}, &back, NULL),
		    DVT_OK);
		assert_memory_equal(&back, &all[i], sizeof(back));
		for (size_t k = 0; k < line.n - 1; k++) { /* any one bit */
			line.p[k] ^= 4;
			assert_int_not_equal(
			    dvt_record_parse(
				(struct dvt_span){line.p, line.n - 1}, &back,
				NULL),
			    DVT_OK);
			line.p[k] ^= 4;
		}
		dvt_buf_fini(&line);
	}
}

/* --- the file --- */

static void
put(struct disk *d, const struct dvt_record *r, size_t n)
{
	struct dvt_buf lines;

	dvt_buf_init(&lines, DVT_JOURNAL_MAX);
	for (size_t i = 0; i < n; i++)
		dvt_record_format(&r[i], &lines);
	assert_int_equal(
	    dvt_journal_append(&d->env, dvt_buf_span(&lines), NULL), DVT_OK);
	dvt_buf_fini(&lines);
}

static void
an_absent_journal_is_an_empty_one(void **state)
{
	struct disk *d = *state;
	struct dvt_journal_state s;
	struct dvt_history h = {0};

	assert_int_equal(dvt_journal_read(&d->env, &h, &s, NULL), DVT_OK);
	assert_int_equal(s.size, 0);
	assert_false(s.torn);
	assert_false(h.running);
}

/* Written by a process that was killed before it synced, read, then cut. */
static void
what_is_settled_stays_and_what_is_not_may_go(void **state)
{
	const struct dvt_record r[] = {
	    begin(), step(1, "Switch", DVT_STEP_START)};
	struct disk *d = *state;

	for (int settled = 0; settled < 2; settled++) {
		struct dvt_history h = {0};
		struct dvt_journal_state s;
		struct dvt_buf line;
		size_t size;

		dvt_memfs_free(d->fs);
		(void)setup(state);
		d = *state;
		dvt_history_apply(&h, &r[0]);
		assert_int_equal(
		    dvt_journal_rewrite(&d->env, &h, &size, NULL), DVT_OK);
		dvt_history_fini(&h);
		dvt_buf_init(&line, DVT_JOURNAL_MAX);
		dvt_record_format(&r[1], &line);
		dvt_memfs_cut(d->fs, 1, DVT_CUT_KILL, 0); /* at its fsync */
		assert_int_equal(
		    dvt_journal_append(&d->env, dvt_buf_span(&line), NULL),
		    DVT_E_SYSTEM);
		dvt_buf_fini(&line);
		dvt_memfs_power_on(d->fs);
		if (settled == 1)
			assert_int_equal(
			    dvt_journal_settle(&d->env, NULL), DVT_OK);
		dvt_memfs_power_on(d->fs); /* a cut */
		memset(&h, 0, sizeof(h));
		assert_int_equal(
		    dvt_journal_read(&d->env, &h, &s, NULL), DVT_OK);
		assert_int_equal(h.events_n, settled);
		dvt_history_fini(&h);
	}
}

static void
a_torn_end_is_passed_over(void **state)
{
	static const struct {
		const char *why, *more;
	} cases[] = {
	    {"half a line",           "12345678 {\"k\":\"se"},
	    {"no line feed",          "x"                   },
	    {"a bad line, then none", "nonsense\n"          },
	};
	const struct dvt_record r[] = {
	    begin(), step(1, "Switch", DVT_STEP_START)};
	struct disk *d = *state;

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_journal_state s;
		struct dvt_history h = {0};

		dvt_memfs_free(d->fs);
		(void)setup(state);
		put(d, r, 2);
		assert_int_equal(dvt_journal_append(&d->env,
				     dvt_span_str(cases[i].more), NULL),
		    DVT_OK);
		assert_int_equal(
		    dvt_journal_read(&d->env, &h, &s, NULL), DVT_OK);
		assert_true(h.running);
		assert_int_equal(h.events_n, 1);
		if (!s.torn || s.damaged != 0)
			fail_msg("%s", cases[i].why);
		dvt_history_fini(&h);
	}
}

static void
damage_in_the_middle_costs_one_line_and_is_kept_aside(void **state)
{
	struct disk *d = *state;
	const struct dvt_record r[] = {
	    begin(), step(1, "Switch", DVT_STEP_START)};
	struct dvt_journal_state s;
	struct dvt_history h = {0};
	struct dvt_buf aside;
	size_t size;

	put(d, r, 1);
	assert_int_equal(
	    dvt_journal_append(&d->env, DVT_SPAN_LIT("rot\n"), NULL), DVT_OK);
	put(d, r + 1, 1);
	assert_int_equal(dvt_journal_read(&d->env, &h, &s, NULL), DVT_OK);
	assert_int_equal(s.damaged, 1);
	assert_int_equal(h.events_n, 1);
	assert_string_equal(h.step, "Switch");
	assert_int_equal(dvt_journal_set_aside(&d->env, NULL), DVT_OK);
	assert_int_equal(dvt_journal_rewrite(&d->env, &h, &size, NULL), DVT_OK);
	dvt_history_fini(&h);
	assert_int_equal(dvt_journal_read(&d->env, &h, &s, NULL), DVT_OK);
	assert_int_equal(s.damaged, 0);
	assert_true(h.running);
	dvt_buf_init(&aside, DVT_JOURNAL_MAX);
	assert_int_equal(
	    dvt_memfs.read(d->fs, "journal.bad", &aside, NULL), DVT_OK);
	assert_non_null(strstr(dvt_buf_str(&aside), "rot\n"));
	dvt_buf_fini(&aside);
	dvt_history_fini(&h);
}

static void
rubbish_instead_of_a_journal_is_damage(void **state)
{
	struct disk *d = *state;
	struct dvt_journal_state s;
	struct dvt_history h = {0};

	assert_int_equal(
	    dvt_journal_append(&d->env, DVT_SPAN_LIT("x\ny\n\0z"), NULL),
	    DVT_OK);
	assert_int_equal(dvt_journal_read(&d->env, &h, &s, NULL), DVT_OK);
	assert_int_equal(s.damaged, 3);
	dvt_history_fini(&h);
}

/* --- what it adds up to --- */

static void
a_rewrite_adds_up_to_the_same(void **state)
{
	struct disk *d = *state;
	struct dvt_journal_state s;
	struct dvt_history h = {0}, again = {0};
	struct dvt_record r;
	size_t size, n;

	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "i-%d", i);
		r = done(name, i % 2 == 0);
		dvt_history_apply(&h, &r);
	}
	r = (struct dvt_record){.kind = DVT_REC_TOLD, .instruction = "i-19"};
	dvt_history_apply(&h, &r);
	r = (struct dvt_record){.kind = DVT_REC_HOLD, .generation = 6, .at = 9};
	dvt_history_apply(&h, &r);
	r = (struct dvt_record){.kind = DVT_REC_SEEN, .at = 1764547201};
	dvt_history_apply(&h, &r);
	r = begin();
	dvt_history_apply(&h, &r);
	for (uint64_t seq = 1; seq <= 500; seq++) {
		r = step(seq, seq % 2 == 0 ? "Switch" : "Try new credential",
		    DVT_STEP_START);
		dvt_history_apply(&h, &r);
	}
	r = (struct dvt_record){.kind = DVT_REC_ACK, .event.seq = 450};
	dvt_history_apply(&h, &r);
	(void)dvt_history_unreported(&h, &n);
	assert_int_equal(n, 50);
	assert_int_equal(h.events_n, 50 + DVT_HISTORY_RECENT);
	assert_int_equal(h.done_n, DVT_HISTORY_DONE);

	assert_int_equal(dvt_journal_rewrite(&d->env, &h, &size, NULL), DVT_OK);
	assert_int_equal(dvt_journal_read(&d->env, &again, &s, NULL), DVT_OK);
	assert_int_equal(s.size, size);
	assert_int_equal(again.seq, h.seq);
	assert_int_equal(again.acked, h.acked);
	assert_int_equal(again.events_n, h.events_n);
	assert_memory_equal(again.done, h.done, sizeof(h.done));
	assert_memory_equal(again.hold, h.hold, sizeof(h.hold));
	assert_int_equal(again.seen_at, h.seen_at);
	assert_int_equal(again.highest, h.highest);
	assert_true(again.running);
	assert_string_equal(again.step, h.step);
	assert_string_equal(again.instruction, "r2-renew");
	assert_null(dvt_history_done_get(&again, "i-0"));
	assert_false(dvt_history_done_get(&again, "i-19")->ok);
	assert_true(dvt_history_done_get(&again, "i-19")->told);
	dvt_history_fini(&h);
	dvt_history_fini(&again);
}

static void
of_too_many_held_generations_the_oldest_is_forgotten(void **state)
{
	struct dvt_history h = {0};

	(void)state;
	for (int64_t n = 1; n <= DVT_HISTORY_HOLDS + 8; n++) {
		struct dvt_record r = {
		    .kind = DVT_REC_HOLD, .generation = n, .at = 100 + n};

		dvt_history_apply(&h, &r);
		assert_non_null(dvt_history_hold_get(&h, n));
	}
	assert_int_equal(h.hold_n, DVT_HISTORY_HOLDS);
	assert_null(dvt_history_hold_get(&h, 8));
	assert_int_equal(dvt_history_hold_get(&h, 9)->since, 109);
	dvt_history_fini(&h);
}

static void
too_many_unreported_events_lose_the_oldest(void **state)
{
	struct dvt_history h = {0};
	const struct dvt_agent_event *e;
	size_t n;

	(void)state;
	for (uint64_t seq = 1; seq <= 1000; seq++) {
		struct dvt_record r = step(seq, "Switch", DVT_STEP_START);

		dvt_history_apply(&h, &r);
	}
	e = dvt_history_unreported(&h, &n);
	assert_int_equal(n, DVT_HISTORY_EVENTS);
	assert_int_equal(e[n - 1].seq, 1000);
	dvt_history_fini(&h);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_record_goes_through_its_line_and_back),
	    T(an_absent_journal_is_an_empty_one),
	    T(what_is_settled_stays_and_what_is_not_may_go),
	    T(a_torn_end_is_passed_over),
	    T(rubbish_instead_of_a_journal_is_damage),
	    T(damage_in_the_middle_costs_one_line_and_is_kept_aside),
	    T(a_rewrite_adds_up_to_the_same),
	    cmocka_unit_test(
		of_too_many_held_generations_the_oldest_is_forgotten),
	    cmocka_unit_test(too_many_unreported_events_lose_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
