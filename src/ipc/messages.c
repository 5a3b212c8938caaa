/* SPDX-License-Identifier: Apache-2.0 */
/* messages.def as tables: who may say what, and how much of it. */
#include "ipc/messages.h"

/* Roles as bits, by the names used in messages.def. */
enum {
#define ROLE_BIT(id, name) id = 1 << DVT_ROLE_##id,
	DVT_ROLES(ROLE_BIT)
};

static const char *const names[DVT_MSG_COUNT] = {
    "?",
#define X(name, from, to, max) #name,
#include "ipc/messages.def"
#undef X
};

static const unsigned senders[DVT_MSG_COUNT] = {
    0,
#define X(name, from, to, max) (from),
#include "ipc/messages.def"
#undef X
};

static const unsigned receivers[DVT_MSG_COUNT] = {
    0,
#define X(name, from, to, max) (to),
#include "ipc/messages.def"
#undef X
};

static const size_t sizes[DVT_MSG_COUNT] = {
    0,
#define X(name, from, to, max) (max),
#include "ipc/messages.def"
#undef X
};

static const char *const roles[] = {
#define ROLE_NAME(id, name) name,
    DVT_ROLES(ROLE_NAME)};

const char *
dvt_role_name(enum dvt_role r)
{
	return (size_t)r < DVT_COUNT(roles) ? roles[r] : "?";
}

const char *
dvt_msg_name(enum dvt_msg_type t)
{
	return (size_t)t < DVT_COUNT(names) ? names[t] : "?";
}

size_t
dvt_msg_max(enum dvt_msg_type t)
{
	return (size_t)t < DVT_COUNT(sizes) ? sizes[t] : 0;
}

enum dvt_code
dvt_msg_check(uint64_t type, enum dvt_role from, enum dvt_role to,
    uint64_t length, struct dvt_err *err)
{
	if (type == DVT_MSG_NONE || type >= DVT_MSG_COUNT)
		return dvt_fail(err, DVT_E_INPUT,
		    "message of unknown type %llu", (unsigned long long)type);
	if ((senders[type] & (1U << from)) == 0 ||
	    (receivers[type] & (1U << to)) == 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "message %s: not to be said by %s to %s", names[type],
		    dvt_role_name(from), dvt_role_name(to));
	if (length > sizes[type])
		return dvt_fail(err, DVT_E_LIMIT,
		    "message %s: %llu bytes, at most %zu", names[type],
		    (unsigned long long)length, sizes[type]);
	return DVT_OK;
}
