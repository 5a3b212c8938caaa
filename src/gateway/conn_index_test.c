/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/conn_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define CONNS 3000

/* What the index takes for connections: a number and its seat. */
static struct conn {
	struct gw_seat *seat;
	unsigned met;
	bool ends;
} conns[CONNS];

static void
meet(struct gw_conn *c)
{
	struct conn *x = (struct conn *)(void *)c;

	x->met++;
	if (x->ends) {
		gw_index_drop(x->seat);
		x->seat = NULL;
	}
}

static void
put(struct gw_index *ix, unsigned i, unsigned certificate, unsigned device)
{
	char cert[32], name[32];

	snprintf(cert, sizeof(cert), "c%u", certificate);
	snprintf(name, sizeof(name), "d%u", device);
	conns[i] = (struct conn){0};
	conns[i].seat = gw_index_put(
	    ix, (struct gw_conn *)(void *)&conns[i], cert, name);
}

static unsigned
met(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CONNS; i++) {
		n += conns[i].met;
		conns[i].met = 0;
	}
	return n;
}

static void
those_of_a_device_or_certificate_are_found_and_no_others(void **state)
{
	struct gw_index *ix = gw_index_new();

	(void)state;
	for (unsigned i = 0; i < CONNS; i++)
		put(ix, i, i / 2, i / 10);
	gw_index_each(ix, GW_BY_DEVICE, "d7", meet);
	for (unsigned i = 0; i < CONNS; i++)
		assert_int_equal(conns[i].met, i / 10 == 7);
	assert_int_equal(met(), 10);
	gw_index_each(ix, GW_BY_CERTIFICATE, "c7", meet);
	assert_int_equal(conns[14].met + conns[15].met, 2);
	assert_int_equal(met(), 2);
	gw_index_each(ix, GW_BY_CERTIFICATE, "d7", meet);
	gw_index_each(ix, GW_BY_DEVICE, "", meet);
	assert_int_equal(met(), 0);
	for (unsigned i = 0; i < CONNS; i++)
		gw_index_drop(conns[i].seat);
	gw_index_free(ix);
}

static void
the_one_that_is_asked_may_go(void **state)
{
	struct gw_index *ix = gw_index_new();

	(void)state;
	for (unsigned i = 0; i < CONNS; i++) {
		put(ix, i, i, 1);
		conns[i].ends = i % 3 != 0;
	}
	gw_index_each(ix, GW_BY_DEVICE, "d1", meet);
	assert_int_equal(met(), CONNS);
	gw_index_each(ix, GW_BY_DEVICE, "d1", meet);
	assert_int_equal(met(), CONNS / 3);
	gw_index_each(ix, GW_BY_CERTIFICATE, "c1", meet);
	assert_int_equal(met(), 0);
	for (unsigned i = 0; i < CONNS; i++)
		gw_index_drop(conns[i].seat);
	gw_index_free(ix);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		those_of_a_device_or_certificate_are_found_and_no_others),
	    cmocka_unit_test(the_one_that_is_asked_may_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
