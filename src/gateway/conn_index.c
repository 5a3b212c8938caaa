/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/conn_index.h"

#include "base/mem.h"

#include <openssl/rand.h>

#include <stdint.h>
#include <stdlib.h>

#define BUCKETS 16384 /* a power of 2; of each kind */

struct link {
	uint64_t hash;
	struct gw_seat *next, **back;
};

struct gw_seat {
	struct gw_conn *conn;
	struct link by[GW_BY_N];
};

struct gw_index {
	uint64_t salt;
	struct gw_seat *head[GW_BY_N][BUCKETS];
};

struct gw_index *
gw_index_new(void)
{
	struct gw_index *ix = dvt_alloc(sizeof(*ix));

	if (RAND_bytes((unsigned char *)&ix->salt, sizeof(ix->salt)) != 1)
		ix->salt = (uint64_t)(uintptr_t)ix;
	return ix;
}

void
gw_index_free(struct gw_index *ix)
{
	free(ix);
}

/* Salted FNV-1a with a final mix. */
static uint64_t
hash_of(const struct gw_index *ix, const char *text)
{
	uint64_t h = ix->salt;

	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3u;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	return h ^ h >> 29;
}

static void
link_in(struct gw_index *ix, struct gw_seat *s, enum gw_index_by by,
    const char *text)
{
	struct link *l = &s->by[by];
	struct gw_seat **head;

	if (text[0] == '\0')
		return;
	l->hash = hash_of(ix, text);
	head = &ix->head[by][l->hash % BUCKETS];
	l->next = *head;
	l->back = head;
	if (l->next != NULL)
		l->next->by[by].back = &l->next;
	*head = s;
}

struct gw_seat *
gw_index_put(struct gw_index *ix, struct gw_conn *c, const char *certificate,
    const char *device)
{
	struct gw_seat *s = dvt_alloc(sizeof(*s));

	s->conn = c;
	link_in(ix, s, GW_BY_CERTIFICATE, certificate);
	link_in(ix, s, GW_BY_DEVICE, device);
	return s;
}

void
gw_index_drop(struct gw_seat *s)
{
	if (s == NULL)
		return;
	for (int by = 0; by < GW_BY_N; by++) {
		struct link *l = &s->by[by];

		if (l->back == NULL)
			continue;
		*l->back = l->next;
		if (l->next != NULL)
			l->next->by[by].back = l->back;
	}
	free(s);
}

void
gw_index_each(struct gw_index *ix, enum gw_index_by by, const char *text,
    void (*each)(struct gw_conn *c))
{
	uint64_t hash = hash_of(ix, text);
	struct gw_seat *s, *next;

	for (s = ix->head[by][hash % BUCKETS]; s != NULL; s = next) {
		next = s->by[by].next;
		if (s->by[by].hash == hash)
			each(s->conn);
	}
}
