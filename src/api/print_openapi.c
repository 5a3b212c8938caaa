/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI document on standard output, for tools/openapi-doc and tests. */
#include "api/fields.h"

#include <stdio.h>

int
main(void)
{
	json_t *doc = dvt_openapi();
	int bad = doc == NULL || json_dumpf(doc, stdout, JSON_INDENT(1)) != 0 ||
		  printf("\n") < 0;

	json_decref(doc);
	return bad;
}
