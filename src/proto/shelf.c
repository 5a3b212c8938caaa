/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/shelf.h"

#include "base/mem.h"

#include <openssl/rand.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        0x64767473686c6602u
#define SLOTS_MIN    64
#define ARENA_MIN    16384 /* bytes */
#define PLACE_BITS   40    /* of a slot; in units of 8 bytes: 8 TiB */
#define PLACE_MASK   ((UINT64_C(1) << PLACE_BITS) - 1)
#define EMPTY        0
#define DROPPED      1 /* no record is at that place */
#define DIGEST       32
#define FILTER_SLOTS 16 /* for which a word of the filter stands */
#define SEALS        (F_SEAL_SHRINK | F_SEAL_GROW)

struct head {
	uint64_t magic;
	uint64_t slots; /* a power of 2 */
	uint64_t bytes; /* of the whole mapping */
	uint64_t salt;
	_Atomic uint64_t count[DVT_SHELF_KINDS];
	_Atomic uint64_t slot[]; /* hash over place; then the filter */
};

struct record {
	uint32_t value_n;
	uint16_t key_n;
	uint8_t kind;
	uint8_t unused;
	uint8_t text[]; /* key, value */
};

struct dvt_shelf {
	bool shared, reader;
	int fd;
	struct head *m; /* NULL: nothing mapped yet */
	size_t bytes;   /* of it */
	uint64_t slots; /* a reader's own copy: nobody can change it on it */
	uint64_t generation;
	/* the writer's */
	uint64_t used; /* slots that are not empty */
	uint64_t end;  /* of the last record */
	uint64_t live; /* bytes of records that can be found */
};

/* --- where things are --- */

static uint64_t
round8(uint64_t n)
{
	return (n + 7) & ~UINT64_C(7);
}

/* The words of the filter lie behind the slots. */
static uint64_t
filter_words(uint64_t slots)
{
	return slots / FILTER_SLOTS;
}

static uint64_t
arena_at(uint64_t slots)
{
	return round8(sizeof(struct head) +
		      (slots + filter_words(slots)) * sizeof(uint64_t));
}

static uint64_t
record_bytes(size_t key_n, size_t value_n)
{
	return round8(sizeof(struct record) + key_n + value_n);
}

/* Salted, eight bytes at a time. */
static uint64_t
hash_text(uint64_t h, unsigned kind, struct dvt_span key)
{
	const uint8_t *p = key.p;
	size_t n = key.n;

	h ^= (uint64_t)n << 8 | kind;
	while (n > 0) {
		uint64_t word = 0;
		size_t part = n < sizeof(word) ? n : sizeof(word);

		memcpy(&word, p, part);
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
		p += part;
		n -= part;
	}
	h *= 0xbf58476d1ce4e5b9u;
	return h ^ h >> 32;
}

/* Both halves of a product, one over the other. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Digests are as good as random, but whoever makes certificates may choose
 * among them: salted all the same, with as little work as that takes. */
static uint64_t
hash_digest(uint64_t salt, unsigned kind, const uint8_t *p)
{
	uint64_t w[4];

	memcpy(w, p, sizeof(w));
	return fold(fold(w[0] ^ salt, w[1] ^ 0xa0761d6478bd642fu),
	    fold(w[2] ^ salt, w[3] ^ 0xe7037ed1a0b428dbu) ^ kind ^ salt);
}

static uint64_t
hash(uint64_t h, unsigned kind, struct dvt_span key)
{
	if (key.n == DIGEST)
		return hash_digest(h, kind, key.p);
	return hash_text(h, kind, key);
}

/* --- the filter --- */

/*
 * Most who are looked for in a list of the denied are not on it: three bits
 * of one word tell so in nearly all cases, and all those words stay in the
 * processor's cache where the slots do not. Bits are set before a record is
 * found, and go with the mapping.
 */
static _Atomic uint64_t *
filter_word(const struct dvt_shelf *s, uint64_t h)
{
	return &s->m->slot[s->slots + (h >> 4 & (filter_words(s->slots) - 1))];
}

static uint64_t
filter_bits(uint64_t h)
{
	return UINT64_C(1) << (h >> 40 & 63) | UINT64_C(1) << (h >> 46 & 63) |
	       UINT64_C(1) << (h >> 52 & 63);
}

static void
filter_add(struct dvt_shelf *s, unsigned kind, uint64_t h)
{
	if (kind == DVT_SHELF_RARE)
		atomic_fetch_or_explicit(
		    filter_word(s, h), filter_bits(h), memory_order_relaxed);
}

/* false: it is not there. */
static bool
filter_may_have(const struct dvt_shelf *s, unsigned kind, uint64_t h)
{
	return kind != DVT_SHELF_RARE ||
	       (~atomic_load_explicit(filter_word(s, h), memory_order_relaxed) &
		   filter_bits(h)) == 0;
}

/* --- the slots --- */

/* The record of a slot; NULL when there is none within the mapping. */
static const struct record *
record_of(const struct dvt_shelf *s, uint64_t slot)
{
	uint64_t at = (slot & PLACE_MASK) << 3;
	const struct record *r;

	if (slot == EMPTY || slot == DROPPED || at < arena_at(s->slots) ||
	    at > s->bytes - sizeof(*r))
		return NULL;
	r = (const struct record *)(const void *)((const uint8_t *)s->m + at);
	if ((uint64_t)r->key_n + r->value_n > s->bytes - sizeof(*r) - at)
		return NULL;
	return r;
}

static bool
is_key(const struct record *r, unsigned kind, struct dvt_span key)
{
	return r->kind == kind && r->key_n == key.n &&
	       memcmp(r->text, key.p, key.n) == 0;
}

/*
 * The slot of this key, or UINT64_MAX; @free_at: out: the first that could
 * take it. Bounded even if every slot were taken.
 */
static uint64_t
find(const struct dvt_shelf *s, unsigned kind, struct dvt_span key, uint64_t h,
    uint64_t *free_at)
{
	uint64_t tag = h & ~PLACE_MASK;

	*free_at = UINT64_MAX;
	for (uint64_t i = 0; i < s->slots; i++) {
		uint64_t at = (h + i) & (s->slots - 1);
		uint64_t slot = atomic_load_explicit(
		    &s->m->slot[at], memory_order_acquire);
		const struct record *r;

		if (slot == EMPTY || slot == DROPPED) {
			if (*free_at == UINT64_MAX)
				*free_at = at;
			if (slot == EMPTY)
				break;
			continue;
		}
		if ((slot & ~PLACE_MASK) != tag)
			continue;
		r = record_of(s, slot);
		if (r != NULL && is_key(r, kind, key))
			return at;
	}
	return UINT64_MAX;
}

/* --- the mapping --- */

static void
unmap(struct dvt_shelf *s)
{
	if (s->m != NULL)
		munmap(s->m, s->bytes);
	if (s->fd >= 0)
		close(s->fd);
	s->m = NULL;
	s->fd = -1;
}

static void *
map_shared(uint64_t bytes, int *fd)
{
	void *p;

	*fd = memfd_create("dovetail-shelf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return MAP_FAILED;
	if (ftruncate(*fd, (off_t)bytes) != 0)
		return MAP_FAILED;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	/* ours is the last mapping that can write */
	if (p != MAP_FAILED &&
	    fcntl(*fd, F_ADD_SEALS,
		SEALS | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
		munmap(p, bytes);
		p = MAP_FAILED;
	}
	return p;
}

/* An empty table; ends the process when there is no memory, as dvt_alloc(). */
static void
map(struct dvt_shelf *s, uint64_t slots, uint64_t arena)
{
	uint64_t bytes = arena_at(slots) + arena;
	void *p;

	s->fd = -1;
	p = s->shared ? map_shared(bytes, &s->fd)
		      : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		dvt_out_of_memory();
	s->m = p;
	s->bytes = bytes;
	s->slots = slots;
	s->used = 0;
	s->live = 0;
	s->end = arena_at(slots);
	s->generation++;
	s->m->magic = MAGIC;
	s->m->slots = slots;
	s->m->bytes = bytes;
	if (RAND_bytes((unsigned char *)&s->m->salt, sizeof(s->m->salt)) != 1)
		s->m->salt = (uint64_t)(uintptr_t)s;
}

struct dvt_shelf *
dvt_shelf_new(bool shared)
{
	struct dvt_shelf *s = dvt_alloc(sizeof(*s));

	s->shared = shared;
	s->fd = -1;
	return s;
}

void
dvt_shelf_free(struct dvt_shelf *s)
{
	if (s == NULL)
		return;
	unmap(s);
	free(s);
}

static enum dvt_code
attach_check(int fd, struct stat *st, struct dvt_err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS)
		return dvt_fail(
		    err, DVT_E_INPUT, "a shelf that could be cut short");
	if (fstat(fd, st) != 0)
		return dvt_fail_errno(err, "shelf");
	if (st->st_size < (off_t)arena_at(SLOTS_MIN))
		return dvt_fail(err, DVT_E_INPUT, "a shelf of %lld bytes",
		    (long long)st->st_size);
	return DVT_OK;
}

enum dvt_code
dvt_shelf_attach(int fd, struct dvt_shelf **out, struct dvt_err *err)
{
	struct dvt_shelf *s;
	struct stat st;
	uint64_t slots;
	enum dvt_code rc;
	void *p;

	*out = NULL;
	if ((rc = attach_check(fd, &st, err)) != DVT_OK)
		return rc;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return dvt_fail_errno(err, "shelf");
	s = dvt_shelf_new(true);
	s->reader = true;
	s->m = p;
	s->bytes = (size_t)st.st_size;
	slots = s->m->slots;
	if (s->m->magic != MAGIC || slots < SLOTS_MIN ||
	    (slots & (slots - 1)) != 0 || slots > s->bytes / sizeof(uint64_t) ||
	    arena_at(slots) > s->bytes) {
		dvt_shelf_free(s);
		return dvt_fail(err, DVT_E_INPUT, "no shelf");
	}
	s->slots = slots;
	s->generation = 1;
	*out = s;
	return DVT_OK;
}

bool
dvt_shelf_is_reader(const struct dvt_shelf *s)
{
	return s->reader;
}

int
dvt_shelf_fd(struct dvt_shelf *s)
{
	if (s->m == NULL && s->shared)
		map(s, SLOTS_MIN, ARENA_MIN);
	return s->fd;
}

uint64_t
dvt_shelf_generation(const struct dvt_shelf *s)
{
	return s->generation;
}

/* --- writing --- */

static uint64_t
append(struct dvt_shelf *s, unsigned kind, struct dvt_span key,
    struct dvt_span value)
{
	struct record *r = (void *)((uint8_t *)s->m + s->end);
	uint64_t place = s->end >> 3;

	r->value_n = (uint32_t)value.n;
	r->key_n = (uint16_t)key.n;
	r->kind = (uint8_t)kind;
	memcpy(r->text, key.p, key.n);
	if (value.n > 0)
		memcpy(r->text + key.n, value.p, value.n);
	s->end += record_bytes(key.n, value.n);
	s->live += record_bytes(key.n, value.n);
	return place;
}

/* From here on it is found. */
static void
publish(struct dvt_shelf *s, uint64_t at, uint64_t slot)
{
	atomic_store_explicit(&s->m->slot[at], slot, memory_order_release);
}

static void
place_new(struct dvt_shelf *s, unsigned kind, struct dvt_span key,
    struct dvt_span value, uint64_t h, uint64_t at)
{
	if (atomic_load_explicit(&s->m->slot[at], memory_order_relaxed) ==
	    EMPTY)
		s->used++;
	filter_add(s, kind, h);
	publish(s, at, (h & ~PLACE_MASK) | append(s, kind, key, value));
	atomic_fetch_add_explicit(&s->m->count[kind], 1, memory_order_relaxed);
}

static void
move_all(struct dvt_shelf *to, const struct dvt_shelf *from)
{
	for (uint64_t i = 0; i < from->slots; i++) {
		const struct record *r = record_of(
		    from, atomic_load_explicit(
			      &from->m->slot[i], memory_order_relaxed));
		struct dvt_span key;
		uint64_t h, at;

		if (r == NULL)
			continue;
		key = (struct dvt_span){r->text, r->key_n};
		h = hash(to->m->salt, r->kind, key);
		(void)find(to, r->kind, key, h, &at);
		place_new(to, r->kind, key,
		    (struct dvt_span){r->text + r->key_n, r->value_n}, h, at);
	}
}

static size_t
count_all(const struct dvt_shelf *s)
{
	size_t n = 0;

	for (unsigned k = 0; k < DVT_SHELF_KINDS; k++)
		n += dvt_shelf_count(s, k);
	return n;
}

/* Half as much again as what lives, so that moves stay rare. */
static void
make_room(struct dvt_shelf *s, uint64_t need)
{
	struct dvt_shelf old = *s;
	uint64_t slots = SLOTS_MIN, n;

	if (s->m != NULL && s->used < s->slots / 4 * 3 &&
	    s->end + need <= s->bytes)
		return;
	n = s->m == NULL ? 0 : count_all(s) + 1;
	while (slots / 2 < n)
		slots *= 2;
	map(s, slots, round8(s->live + s->live / 2 + need) + ARENA_MIN);
	if (old.m == NULL)
		return;
	move_all(s, &old);
	unmap(&old);
}

bool
dvt_shelf_put(struct dvt_shelf *s, unsigned kind, struct dvt_span key,
    struct dvt_span value)
{
	uint64_t h, at, free_at;
	const struct record *old;

	if (s->reader || kind >= DVT_SHELF_KINDS || key.n > DVT_SHELF_KEY_MAX ||
	    value.n > DVT_SHELF_VALUE_MAX)
		return false;
	make_room(s, record_bytes(key.n, value.n));
	h = hash(s->m->salt, kind, key);
	at = find(s, kind, key, h, &free_at);
	if (at == UINT64_MAX) {
		place_new(s, kind, key, value, h, free_at);
		return true;
	}
	old = record_of(s, s->m->slot[at]);
	s->live -= record_bytes(old->key_n, old->value_n);
	publish(s, at, (h & ~PLACE_MASK) | append(s, kind, key, value));
	return true;
}

bool
dvt_shelf_drop(struct dvt_shelf *s, unsigned kind, struct dvt_span key)
{
	uint64_t at, free_at;
	const struct record *r;

	if (s->reader || s->m == NULL)
		return false;
	at = find(s, kind, key, hash(s->m->salt, kind, key), &free_at);
	if (at == UINT64_MAX)
		return false;
	r = record_of(s, s->m->slot[at]);
	s->live -= record_bytes(r->key_n, r->value_n);
	publish(s, at, DROPPED);
	atomic_fetch_sub_explicit(&s->m->count[kind], 1, memory_order_relaxed);
	return true;
}

/* --- reading --- */

bool
dvt_shelf_get(const struct dvt_shelf *s, unsigned kind, struct dvt_span key,
    struct dvt_span *value)
{
	uint64_t h, at, free_at;
	const struct record *r;

	if (s->m == NULL)
		return false;
	h = hash(s->m->salt, kind, key);
	if (!filter_may_have(s, kind, h))
		return false;
	at = find(s, kind, key, h, &free_at);
	if (at == UINT64_MAX)
		return false;
	/* once more: the writer may have put another in its place */
	r = record_of(
	    s, atomic_load_explicit(&s->m->slot[at], memory_order_acquire));
	if (r == NULL || !is_key(r, kind, key))
		return false;
	if (value != NULL)
		*value = (struct dvt_span){r->text + r->key_n, r->value_n};
	return true;
}

size_t
dvt_shelf_count(const struct dvt_shelf *s, unsigned kind)
{
	return s->m == NULL || kind >= DVT_SHELF_KINDS
		   ? 0
		   : (size_t)atomic_load_explicit(
			 &s->m->count[kind], memory_order_relaxed);
}

size_t
dvt_shelf_bytes(const struct dvt_shelf *s)
{
	if (s->m == NULL)
		return 0;
	return s->reader ? s->bytes : s->end;
}

bool
dvt_shelf_next(
    const struct dvt_shelf *s, unsigned kind, struct dvt_shelf_walk *w)
{
	for (; s->m != NULL && w->at < s->slots && w->left > 0; w->left--) {
		const struct record *r = record_of(
		    s, atomic_load_explicit(
			   &s->m->slot[w->at++], memory_order_acquire));

		if (r == NULL || r->kind != kind)
			continue;
		w->key = (struct dvt_span){r->text, r->key_n};
		w->value = (struct dvt_span){r->text + r->key_n, r->value_n};
		return true;
	}
	if (s->m == NULL || w->at >= s->slots)
		w->at = 0;
	return false;
}

bool
dvt_shelf_walk_at(const struct dvt_shelf *s, unsigned kind, struct dvt_span key,
    struct dvt_shelf_walk *w)
{
	uint64_t at, free_at;

	if (s->m == NULL)
		return false;
	at = find(s, kind, key, hash(s->m->salt, kind, key), &free_at);
	if (at == UINT64_MAX)
		return false;
	w->at = at + 1;
	return true;
}
