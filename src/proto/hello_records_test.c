/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MSG_N 300 /* a hello of 296 bytes behind its header */

static void
message(uint8_t msg[MSG_N])
{
	for (size_t i = 0; i < MSG_N; i++)
		msg[i] = (uint8_t)(i * 7);
	memcpy(msg, "\1\0\1\x28", 4);
}

/* @msg in records of @piece bytes each. Return: bytes in all. */
static size_t
records(const uint8_t *msg, size_t n, size_t piece, uint8_t *out)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i += piece) {
		size_t some = n - i < piece ? n - i : piece;

		memcpy(out + at, "\x16\3\1", 3);
		out[at + 3] = (uint8_t)(some >> 8);
		out[at + 4] = (uint8_t)some;
		memcpy(out + at + 5, msg + i, some);
		at += 5 + some;
	}
	return at;
}

static void
a_hello_is_gathered_from_any_number_of_records(void **state)
{
	static const size_t pieces[] = {1, 2, 3, 4, 5, 37, 299, 300};
	uint8_t msg[MSG_N], raw[6 * MSG_N + 8];
	struct dvt_span got;
	size_t need;

	(void)state;
	message(msg);
	for (size_t i = 0; i < DVT_COUNT(pieces); i++) {
		size_t n = records(msg, MSG_N, pieces[i], raw);

		memcpy(raw + n, "\x14\3\3\0\1\1", 6); /* and what follows */
		assert_int_equal(
		    dvt_hello_gather(raw, n + 6, &got, &need), DVT_OK);
		assert_int_equal(got.n, MSG_N);
		assert_memory_equal(got.p, msg, MSG_N);
	}
}

/* A client that sends byte after byte must not be looked at for each. */
static void
what_is_missing_is_asked_for_in_few_steps(void **state)
{
	static const struct {
		size_t piece;
		int looks; /* at most */
	} cases[] = {
	    {300, 3 },
            {150, 4 },
            {37,  10},
            {1,   60}
        };
	uint8_t msg[MSG_N], raw[6 * MSG_N], copy[6 * MSG_N];
	struct dvt_span got;

	(void)state;
	message(msg);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		size_t n = records(msg, MSG_N, cases[i].piece, raw), have = 1;
		int looks = 0;

		for (;; looks++) {
			size_t need = 0;

			memcpy(copy, raw, have);
			if (dvt_hello_gather(copy, have, &got, &need) == DVT_OK)
				break;
			assert_true(need > have && need <= n);
			have = need;
		}
		assert_int_equal(have, n);
		assert_in_range(looks, 1, cases[i].looks);
	}
}

static void
what_is_no_hello_is_told_at_once(void **state)
{
	static const struct {
		const char *why;
		const char *bytes;
		size_t n;
		enum dvt_code want;
	} cases[] = {
	    {"nothing",                "",				   0,  DVT_E_LATER},
	    {"one byte",               "\x16",                               1,  DVT_E_LATER},
	    {"a header alone",         "\x16\3\1\2\0",                       5,  DVT_E_LATER},
	    {"HTTP",                   "GET / HTTP/1.1",                     14, DVT_E_INPUT},
	    {"MQTT",                   "\x10\x0e\0\4MQTT",                   8,  DVT_E_INPUT},
	    {"SSLv2",                  "\x80\x2e\1\0\2\0\x15",               7,  DVT_E_INPUT},
	    {"an alert",               "\x15\3\1\0\2\2\x28",                 7,  DVT_E_INPUT},
	    {"another version",        "\x16\4\0\0\5\1\0\0\1\0",             10, DVT_E_INPUT},
	    {"a record of no length",  "\x16\3\1\0\0",                       5,  DVT_E_INPUT},
	    {"a record too long",      "\x16\3\1\x40\1\1\0",                 7,  DVT_E_INPUT},
	    {"another message",        "\x16\3\1\0\4\2\0\0\0",               9,  DVT_E_INPUT},
	    {"an alert in the midst",  "\x16\3\1\0\2\1\0\x15\3\1\0\2\2\x28", 14,
             DVT_E_INPUT								    },
	    {"no length in the midst", "\x16\3\1\0\2\1\0\x16\3\1\0\0",       12,
             DVT_E_INPUT								    },
	    {"a hello of 16 MB",       "\x16\3\1\x40\0\1\xff\xff\xff",       9,
             DVT_E_LIMIT								    },
	    {"just over the limit",    "\x16\3\1\x40\0\1\0\xff\xfd",         9,
             DVT_E_LIMIT								    },
	    {"just within the limit",  "\x16\3\1\x40\0\1\0\xff\xfc",         9,
             DVT_E_LATER								    },
	};
	uint8_t raw[32];
	struct dvt_span got;
	size_t need;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		memcpy(raw, cases[i].bytes, cases[i].n);
		if (dvt_hello_gather(raw, cases[i].n, &got, &need) !=
		    cases[i].want)
			fail_msg("otherwise: %s", cases[i].why);
		assert_int_equal(got.n, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hello_is_gathered_from_any_number_of_records),
	    cmocka_unit_test(what_is_missing_is_asked_for_in_few_steps),
	    cmocka_unit_test(what_is_no_hello_is_told_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
