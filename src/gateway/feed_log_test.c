/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/feed_log.h"

#include "gateway/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct dvt_config *
config(const char *level, const char *log)
{
	struct dvt_config *c;
	char text[256];

	snprintf(text, sizeof(text),
	    "[gateway]\ntls.debugLevel = %s\ntls.logHandshakes = %s\n"
	    "listen = 127.0.0.1:0\nname = gw\nupstream = tcp:127.0.0.1:1\n",
	    level, log);
	assert_int_equal(dvt_config_parse(gw_settings, gw_settings_count,
			     dvt_span_str(text), "test", &c, NULL),
	    DVT_OK);
	return c;
}

static void
order(struct dvt_feed *f, const char *key, const char *gateway,
    const char *level, const char *device, const char *address, int64_t until)
{
	struct dvt_feed_entry *e = dvt_feed_entry_new(DVT_FEED_LOG, key, 1);

	strcpy(e->u.log.gateway, gateway);
	strcpy(e->u.log.level, level);
	strcpy(e->u.log.device, device);
	strcpy(e->u.log.address, address);
	e->u.log.until = until;
	dvt_feed_put(f, e);
}

static enum gw_log_level
level(struct dvt_feed *f, struct dvt_config *c, const char *device,
    const char *address, int64_t now)
{
	struct dvt_handshake h;

	dvt_handshake_init(&h);
	strcpy(h.device, device);
	strcpy(h.address, address);
	return gw_log_level(f, c, "gw", &h, now);
}

static void
the_settings_decide_without_an_order(void **state)
{
	static const struct {
		const char *level, *log;
		enum gw_log_level is;
	} cases[] = {
	    {"VERBOSE", "no",  GW_LOG_OFF    },
	    {"VERBOSE", "yes", GW_LOG_VERBOSE},
	    {"INFO",    "yes", GW_LOG_INFO   },
	    {"ERROR",   "yes", GW_LOG_ERROR  },
	    {"OFF",     "yes", GW_LOG_OFF    },
	};
	struct dvt_feed *f = dvt_feed_new();

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_config *c = config(cases[i].level, cases[i].log);

		assert_int_equal(level(f, c, "d", "a", 10), cases[i].is);
		assert_int_equal(gw_log_any(f, c), cases[i].is != GW_LOG_OFF);
		dvt_config_free(c);
	}
	dvt_feed_free(f);
}

static void
orders_are_for_all_or_one_and_end(void **state)
{
	struct dvt_config *c = config("ERROR", "yes");
	struct dvt_feed *f = dvt_feed_new();

	(void)state;
	order(f, "other/all", "other", "VERBOSE", "", "", 0);
	order(f, "gw/dev", "gw", "VERBOSE", "dev-1", "", 100);
	order(f, "gw/addr", "gw", "INFO", "", "192.0.2.7", 0);
	assert_int_equal(level(f, c, "dev-1", "x", 99), GW_LOG_VERBOSE);
	assert_int_equal(level(f, c, "dev-1", "x", 100), GW_LOG_ERROR);
	assert_int_equal(level(f, c, "dev-2", "x", 99), GW_LOG_ERROR);
	assert_int_equal(level(f, c, "dev-2", "192.0.2.7", 99), GW_LOG_INFO);
	assert_int_equal(level(f, c, "dev-1", "192.0.2.7", 99), GW_LOG_VERBOSE);
	/* for all: in place of the settings; others still add to it */
	order(f, "gw/all", "gw", "OFF", "", "", 50);
	assert_int_equal(level(f, c, "dev-2", "x", 49), GW_LOG_OFF);
	assert_int_equal(level(f, c, "dev-2", "x", 50), GW_LOG_ERROR);
	assert_int_equal(level(f, c, "dev-1", "x", 49), GW_LOG_VERBOSE);
	assert_true(gw_log_any(f, c));
	/* a word of later days says nothing */
	order(f, "gw/all", "gw", "EVERYTHING", "", "", 0);
	assert_int_equal(level(f, c, "dev-2", "x", 49), GW_LOG_OFF);
	dvt_feed_free(f);
	dvt_config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_settings_decide_without_an_order),
	    cmocka_unit_test(orders_are_for_all_or_one_and_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
