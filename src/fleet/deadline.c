/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/deadline.h"

#include <string.h>

#define NAME_OF(id, name) name,

const char *
dvt_deadline_name(enum dvt_deadline d)
{
	static const char *const names[] = {DVT_DEADLINES(NAME_OF)};

	return (size_t)d < DVT_COUNT(names) ? names[d] : "?";
}

static bool
is_shown(enum dvt_gateway_slot slot)
{
	return slot == DVT_GWSLOT_CURRENT || slot == DVT_GWSLOT_PREVIOUS ||
	       slot == DVT_GWSLOT_RECOVERY;
}

bool
dvt_deadline_near(
    const struct dvt_shown *shown, size_t n, size_t at, int64_t now)
{
	const struct dvt_shown *s = &shown[at];

	if (!is_shown(s->slot) || s->root[0] == '\0' || s->not_after == 0 ||
	    s->not_after - now > DVT_DEADLINE_S)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (i == at || !is_shown(shown[i].slot) ||
		    strcmp(shown[i].root, s->root) != 0)
			continue;
		if (shown[i].not_after > s->not_after ||
		    (shown[i].not_after == s->not_after && i < at))
			return false;
	}
	return true;
}

enum dvt_deadline
dvt_deadline_do(bool needed, bool key_held)
{
	if (!needed)
		return DVT_DEADLINE_NONE;
	return key_held ? DVT_DEADLINE_RENEW : DVT_DEADLINE_PAGE;
}

/*
 * In the current slot it would push out the certificate of the default root;
 * that of another root goes beside it.
 */
enum dvt_gateway_slot
dvt_deadline_slot(const struct dvt_shown *s, const char *default_root)
{
	return strcmp(s->root, default_root) == 0 ? DVT_GWSLOT_CURRENT
						  : DVT_GWSLOT_RECOVERY;
}
