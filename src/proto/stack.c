/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/stack.h"

#include "base/err.h"

#include <stddef.h>
#include <string.h>

const struct dvt_stack *
dvt_stack_of(const char *print)
{
#define X(print, name, clock) {print, name, clock},
	static const struct dvt_stack stacks[] = {
#include "proto/stack.def"
	};
#undef X

	for (size_t i = 0; i < DVT_COUNT(stacks); i++)
		if (strcmp(stacks[i].print, print) == 0)
			return &stacks[i];
	return NULL;
}
