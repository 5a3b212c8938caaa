/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and message types, and the rules that messages.def sets for them. */
#ifndef DVT_IPC_MESSAGES_H
#define DVT_IPC_MESSAGES_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DVT_ROLES(X)                                                           \
	X(PARENT, "parent")                                                    \
	X(FRONT, "front")                                                      \
	X(CORE, "core")                                                        \
	X(READER, "reader")                                                    \
	X(SIGNER, "signer")                                                    \
	X(COURIER, "courier")                                                  \
	X(EDGE_FEED, "feed")                                                   \
	X(EDGE_WORKER, "worker")                                               \
	X(EDGE_RESOLVER, "resolver")

#define DVT_ROLE_ENUM(id, name) DVT_ROLE_##id,
enum dvt_role { DVT_ROLES(DVT_ROLE_ENUM) DVT_ROLE_COUNT };
const char *dvt_role_name(enum dvt_role r);

enum dvt_msg_type {
	DVT_MSG_NONE,
#define X(name, from, to, max) DVT_MSG_##name,
#include "ipc/messages.def"
#undef X
	DVT_MSG_COUNT
};
const char *dvt_msg_name(enum dvt_msg_type t); /* "SIGN_REQUEST"; "?" */
size_t dvt_msg_max(enum dvt_msg_type t);       /* bytes of its body */

/**
 * dvt_msg_check() - may @from say this to @to?
 * @type: as received, unchecked
 * Return: DVT_OK; DVT_E_INPUT (unknown, wrong side); DVT_E_LIMIT.
 */
DVT_MUST_USE enum dvt_code dvt_msg_check(uint64_t type, enum dvt_role from,
    enum dvt_role to, uint64_t length, struct dvt_err *err);

#endif
