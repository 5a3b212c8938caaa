/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/json.h"

static bool
leads(const struct dvt_machine *m, const struct dvt_edge *e, int from)
{
	return e->from == from ||
	       (e->from == DVT_ANY && !dvt_machine_final(m, from));
}

static void
every_state_is_reachable(void **state)
{
	for (size_t k = 0; k < dvt_machines_n; k++) {
		const struct dvt_machine *m = dvt_machines[k];
		uint64_t seen = UINT64_C(1) << m->first, before;

		do {
			before = seen;
			for (size_t i = 0; i < m->edges_n; i++)
				for (int s = 0; s < (int)m->states_n; s++)
					if ((seen >> s & 1) != 0 &&
					    leads(m, &m->edges[i], s))
						seen |= UINT64_C(1)
							<< m->edges[i].to;
		} while (seen != before);
		for (size_t s = 0; s < m->states_n; s++)
			if (((seen ^ m->unused) >> s & 1) == 0)
				fail_msg("%s: '%s' is never reached", m->name,
				    m->states[s]);
	}
}

static void
every_state_that_is_not_final_has_a_way_out(void **state)
{
	for (size_t k = 0; k < dvt_machines_n; k++) {
		const struct dvt_machine *m = dvt_machines[k];

		for (int s = 0; s < (int)m->states_n; s++) {
			bool out = dvt_machine_final(m, s) ||
				   (m->unused >> s & 1) != 0;

			for (size_t i = 0; i < m->edges_n; i++)
				out |= leads(m, &m->edges[i], s) &&
				       m->edges[i].to != s;
			if (!out)
				fail_msg("%s: no way out of '%s'", m->name,
				    m->states[s]);
		}
	}
}

/* A row after one without a guard, for the same state and event, is dead. */
static void
no_row_is_hidden_by_an_earlier_one(void **state)
{
	for (size_t k = 0; k < dvt_machines_n; k++) {
		const struct dvt_machine *m = dvt_machines[k];

		for (size_t b = 0; b < m->edges_n; b++)
			for (size_t a = 0; a < b; a++) {
				const struct dvt_edge *x = &m->edges[a];
				const struct dvt_edge *y = &m->edges[b];

				if (x->event == y->event && x->guard == NULL &&
				    (x->from == y->from || x->from == DVT_ANY))
					fail_msg("%s: row %zu hides row %zu",
					    m->name, a, b);
			}
	}
}

static void
every_row_says_why(void **state)
{
	for (size_t k = 0; k < dvt_machines_n; k++)
		for (size_t i = 0; i < dvt_machines[k]->edges_n; i++) {
			const struct dvt_edge *e = &dvt_machines[k]->edges[i];

			assert_non_null(e->why);
			assert_null(strpbrk(e->why, "\"\\|\n"));
			assert_in_range(
			    e->to, 0, dvt_machines[k]->states_n - 1);
			assert_in_range(
			    e->action, 0, dvt_machines[k]->actions_n - 1);
		}
}

static void
an_event_without_a_row_is_a_conflict_that_names_both(void **state)
{
	const struct dvt_machine *m = dvt_machine_find("rotation");
	const struct dvt_edge *e;
	struct dvt_err err = {0};

	assert_non_null(m);
	assert_int_equal(dvt_machine_step(m, 5, 0, NULL, &e, &err),
	    DVT_E_CONFLICT); /* done, start */
	assert_null(e);
	assert_non_null(strstr(err.text, "'done'"));
	assert_non_null(strstr(err.text, "'start'"));
	assert_null(dvt_machine_find("nothing"));
}

static void
the_json_of_each_table_is_json(void **state)
{
	for (size_t k = 0; k < dvt_machines_n; k++) {
		struct dvt_buf b;
		json_t *obj;

		dvt_buf_init(&b, 1 << 20);
		dvt_machine_json(dvt_machines[k], &b);
		assert_int_equal(
		    dvt_json_parse(dvt_buf_span(&b), b.n, &obj, NULL), DVT_OK);
		assert_int_equal(json_array_size(json_object_get(obj, "edges")),
		    dvt_machines[k]->edges_n);
		json_decref(obj);
		dvt_buf_fini(&b);
	}
}

static void
the_text_of_a_table_has_a_line_per_row(void **state)
{
	const struct dvt_machine *m = dvt_machine_find("phase");
	struct dvt_buf b;
	size_t lines = 0;

	dvt_buf_init(&b, 1 << 20);
	dvt_machine_text(m, &b);
	for (size_t i = 0; i < b.n; i++)
		lines += b.p[i] == '\n';
	assert_int_equal(lines, m->edges_n + 1);
	dvt_buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_state_is_reachable),
	    cmocka_unit_test(every_state_that_is_not_final_has_a_way_out),
	    cmocka_unit_test(no_row_is_hidden_by_an_earlier_one),
	    cmocka_unit_test(every_row_says_why),
	    cmocka_unit_test(
		an_event_without_a_row_is_a_conflict_that_names_both),
	    cmocka_unit_test(the_json_of_each_table_is_json),
	    cmocka_unit_test(the_text_of_a_table_has_a_line_per_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
