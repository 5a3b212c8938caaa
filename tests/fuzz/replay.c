/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives a fuzz target without libFuzzer, so that every build runs it: each
 * file of the given folders as it is, then damaged in ways that a fixed seed
 * chooses. Prints TAP, one line for each file.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILE_MAX 1048576
#define DAMAGED  200 /* copies tried of each file */

static unsigned count;

/* xorshift: the same damage on every machine. */
static uint32_t
next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* One to four changes: a bit, a byte, a cut, a byte taken out or put in. */
static size_t
damage(uint8_t *p, size_t n, uint32_t *state)
{
	for (uint32_t i = next(state) % 4 + 1; i > 0 && n > 0; i--) {
		size_t at = next(state) % n;

		switch (next(state) % 8) {
		case 0:
			n = at;
			break;
		case 1:
			memmove(p + at, p + at + 1, n - at - 1);
			n--;
			break;
		case 2: /* there is room for four more */
			memmove(p + at + 1, p + at, n - at);
			n++;
			break;
		case 3:
			p[at] = (uint8_t)next(state);
			break;
		default:
			p[at] ^= (uint8_t)(1U << next(state) % 8);
			break;
		}
	}
	return n;
}

/* On memory of exactly its size, so that a sanitizer sees the first byte
 * beyond. */
static void
run(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n == 0 ? 1 : n);

	if (copy == NULL)
		abort();
	if (n > 0)
		memcpy(copy, p, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void
run_file(const char *path)
{
	uint8_t *bytes = malloc(FILE_MAX), *copy = malloc(FILE_MAX + 4);
	uint32_t state = 0x9e3779b9;
	FILE *f = fopen(path, "rb");
	size_t n, damaged;

	if (bytes == NULL || copy == NULL || f == NULL) {
		perror(path);
		exit(2);
	}
	n = fread(bytes, 1, FILE_MAX, f);
	(void)fclose(f);
	run(bytes, n);
	for (unsigned i = 0; i < DAMAGED; i++) {
		memcpy(copy, bytes, n);
		damaged = damage(copy, n, &state);
		run(copy, damaged);
	}
	free(bytes);
	free(copy);
	(void)printf("ok %u - %s\n", ++count, strrchr(path, '/') + 1);
	(void)fflush(stdout);
}

static int
is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void
run_folder(const char *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, is_visible, alphasort);
	char path[4096];
	struct stat st;

	if (n < 0) {
		perror(folder);
		exit(2);
	}
	for (int i = 0; i < n; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			run_file(path);
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_folder(argv[i]);
	run(NULL, 0);
	(void)printf("1..%u\n", count);
	return count == 0 ? 2 : 0;
}
