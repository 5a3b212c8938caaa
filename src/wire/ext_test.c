/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/ext.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
a_host_is_an_address_a_name_or_neither(void **state)
{
	static const struct {
		const char *text;
		uint8_t kind;
	} cases[] = {
	    {"edge.example",     DVT_SAN_DNS},
	    {"edge_1.example",   DVT_SAN_DNS},
	    {"*.example",        DVT_SAN_DNS},
	    {"localhost",        DVT_SAN_DNS},
	    {"192.0.2.7",        DVT_SAN_IP },
	    {"2001:db8::7",      DVT_SAN_IP },
	    {"::1",              DVT_SAN_IP },
	    {"",		 0          },
	    {"-edge.example",    0          },
	    {".example",         0          },
	    {"edge..example",    0          },
	    {"edge.example.",    0          },
	    {"edge.example:443", 0          },
	    {"[::1]",            0          },
	    {"2001:db8::7::1",   0          },
	    {"*",                0          },
	    {"e*.example",       0          },
	    {"edge example",     0          },
	    {"edge/example",     0          },
	    {"\xc3\xa4.example", 0          },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++)
		if (dvt_host_kind(cases[i].text) != cases[i].kind)
			fail_msg("\"%s\"", cases[i].text);
}

static void
a_name_has_labels_of_63_and_253_characters_at_most(void **state)
{
	char name[DVT_HOST_MAX + 2];

	(void)state;
	memset(name, 'a', sizeof(name));
	for (size_t i = 63; i < sizeof(name); i += 64)
		name[i] = '.';
	name[DVT_HOST_MAX + 1] = '\0';
	assert_int_equal(dvt_host_kind(name), 0);
	name[DVT_HOST_MAX] = '\0';
	assert_int_equal(dvt_host_kind(name), DVT_SAN_DNS);
	name[63] = 'a';
	assert_int_equal(dvt_host_kind(name), 0);
}

static void
an_address_has_4_or_16_bytes(void **state)
{
	static const uint8_t four[] = {192, 0, 2, 7};
	uint8_t raw[DVT_IP_BYTES];

	(void)state;
	assert_int_equal(dvt_ip_parse("192.0.2.7", raw), 4);
	assert_memory_equal(raw, four, 4);
	assert_int_equal(dvt_ip_parse("2001:db8::7", raw), 16);
	assert_int_equal(raw[15], 7);
	assert_int_equal(dvt_ip_parse("192.0.2.7/24", raw), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_host_is_an_address_a_name_or_neither),
	    cmocka_unit_test(
		a_name_has_labels_of_63_and_253_characters_at_most),
	    cmocka_unit_test(an_address_has_4_or_16_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
