/* SPDX-License-Identifier: Apache-2.0 */
/* Read a file of tests/vectors in a unit test. */
#ifndef DVT_TESTS_VECTOR_H
#define DVT_TESTS_VECTOR_H

#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

/* @name: such as "csr/p256-san.der". Ends the test program when absent. */
static inline struct dvt_buf
dvt_test_vector(const char *name)
{
	struct dvt_buf out;
	char path[512];
	FILE *f;
	int c;

	dvt_buf_init(&out, 1048576);
	(void)snprintf(path, sizeof(path), "%s/%s", DVT_VECTORS, name);
	if ((f = fopen(path, "rb")) == NULL) {
		perror(path);
		exit(2);
	}
	while ((c = getc(f)) != EOF)
		dvt_buf_putc(&out, (char)c);
	(void)fclose(f);
	return out;
}

#endif
