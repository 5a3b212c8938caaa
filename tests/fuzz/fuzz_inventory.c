/* SPDX-License-Identifier: Apache-2.0 */
/* An inventory: refused with its line, or each device has one; index.txt. */
#include "fuzz.h"
#include "base/mem.h"
#include "cli/inventory.h"

#include <stdlib.h>
#include <string.h>

static void
one_index_line(const uint8_t *p, size_t n)
{
	char *field[INDEX_FIELDS], fault[INDEX_FAULT];
	char *line = dvt_strndup((const char *)p, n);

	if (index_line(line, field, fault)) {
		FUZZ_ASSERT(strchr("VRE", field[0][0]) != NULL);
		FUZZ_ASSERT(*field[3] != '\0' && strchr(field[3], '/') == NULL);
	} else {
		FUZZ_ASSERT(*fault != '\0');
	}
	for (const char *c = fault; *c != '\0'; c++)
		FUZZ_ASSERT(*c >= ' ' && *c <= '~');
	free(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	FILE *in = fmemopen((void *)(uintptr_t)p, n > 0 ? n : 1, "r");
	struct dvt_err err = {0};
	const char *id;
	json_t *all = NULL, *one;

	if (n > 0 && inventory_read(in, &all, &err) == DVT_OK) {
		json_object_foreach(all, id, one)
		{
			FUZZ_ASSERT(*id != '\0');
			FUZZ_ASSERT(json_integer_value(
					json_object_get(one, "line")) > 1);
		}
	} else if (n > 0) {
		FUZZ_ASSERT(strncmp(err.text, "line ", 5) == 0);
	}
	json_decref(all);
	if (in != NULL)
		fclose(in);
	one_index_line(p, n);
	return 0;
}
