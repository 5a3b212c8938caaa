/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feed.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

#define HEAD(pos, epoch, more)                                                 \
	"{\"kind\":\"head\",\"position\":" #pos ",\"epoch\":" #epoch           \
	",\"now\":1764547200,\"more\":" #more "}\n"
#define LINE(pos, kind, key, body)                                             \
	"{\"position\":" #pos ",\"kind\":\"" kind "\",\"key\":\"" key          \
	"\",\"body\":" body "}\n"

static const char one_of_each[] = HEAD(20, 3, false) LINE(1, "anchor", A64,
    "{\"pem\":\"P\",\"name\":\"Root\",\"use\":\"device\",\"root\":1}") LINE(2,
    "device", "dev-7",
    "{\"state\":\"active\",\"certificates\":[\"" A64 "\",\"" B64
    "\"],\"trust\":[\"" C64 "\"],\"proven\":[],\"refused\":[\"" A64
    "\"],\"pin\":\"" C64 "\",\"pem\":\"Q\"}") LINE(3, "deny", B64,
    "{\"reason\":\"superseded\",\"device\":\"dev-7\",\"not_after\":99}") LINE(4,
    "credential", "gw/1",
    "{\"gateway\":\"gw\",\"listener\":\"main\",\"slot\":\"next\","
    "\"generation\":2,\"names\":[\"edge.example\",\"next.example\"],"
    "\"chain_pem\":\"C\",\"cross_pem\":\"X\",\"root\":\"" B64
    "\",\"key_digest\":\"" A64 "\",\"staple\":\"MAMKAQY=\"}")
    LINE(5, "csr", "gw/o-3",
	"{\"gateway\":\"gw\",\"order\":\"o-3\",\"listener\":\"main\","
	"\"names\":[\"edge.example\"],\"authority\":\"new\"}")
	LINE(6, "policy", "gw",
	    "{\"default_root\":\"" A64 "\",\"next_root\":null,"
	    "\"next_name\":\"next.example\",\"trial_name\":\"trial.example\","
	    "\"forced\":false,\"max_stale_s\":3600}") LINE(7, "reconnect", "gw",
	    "{\"rotation\":\"r1\",\"keep_root\":\"" B64
	    "\",\"rate_per_s\":5,\"devices\":[\"dev-7\"]}")
	    LINE(8, "deny-key", C64, "{\"name\":\"old\",\"not_after\":9}")
		LINE(9, "log", "gw/1",
		    "{\"gateway\":\"gw\",\"level\":\"VERBOSE\","
		    "\"device\":\"dev-7\",\"address\":\"\","
		    "\"until\":1764550000}") LINE(10, "memory", "gw/17",
		    "{\"gateway\":\"gw\",\"address\":"
		    "\"192.0.2.1\",\"print\":\"00ff\","
		    "\"device\":\"\",\"root\":\"" A64
		    "\",\"form\":\"cross\",\"accepted\":false,"
		    "\"at\":1764550000}");

static struct dvt_span
text(const char *s)
{
	return dvt_span_str(s);
}

static void
every_kind_is_read_and_written_alike(void **state)
{
	struct dvt_feed *f = dvt_feed_new();
	const struct dvt_feed_entry *e;
	unsigned changed;

	(void)state;
	assert_int_equal(
	    dvt_feed_apply(f, text(one_of_each), NULL, &changed, NULL), DVT_OK);
	assert_int_equal(changed, (1u << DVT_FEED_KIND_N) - 1);
	assert_int_equal(dvt_feed_position(f), 20);
	assert_int_equal(dvt_feed_epoch(f), 3);
	e = dvt_feed_get(f, DVT_FEED_CREDENTIAL, "gw/1");
	assert_non_null(e);
	assert_string_equal(e->u.credential.slot, "next");
	assert_int_equal(e->u.credential.names.n, 2);
	assert_string_equal(e->u.credential.cross_pem, "X");
	e = dvt_feed_get(f, DVT_FEED_POLICY, "gw");
	assert_string_equal(e->u.policy.next_root, "");
	assert_int_equal(e->u.policy.max_stale_s, 3600);
	e = dvt_feed_get(f, DVT_FEED_RECONNECT, "gw");
	assert_false(e->u.reconnect.all);
	assert_true(dvt_feed_list_has(&e->u.reconnect.devices, "dev-7"));
	for (int k = 0; k < DVT_FEED_KIND_N; k++) {
		enum dvt_feed_kind kind = (enum dvt_feed_kind)k;
		struct dvt_feed_entry *back;
		struct dvt_buf a, b;

		dvt_buf_init(&a, 1 << 20);
		dvt_buf_init(&b, 1 << 20);
		e = dvt_feed_next(f, kind, NULL);
		assert_non_null(e);
		dvt_feed_entry_format(e, &a);
		assert_int_equal(
		    dvt_feed_entry_parse(dvt_buf_span(&a), &back, NULL),
		    DVT_OK);
		dvt_feed_entry_format(back, &b);
		assert_string_equal(dvt_buf_str(&a), dvt_buf_str(&b));
		dvt_feed_entry_free(back);
		dvt_buf_fini(&a);
		dvt_buf_fini(&b);
	}
	dvt_feed_free(f);
}

static void
a_certificate_leads_to_its_device_until_it_is_taken_away(void **state)
{
	struct dvt_feed *f = dvt_feed_new();
	const struct dvt_feed_entry *e;

	(void)state;
	assert_int_equal(
	    dvt_feed_apply(f, text(one_of_each), NULL, NULL, NULL), DVT_OK);
	assert_string_equal(
	    dvt_feed_device_by_certificate(f, A64)->key, "dev-7");
	assert_string_equal(
	    dvt_feed_device_by_certificate(f, C64)->key, "dev-7"); /* pin */
	/* dev-8 takes over A; then dev-7 loses B */
	assert_int_equal(
	    dvt_feed_apply(f,
		text(HEAD(22, 3, false) LINE(21, "device", "dev-8",
		    "{\"state\":\"active\",\"certificates\":[\"" A64 "\"]}")
			LINE(22, "device", "dev-7",
			    "{\"state\":\"blocked\",\"certificates\":[]}")),
		NULL, NULL, NULL),
	    DVT_OK);
	e = dvt_feed_device_by_certificate(f, A64);
	assert_string_equal(e->key, "dev-8");
	assert_false(e->u.device.trust_known);
	assert_null(dvt_feed_device_by_certificate(f, B64));
	assert_null(dvt_feed_device_by_certificate(f, C64));
	assert_int_equal(
	    dvt_feed_apply(f,
		text(HEAD(23, 3, false) LINE(23, "device", "dev-8", "null")),
		NULL, NULL, NULL),
	    DVT_OK);
	assert_null(dvt_feed_get(f, DVT_FEED_DEVICE, "dev-8"));
	assert_null(dvt_feed_device_by_certificate(f, A64));
	assert_int_equal(dvt_feed_count(f, DVT_FEED_DEVICE), 1);
	dvt_feed_free(f);
}

static void
a_broken_answer_changes_nothing(void **state)
{
	static const struct {
		const char *why;
		const char *answer;
		enum dvt_code rc;
		/* clang-format off */
	} bad[] = {
	    {"nothing", "", DVT_E_INPUT},
	    {"no head", LINE(21, "deny", A64, "null"), DVT_E_INPUT},
	    {"head without epoch", "{\"kind\":\"head\",\"position\":30}\n",
		DVT_E_INPUT},
	    {"another epoch", HEAD(30, 4, false), DVT_E_CONFLICT},
	    {"a position before ours", HEAD(19, 3, false), DVT_E_CONFLICT},
	    {"a line before ours",
		HEAD(30, 3, false) LINE(20, "deny", A64, "null"), DVT_E_INPUT},
	    {"a line twice",
		HEAD(30, 3, false) LINE(21, "deny", A64, "null")
		    LINE(21, "deny", B64, "null"),
		DVT_E_INPUT},
	    {"a line after the head",
		HEAD(30, 3, false) LINE(31, "deny", B64, "null"), DVT_E_INPUT},
	    {"more, and no lines", HEAD(30, 3, true), DVT_E_INPUT},
	    {"good line, then a broken one",
		HEAD(30, 3, false) LINE(21, "deny", B64, "null") "{\"posi",
		DVT_E_INPUT},
	    {"no body",
		HEAD(30, 3, false) "{\"position\":21,\"kind\":\"deny\","
				   "\"key\":\"k\"}\n",
		DVT_E_INPUT},
	    {"body is a list",
		HEAD(30, 3, false) LINE(21, "deny", B64, "[]"), DVT_E_INPUT},
	    {"fingerprint with other letters",
		HEAD(30, 3, false) LINE(21, "device", "d",
		    "{\"state\":\"active\",\"certificates\":[\"AA\"]}"),
		DVT_E_INPUT},
	    {"list of numbers",
		HEAD(30, 3, false) LINE(
		    21, "device", "d", "{\"state\":\"active\",\"trust\":[1]}"),
		DVT_E_INPUT},
	    {"credential without chain",
		HEAD(30, 3, false) LINE(21, "credential", "gw/1",
		    "{\"gateway\":\"gw\",\"listener\":\"main\",\"slot\":\"x\"}"),
		DVT_E_INPUT},
	    {"root of a policy is no fingerprint",
		HEAD(30, 3, false)
		    LINE(21, "policy", "gw", "{\"default_root\":\"x\"}"),
		DVT_E_INPUT},
	};
	/* clang-format on */
	struct dvt_feed *f = dvt_feed_new();

	(void)state;
	assert_int_equal(
	    dvt_feed_apply(f, text(one_of_each), NULL, NULL, NULL), DVT_OK);
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		if (dvt_feed_apply(f, text(bad[i].answer), NULL, NULL, NULL) !=
		    bad[i].rc)
			fail_msg("%s", bad[i].why);
		assert_int_equal(dvt_feed_position(f), 20);
		assert_non_null(dvt_feed_get(f, DVT_FEED_DENY, B64));
	}
	dvt_feed_free(f);
}

static void
lists_and_answers_have_limits(void **state)
{
	struct dvt_feed *f = dvt_feed_new();
	struct dvt_buf b;

	(void)state;
	dvt_buf_init(&b, 1 << 20);
	dvt_buf_puts(&b, HEAD(1000, 1, false));
	for (int i = 1; i <= DVT_FEED_LINES_MAX + 1; i++)
		dvt_buf_printf(&b,
		    "{\"position\":%d,\"kind\":\"deny\",\"key\":\"%d\","
		    "\"body\":{\"reason\":\"revoked\"}}\n",
		    i, i);
	assert_int_equal(
	    dvt_feed_apply(f, dvt_buf_span(&b), NULL, NULL, NULL), DVT_E_LIMIT);
	assert_int_equal(dvt_feed_count(f, DVT_FEED_DENY), 0);
	dvt_buf_reset(&b);
	dvt_buf_puts(&b,
	    HEAD(1000, 1, false) "{\"position\":1,\"kind\":\"device\",\"key\":"
				 "\"d\",\"body\":"
				 "{\"state\":\"active\",\"trust\":[");
	for (int i = 0; i <= DVT_FEED_LIST_MAX; i++)
		dvt_buf_printf(&b, "%s\"" A64 "\"", i > 0 ? "," : "");
	dvt_buf_puts(&b, "]}}\n");
	assert_int_equal(
	    dvt_feed_apply(f, dvt_buf_span(&b), NULL, NULL, NULL), DVT_E_LIMIT);
	dvt_buf_fini(&b);
	dvt_feed_free(f);
}

static void
later_kinds_fields_and_reasons_do_not_stop_an_edge(void **state)
{
	struct dvt_feed *f = dvt_feed_new();
	const struct dvt_feed_entry *e;
	struct dvt_feed_head h;

	(void)state;
	assert_int_equal(dvt_feed_apply(f,
			     text(HEAD(9, 1, true) LINE(3, "weather", "x",
				 "{\"sun\":1}") LINE(4, "deny", A64,
				 "{\"reason\":\"moved\",\"since\":[{}]}")),
			     &h, NULL, NULL),
	    DVT_OK);
	assert_true(h.more);
	assert_int_equal(dvt_feed_position(f), 4);
	e = dvt_feed_get(f, DVT_FEED_DENY, A64);
	assert_int_equal(e->u.deny.reason, DVT_DENY_REVOKED);
	/* nothing but lines we do not know still moves on */
	assert_int_equal(
	    dvt_feed_apply(f,
		text(HEAD(9, 1, true) LINE(5, "weather", "x", "null")), &h,
		NULL, NULL),
	    DVT_OK);
	assert_int_equal(dvt_feed_position(f), 5);
	dvt_feed_free(f);
}

static void
a_refused_answer_denies_all_the_same(void **state)
{
	static const char refused[] = HEAD(40, 3, false)
	    LINE(31, "deny", B64, "{\"reason\":\"revoked\"}")
		LINE(32, "memory", "gw-1/1", "{\"gateway\":7}")
		    LINE(33, "device", "dev-7", "{\"state\":\"blocked\"}") LINE(
			34, "device", "dev-8", "{\"state\":\"active\"}")
			LINE(35, "device", "dev-9", "{\"state\":\"blocked\"}")
			    LINE(36, "deny", A64, "null") LINE(37, "deny-key",
				B64, "{\"name\":\"old\",\"not_after\":9}");
	struct dvt_feed *f = dvt_feed_new();

	(void)state;
	assert_int_equal(
	    dvt_feed_apply(f,
		text(HEAD(2, 3, false) LINE(1, "device", "dev-7",
		    "{\"state\":\"active\",\"certificates\":[\"" B64 "\"]}")
			LINE(2, "deny", A64, "{\"reason\":\"revoked\"}")),
		NULL, NULL, NULL),
	    DVT_OK);
	assert_int_equal(
	    dvt_feed_apply(f, text(refused), NULL, NULL, NULL), DVT_E_INPUT);
	assert_null(dvt_feed_get(f, DVT_FEED_DENY, B64));
	assert_int_equal(dvt_feed_restrict(f, text(refused)), 3);
	assert_non_null(dvt_feed_get(f, DVT_FEED_DENY, B64));
	assert_non_null(dvt_feed_get(f, DVT_FEED_DENY, A64)); /* it stays */
	assert_non_null(dvt_feed_get(f, DVT_FEED_DENY_KEY, B64));
	assert_string_equal(
	    dvt_feed_get(f, DVT_FEED_DEVICE, "dev-7")->u.device.state,
	    "blocked");
	assert_null(dvt_feed_get(f, DVT_FEED_DEVICE, "dev-8"));
	assert_int_equal(dvt_feed_position(f), 2);
	assert_int_equal(dvt_feed_restrict(f, text(refused)), 0);
	assert_int_equal(dvt_feed_restrict(f, text("")), 0);
	dvt_feed_free(f);
}

static void
another_process_reads_devices_and_denials_where_they_are(void **state)
{
	static const char gone[] = HEAD(21, 3, false)
	    LINE(21, "deny", B64, "null");
	struct dvt_feed *f = dvt_feed_new_shared(), *r = dvt_feed_new();
	uint64_t generation;

	(void)state;
	assert_int_equal(
	    dvt_feed_apply(f, text(one_of_each), NULL, NULL, NULL), DVT_OK);
	generation = dvt_feed_shelf_generation(f);
	assert_int_equal(
	    dvt_feed_attach(r, dvt_feed_shelf_fd(f), NULL), DVT_OK);
	assert_string_equal(
	    dvt_feed_device_by_certificate(r, A64)->key, "dev-7");
	assert_non_null(dvt_feed_get(r, DVT_FEED_DENY, B64));
	assert_null(dvt_feed_get(r, DVT_FEED_ANCHOR, A64));
	/* it hears the same answer: the rest of it is its own */
	assert_int_equal(
	    dvt_feed_apply(r, text(one_of_each), NULL, NULL, NULL), DVT_OK);
	assert_non_null(dvt_feed_get(r, DVT_FEED_ANCHOR, A64));
	assert_int_equal(dvt_feed_count(r, DVT_FEED_DEVICE), 1);
	/* what the writer changes counts at once; what the reader hears not */
	assert_int_equal(
	    dvt_feed_apply(r, text(gone), NULL, NULL, NULL), DVT_OK);
	assert_non_null(dvt_feed_get(r, DVT_FEED_DENY, B64));
	assert_int_equal(
	    dvt_feed_apply(f, text(gone), NULL, NULL, NULL), DVT_OK);
	assert_int_equal(dvt_feed_shelf_generation(f), generation);
	assert_null(dvt_feed_get(r, DVT_FEED_DENY, B64));
	dvt_feed_free(f);
	dvt_feed_free(r);
}

static void
denials_are_forgotten_when_their_certificates_are_over(void **state)
{
	struct dvt_feed *f = dvt_feed_new();
	uint64_t at = 0;
	char key[DVT_DIGEST_HEX];
	size_t n = 0, rounds = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct dvt_feed_entry *e;

		snprintf(key, sizeof(key), "%064x", i);
		e = dvt_feed_entry_new(DVT_FEED_DENY, key, i);
		e->u.deny.not_after = i;
		dvt_feed_put(f, e);
	}
	do {
		n += dvt_feed_forget(f, 600, 128, &at);
		rounds++;
	} while (at != 0);
	assert_int_equal(n, 600);
	assert_in_range(rounds, 8, 64);
	assert_int_equal(dvt_feed_count(f, DVT_FEED_DENY), 400);
	snprintf(key, sizeof(key), "%064x", 600);
	assert_non_null(dvt_feed_get(f, DVT_FEED_DENY, key));
	dvt_feed_free(f);
}

static void
keys_of_any_length_are_told_apart(void **state)
{
	struct dvt_feed *f = dvt_feed_new();
	char key[DVT_DIGEST_HEX + 1];
	size_t n = 0;

	(void)state;
	for (size_t len = 1; len <= 65; len++) {
		memset(key, 'a', len);
		key[len] = '\0';
		dvt_feed_put(f, dvt_feed_entry_new(DVT_FEED_DENY, key, 1));
	}
	for (const struct dvt_feed_entry *e = NULL;
	     (e = dvt_feed_next(f, DVT_FEED_DENY, e)) != NULL; n++) {
		memset(key, 'a', sizeof(key));
		key[strlen(e->key)] = '\0';
		assert_string_equal(e->key, key);
	}
	assert_int_equal(n, 65);
	dvt_feed_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_is_read_and_written_alike),
	    cmocka_unit_test(
		a_certificate_leads_to_its_device_until_it_is_taken_away),
	    cmocka_unit_test(a_broken_answer_changes_nothing),
	    cmocka_unit_test(a_refused_answer_denies_all_the_same),
	    cmocka_unit_test(lists_and_answers_have_limits),
	    cmocka_unit_test(
		later_kinds_fields_and_reasons_do_not_stop_an_edge),
	    cmocka_unit_test(
		another_process_reads_devices_and_denials_where_they_are),
	    cmocka_unit_test(
		denials_are_forgotten_when_their_certificates_are_over),
	    cmocka_unit_test(keys_of_any_length_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
