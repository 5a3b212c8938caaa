/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a message body: what is read lies within it, in any order. */
#include "fuzz.h"
#include "ipc/fields.h"

/* Read one field as what its first byte says, else as what @as says. */
static void
read_one(struct dvt_fields *f, uint8_t as, struct dvt_span all)
{
	char text[16];

	switch (as) {
	case 'u':
		FUZZ_ASSERT(dvt_get_u64(f, 1000) <= 1000);
		break;
	case 'i':
		(void)dvt_get_i64(f);
		break;
	case 'n':
	case 's':
		dvt_get_str(f, text, sizeof(text));
		FUZZ_ASSERT(strlen(text) < sizeof(text));
		break;
	case 'b':
		FUZZ_ASSERT(fuzz_within(dvt_get_bytes(f, 100), all));
		break;
	case 'c':
		FUZZ_ASSERT(dvt_get_count(f, 50) <= 50);
		break;
	default:
		(void)dvt_get_bool(f);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span all = {p, n};
	struct dvt_fields f = dvt_fields_of(all);

	while (dvt_fields_more(&f)) {
		size_t before = f.rest.n;

		FUZZ_ASSERT(fuzz_within(f.rest, all));
		read_one(&f, f.rest.p[0], all);
		FUZZ_ASSERT(f.rest.n < before);
	}
	FUZZ_ASSERT(
	    (dvt_fields_end(&f, "x", NULL) == DVT_OK) == (f.bad == NULL));
	return 0;
}
