/* SPDX-License-Identifier: Apache-2.0 */
/* The ticket that carries a name. */
#include "loop/edge_kit.h"

#include <string.h>

#include <openssl/err.h>

static void
a_ticket_names_the_device_and_is_never_resumed(void **state)
{
	struct client c = {.cert = &dev[0],
	    .trusts = "O",
	    .version = TLS1_3_VERSION,
	    .keep = true,
	    .from = "203.0.113.77:1"};
	struct pair p;

	(void)state;
	use("ON");
	assert_true(attempt(&c)); /* gets one */
	assert_non_null(ticket);
	pair_open(&p, &c); /* shows it */
	assert_true(pair_talk(&p));
	assert_false(SSL_session_reused(p.client));
	pair_close(&p);
	assert_string_equal(last.confidence, "certificate");
	/* a rejection is named by it, the address being somewhere else */
	c.trusts = "";
	c.from = "203.0.113.78:1";
	assert_false(attempt(&c));
	assert_int_equal(last.outcome, DVT_HS_DEVICE_REFUSED);
	assert_string_equal(last.device, "dev-0");
	assert_string_equal(last.confidence, "ticket");
	/* without it, the only device at this address */
	c.keep = false;
	c.from = "203.0.113.77:9";
	assert_false(attempt(&c));
	assert_string_equal(last.device, "dev-0");
	assert_string_equal(last.confidence, "address");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ticket_names_the_device_and_is_never_resumed),
	};

	return cmocka_run_group_tests(tests, world_make, world_drop);
}
