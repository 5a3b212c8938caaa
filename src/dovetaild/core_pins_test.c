/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_fixture.h"

#include "dovetaild/core_pins.h"
#include "pki/chain.h"
#include "store/edge.h"
#include "wire/pem.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char serials[2][DVT_SERIAL_HEX];

/* A gateway that shows "b" under root R first, and holds "a" beside it. */
static void
a_gateway(struct fixture *f)
{
	fixture_sql(f, "INSERT INTO gateway (name, kind, site, names,"
		       " next_name, trial_name, default_root, next_root,"
		       " forced, applied, applied_at, heard_at, batch,"
		       " clock_off_s, sessions, version, created_at) VALUES"
		       " ('gw-1', 'gateway', '', '[\"edge.test\"]', '', '',"
		       " 'R', '', 0, 0, 0, 0, 0, 0, 0, '', 1)");
}

static void
holds(struct fixture *f, const char *id, const char *slot, const char *pem,
    char serial[DVT_SERIAL_HEX])
{
	struct dvt_chain chain = {.n = 0};
	char *sql = dvt_asprintf(
	    "INSERT INTO gateway_credential (gateway, id, listener, slot,"
	    " generation, names, authority_id, root, key_digest, csr,"
	    " chain_pem, fingerprint, not_after, rotation_id, created_at)"
	    " VALUES ('gw-1', '%s', 'main', '%s', 0, '[]', 0, 'R', '', x'',"
	    " '%s', '%s', 9999999999, 0, 1)",
	    id, slot, pem, id);

	fixture_sql(f, sql);
	free(sql);
	assert_int_equal(
	    dvt_chain_from_pem(dvt_span_str(pem), &chain, NULL), DVT_OK);
	dvt_x509_serial(chain.cert[0], serial);
	dvt_chain_fini(&chain);
}

/* A certificate of another issuer than that of edges: a CA below the root. */
static char *
another_pem(struct fixture *f)
{
	char *hex = fixture_text(
	    f, "SELECT hex(der) FROM authority WHERE name = 'device-ca'");
	uint8_t der[4096];
	struct dvt_buf pem;
	char *out;
	size_t n;

	assert_int_equal(dvt_unhex(hex, der, sizeof(der), &n, NULL), DVT_OK);
	dvt_buf_init(&pem, 16384);
	dvt_pem_put(&pem, DVT_PEM_CERT, (struct dvt_span){der, n});
	out = dvt_strdup(dvt_buf_str(&pem));
	dvt_buf_fini(&pem);
	free(hex);
	return out;
}

struct took {
	int chain; /* 0: "a", 1: "b" */
	const char *why;
};

static enum dvt_code
take(struct core *c, void *ctx, struct dvt_err *err)
{
	const struct took *t = ctx;
	struct dvt_row_gateway g;
	struct dvt_handshake h;
	enum dvt_code rc = dvt_store_gateway_get(
	    core_tx(c), core_arena(c), "gw-1", &g, err);

	dvt_handshake_init(&h);
	h.at = 1000;
	strcpy(h.device, "dev-1");
	strcpy(h.credential, t->chain == 0 ? "a" : "b");
	strcpy(h.serial, serials[t->chain]);
	strcpy(h.root, "R");
	strcpy(h.form, "pure");
	strcpy(h.why, t->why);
	return rc == DVT_OK ? core_pins_learn(c, &g, &h, err) : rc;
}

static void
a_device_is_classed_by_what_it_takes_after_refusals(void **state)
{
	static const struct {
		struct took took;
		const char *pins; /* from then on */
	} rows[] = {
	    {{0, "default"}, ""    },
	    {{0, "memory"},  ""    }, /* may be a stranger's doing */
	    {{0, "turn"},    "leaf"},
	    {{0, "default"}, "leaf"},
	    {{1, "default"}, "root"}, /* two issuers: no pin at all */
	    {{0, "memory"},  "root"},
	};
	struct fixture *f = *state;
	char *one, *two;

	a_gateway(f);
	one = fixture_text(f, "SELECT chain_pem FROM gateway_credential WHERE"
			      " gateway = 'front-1' AND chain_pem <> ''");
	two = another_pem(f);
	holds(f, "a", "previous", one, serials[0]);
	holds(f, "b", "current", two, serials[1]);
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct took t = rows[i].took;
		struct dvt_err err;
		char *pins;

		if (core_within(f->core, take, &t, &err) != DVT_OK)
			fail_msg("row %zu: %s", i, err.text);
		fixture_settle(f);
		pins = fixture_text(f, "SELECT pins FROM device_pin");
		if (strcmp(pins, rows[i].pins) != 0)
			fail_msg("row %zu: '%s'", i, pins);
		free(pins);
	}
	/* the change is told, and nothing else is */
	assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM event WHERE"
					   " name = 'DEVICE_PINS'"),
	    2);
	free(one);
	free(two);
}

static void
a_refusal_of_the_same_leaf_or_of_another_root_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct took t = {0, "memory"};
	char *one = fixture_text(f,
	    "SELECT chain_pem FROM gateway_credential WHERE gateway = "
	    "'front-1' AND chain_pem <> ''");

	a_gateway(f);
	holds(f, "a", "current", one, serials[0]); /* cross refused, pure not */
	for (int i = 0; i < 5; i++)
		assert_int_equal(core_within(f->core, take, &t, NULL), DVT_OK);
	fixture_settle(f);
	assert_int_equal(
	    fixture_number(f, "SELECT SUM(after_refusal) FROM chain_taken"), 0);
	/* the new root, and no cross-certificate that leads to R */
	fixture_sql(f, "UPDATE gateway SET default_root = 'N'");
	for (int i = 0; i < 5; i++)
		assert_int_equal(core_within(f->core, take, &t, NULL), DVT_OK);
	fixture_settle(f);
	assert_int_equal(
	    fixture_number(f, "SELECT SUM(after_refusal) FROM chain_taken"), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT taken FROM chain_taken"), 10);
	free(one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_device_is_classed_by_what_it_takes_after_refusals,
		fixture_set_up, fixture_tear_down),
	    cmocka_unit_test_setup_teardown(
		a_refusal_of_the_same_leaf_or_of_another_root_says_nothing,
		fixture_set_up, fixture_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
