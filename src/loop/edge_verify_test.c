/* SPDX-License-Identifier: Apache-2.0 */
/* Who may come in, and what is remembered of it. */
#include "loop/edge_kit.h"
#include "pki/crl.h"

#include <string.h>

#include <openssl/err.h>

static void
what_the_edge_refuses_it_names(void **state)
{
	struct row {
		const char *what;
		const struct testca *cert;
		enum dvt_hs_reason reason;
		int alert; /* in TLS 1.3 */
		const char *device;
	} rows[] = {
	    {"no certificate", NULL,          DVT_HR_NO_CERTIFICATE,  116, ""     },
	    {"blocked",        &dev[1],       DVT_HR_DENIED_BLOCKED,  42,  "dev-1"},
	    {"denied",         &dev[2],       DVT_HR_DENIED_REVOKED,  44,  "dev-2"},
	    {"expired",        &expired,      DVT_HR_EXPIRED,         45,  "dev-0"},
	    {"not begun",      &early,        DVT_HR_NOT_YET_VALID,   42,  "dev-0"},
	    {"a CA",           &is_ca,        DVT_HR_BAD_CERTIFICATE, 43,  "dev-0"},
	    {"for servers",    &wrong_eku,    DVT_HR_BAD_CERTIFICATE, 43,  "dev-0"},
	    {"unknown issuer", &foreign,      DVT_HR_UNKNOWN_CA,      48,  "dev-0"},
	    {"self-signed",    &foreign_root, DVT_HR_UNKNOWN_CA,      48,  ""     },
	};

	(void)state;
	use("ON");
	feed_deny(dev[2].cert, DVT_DENY_REVOKED);
	for (size_t i = 0; i < DVT_COUNT(rows) * 2; i++) {
		struct row *r = &rows[i / 2];
		struct client c = {.cert = r->cert,
		    .trusts = "O",
		    .version = versions[i % 2],
		    .from = "198.51.100.1:1"};

		if (attempt(&c) || last.outcome != DVT_HS_EDGE_REFUSED ||
		    last.reason != r->reason || !last.alert_out ||
		    (i % 2 == 1 && last.alert != r->alert) ||
		    strcmp(last.device, r->device) != 0 ||
		    last.certificate[0] != '\0')
			fail_msg("%s: %s %s, alert %d, device '%s'", r->what,
			    dvt_outcome_name(last.outcome),
			    dvt_hs_reason_name(last.reason), last.alert,
			    last.device);
		if (r->reason != DVT_HR_NO_CERTIFICATE)
			assert_int_not_equal(last.x509_error, 0);
	}
}

/*
 * dev-b alone was seen at the address: it is not who shows a certificate that
 * tells of another device, or of none.
 */
static void
the_address_names_nobody_who_shows_a_certificate(void **state)
{
	static const char from[] = "198.51.100.77:1";
	const struct row {
		const char *what;
		const struct testca *cert;
		const char *name; /* asked for */
		const char *device, *confidence;
	} rows[] = {
	    {"none shown",     NULL,          NULL,         "dev-b", "address"},
	    {"ended",          &expired,      NULL,         "dev-0", "name"   },
	    {"by a stranger",  &foreign,      NULL,         "dev-0", "name"   },
	    {"blocked",        &dev[1],       NULL,         "dev-1", "name"   },
	    {"of no device",   &foreign_root, NULL,         "",      "none"   },
	    {"other name",     &expired,      "dev-p.test", "dev-0", "name"   },
	    {"none, own name", &foreign_root, "dev-p.test", "dev-p", "name"   },
	};

	(void)state;
	use("ON");
	for (size_t i = 0; i < DVT_COUNT(rows) * 2; i++) {
		const struct row *r = &rows[i / 2];
		struct client c = {.cert = &below,
		    .above = &sub_dev,
		    .trusts = "O",
		    .version = versions[i % 2],
		    .from = from};

		assert_true(attempt(&c));
		assert_string_equal(last.device, "dev-b");
		c.above = NULL;
		c.cert = r->cert;
		c.name = r->name;
		assert_false(attempt(&c));
		if (last.outcome != DVT_HS_EDGE_REFUSED ||
		    strcmp(last.device, r->device) != 0 ||
		    strcmp(last.confidence, r->confidence) != 0)
			fail_msg("%s: '%s' %s", r->what, last.device,
			    last.confidence);
	}
}

static void
superseded_certificates_are_refused_here_and_pins_taken(void **state)
{
	struct client c = {
	    .cert = &dev[2], .trusts = "O", .version = TLS1_3_VERSION};

	(void)state;
	use("ON");
	feed_deny(dev[2].cert, DVT_DENY_SUPERSEDED);
	assert_false(attempt(&c));
	assert_int_equal(last.reason, DVT_HR_DENIED_SUPERSEDED);
	c.cert = &pinned;
	assert_true(attempt(&c));
	assert_string_equal(last.device, "dev-p");
	assert_string_equal(last.confidence, "certificate");
}

static void
an_unlisted_certificate_waits_for_the_inventory(void **state)
{
	struct client c = {.cert = &stranger,
	    .trusts = "O",
	    .version = TLS1_3_VERSION,
	    .from = "203.0.113.90:1"};
	struct pair p;
	char b = 'x';

	(void)state;
	use("ON");
	for (int admitted = 0; admitted < 2; admitted++) {
		pair_open(&p, &c);
		assert_true(p.client_ok && p.server_ok);
		assert_true(dvt_edge_peer(p.server)->unlisted);
		assert_string_equal(
		    dvt_edge_peer(p.server)->common_name, "nobody");
		assert_int_equal(SSL_write(p.client, &b, 1), 1);
		assert_int_equal(SSL_read(p.server, &b, 1), 1);
		assert_int_equal(records, 0);
		assert_int_equal(
		    dvt_edge_check(p.server), DVT_HR_UNKNOWN_DEVICE);
		if (admitted) {
			feed_device("dev-n", stranger.cert, "active", false);
			assert_int_equal(dvt_edge_check(p.server), DVT_HR_OK);
			dvt_edge_admit(p.server, "dev-n");
			dvt_edge_settle(p.server);
		} else {
			dvt_edge_admit(p.server, NULL);
		}
		pair_close(&p);
		assert_int_equal(records, 1);
		assert_int_equal(
		    last.reason, admitted ? DVT_HR_OK : DVT_HR_UNKNOWN_DEVICE);
		assert_string_equal(last.device, admitted ? "dev-n" : "");
	}
}

static void
without_an_inventory_the_common_name_names(void **state)
{
	struct client c = {
	    .cert = &stranger, .trusts = "O", .version = TLS1_3_VERSION};

	(void)state;
	use("ON");
	dvt_edge_use(edge,
	    dvt_edge_set_ref(
		(struct dvt_edge_set *)(uintptr_t)dvt_edge_set_used(edge)),
	    NULL);
	assert_true(attempt(&c));
	assert_string_equal(last.device, "nobody");
	assert_string_equal(last.confidence, "certificate");
}

/* --- verdicts that are remembered --- */

/*
 * Its issuing CA is in no set of ours: who sends it comes in, and who sends
 * the leaf alone only while the verdict on it is remembered.
 */
static bool
comes_in(bool with_issuer)
{
	struct client c = {.cert = &below,
	    .above = with_issuer ? &sub_dev : NULL,
	    .trusts = "O",
	    .version = TLS1_3_VERSION};

	return attempt(&c);
}

static void
a_verdict_is_remembered_for_the_certificate_alone(void **state)
{
	(void)state;
	use("ON");
	assert_false(comes_in(false));
	assert_int_equal(last.reason, DVT_HR_UNKNOWN_CA);
	assert_true(comes_in(true));
	assert_true(comes_in(false));
	assert_string_equal(last.device, "dev-b");
	assert_string_equal(last.confidence, "certificate");
}

static void
every_change_of_what_is_trusted_ends_a_verdict(void **state)
{
	(void)state;
	use("ON");
	assert_true(comes_in(true));
	use("ON"); /* the same again is a change as well */
	assert_false(comes_in(false));
	assert_int_equal(last.reason, DVT_HR_UNKNOWN_CA);
}

static void
a_connection_that_began_under_the_former_set_neither_asks_nor_teaches(
    void **state)
{
	struct client c = {.cert = &below,
	    .above = &sub_dev,
	    .trusts = "O",
	    .version = TLS1_3_VERSION};
	struct pair p = {0};

	(void)state;
	use("ON");
	pair_begin(&p, &c);
	SSL_do_handshake(p.client);
	use("ON");
	for (int i = 0; i < 10; i++) {
		p.server_ok = SSL_do_handshake(p.server) == 1;
		p.client_ok = SSL_do_handshake(p.client) == 1;
	}
	assert_true(pair_talk(&p));
	pair_close(&p);
	assert_false(comes_in(false));
}

static X509_CRL *
crl_naming(const struct testca *leaf, const struct testca *issuer)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf->cert);
	struct dvt_crl *c;
	struct dvt_buf der;
	const uint8_t *p;
	X509_CRL *crl;

	dvt_buf_init(&der, 4096);
	assert_int_equal(dvt_crl_new(issuer->cert, 1, TESTCA_NOW - DAY_S,
			     TESTCA_NOW + DAY_S, &c, NULL),
	    DVT_OK);
	dvt_crl_add(c,
	    (struct dvt_span){ASN1_STRING_get0_data(serial),
		(size_t)ASN1_STRING_length(serial)},
	    TESTCA_NOW - 60, DVT_CRL_KEY_COMPROMISE);
	assert_int_equal(dvt_crl_finish(c, issuer->key, &der, NULL), DVT_OK);
	dvt_crl_free(c);
	p = der.p;
	crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	assert_non_null(crl);
	dvt_buf_fini(&der);
	return crl;
}

static void
a_crl_that_names_it_ends_a_verdict(void **state)
{
	struct dvt_edge_set *s = set_begin("ON");
	X509_CRL *crl = crl_naming(&below, &sub_dev);

	(void)state;
	use("ON");
	assert_true(comes_in(true));
	dvt_edge_set_crl(s, crl);
	X509_CRL_free(crl);
	set_use(s);
	assert_false(comes_in(true));
	assert_int_equal(last.reason, DVT_HR_DENIED_REVOKED);
}

/* In use with the key of @ca denied. */
static void use_without(const struct testca *ca);

/*
 * What becomes of an issuing CA reaches who is connected below it, also when
 * only the leaf was shown, on a verdict that was remembered.
 */
static void
an_open_session_ends_with_any_part_of_its_path(void **state)
{
	enum { OTHER, CRL, KEY, ROOT_KEY, N };

	(void)state;
	for (int i = 0; i < 2 * N; i++) {
		struct client c = {.cert = &below,
		    .above = i % 2 ? &sub_dev : NULL,
		    .trusts = "O",
		    .version = TLS1_3_VERSION};
		struct dvt_edge_set *next;
		X509_CRL *crl;
		struct pair p;

		use("ON");
		assert_true(comes_in(true));
		pair_open(&p, &c);
		assert_true(pair_talk(&p));
		assert_int_equal(dvt_edge_check(p.server), DVT_HR_OK);
		switch (i / 2) {
		case OTHER:
			use_without(&dev[0]);
			break;
		case CRL:
			next = set_begin("ON");
			crl = crl_naming(&sub_dev, &root_dev);
			dvt_edge_set_crl(next, crl);
			X509_CRL_free(crl);
			set_use(next);
			break;
		case KEY:
			use_without(&sub_dev);
			break;
		default:
			use_without(&root_dev);
		}
		if (dvt_edge_check(p.server) !=
		    (i / 2 == OTHER ? DVT_HR_OK : DVT_HR_DENIED_REVOKED))
			fail_msg("case %d, %s", i / 2,
			    i % 2 ? "whole flight" : "leaf alone");
		pair_close(&p);
	}
}

static void
use_without(const struct testca *ca)
{
	struct dvt_edge_set *s = set_begin("ON");
	char digest[DVT_DIGEST_HEX];

	dvt_edge_set_issuer(s, sub_dev.cert);
	dvt_x509_key_digest(ca->cert, digest);
	dvt_edge_set_deny_key(s, digest);
	set_use(s);
}

static void
nothing_is_taken_that_was_issued_with_a_denied_key(void **state)
{
	const struct {
		const char *what;
		const struct testca *denied;
		const struct testca *cert;
		const struct testca *above;
		bool taken;
	} rows[] = {
	    {"issuing CA, whole flight", &sub_dev,  &below,  &sub_dev, false},
	    {"issuing CA, leaf alone",   &sub_dev,  &below,  NULL,     false},
	    {"issuing CA, another's",    &sub_dev,  &dev[0], NULL,     true },
	    {"the root",                 &root_dev, &below,  &sub_dev, false},
	    {"the root, leaf alone",     &root_dev, &dev[0], NULL,     false},
	    {"the device's own",         &dev[0],   &dev[0], NULL,     false},
	    {"another device's",         &dev[1],   &dev[0], NULL,     true },
	    {"a pinned one's",           &pinned,   &pinned, NULL,     false},
	    {"none of these",            &foreign,  &pinned, NULL,     true },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows) * 2; i++) {
		struct client c = {.cert = rows[i / 2].cert,
		    .above = rows[i / 2].above,
		    .trusts = "O",
		    .version = versions[i % 2]};

		use_without(rows[i / 2].denied);
		if (attempt(&c) != rows[i / 2].taken)
			fail_msg("%s", rows[i / 2].what);
		if (!rows[i / 2].taken)
			assert_int_equal(last.reason, DVT_HR_DENIED_REVOKED);
	}
}

static void
an_open_session_falls_under_a_key_denied_later(void **state)
{
	struct client c = {.cert = &below,
	    .above = &sub_dev,
	    .trusts = "O",
	    .version = TLS1_3_VERSION};
	struct pair p;

	(void)state;
	use("ON");
	pair_open(&p, &c);
	assert_true(pair_talk(&p));
	assert_int_equal(dvt_edge_check(p.server), DVT_HR_OK);
	use_without(&dev[0]);
	assert_int_equal(dvt_edge_check(p.server), DVT_HR_OK);
	use_without(&sub_dev);
	assert_int_equal(dvt_edge_check(p.server), DVT_HR_DENIED_REVOKED);
	pair_close(&p);
}

static void
dates_of_the_path_end_a_verdict(void **state)
{
	static const struct {
		int64_t days;
		bool good;
	} rows[] = {
	    {0,     true },
            {4000,  false},
            {-4000, false},
	    {0,     true }, /* the clock was wrong, not the certificate */
	};

	(void)state;
	use("ON");
	assert_true(comes_in(true));
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		clock_s = TESTCA_NOW + rows[i].days * DAY_S;
		assert_int_equal(comes_in(false), rows[i].good);
		clock_s = TESTCA_NOW;
		if (!rows[i].good)
			assert_int_not_equal(last.x509_error, 0);
	}
}

static void
a_denied_certificate_or_blocked_device_is_refused_in_spite_of_it(void **state)
{
	(void)state;
	use("ON");
	assert_true(comes_in(true));
	feed_device("dev-b", below.cert, "blocked", false);
	assert_false(comes_in(false));
	assert_int_equal(last.reason, DVT_HR_DENIED_BLOCKED);
	feed_device("dev-b", below.cert, "active", false);
	assert_true(comes_in(false));
	feed_deny(below.cert, DVT_DENY_REVOKED); /* from here on */
	assert_false(comes_in(false));
	assert_int_equal(last.reason, DVT_HR_DENIED_REVOKED);
}

/* Each kind that is issued comes in by either version; the costly one for the
 * certificate alone, not for the exchange of keys. */
static void
keys_of_all_kinds_come_in(void **state)
{
	static const struct {
		enum dvt_key_kind kind;
		unsigned bits;
	} kinds[] = {
	    {DVT_KEY_P256, 0   },
            {DVT_KEY_P384, 0   },
            {DVT_KEY_RSA,  2048}
        };
	struct dvt_err err;

	(void)state;
	use("ON");
	for (size_t i = 0; i < DVT_COUNT(kinds) * 2; i++) {
		struct testca d = {0};
		struct client c = {
		    .cert = &d, .trusts = "O", .version = versions[i % 2]};

		assert_int_equal(dvt_key_new(kinds[i / 2].kind,
				     kinds[i / 2].bits, &d.key, &err),
		    DVT_OK);
		d.cert = testca_issue(&root_dev, "CN=dev-k", d.key,
		    testca_leaf_fields(DVT_EKU_CLIENT));
		feed_device("dev-k", d.cert, "active", false);
		if (!attempt(&c))
			fail_msg("%s, TLS %s: %s, alert %d",
			    dvt_key_kind_name(kinds[i / 2].kind),
			    i % 2 == 0 ? "1.2" : "1.3",
			    dvt_hs_reason_name(last.reason), last.alert);
		testca_fini(&d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_of_all_kinds_come_in),
	    cmocka_unit_test(what_the_edge_refuses_it_names),
	    cmocka_unit_test(the_address_names_nobody_who_shows_a_certificate),
	    cmocka_unit_test(
		superseded_certificates_are_refused_here_and_pins_taken),
	    cmocka_unit_test(an_unlisted_certificate_waits_for_the_inventory),
	    cmocka_unit_test(without_an_inventory_the_common_name_names),
	    cmocka_unit_test(a_verdict_is_remembered_for_the_certificate_alone),
	    cmocka_unit_test(every_change_of_what_is_trusted_ends_a_verdict),
	    cmocka_unit_test(
		a_connection_that_began_under_the_former_set_neither_asks_nor_teaches),
	    cmocka_unit_test(a_crl_that_names_it_ends_a_verdict),
	    cmocka_unit_test(an_open_session_ends_with_any_part_of_its_path),
	    cmocka_unit_test(
		nothing_is_taken_that_was_issued_with_a_denied_key),
	    cmocka_unit_test(an_open_session_falls_under_a_key_denied_later),
	    cmocka_unit_test(dates_of_the_path_end_a_verdict),
	    cmocka_unit_test(
		a_denied_certificate_or_blocked_device_is_refused_in_spite_of_it),
	};

	return cmocka_run_group_tests(tests, world_make, world_drop);
}
