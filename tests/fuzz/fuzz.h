/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target is: one function that takes any bytes and returns. It
 * ends the process (FUZZ_ASSERT, or a sanitizer does) when a promise of the
 * parser does not hold. libFuzzer drives it, or replay.c over the corpus.
 */
#ifndef DVT_TESTS_FUZZ_H
#define DVT_TESTS_FUZZ_H

#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

/* The name and the type are libFuzzer's. Return: 0. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define FUZZ_ASSERT(holds)                                                     \
	do {                                                                   \
		if (!(holds)) {                                                \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__,         \
			    __LINE__, #holds);                                 \
			abort();                                               \
		}                                                              \
	} while (0)

/* @inner lies within @outer (or is empty). */
static inline bool
fuzz_within(struct dvt_span inner, struct dvt_span outer)
{
	return inner.n == 0 ||
	       (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

#endif
