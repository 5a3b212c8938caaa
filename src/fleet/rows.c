/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/rows.h"

#include "fleet/chain_choice.h"

#include <string.h>

#define STORED_NAME(id, name) name,
#define STORED_TABLE(list, word, end, table, column)                           \
	static const char *const word##_names[] = {list(STORED_NAME)};
DVT_STORED_LISTS(STORED_TABLE)

static const char *const chain_form_names[] = {DVT_CHAIN_FORMS(STORED_NAME)};

#define STORED_ROW(list, word, end, table, column)                             \
	{table, column, word##_names, DVT_COUNT(word##_names)},
const struct dvt_stored dvt_stored[] = {
    DVT_STORED_LISTS(STORED_ROW)  /* each ends in a comma */
    {"chain_seen",  "form", chain_form_names, DVT_COUNT(chain_form_names)},
    {"chain_taken", "form", chain_form_names, DVT_COUNT(chain_form_names)},
};
const size_t dvt_stored_n = DVT_COUNT(dvt_stored);

static int
place_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; name != NULL && i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return (int)n;
}

#define STORED_FUNCTIONS(list, word, end, table, column)                       \
	const char *dvt_##word##_name(enum dvt_##word v)                       \
	{                                                                      \
		return (size_t)v < DVT_COUNT(word##_names) ? word##_names[v]   \
							   : "?";              \
	}                                                                      \
	enum dvt_##word dvt_##word##_from_name(const char *name)               \
	{                                                                      \
		return (enum dvt_##word)place_of(                              \
		    word##_names, DVT_COUNT(word##_names), name);              \
	}
DVT_STORED_LISTS(STORED_FUNCTIONS)
