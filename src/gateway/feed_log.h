/* SPDX-License-Identifier: Apache-2.0 */
/* Which handshakes go into the log: by the settings, and by orders of the
 * control plane for all, one device or one address, until a time. */
#ifndef DVT_GATEWAY_FEED_LOG_H
#define DVT_GATEWAY_FEED_LOG_H

#include "proc/config.h"
#include "proto/feed.h"
#include "proto/feed_record.h"

enum gw_log_level { GW_LOG_OFF, GW_LOG_ERROR, GW_LOG_INFO, GW_LOG_VERBOSE };

/**
 * gw_log_level() - how much of this handshake is logged
 * @config: gateway.tls.logHandshakes and debugLevel
 *
 * An order for all stands in place of the settings; one for its device or its
 * address can only add to that.
 */
enum gw_log_level gw_log_level(const struct dvt_feed *feed,
    const struct dvt_config *config, const char *gateway,
    const struct dvt_handshake *h, int64_t now_s);
/* false: none, whatever it is. */
bool gw_log_any(const struct dvt_feed *feed, const struct dvt_config *config);

#endif
