/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t key[DVT_WRAP_KEY] = {1, 2, 3};
static const uint8_t other[DVT_WRAP_KEY] = {1, 2, 4};

#define OWNER DVT_SPAN_LIT("authority:ab")
#define PLAIN DVT_SPAN_LIT("what must not be read")

static void
what_is_wrapped_comes_back_and_is_never_the_same_twice(void **state)
{
	struct dvt_buf a, b;
	struct dvt_secret out;

	(void)state;
	dvt_buf_init(&a, 1024);
	dvt_buf_init(&b, 1024);
	assert_int_equal(dvt_wrap(key, OWNER, PLAIN, &a, NULL), DVT_OK);
	assert_int_equal(dvt_wrap(key, OWNER, PLAIN, &b, NULL), DVT_OK);
	assert_int_equal(a.n, PLAIN.n + DVT_WRAP_OVERHEAD);
	assert_memory_not_equal(a.p, b.p, a.n);
	assert_int_equal(
	    dvt_unwrap(key, OWNER, dvt_buf_span(&a), &out, NULL), DVT_OK);
	assert_true(dvt_span_eq((struct dvt_span){out.p, out.n}, PLAIN));
	dvt_secret_free(&out);
	dvt_buf_fini(&a);
	dvt_buf_fini(&b);
}

static void
another_key_owner_or_byte_is_refused(void **state)
{
	struct dvt_secret out;
	struct dvt_buf a;
	struct dvt_span s;

	(void)state;
	dvt_buf_init(&a, 1024);
	assert_int_equal(dvt_wrap(key, OWNER, PLAIN, &a, NULL), DVT_OK);
	s = dvt_buf_span(&a);
	assert_int_equal(dvt_unwrap(other, OWNER, s, &out, NULL), DVT_E_AUTH);
	assert_int_equal(dvt_unwrap(key, PLAIN, s, &out, NULL), DVT_E_AUTH);
	for (size_t i = 0; i < a.n; i++) {
		a.p[i] ^= 4;
		assert_int_equal(
		    dvt_unwrap(key, OWNER, s, &out, NULL), DVT_E_AUTH);
		assert_null(out.p);
		a.p[i] ^= 4;
	}
	for (s.n = 0; s.n < a.n; s.n++)
		assert_int_equal(
		    dvt_unwrap(key, OWNER, s, &out, NULL), DVT_E_AUTH);
	dvt_buf_fini(&a);
}

static void
an_unlocking_key_follows_from_passphrase_and_salt(void **state)
{
	struct dvt_kdf k = {.n = 1024, .r = 8, .p = 1}, back;
	uint8_t a[DVT_WRAP_KEY], b[DVT_WRAP_KEY];
	char text[DVT_KDF_TEXT];

	(void)state;
	assert_int_equal(
	    dvt_kdf_run(&k, DVT_SPAN_LIT("joint"), a, NULL), DVT_OK);
	(void)dvt_kdf_format(&k, text);
	assert_string_equal(
	    text, "scrypt:1024:8:1:00000000000000000000000000000000");
	assert_int_equal(dvt_kdf_parse(text, &back, NULL), DVT_OK);
	assert_int_equal(
	    dvt_kdf_run(&back, DVT_SPAN_LIT("joint"), b, NULL), DVT_OK);
	assert_memory_equal(a, b, sizeof(a));
	k.salt[0] = 1;
	assert_int_equal(
	    dvt_kdf_run(&k, DVT_SPAN_LIT("joint"), b, NULL), DVT_OK);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(
	    dvt_kdf_run(&k, (struct dvt_span){NULL, 0}, b, NULL), DVT_E_INPUT);
	assert_int_equal(dvt_kdf_make(&k, NULL), DVT_OK);
	assert_int_equal(
	    dvt_kdf_parse(dvt_kdf_format(&k, text), &back, NULL), DVT_OK);
}

static void
parameters_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *text;
		enum dvt_code want;
	} bad[] = {
	    {"",							  DVT_E_INPUT},
	    {"pbkdf2:1",						  DVT_E_INPUT},
	    {"scrypt:1000:8:1:00000000000000000000000000000000",          DVT_E_INPUT},
	    {"scrypt:1024:0:1:00000000000000000000000000000000",          DVT_E_INPUT},
	    {"scrypt:1024:8:1:000000000000000000000000000000",            DVT_E_INPUT},
	    {"scrypt:1024:8:1:0000000000000000000000000000000000",        DVT_E_INPUT},
	    {"scrypt:1024:8:1:00000000000000000000000000000000x",         DVT_E_INPUT},
	    {"scrypt:1099511627776:8:1:00000000000000000000000000000000",
             DVT_E_LIMIT							     },
	    {"scrypt:1024:8:99:00000000000000000000000000000000",         DVT_E_LIMIT},
	};
	struct dvt_kdf k;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		if (dvt_kdf_parse(bad[i].text, &k, NULL) != bad[i].want)
			fail_msg("%s", bad[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		what_is_wrapped_comes_back_and_is_never_the_same_twice),
	    cmocka_unit_test(another_key_owner_or_byte_is_refused),
	    cmocka_unit_test(an_unlocking_key_follows_from_passphrase_and_salt),
	    cmocka_unit_test(parameters_that_cannot_be_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
