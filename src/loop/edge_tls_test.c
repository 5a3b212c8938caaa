/* SPDX-License-Identifier: Apache-2.0 */
/* An edge as a whole: records, ends, garbage, sets. */
#include "loop/edge_kit.h"

#include <string.h>

#include <openssl/err.h>

static void
a_known_device_comes_in_and_is_recorded(void **state)
{
	(void)state;
	use("ON");
	for (int v = 0; v < 2; v++) {
		struct client c = {.cert = &dev[0],
		    .trusts = "O",
		    .name = "edge.example",
		    .version = versions[v]};

		assert_true(attempt(&c));
		assert_int_equal(last.outcome, DVT_HS_OK);
		assert_string_equal(last.device, "dev-0");
		assert_string_equal(last.confidence, "certificate");
		assert_string_equal(last.credential, "old");
		assert_string_equal(last.root, fp_old);
		assert_string_equal(last.form, "pure");
		assert_string_equal(last.why, "default");
		assert_string_equal(last.name, "edge.example");
		assert_string_equal(last.address, "192.0.2.1");
		assert_string_equal(
		    last.protocol, v == 0 ? "TLSv1.2" : "TLSv1.3");
		assert_int_equal(strlen(last.certificate), 64);
		assert_int_equal(last.alert, -1);
		assert_true(last.duration_us > 0);
	}
}

static void
garbage_and_silence_do_no_harm(void **state)
{
	static const char *const first[] = {"", "\r\n",
	    "GET / HTTP/1.0\r\n\r\n",
	    "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", "\x16\x03\x01\x40\x01",
	    "\x80\x2e\x01\x03\x01", "\x15\x03\x03\x00\x02\x02\x28"};

	(void)state;
	use("ON");
	for (size_t i = 0; i < DVT_COUNT(first); i++) {
		SSL *ssl = SSL_new(dvt_edge_ctx(edge));
		BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
		struct dvt_addr from;
		size_t n = i == 3 ? 10 : i == 6 ? 7 : strlen(first[i]);

		records = 0;
		assert_int_equal(
		    dvt_addr_parse("192.0.2.66:1", &from, NULL), DVT_OK);
		BIO_write(in, first[i], (int)n);
		BIO_set_mem_eof_return(in, 0);
		dvt_edge_attach(edge, ssl, &from);
		SSL_set_bio(ssl, in, out);
		assert_int_not_equal(SSL_accept(ssl), 1);
		ERR_clear_error();
		SSL_free(ssl);
		assert_in_range(records, 0, 1);
		if (records == 1)
			assert_int_not_equal(last.outcome, DVT_HS_OK);
	}
}

static void
ends_without_an_alert_count_as_well(void **state)
{
	static const struct {
		enum dvt_edge_how how;
		enum dvt_outcome half, done;
		enum dvt_hs_reason half_why, done_why;
		const char *from;
	} rows[] = {
	    {DVT_EDGE_CLOSED,  DVT_HS_DEVICE_REFUSED, DVT_HS_DEVICE_REFUSED,
             DVT_HR_CLOSED,								  DVT_HR_CLOSED, "203.0.113.201:1"},
	    {DVT_EDGE_RESET,   DVT_HS_DEVICE_REFUSED, DVT_HS_DEVICE_REFUSED,
             DVT_HR_RESET,								   DVT_HR_RESET,  "203.0.113.202:1"},
	    {DVT_EDGE_TIMEOUT, DVT_HS_NETWORK,        DVT_HS_OK,             DVT_HR_TIMEOUT,
             DVT_HR_OK,										     "203.0.113.203:1"},
	    {DVT_EDGE_LOCAL,   DVT_HS_NETWORK,        DVT_HS_OK,             DVT_HR_CLOSED,
             DVT_HR_OK,										     "203.0.113.204:1"},
	};

	(void)state;
	use("ON");
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct client c = {.cert = &dev[0],
		    .trusts = "O",
		    .version = TLS1_3_VERSION,
		    .from = rows[i].from};
		struct pair p = {0};

		pair_open(&p, &c);
		dvt_edge_end(p.server, rows[i].how);
		pair_close(&p);
		assert_int_equal(records, 1);
		assert_int_equal(last.outcome, rows[i].done);
		assert_int_equal(last.reason, rows[i].done_why);
		/* and after our flight alone */
		pair_begin(&p, &c);
		p.client_ok = p.server_ok = false;
		SSL_do_handshake(p.client);
		SSL_do_handshake(p.server);
		dvt_edge_end(p.server, rows[i].how);
		pair_close(&p);
		assert_int_equal(records, 1);
		assert_int_equal(last.outcome, rows[i].half);
		assert_int_equal(last.reason, rows[i].half_why);
	}
}

static void
denied_before_its_record_is_out_is_no_success(void **state)
{
	struct client c = {.cert = &dev[0],
	    .trusts = "O",
	    .version = TLS1_3_VERSION,
	    .from = "203.0.113.205:1"};
	struct pair p = {0};

	(void)state;
	use("ON");
	pair_open(&p, &c);
	assert_true(p.server_ok);
	dvt_edge_refuse(p.server, DVT_HR_DENIED_REVOKED);
	dvt_edge_end(p.server, DVT_EDGE_LOCAL);
	pair_close(&p);
	assert_int_equal(records, 1);
	assert_int_equal(last.outcome, DVT_HS_EDGE_REFUSED);
	assert_int_equal(last.reason, DVT_HR_DENIED_REVOKED);
	assert_string_equal(last.device, "dev-0");
	assert_string_equal(last.confidence, "certificate");
	/* once it was a success, it was one */
	pair_open(&p, &c);
	assert_true(pair_talk(&p));
	dvt_edge_refuse(p.server, DVT_HR_DENIED_REVOKED);
	pair_close(&p);
	assert_int_equal(records, 1);
	assert_int_equal(last.outcome, DVT_HS_OK);
	/* before it is proven, nobody is refused by name */
	pair_begin(&p, &c);
	SSL_do_handshake(p.client);
	SSL_do_handshake(p.server);
	dvt_edge_refuse(p.server, DVT_HR_DENIED_REVOKED);
	dvt_edge_end(p.server, DVT_EDGE_TIMEOUT);
	pair_close(&p);
	assert_int_equal(last.outcome, DVT_HS_NETWORK);
}

static void
a_set_is_checked_before_it_is_used(void **state)
{
	struct dvt_chain good = testca_chain(leaf_old.cert, sub_old.cert, NULL);
	struct dvt_chain disorder = testca_chain(
	    leaf_old.cert, sub_new.cert, NULL);
	struct dvt_chain ca = testca_chain(sub_old.cert, NULL, NULL);
	struct {
		const struct dvt_chain *chain;
		EVP_PKEY *key;
		int64_t now;
		enum dvt_code rc;
	} rows[] = {
	    {&good,     leaf_old.key, TESTCA_NOW,                 DVT_OK        },
	    {&good,     leaf_new.key, TESTCA_NOW,                 DVT_E_CONFLICT},
	    {&disorder, leaf_old.key, TESTCA_NOW,                 DVT_E_INPUT   },
	    {&ca,       sub_old.key,  TESTCA_NOW,                 DVT_E_INPUT   },
	    {&good,     leaf_old.key, TESTCA_NOW + 400LL * DAY_S, DVT_E_INPUT   },
	    {&good,     leaf_old.key, TESTCA_NOW - 20LL * DAY_S,  DVT_E_INPUT   },
	};
	struct dvt_edge_set *s = dvt_edge_set_new();

	(void)state;
	assert_int_equal(dvt_edge_set_seal(s, NULL), DVT_E_ABSENT);
	dvt_edge_set_unref(s);
	s = dvt_edge_set_new();
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_edge_credential c = {.id = "x",
		    .listener = "main",
		    .chain = rows[i].chain,
		    .key = rows[i].key};

		assert_int_equal(
		    dvt_edge_set_add(s, &c, rows[i].now, NULL), rows[i].rc);
	}
	/* the root is found among the anchors */
	dvt_edge_set_anchor(s, root_old.cert);
	assert_int_equal(dvt_edge_set_seal(s, NULL), DVT_OK);
	assert_string_equal(dvt_edge_set_chain(s, 0)->offer->root, fp_old);
	dvt_edge_set_unref(s);
	dvt_chain_fini(&good);
	dvt_chain_fini(&disorder);
	dvt_chain_fini(&ca);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_device_comes_in_and_is_recorded),
	    cmocka_unit_test(garbage_and_silence_do_no_harm),
	    cmocka_unit_test(ends_without_an_alert_count_as_well),
	    cmocka_unit_test(denied_before_its_record_is_out_is_no_success),
	    cmocka_unit_test(a_set_is_checked_before_it_is_used),
	};

	return cmocka_run_group_tests(tests, world_make, world_drop);
}
