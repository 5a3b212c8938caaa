/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/pins.h"

#include <string.h>

enum dvt_pins
dvt_pins_of(const struct dvt_pin_seen *seen, size_t n)
{
	const struct dvt_pin_seen *first = NULL;
	int64_t refusals = 0;
	bool leaves = false;

	for (size_t i = 0; i < n; i++) {
		const struct dvt_pin_seen *s = &seen[i];

		if (s->taken == 0)
			continue;
		refusals += s->after_refusal;
		if (s->issuer[0] == '\0')
			continue; /* says nothing about its issuer */
		if (first == NULL)
			first = s;
		else if (strcmp(first->issuer, s->issuer) != 0)
			return DVT_PINS_ROOT;
		else if (strcmp(first->serial, s->serial) != 0)
			leaves = true;
	}
	if (refusals < DVT_PINS_MIN)
		return DVT_PINS_UNKNOWN;
	return leaves ? DVT_PINS_INTERMEDIATE : DVT_PINS_LEAF;
}

const char *
dvt_pins_reason(enum dvt_pins pins)
{
	switch (pins) {
	case DVT_PINS_INTERMEDIATE:
		return "pins an intermediate: took leaves of one issuing CA "
		       "and refused another of the same root";
	case DVT_PINS_LEAF:
		return "pins a leaf: took one server certificate and refused "
		       "another of the same root";
	case DVT_PINS_UNKNOWN:
	case DVT_PINS_ROOT:
	case DVT_PINS_N:
		break;
	}
	return "";
}
