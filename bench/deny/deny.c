/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench-deny [DENIALS [DEVICES]] */
#include "base/mem.h"
#include "proto/feed.h"
#include "proto/shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKUPS 1000000
#define ROUNDS  3 /* after one that fills caches and tables of pages */

/* Spread as digests are; the same number gives the same. */
static void
digest(uint64_t n, uint64_t out[4])
{
	for (int i = 0; i < 4; i++) {
		n += 0x9e3779b97f4a7c15u;
		out[i] = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
		out[i] ^= out[i] >> 27;
	}
}

static void
text_of(uint64_t n, char out[DVT_DIGEST_HEX])
{
	uint64_t d[4];

	digest(n, d);
	dvt_hex(d, sizeof(d), out, DVT_DIGEST_HEX);
}

static double
cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
fill(struct dvt_feed *f, uint64_t denials, uint64_t devices)
{
	char text[DVT_DIGEST_HEX];
	struct dvt_feed_entry *e;

	for (uint64_t i = 0; i < denials; i++) {
		text_of(i, text);
		e = dvt_feed_entry_new(DVT_FEED_DENY, text, (int64_t)i);
		e->u.deny.not_after = INT64_MAX;
		snprintf(e->u.deny.device, sizeof(e->u.deny.device),
		    "device-%08llu", (unsigned long long)i);
		dvt_feed_put(f, e);
	}
	for (uint64_t i = 0; i < devices; i++) {
		snprintf(
		    text, sizeof(text), "device-%08llu", (unsigned long long)i);
		e = dvt_feed_entry_new(DVT_FEED_DEVICE, text, (int64_t)i);
		strcpy(e->u.device.state, "active");
		text_of(UINT32_MAX + i, text);
		dvt_feed_list_add(&e->u.device.certificates, text);
		text_of(UINT64_MAX / 2, text);
		dvt_feed_list_add(&e->u.device.trust, text);
		dvt_feed_list_add(&e->u.device.proven, text);
		e->u.device.trust_known = true;
		dvt_feed_put(f, e);
	}
}

/* --- beside it: all of them in order, looked for by halves --- */

struct map {
	uint64_t (*all)[4];
	size_t n;
};

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 4 * sizeof(uint64_t));
}

static void
map_fill(struct map *m, uint64_t denials)
{
	m->n = denials;
	m->all = dvt_alloc_array(denials, sizeof(*m->all));
	for (uint64_t i = 0; i < denials; i++)
		digest(i, m->all[i]);
	qsort(m->all, m->n, sizeof(*m->all), compare);
}

static bool
in_map(const void *map, const uint64_t d[4])
{
	const struct map *m = map;

	return bsearch(d, m->all, m->n, sizeof(*m->all), compare) != NULL;
}

static bool
on_shelf(const void *shelf, const uint64_t d[4])
{
	return dvt_shelf_get(shelf, 0,
	    (struct dvt_span){(const uint8_t *)d, 4 * sizeof(*d)}, NULL);
}

static bool
nowhere(const void *where, const uint64_t d[4])
{
	(void)where;
	return (d[0] & d[1] & d[2] & d[3]) == 1;
}

/* Every look-up is of another one, as handshakes are; nanoseconds each. */
static double
look_up(bool (*has)(const void *where, const uint64_t d[4]), const void *where,
    uint64_t first, uint64_t n)
{
	double before = cpu_s();
	uint64_t d[4], found = 0;

	for (uint64_t i = 0; i < LOOKUPS; i++) {
		digest(first + i * 7919 % n, d);
		found += has(where, d);
	}
	if (has != nowhere && found != (first == 0 ? LOOKUPS : 0))
		exit(1);
	return (cpu_s() - before) / LOOKUPS * 1e9;
}

/* In turn, and the best of each: others use this machine as well. */
static void
compare_all(const struct dvt_shelf *s, const struct map *map, uint64_t first,
    uint64_t n, const char *what)
{
	double shelf = 1e9, tree = 1e9, loop = 1e9, t;

	for (int round = 0; round <= ROUNDS; round++) {
		t = look_up(nowhere, NULL, first, n);
		loop = t < loop ? t : loop;
		t = look_up(on_shelf, s, first, n);
		shelf = t < shelf && round > 0 ? t : shelf;
		t = look_up(in_map, map, first, n);
		tree = t < tree && round > 0 ? t : tree;
	}
	printf("a digest that is %-7s %6.0f ns; in a sorted list %5.0f ns, "
	       "%.1f times as long\n",
	    what, shelf - loop, tree - loop, (tree - loop) / (shelf - loop));
}

static void
look_up_text(const struct dvt_feed *f, uint64_t denials, uint64_t devices)
{
	double before;
	char(*text)[DVT_DIGEST_HEX] = dvt_alloc_array(65536, sizeof(*text));
	uint64_t found = 0;

	for (uint64_t i = 0; i < 65536; i++)
		text_of(denials + i * 31, text[i]);
	before = cpu_s();
	for (uint64_t i = 0; i < LOOKUPS; i++)
		found += dvt_feed_get(f, DVT_FEED_DENY, text[i % 65536]) !=
			 NULL;
	printf("a text that is absent    %6.0f ns\n",
	    (cpu_s() - before) / LOOKUPS * 1e9);
	for (uint64_t i = 0; i < 65536; i++)
		text_of(UINT32_MAX + i * 31 % devices, text[i]);
	before = cpu_s();
	for (uint64_t i = 0; i < LOOKUPS; i++)
		found += dvt_feed_device_by_certificate(f, text[i % 65536]) !=
			 NULL;
	printf("a device by certificate %6.0f ns (%llu found)\n",
	    (cpu_s() - before) / LOOKUPS * 1e9, (unsigned long long)found);
	free(text);
}

int
main(int argc, char **argv)
{
	uint64_t denials = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
	uint64_t devices = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
	struct dvt_feed *f = dvt_feed_new_shared();
	struct dvt_shelf *s;
	struct map map;
	double before = cpu_s();

	fill(f, denials, devices);
	printf("filled in               %6.2f s\n", cpu_s() - before);
	if (dvt_shelf_attach(dvt_feed_shelf_fd(f), &s, NULL) != DVT_OK)
		return 1;
	map_fill(&map, denials);
	compare_all(s, &map, denials, denials, "absent");
	compare_all(s, &map, 0, denials, "denied");
	look_up_text(f, denials, devices);
	printf("memory, once per machine%6zu MiB\n",
	    dvt_feed_shelf_bytes(f) >> 20);
	dvt_shelf_free(s);
	dvt_feed_free(f);
	return 0;
}
