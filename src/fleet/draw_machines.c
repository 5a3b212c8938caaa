/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes docs/machines/ from the tables, or (--check) says which page is not
 * what the table would give.
 *     draw_machines [--check] FOLDER
 */
#include "fleet/machine.h"

#include <stdio.h>
#include <stdlib.h>

static bool
page_is(const char *path, struct dvt_buf *page)
{
	FILE *f = fopen(path, "re");
	bool same = f != NULL;
	int c;

	for (size_t i = 0; same && i < page->n; i++)
		same = fgetc(f) == page->p[i];
	if (f == NULL)
		return false;
	c = fgetc(f);
	fclose(f);
	return same && c == EOF;
}

static int
write_page(const char *path, struct dvt_buf *page)
{
	FILE *f = fopen(path, "we");

	if (f == NULL) {
		perror(path);
		return 1;
	}
	fwrite(page->p, 1, page->n, f);
	if (fclose(f) == 0)
		return 0;
	perror(path);
	return 1;
}

int
main(int argc, char **argv)
{
	bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
	int bad = 0;

	if (argc != 2 && !check) {
		fprintf(stderr, "usage: %s [--check] FOLDER\n", argv[0]);
		return 64;
	}
	if (check)
		printf("1..%zu\n", dvt_machines_n);
	for (size_t i = 0; i < dvt_machines_n; i++) {
		char path[4096];
		struct dvt_buf page;
		bool same;

		snprintf(path, sizeof(path), "%s/%s.md", argv[argc - 1],
		    dvt_machines[i]->name);
		dvt_buf_init(&page, 1 << 20);
		dvt_machine_page(dvt_machines[i], &page);
		if (check) {
			same = page_is(path, &page);
			printf("%sok %zu - docs/machines/%s.md is as the table "
			       "says\n",
			    same ? "" : "not ", i + 1, dvt_machines[i]->name);
			bad |= !same;
		} else {
			bad |= write_page(path, &page);
		}
		dvt_buf_fini(&page);
	}
	return bad;
}
