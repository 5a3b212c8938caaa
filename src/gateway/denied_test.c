/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/denied.h"

#include "base/mem.h"
#include "proto/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static enum dvt_code
load(const char *text, size_t n, struct dvt_shelf **out, struct dvt_err *err)
{
	char path[] = "/tmp/denied-XXXXXX";
	int fd = mkstemp(path);
	enum dvt_code rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
	rc = gw_denied_load(path, out, err);
	unlink(path);
	return rc;
}

static bool
is_denied(struct dvt_shelf *s, const char *fingerprint)
{
	struct dvt_feed *f = dvt_feed_new();
	const struct dvt_feed_entry *e;
	bool found;

	dvt_feed_denied_too(f, s);
	e = dvt_feed_get(f, DVT_FEED_DENY, fingerprint);
	found = e != NULL && e->u.deny.reason == DVT_DENY_REVOKED;
	dvt_feed_free(f);
	return found;
}

static void
fingerprints_are_read_as_people_write_them(void **state)
{
	static const char text[] =
	    "# of May\n\n" A64 "\n  SHA256:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:"
	    "BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB:BB # dev"
	    "\r\n" A64;
	struct dvt_shelf *s;

	(void)state;
	assert_int_equal(load(text, sizeof(text) - 1, &s, NULL), DVT_OK);
	assert_int_equal(dvt_feed_shelved(s, DVT_FEED_DENY), 2);
	assert_true(is_denied(s, A64));
	assert_true(is_denied(s, B64));
	assert_false(is_denied(s, C64));
	dvt_shelf_free(s);
}

static void
what_is_no_list_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code rc;
		const char *says;
	} cases[] = {
	    {A64 "\nabc\n",     DVT_E_INPUT, "line 2"},
	    {A64 A64 "\n",      DVT_E_INPUT, "line 1"},
	    {"\n\n" A64 " x\n", DVT_E_INPUT, "line 3"},
	};
	char *longest = dvt_alloc(GW_DENIED_LINE + 10);
	struct dvt_shelf *s;
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
		    load(cases[i].text, strlen(cases[i].text), &s, &err),
		    cases[i].rc);
		assert_null(s);
		assert_non_null(strstr(err.text, cases[i].says));
	}
	memset(longest, '#', GW_DENIED_LINE + 9);
	assert_int_equal(
	    load(longest, GW_DENIED_LINE + 9, &s, &err), DVT_E_LIMIT);
	free(longest);
	assert_int_equal(
	    gw_denied_load("/nowhere/at/all", &s, &err), DVT_E_ABSENT);
	assert_int_equal(gw_denied_load("/dev/zero", &s, &err), DVT_E_INPUT);
	assert_int_equal(gw_denied_load(NULL, &s, &err), DVT_OK);
	assert_int_equal(dvt_feed_shelved(s, DVT_FEED_DENY), 0);
	dvt_shelf_free(s);
}

static void
count_key(void *arg, const char *digest)
{
	*(unsigned *)arg += strcmp(digest, B64) == 0 ? 1 : 100;
}

static void
keys_stand_beside_certificates(void **state)
{
	static const char text[] = A64 "\nkey:" B64 " # the whole CA\n";
	struct dvt_shelf *s;
	unsigned found = 0;

	(void)state;
	assert_int_equal(load(text, sizeof(text) - 1, &s, NULL), DVT_OK);
	gw_denied_keys(s, count_key, &found);
	assert_int_equal(found, 1);
	assert_true(is_denied(s, A64));
	assert_false(is_denied(s, B64));
	dvt_shelf_free(s);
	assert_int_equal(load("key:12\n", 7, &s, NULL), DVT_E_INPUT);
}

static void
binary_rubbish_is_refused(void **state)
{
	static const char text[] = A64 "\n\0" B64 "\n";
	struct dvt_shelf *s;

	(void)state;
	assert_int_equal(load(text, sizeof(text) - 1, &s, NULL), DVT_E_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fingerprints_are_read_as_people_write_them),
	    cmocka_unit_test(what_is_no_list_is_refused_with_its_line),
	    cmocka_unit_test(keys_stand_beside_certificates),
	    cmocka_unit_test(binary_rubbish_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
