/* SPDX-License-Identifier: Apache-2.0 */
/* Which chain a client is shown. */
#include "loop/edge_kit.h"

#include <string.h>

#include <openssl/err.h>

static void
a_device_that_rejects_us_gets_another_chain(void **state)
{
	(void)state;
	use("NN+");
	for (int v = 0; v < 2; v++) {
		struct client c = {.cert = &dev[0],
		    .trusts = "",
		    .version = versions[v],
		    .from = v == 0 ? "203.0.113.1:1" : "203.0.113.2:1"};
		static const char *const forms[] = {
		    "cross", "pure", "pure", "leaf", "leaf", "cross"};

		for (size_t i = 0; i < DVT_COUNT(forms); i++) {
			assert_false(attempt(&c));
			assert_int_equal(last.outcome, DVT_HS_DEVICE_REFUSED);
			assert_int_equal(last.reason, DVT_HR_UNKNOWN_CA);
			assert_int_equal(last.alert, 48);
			assert_false(last.alert_out);
			assert_string_equal(last.form, forms[i]);
			assert_string_equal(
			    last.root, i == 2 || i == 3 ? fp_old : fp_new);
			assert_string_equal(
			    last.why, i % 5 == 0 ? "default" : "memory");
		}
	}
}

static void
each_root_store_gets_in_at_once_with_the_cross_certificate(void **state)
{
	static const char *const trusts[] = {"O", "N", "ON"};

	(void)state;
	use("NN+");
	for (size_t i = 0; i < 6; i++) {
		struct client c = {.cert = &dev[0],
		    .trusts = trusts[i / 2],
		    .version = versions[i % 2],
		    .from = "203.0.113.9:1"};

		assert_true(attempt(&c));
		assert_string_equal(last.form, "cross");
		assert_string_equal(last.root, fp_new);
	}
}

static void
a_flight_fits_the_fragment_that_was_agreed_on(void **state)
{
	static const struct {
		uint8_t fragment;
		const char *form;
		bool again; /* it can put more together than it asked for */
	} rows[] = {
	    {TLSEXT_max_fragment_length_4096, "cross", false},
	    {TLSEXT_max_fragment_length_1024, "pure",  false},
	    {TLSEXT_max_fragment_length_512,  "leaf",  true },
	};
	struct pair p;

	(void)state;
	use("NN+");
	for (size_t i = 0; i < 2 * DVT_COUNT(rows); i++) {
		char from[] = "203.0.113.20:1";
		struct client c = {.cert = &dev[0],
		    .trusts = "N",
		    .version = versions[i % 2],
		    .fragment = rows[i / 2].fragment,
		    .from = from};

		from[11] = (char)('0' + i);
		pair_open(&p, &c);
		assert_int_equal(SSL_SESSION_get_max_fragment_length(
				     SSL_get_session(p.server)),
		    rows[i / 2].fragment);
		assert_int_equal(pair_talk(&p), !rows[i / 2].again);
		pair_close(&p);
		assert_string_equal(last.form, rows[i / 2].form);
		for (int more = 0; rows[i / 2].again && more < 4; more++)
			if (attempt(&c))
				break;
		assert_int_equal(last.outcome, DVT_HS_OK);
	}
}

static void
a_client_that_names_its_roots_is_shown_one_of_them(void **state)
{
	static const struct {
		const char *policy, *trusts;
		bool new_root;
	} rows[] = {
	    {"ON", "O",  false},
	    {"ON", "N",  true },
	    {"ON", "ON", false},
	    {"NN", "O",  false},
	    {"NN", "ON", true },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct client c = {.cert = &dev[0],
		    .trusts = rows[i].trusts,
		    .version = TLS1_3_VERSION,
		    .tells = true};

		use(rows[i].policy);
		assert_true(attempt(&c));
		assert_string_equal(
		    last.root, rows[i].new_root ? fp_new : fp_old);
		assert_string_equal(last.form, "pure");
		assert_string_equal(last.why, "authorities");
	}
}

static void
probe_names_count_when_left_in_order(void **state)
{
	static const struct {
		const char *policy, *name;
		enum dvt_outcome outcome;
		const char *why;
	} rows[] = {
	    {"ON", "next.example",  DVT_HS_OK,             "next-name"},
	    {"NN", "trial.example", DVT_HS_OK,             "default"  },
	    {"NN", "edge.example",  DVT_HS_DEVICE_REFUSED, "default"  },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows) * 2; i++) {
		struct client c = {.cert = &dev[0],
		    .trusts = "N",
		    .name = rows[i / 2].name,
		    .version = versions[i % 2]};
		struct pair p;
		char b;

		use(rows[i / 2].policy);
		pair_open(&p, &c);
		assert_true(p.client_ok && p.server_ok);
		assert_int_equal(records, 0);
		SSL_shutdown(p.client);
		assert_int_equal(SSL_read(p.server, &b, 1), 0);
		pair_close(&p);
		assert_int_equal(records, 1);
		assert_int_equal(last.outcome, rows[i / 2].outcome);
		assert_string_equal(last.why, rows[i / 2].why);
		assert_string_equal(last.root, fp_new);
	}
}

/* "edge" is a device that holds the old root alone. */
static void
a_device_called_like_the_edge_decides_for_nobody_else(void **state)
{
	static const struct {
		const char *name, *device, *root, *why;
	} rows[] = {
	    {"edge.example",  "",     "new", "default"},
	    {"EDGE.example",  "",     "new", "default"},
	    {"trial.example", "",     "new", "default"},
	    {"edge.devices",  "edge", "old", "trust"  },
	};
	struct dvt_feed_entry *e;

	(void)state;
	use("NN");
	for (int i = 0; i < 2; i++) {
		e = dvt_feed_entry_new(
		    DVT_FEED_DEVICE, i == 0 ? "edge" : "trial", 1);
		strcpy(e->u.device.state, "active");
		e->u.device.trust_known = true;
		dvt_feed_list_add(&e->u.device.trust, fp_old);
		dvt_feed_list_add(&e->u.device.refused, fp_new);
		dvt_feed_put(feed, e);
	}
	for (size_t i = 0; i < DVT_COUNT(rows) * 2; i++) {
		struct client c = {.trusts = "ON",
		    .name = rows[i / 2].name,
		    .version = versions[i % 2],
		    .from = "198.18.5.1:1"};

		assert_false(attempt(&c)); /* it shows no certificate */
		assert_string_equal(last.device, rows[i / 2].device);
		assert_string_equal(last.why, rows[i / 2].why);
		assert_string_equal(last.root,
		    strcmp(rows[i / 2].root, "old") == 0 ? fp_old : fp_new);
	}
}

static void
a_next_name_without_its_chain_is_refused(void **state)
{
	struct client c = {.cert = &dev[0],
	    .trusts = "ON",
	    .name = "next.example",
	    .version = TLS1_3_VERSION};
	struct dvt_edge_set *s = dvt_edge_set_new();
	struct dvt_feed_policy p = {.next_name = "next.example"};

	(void)state;
	set_add(s, "old", &leaf_old, &sub_old, &root_old, NULL,
	    DVT_SLOT_CURRENT, 1);
	memcpy(p.default_root, fp_old, 65);
	memcpy(p.next_root, fp_new, 65);
	dvt_edge_set_policy(s, &p);
	assert_int_equal(dvt_edge_set_seal(s, NULL), DVT_OK);
	dvt_edge_use(edge, s, feed);
	assert_false(attempt(&c));
	assert_int_equal(last.alert, SSL_AD_UNRECOGNIZED_NAME);
	assert_int_equal(last.outcome, DVT_HS_EDGE_REFUSED);
}

/* A client that can use one kind of key gets it, generation first. */
static void
each_gets_the_pair_of_keys_it_can_use(void **state)
{
	static const struct {
		const char *what, *ciphers, *algorithms, *want;
		int version;
	} rows[] = {
	    {"both kinds: EC",
             "ECDHE-RSA-AES128-GCM-SHA256:"
		"ECDHE-ECDSA-AES128-GCM-SHA256",					NULL,			"new",     TLS1_2_VERSION},
	    {"a cipher for RSA, whatever it signs with",
             "ECDHE-RSA-AES128-GCM-SHA256",                                             NULL,                        "new-rsa", TLS1_2_VERSION},
	    {"signatures by RSA alone",                  NULL,                          "RSA+SHA256:RSA-PSS+SHA256",
             "new-rsa",													 TLS1_2_VERSION},
	    {"TLS 1.3: both kinds",                      NULL,                          NULL,                        "new",     TLS1_3_VERSION},
	    {"TLS 1.3: its ciphers say nothing",         "ECDHE-RSA-AES128-GCM-SHA256",
             NULL,												   "new",     TLS1_3_VERSION},
	    {"TLS 1.3: RSA alone",                       NULL,                          "RSA-PSS+SHA256:RSA+SHA256", "new-rsa",
             TLS1_3_VERSION														   },
	};
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_SERVER);
	struct dvt_edge_set *s = set_begin("NN");
	struct testca rsa;

	(void)state;
	assert_int_equal(dvt_key_new(DVT_KEY_RSA, 2048, &rsa.key, NULL), 0);
	rsa.cert = testca_issue(&sub_new, "CN=edge", rsa.key, f);
	set_add(
	    s, "new-rsa", &rsa, &sub_new, &root_new, NULL, DVT_SLOT_NEXT, 2);
	set_use(s);
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		char from[] = "203.0.113.60:1";
		/* the device's own key is EC: it cannot prove it by RSA */
		struct client c = {.cert = &dev[0],
		    .trusts = "N",
		    .version = rows[i].version,
		    .ciphers = rows[i].ciphers,
		    .algorithms = rows[i].algorithms,
		    .from = from};
		struct pair p;

		from[11] = (char)('0' + i);
		pair_open(&p, &c);
		pair_close(&p);
		if (strcmp(last.credential, rows[i].want) != 0)
			fail_msg("%s: shown %s", rows[i].what, last.credential);
		assert_string_equal(last.root, fp_new);
	}
	testca_fini(&rsa);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_device_that_rejects_us_gets_another_chain),
	    cmocka_unit_test(
		each_root_store_gets_in_at_once_with_the_cross_certificate),
	    cmocka_unit_test(a_flight_fits_the_fragment_that_was_agreed_on),
	    cmocka_unit_test(
		a_client_that_names_its_roots_is_shown_one_of_them),
	    cmocka_unit_test(each_gets_the_pair_of_keys_it_can_use),
	    cmocka_unit_test(probe_names_count_when_left_in_order),
	    cmocka_unit_test(
		a_device_called_like_the_edge_decides_for_nobody_else),
	    cmocka_unit_test(a_next_name_without_its_chain_is_refused),
	};

	return cmocka_run_group_tests(tests, world_make, world_drop);
}
