/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be preloaded: one allocation of OpenSSL's fails, the n-th of the process
 * (OPENSSL_FAIL_AT, and OPENSSL_FAIL_N of them; 0: none). How many there were
 * is written into the file OPENSSL_COUNT at the end.
 */
#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>

static unsigned long calls, fail_at, fail_n;

static int
fails(void)
{
	unsigned long n = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);

	return fail_at != 0 && n >= fail_at && n - fail_at < fail_n;
}

static void *
take(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return fails() ? NULL : malloc(n);
}

static void *
again(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return fails() ? NULL : realloc(p, n);
}

static void
give(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

static unsigned long
number(const char *name)
{
	const char *text = getenv(name);

	return text == NULL ? 0 : strtoul(text, NULL, 10);
}

__attribute__((constructor)) static void
begin(void)
{
	fail_at = number("OPENSSL_FAIL_AT");
	fail_n = number("OPENSSL_FAIL_N");
	if (CRYPTO_set_mem_functions(take, again, give) != 1)
		abort();
}

__attribute__((destructor)) static void
end(void)
{
	const char *path = getenv("OPENSSL_COUNT");
	FILE *f = path == NULL ? NULL : fopen(path, "w");

	if (f == NULL)
		return;
	(void)fprintf(f, "%lu\n", calls);
	(void)fclose(f);
}
