/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hello.h"

#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Hex with blanks and "|" between the parts, to bytes. */
static size_t
bytes_of(const char *hex, uint8_t *out, size_t size)
{
	char plain[4096];
	size_t n = 0, got;

	for (; *hex != '\0'; hex++)
		if (*hex != ' ' && *hex != '|')
			plain[n++] = *hex;
	plain[n] = '\0';
	assert_int_equal(dvt_unhex(plain, out, size, &got, NULL), DVT_OK);
	return got;
}

/* A hello around an extensions block (hex), with all lengths right. */
static size_t
hello_of(const char *exts_hex, uint8_t *out, size_t size)
{
	uint8_t exts[2048];
	size_t n = bytes_of(exts_hex, exts, sizeof(exts)), at = 0, body;
	static const uint8_t fixed[] = {3, 3, 0x65, 0, 0, 1};

	assert_true(size > n + 64);
	out[at++] = 1;
	at += 3;
	memcpy(out + at, fixed, sizeof(fixed));
	at += sizeof(fixed);
	memset(out + at, 7, 28); /* the rest of random */
	at += 28;
	out[at++] = 0; /* session id */
	memcpy(out + at, "\0\6\x1a\x1a\x13\x01\xc0\x2b", 8);
	at += 8;
	out[at++] = 1;
	out[at++] = 0;
	if (n > 0) {
		out[at++] = (uint8_t)(n >> 8);
		out[at++] = (uint8_t)n;
		memcpy(out + at, exts, n);
		at += n;
	}
	body = at - 4;
	out[1] = 0;
	out[2] = (uint8_t)(body >> 8);
	out[3] = (uint8_t)body;
	return at;
}

/* "Edge.example" */
#define SNI          "0000 0011 000f 00 000c 456467652e6578616d706c65"
#define VER          "002b 0005 04 0304 0303"
#define SIG          "000d 0006 0004 0403 0804"
#define SIG_EC       "000d 0004 0002 0403"
#define GROUPS       "000a 0006 0004 001d 0017"
#define PSK          "0029 0002 0000"
#define TICKET       "0029 000b 0009 0003 aabbcc 00000000"
#define TICKET_SHORT "0029 0006 0004 0003 aabb"
#define AUTH         "002f 0009 0007 0003 300101 0000"
#define MFL          "0001 0001 02"
#define GREASE       "3a3a 0000"

static struct dvt_hello
parsed(const char *exts)
{
	uint8_t b[2048];
	size_t n = hello_of(exts, b, sizeof(b));
	struct dvt_hello h;

	assert_int_equal(
	    dvt_hello_parse((struct dvt_span){b, n}, &h, NULL), DVT_OK);
	return h;
}

static void
a_hello_tells_name_version_and_algorithms(void **state)
{
	struct dvt_hello h = parsed(SNI VER SIG GROUPS MFL);

	(void)state;
	assert_string_equal(h.server_name, "edge.example");
	assert_true(h.tls13 && h.ecdsa && h.rsa);
	assert_false(h.ticket);
	assert_int_equal(h.max_fragment, 1024);
	assert_int_equal(h.clock, 0x65000001);
	assert_int_equal(strlen(h.print), DVT_HELLO_PRINT - 1);
	h = parsed(SIG_EC);
	assert_true(h.ecdsa && !h.rsa && !h.tls13);
	h = parsed(SIG); /* TLS 1.2 alone, with a cipher for EC keys alone */
	assert_true(h.ecdsa && !h.rsa && !h.tls13);
	h = parsed("");
	assert_true(h.ecdsa && !h.rsa);
	assert_string_equal(h.server_name, "");
}

static void
the_print_is_the_stack_not_the_connection(void **state)
{
	struct dvt_hello base = parsed(VER SIG GROUPS), h;

	(void)state;
	assert_string_equal(base.print, parsed(SNI VER SIG GROUPS).print);
	assert_string_equal(base.print, parsed(VER SIG GROUPS PSK).print);
	assert_string_equal(base.print, parsed(GREASE VER SIG GROUPS).print);
	assert_string_not_equal(base.print, parsed(SIG VER GROUPS).print);
	assert_string_not_equal(base.print, parsed(VER SIG_EC GROUPS).print);
	assert_string_not_equal(base.print, parsed(VER SIG GROUPS MFL).print);
	assert_true(parsed(VER PSK).ticket);
	assert_int_equal(parsed(VER PSK).ticket_n, 0);
	h = parsed(VER TICKET);
	assert_true(h.ticket);
	assert_int_equal(h.ticket_n, 3);
	assert_int_equal(parsed(VER TICKET_SHORT).ticket_n, 0);
}

static void
authorities_are_handed_on_one_by_one(void **state)
{
	uint8_t b[2048];
	size_t n = hello_of(VER AUTH, b, sizeof(b));
	struct dvt_hello h;
	struct dvt_span name;

	(void)state;
	assert_int_equal(
	    dvt_hello_parse((struct dvt_span){b, n}, &h, NULL), DVT_OK);
	assert_true(dvt_hello_authority_take(&h.authorities, &name));
	assert_int_equal(name.n, 3);
	assert_int_equal(name.p[0], 0x30);
	assert_true(dvt_hello_authority_take(&h.authorities, &name));
	assert_int_equal(name.n, 0);
	assert_false(dvt_hello_authority_take(&h.authorities, &name));
}

static void
names_that_are_no_host_names_are_left_out(void **state)
{
	static const char *const bad[] = {
	    "0000 0006 0004 00 0001 0a",     /* a line feed */
	    "0000 0005 0003 00 0000",        /* empty */
	    "0000 0006 0004 01 0001 61",     /* of another type */
	    "0000 0006 0004 00 0009 61",     /* longer than there is */
	    "0000 0000",                     /* no list */
	    "0000 0008 0006 00 0003 61 0061" /* a NUL inside */
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++)
		if (parsed(bad[i]).server_name[0] != '\0')
			fail_msg("taken: %s", bad[i]);
}

static void
cut_or_stretched_hellos_are_refused(void **state)
{
	uint8_t b[4096] = {0};
	size_t n = hello_of(SNI VER SIG GROUPS AUTH, b, sizeof(b));
	struct dvt_hello h;
	uint8_t *big;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		b[2] = (uint8_t)((i < 4 ? 0 : i - 4) >> 8);
		b[3] = (uint8_t)(i < 4 ? 0 : i - 4);
		/* without any extension it is whole again */
		if (dvt_hello_parse((struct dvt_span){b, i}, &h, NULL) ==
		    DVT_OK)
			assert_int_equal(i, 4 + 34 + 1 + 8 + 2);
	}
	big = test_malloc(DVT_HELLO_MAX + 1);
	assert_int_equal(
	    dvt_hello_parse(
		(struct dvt_span){big, DVT_HELLO_MAX + 1}, &h, NULL),
	    DVT_E_LIMIT);
	test_free(big);
	assert_int_equal(
	    dvt_hello_parse((struct dvt_span){NULL, 0}, &h, NULL), DVT_E_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hello_tells_name_version_and_algorithms),
	    cmocka_unit_test(the_print_is_the_stack_not_the_connection),
	    cmocka_unit_test(authorities_are_handed_on_one_by_one),
	    cmocka_unit_test(names_that_are_no_host_names_are_left_out),
	    cmocka_unit_test(cut_or_stretched_hellos_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
