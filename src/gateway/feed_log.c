/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/feed_log.h"

#include <string.h>

static enum gw_log_level
level_from_name(const char *name)
{
	static const char *const names[] = {"OFF", "ERROR", "INFO", "VERBOSE"};

	for (int i = GW_LOG_VERBOSE; i > GW_LOG_OFF; i--)
		if (strcmp(names[i], name) == 0)
			return (enum gw_log_level)i;
	return GW_LOG_OFF;
}

static enum gw_log_level
level_of_settings(const struct dvt_config *config)
{
	if (!dvt_config_bool(config, "gateway.tls.logHandshakes"))
		return GW_LOG_OFF;
	return level_from_name(
	    dvt_config_text(config, "gateway.tls.debugLevel"));
}

static bool
is_for_all(const struct dvt_feed_log *l)
{
	return l->device[0] == '\0' && l->address[0] == '\0';
}

static bool
is_meant(const struct dvt_feed_log *l, const struct dvt_handshake *h)
{
	return (l->device[0] == '\0' || strcmp(l->device, h->device) == 0) &&
	       (l->address[0] == '\0' || strcmp(l->address, h->address) == 0);
}

enum gw_log_level
gw_log_level(const struct dvt_feed *feed, const struct dvt_config *config,
    const char *gateway, const struct dvt_handshake *h, int64_t now_s)
{
	enum gw_log_level all = level_of_settings(config), most = GW_LOG_OFF;
	const struct dvt_feed_entry *e = NULL;

	while ((e = dvt_feed_next(feed, DVT_FEED_LOG, e)) != NULL) {
		const struct dvt_feed_log *l = &e->u.log;
		enum gw_log_level level = level_from_name(l->level);

		if (strcmp(l->gateway, gateway) != 0 ||
		    (l->until != 0 && l->until <= now_s) || !is_meant(l, h))
			continue;
		if (is_for_all(l))
			all = level;
		else if (level > most)
			most = level;
	}
	return most > all ? most : all;
}

bool
gw_log_any(const struct dvt_feed *feed, const struct dvt_config *config)
{
	return dvt_feed_count(feed, DVT_FEED_LOG) > 0 ||
	       level_of_settings(config) != GW_LOG_OFF;
}
