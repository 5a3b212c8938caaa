/* SPDX-License-Identifier: Apache-2.0 */
/* The ticket that carries a name. */
#include "base/mem.h"
#include "loop/edge_conn.h"
#include "loop/edge_kit.h"

#include <stdlib.h>
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

/* --- what is inside --- */

static struct dvt_edge_ticket *
tickets_of(const struct dvt_edge *e)
{
	return e->ticket;
}

static const uint8_t key_a[DVT_EDGE_TICKET_KEY] = {[20] = 1};
static const uint8_t key_b[DVT_EDGE_TICKET_KEY] = {[20] = 2};

static void
names_that_fit_come_back_and_others_are_told_apart(void **state)
{
	static const struct {
		const char *name;
		bool fits;
	} rows[] = {
	    {"d",				     true },
	    {"dev-00001",			     true },
	    {"exactly-22-characters.",                true },
	    {"it-is-23-characters-lon",               false},
	    {"6ba7b810-9dad-11d1-80b4-00c04fd430c8",  true },
	    {"6BA7B810-9dad-11d1-80b4-00c04fd430c8",  false},
	    {"6ba7b8109dad-11d1-80b4-00c04fd430c8-",  false},
	    {"6ba7b810-9dad-11d1-80b4-00c04fd430cg",  false},
	    {"6ba7b810-9dad-11d1-80b4-00c04fd430c81", false},
	    {"",				      false},
	    {"\001",				  false},
	};
	struct dvt_edge_ticket *t;
	char name[DVT_DEVICE_ID_MAX + 1];
	uint8_t sealed[DVT_EDGE_TICKET];

	(void)state;
	assert_int_equal(dvt_edge_ticket_new(key_a, &t, NULL), DVT_OK);
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		assert_int_equal(
		    dvt_edge_ticket_fits(rows[i].name), rows[i].fits);
		assert_int_equal(dvt_edge_ticket_seal(t, rows[i].name, sealed),
		    rows[i].fits);
		if (!rows[i].fits)
			continue;
		assert_true(
		    dvt_edge_ticket_open(t, sealed, sizeof(sealed), name));
		assert_string_equal(name, rows[i].name);
	}
	dvt_edge_ticket_free(t);
}

static void
what_was_not_sealed_by_us_names_nobody(void **state)
{
	struct dvt_edge_ticket *a, *b;
	char name[DVT_DEVICE_ID_MAX + 1];
	uint8_t sealed[DVT_EDGE_TICKET + 1] = {0};

	(void)state;
	assert_int_equal(dvt_edge_ticket_new(key_a, &a, NULL), DVT_OK);
	assert_int_equal(dvt_edge_ticket_new(key_b, &b, NULL), DVT_OK);
	assert_false(dvt_edge_ticket_open(a, sealed, DVT_EDGE_TICKET, name));
	assert_true(dvt_edge_ticket_seal(a, "dev-1", sealed));
	assert_false(dvt_edge_ticket_open(b, sealed, DVT_EDGE_TICKET, name));
	for (size_t i = 0; i < 8 * DVT_EDGE_TICKET; i++) {
		sealed[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(
		    dvt_edge_ticket_open(a, sealed, DVT_EDGE_TICKET, name));
		assert_string_equal(name, "");
		sealed[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t n = 0; n <= sizeof(sealed); n++)
		assert_int_equal(dvt_edge_ticket_open(a, sealed, n, name),
		    n == DVT_EDGE_TICKET);
	dvt_edge_ticket_free(a);
	dvt_edge_ticket_free(b);
}

static void
two_tickets_of_one_device_do_not_look_alike(void **state)
{
	struct dvt_edge_ticket *t;
	uint8_t first[DVT_EDGE_TICKET], next[DVT_EDGE_TICKET];
	int same = 0;

	(void)state;
	assert_int_equal(dvt_edge_ticket_new(key_a, &t, NULL), DVT_OK);
	assert_true(dvt_edge_ticket_seal(t, "dev-1", first));
	for (int i = 0; i < 16; i++) {
		assert_true(dvt_edge_ticket_seal(t, "dev-1", next));
		same += memcmp(first, next, 8) == 0;
	}
	assert_in_range(same, 0, 2);
	dvt_edge_ticket_free(t);
}

/* Too long for 32 bytes: OpenSSL's form, read back as well. */
static void
a_long_name_travels_in_the_longer_form(void **state)
{
	static const char id[] = "a-device-with-quite-a-long-name-of-its-own";
	struct client c = {.cert = &below,
	    .above = &sub_dev,
	    .trusts = "O",
	    .version = TLS1_3_VERSION,
	    .keep = true,
	    .from = "203.0.113.60:1"};
	const unsigned char *bytes;
	size_t n;

	(void)state;
	use("ON");
	for (int longer = 0; longer < 2; longer++) {
		if (longer)
			feed_device(id, below.cert, "active", false);
		SSL_SESSION_free(ticket);
		ticket = NULL;
		c.trusts = "O";
		for (int i = 0; i < 3; i++) { /* got; shown, renewed */
			SSL_SESSION *before = ticket;

			assert_true(attempt(&c));
			assert_non_null(ticket);
			assert_ptr_not_equal(ticket, before);
			SSL_SESSION_get0_ticket(ticket, &bytes, &n);
			assert_int_equal(n == DVT_EDGE_TICKET, !longer);
		}
		c.trusts = "";
		c.from = longer ? "203.0.113.61:1" : "203.0.113.62:1";
		assert_false(attempt(&c));
		assert_string_equal(last.confidence, "ticket");
		assert_string_equal(last.device, longer ? id : "dev-b");
	}
}

/* The limits ask whether it is ours, of each form and not of a likeness. */
static void
either_form_is_known_as_ours(void **state)
{
	struct client c = {.cert = &below,
	    .above = &sub_dev,
	    .trusts = "O",
	    .version = TLS1_3_VERSION,
	    .keep = true,
	    .from = "203.0.113.65:1"};
	static const char *const ids[] = {"dev-b", "twenty-three-characters",
	    "6ba7b810-9dad-11d1-80b4-00c04fd430c8.sensor.factory-two.example.",
	    "b"};
	struct dvt_edge_ticket *other;

	(void)state;
	use("ON");
	assert_int_equal(dvt_edge_ticket_new(key_b, &other, NULL), DVT_OK);
	for (size_t i = 0; i < DVT_COUNT(ids); i++) {
		const unsigned char *p;
		uint8_t *bad;
		size_t n;

		feed_device(ids[i], below.cert, "active", false);
		SSL_SESSION_free(ticket);
		ticket = NULL;
		assert_true(attempt(&c));
		assert_non_null(ticket);
		SSL_SESSION_get0_ticket(ticket, &p, &n);
		assert_int_equal(n == DVT_EDGE_TICKET, strlen(ids[i]) <= 22);
		assert_true(dvt_edge_ticket_is_ours(tickets_of(edge), p, n));
		assert_false(dvt_edge_ticket_is_ours(other, p, n));
		for (size_t cut = 0; cut < n; cut++)
			assert_false(
			    dvt_edge_ticket_is_ours(tickets_of(edge), p, cut));
		bad = dvt_alloc(n);
		for (size_t at = 0; at < n; at++) {
			memcpy(bad, p, n);
			bad[at] ^= 1;
			assert_false(
			    dvt_edge_ticket_is_ours(tickets_of(edge), bad, n));
		}
		free(bad);
	}
	dvt_edge_ticket_free(other);
}

static void
a_ticket_of_the_longer_form_is_followed_by_one_that_can_be_read(void **state)
{
	struct client c = {.cert = &dev[0],
	    .trusts = "O",
	    .version = TLS1_3_VERSION,
	    .keep = true,
	    .from = "203.0.113.63:1"};

	(void)state;
	use("ON");
	/* of the device with the long name, shown by another one */
	assert_non_null(ticket);
	for (int i = 0; i < 3; i++)
		assert_true(attempt(&c));
	c.trusts = "";
	c.from = "203.0.113.64:1";
	assert_false(attempt(&c));
	assert_string_equal(last.confidence, "ticket");
	assert_string_equal(last.device, "dev-0");
}

static void
tls_1_2_gets_no_ticket(void **state)
{
	struct client c = {.cert = &dev[0],
	    .trusts = "O",
	    .version = TLS1_2_VERSION,
	    .keep = true};

	(void)state;
	use("ON");
	SSL_SESSION_free(ticket);
	ticket = NULL;
	assert_true(attempt(&c));
	assert_true(ticket == NULL || !SSL_SESSION_has_ticket(ticket));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ticket_names_the_device_and_is_never_resumed),
	    cmocka_unit_test(
		names_that_fit_come_back_and_others_are_told_apart),
	    cmocka_unit_test(what_was_not_sealed_by_us_names_nobody),
	    cmocka_unit_test(two_tickets_of_one_device_do_not_look_alike),
	    cmocka_unit_test(a_long_name_travels_in_the_longer_form),
	    cmocka_unit_test(either_form_is_known_as_ours),
	    cmocka_unit_test(
		a_ticket_of_the_longer_form_is_followed_by_one_that_can_be_read),
	    cmocka_unit_test(tls_1_2_gets_no_ticket),
	};

	return cmocka_run_group_tests(tests, world_make, world_drop);
}
