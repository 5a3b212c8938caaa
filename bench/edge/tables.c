/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an edge remembers of many devices, and how fast it finds it: verdicts
 * on client certificates (one process) and the fallback memory (shared).
 *
 *   bench-edge-tables DEVICES
 *
 * Every device comes from an address of its own, was let in once with the
 * second chain after it refused the first, and comes back. Memory is what the
 * process grew by, pages touched.
 */
#include "base/mem.h"
#include "loop/edge_memory.h"
#include "loop/edge_tls.h"
#include "loop/verdict_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/sha.h>

#define NOW INT64_C(1764547200)
#define ROOT_OLD                                                               \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ROOT_NEW                                                               \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define PRINT "0123456789abcdef"

static double
cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Pages this process has in memory, shared ones too. */
static double
resident_mib(void)
{
	long total = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%ld %ld", &total, &resident) != 2)
		exit(1);
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

static void
digest_of(unsigned n, uint8_t out[DVT_VERDICT_KEY])
{
	SHA256((const unsigned char *)&n, sizeof(n), out);
}

static void
say(const char *what, unsigned devices, unsigned known, double mib, double s,
    unsigned lookups)
{
	printf("%-28s %6.1f MiB (%.0f bytes a device), %5.1f %% known, "
	       "%.0f ns a look-up\n",
	    what, mib, mib * 1048576 / devices, 100.0 * known / devices,
	    s * 1e9 / lookups);
}

static void
verdicts(unsigned devices)
{
	double before = resident_mib(), began, took;
	struct dvt_verdict_cache *v = dvt_verdict_cache_new(DVT_EDGE_VERDICTS);
	struct dvt_verdict_dates dates = {NOW - 86400, NOW + 86400};
	uint8_t(*key)[DVT_VERDICT_KEY] = dvt_alloc_array(devices, sizeof(*key));
	unsigned known = 0;

	for (unsigned i = 0; i < devices; i++)
		digest_of(i, key[i]);
	before = resident_mib();
	for (unsigned i = 0; i < devices; i++)
		dvt_verdict_cache_put(v, key[i], &dates);
	began = cpu_s();
	for (unsigned i = 0; i < devices; i++)
		known += dvt_verdict_cache_get(v, key[i], NOW, &dates);
	took = cpu_s() - began;
	say("chain verdicts, a process", devices, known,
	    resident_mib() - before, took, devices);
	dvt_verdict_cache_free(v);
	free(key);
}

static void
address_of(unsigned n, char out[16])
{
	(void)snprintf(
	    out, 16, "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
}

static void
fallback(unsigned devices)
{
	const struct dvt_offer offers[] = {
	    {.credential = "new", .root = ROOT_NEW, .form = DVT_FORM_PURE},
	    {.credential = "old", .root = ROOT_OLD, .form = DVT_FORM_PURE},
	};
	char id[DVT_DEVICE_ID_MAX + 1];
	bool turn;
	struct dvt_choice_memory found[DVT_OFFERS_MAX];
	double before = resident_mib(), began, took;
	struct dvt_edge_memory *m;
	unsigned known = 0;
	char address[16];
	struct dvt_edge_client who = {
	    .address = address, .print = PRINT, .device = ""};

	if (dvt_edge_memory_new(DVT_EDGE_MEMORY_LINES, &m, NULL) != DVT_OK)
		exit(1);
	for (unsigned i = 0; i < devices; i++) {
		address_of(i, address);
		(void)snprintf(id, sizeof(id), "dev-%05u", i);
		dvt_edge_memory_learn(m, &who, &offers[0], false, NOW);
		dvt_edge_memory_learn(m, &who, &offers[1], true, NOW + 1);
		dvt_edge_memory_device_seen(m, address, id, NOW + 1);
	}
	began = cpu_s();
	for (unsigned i = 0; i < devices; i++) {
		address_of(i, address);
		known += dvt_edge_memory_recall(
			     m, &who, offers, 2, NOW + 2, found, &turn) == 2;
	}
	took = cpu_s() - began;
	say("fallback memory, all workers", devices, known,
	    resident_mib() - before, took, devices);
	dvt_edge_memory_free(m);
}

int
main(int argc, char **argv)
{
	unsigned devices = argc == 2 ? (unsigned)atoi(argv[1]) : 0;

	if (devices == 0) {
		fputs("usage: bench-edge-tables DEVICES\n", stderr);
		return 64;
	}
	verdicts(devices);
	fallback(devices);
	return 0;
}
