/* SPDX-License-Identifier: Apache-2.0 */
/* Which field of which row is which column: one map per struct of rows.h. */
#ifndef DVT_STORE_MAPS_H
#define DVT_STORE_MAPS_H

#include "store/row.h"

/* X(map, table): the table whose columns are all in the map. */
#define DVT_ROW_MAPS(X)                                                        \
	X(authority, "authority")                                              \
	X(profile, "profile")                                                  \
	X(device, "device")                                                    \
	X(credential, "credential")                                            \
	X(secret, "enrol_secret")                                              \
	X(grant, "enrol_grant")                                                \
	X(recovery_file, "recovery_file")                                      \
	X(config_value, "config_value")                                        \
	X(config_lock, "config_lock")                                          \
	X(bundle, "bundle")                                                    \
	X(trust_key, "trust_key")                                              \
	X(trust_state, "trust_state")                                          \
	X(chain_seen, "chain_seen")                                            \
	X(chain_taken, "chain_taken")                                          \
	X(device_pin, "device_pin")                                            \
	X(gateway, "gateway")                                                  \
	X(gateway_credential, "gateway_credential")                            \
	X(feed, "feed")                                                        \
	X(rotation, "rotation") /* but the plan */                             \
	X(phase, "phase")                                                      \
	X(assignment, "assignment")                                            \
	X(mail, "mailbox")                                                     \
	X(outbox, "outbox")                                                    \
	X(tally, "tally") /* but the shard */                                  \
	X(update, "device_update")                                             \
	X(step, "update_step")                                                 \
	X(handshake, "handshake")                                              \
	X(handshake_hour, "handshake_hour")                                    \
	X(handshake_shown, "handshake_shown")                                  \
	X(expiry_day, "expiry_day")                                            \
	X(event, "event")                                                      \
	X(alert, "alert")                                                      \
	X(token, "token")                                                      \
	X(approval, "approval")                                                \
	X(audit, "audit")                                                      \
	X(audit_stream, "audit_stream")                                        \
	X(checkpoint, "audit_checkpoint")

#define DVT_ROW_MAP_DECLARE(map, table)                                        \
	extern const struct dvt_row_map dvt_map_##map;
DVT_ROW_MAPS(DVT_ROW_MAP_DECLARE)

/* Answers that are no table. */
extern const struct dvt_row_map dvt_map_gateway_view;
extern const struct dvt_row_map dvt_map_wave_count;
extern const struct dvt_row_map dvt_map_handshake_count;

#endif
