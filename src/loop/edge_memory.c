/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/edge_memory.h"

#include "base/mem.h"

#include <openssl/rand.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WAYS     8 /* lines in one set; an address has one set */
#define QUOTA    4 /* lines of one address in it */
#define VERDICTS 4 /* chains remembered per client */
#define STUCK_S  2 /* a writer that needs longer has died */
#define WINDOW_S 600
#define SOON_S   60 /* a client that was refused is back by then */
#define DEVICE_N 36
#define PROVEN   0x80000000u /* put before any half time of our age */

enum { KIND_FREE, KIND_CLIENT, KIND_ADDRESS };

struct verdict {
	uint32_t root; /* first digits of the fingerprint */
	uint16_t turn; /* counts up in its line */
	uint8_t form;
	uint8_t accepted; /* LAST, EVER */
};
#define LAST 1u
#define EVER 2u /* a client of this key, though perhaps another one */

/* What is known; copied out, changed, copied back. */
struct news {
	uint32_t address; /* hash: whose quota */
	uint32_t touched; /* Unix seconds */
	uint64_t key;     /* hash of who it is about */
	uint16_t turn;
	uint8_t kind;
	uint8_t several; /* ADDRESS: more than one device was seen */
	union {
		struct {
			struct verdict verdict[VERDICTS];
			uint16_t window; /* of ten minutes; counts turns */
			uint8_t turns;   /* given in it */
			uint8_t waiting; /* a turn for the next attempt */
		};
		char device[DEVICE_N];
	};
};

struct line {
	_Atomic uint32_t seq; /* odd: being written */
	struct news news;
};
_Static_assert(sizeof(struct line) == 64, "one cache line each");

struct dvt_edge_memory {
	struct line *lines;
	size_t sets;
	uint64_t salt[2]; /* so that nobody can aim at another's set */
};

enum dvt_code
dvt_edge_memory_new(
    size_t lines, struct dvt_edge_memory **out, struct dvt_err *err)
{
	struct dvt_edge_memory *m = dvt_alloc(sizeof(*m));

	*out = NULL;
	m->sets = (lines + WAYS - 1) / WAYS;
	if (m->sets == 0)
		m->sets = 1;
	m->lines = mmap(NULL, m->sets * WAYS * sizeof(struct line),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m->lines == MAP_FAILED) {
		free(m);
		return dvt_fail_errno(err, "edge memory of %zu lines", lines);
	}
	if (RAND_bytes((unsigned char *)m->salt, sizeof(m->salt)) != 1)
		m->salt[0] = (uint64_t)(uintptr_t)m;
	*out = m;
	return DVT_OK;
}

void
dvt_edge_memory_free(struct dvt_edge_memory *m)
{
	if (m == NULL)
		return;
	munmap(m->lines, m->sets * WAYS * sizeof(struct line));
	free(m);
}

/* --- keys --- */

/* Salted FNV-1a with a final mix; texts are told apart by their NUL. */
static uint64_t
hash(uint64_t h, const char *text)
{
	do {
		h ^= (uint8_t)*text;
		h *= 0x100000001b3u;
	} while (*text++ != '\0');
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 29;
	return h;
}

struct who {
	struct line *set;
	uint32_t address;
	uint64_t key;
	uint8_t kind;
};

static struct who
who_at(struct dvt_edge_memory *m, const char *address, uint8_t kind)
{
	uint64_t h = hash(m->salt[0], address);

	return (struct who){
	    .set = m->lines + h % m->sets * WAYS,
	    .address = (uint32_t)(h >> 32),
	    .key = hash(m->salt[1], address),
	    .kind = kind,
	};
}

static struct who
who_client(struct dvt_edge_memory *m, const struct dvt_edge_client *c)
{
	struct who w = who_at(m, c->address, KIND_CLIENT);

	w.key = hash(hash(w.key, c->print), c->device);
	return w;
}

static uint32_t
root_tag(const char *root)
{
	char digits[9] = "";

	memcpy(digits, root, strnlen(root, 8));
	return (uint32_t)strtoul(digits, NULL, 16);
}

/* --- lines --- */

static bool
is_whose(const struct news *n, const struct who *w)
{
	return n->kind == w->kind && n->key == w->key &&
	       n->address == w->address;
}

/* A whole copy, or false while it is being written. */
static bool
read_line(struct line *l, struct news *out)
{
	uint32_t before = atomic_load_explicit(&l->seq, memory_order_acquire);

	memcpy(out, &l->news, sizeof(*out));
	atomic_thread_fence(memory_order_acquire);
	return (before & 1) == 0 &&
	       atomic_load_explicit(&l->seq, memory_order_relaxed) == before;
}

static struct line *
find(const struct who *w, int64_t now, struct news *out)
{
	for (size_t i = 0; i < WAYS; i++)
		if (read_line(&w->set[i], out) && is_whose(out, w) &&
		    now - (int64_t)out->touched < DVT_EDGE_MEMORY_S)
			return &w->set[i];
	return NULL;
}

/* Who was let in is worth more than who was not: others cannot fake it. */
static bool
is_proven(const struct news *n)
{
	bool any = n->kind == KIND_ADDRESS;

	for (size_t v = 0; !any && v < VERDICTS; v++)
		any = (n->verdict[v].accepted & EVER) != 0;
	return any;
}

/* Own line, else a free or ended one, else the oldest that may be taken. */
static struct line *
place(const struct who *w, int64_t now, struct news *old)
{
	struct line *oldest = NULL, *own_oldest = NULL, *empty = NULL;
	uint32_t least = UINT32_MAX, own_least = UINT32_MAX;
	unsigned own = 0;

	for (size_t i = 0; i < WAYS; i++) {
		struct line *l = &w->set[i];
		struct news n;

		if (!read_line(l, &n))
			continue;
		if (is_whose(&n, w)) {
			*old = n;
			return l;
		}
		if (n.kind == KIND_FREE ||
		    now - (int64_t)n.touched >= DVT_EDGE_MEMORY_S) {
			empty = l;
			continue;
		}
		if (n.touched <= least) {
			least = n.touched;
			oldest = l;
		}
		if (n.address != w->address)
			continue;
		own++;
		if (n.touched / 2 + (is_proven(&n) ? PROVEN : 0) <= own_least) {
			own_least = n.touched / 2 +
				    (is_proven(&n) ? PROVEN : 0);
			own_oldest = l;
		}
	}
	*old = (struct news){0};
	if (own >= QUOTA)
		return own_oldest;
	return empty != NULL ? empty : oldest;
}

/* Lines left odd by a process that died in between. */
static void
unstick(const struct who *w, int64_t now)
{
	for (size_t i = 0; i < WAYS; i++) {
		struct line *l = &w->set[i];
		uint32_t seq = atomic_load(&l->seq);

		if ((seq & 1) != 0 && now - (int64_t)l->news.touched > STUCK_S)
			atomic_compare_exchange_strong(&l->seq, &seq, seq + 1);
	}
}

static void
write_line(struct line *l, const struct news *n)
{
	uint32_t seq = atomic_load(&l->seq);

	if ((seq & 1) != 0 ||
	    !atomic_compare_exchange_strong(&l->seq, &seq, seq + 1))
		return; /* somebody else's news; ours was a hint */
	l->news = *n;
	atomic_store_explicit(&l->seq, seq + 2, memory_order_release);
}

/* The line as it is, or a new one for @w; to be changed and written. */
static struct line *
begin(const struct who *w, int64_t now, struct news *n)
{
	struct line *l;

	unstick(w, now);
	l = place(w, now, n);
	if (l == NULL)
		return NULL;
	if (n->kind == KIND_FREE ||
	    now - (int64_t)n->touched >= DVT_EDGE_MEMORY_S)
		*n = (struct news){
		    .address = w->address, .key = w->key, .kind = w->kind};
	n->touched = (uint32_t)now;
	return l;
}

/* --- chains --- */

/* A chain that others took was refused: the next attempt may see another. */
static void
give_turn(struct news *n, int64_t now)
{
	uint16_t window = (uint16_t)(now / WINDOW_S);

	if (n->window != window) {
		n->window = window;
		n->turns = 0;
	}
	if (n->turns >= DVT_EDGE_MEMORY_TURNS)
		return;
	n->turns++;
	n->waiting = 1;
}

size_t
dvt_edge_memory_recall(struct dvt_edge_memory *m,
    const struct dvt_edge_client *c, const struct dvt_offer *offers, size_t n,
    int64_t now, struct dvt_choice_memory *out)
{
	struct who w = who_client(m, c);
	struct news news;
	struct line *l = find(&w, now, &news);
	bool turn = l != NULL && news.waiting != 0;
	unsigned what;
	size_t found = 0;

	if (l == NULL)
		return 0;
	if (turn) {
		news.waiting = 0;
		write_line(l, &news);
		turn = now - (int64_t)news.touched <= SOON_S;
	}
	what = c->shared && !turn ? EVER : LAST;
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < VERDICTS; v++) {
			const struct verdict *x = &news.verdict[v];

			if (x->turn == 0 || x->form != offers[i].form ||
			    x->root != root_tag(offers[i].root))
				continue;
			out[found++] = (struct dvt_choice_memory){
			    .root = offers[i].root,
			    .form = offers[i].form,
			    .accepted = (x->accepted & what) != 0,
			    .at = x->turn,
			};
			break;
		}
	return found;
}

void
dvt_edge_memory_learn(struct dvt_edge_memory *m,
    const struct dvt_edge_client *c, const char *root, enum dvt_chain_form form,
    bool accepted, int64_t now)
{
	struct who w = who_client(m, c);
	struct news news;
	struct line *l = begin(&w, now, &news);
	struct verdict *to = &news.verdict[0];

	if (l == NULL)
		return;
	for (size_t v = 0; v < VERDICTS; v++) {
		struct verdict *x = &news.verdict[v];

		if (x->turn != 0 && x->form == form &&
		    x->root == root_tag(root)) {
			to = x;
			break;
		}
		if (x->turn < to->turn)
			to = x;
	}
	if (news.turn == UINT16_MAX) { /* begin to count anew */
		memset(news.verdict, 0, sizeof(news.verdict));
		news.turn = 0;
	}
	if (to->turn == 0 || to->form != form || to->root != root_tag(root))
		*to = (struct verdict){
		    .root = root_tag(root), .form = (uint8_t)form};
	to->turn = ++news.turn;
	to->accepted = (uint8_t)(accepted ? LAST | EVER : to->accepted & EVER);
	if (accepted)
		news.waiting = 0;
	else if (c->shared)
		give_turn(&news, now);
	write_line(l, &news);
}

/* --- devices --- */

void
dvt_edge_memory_device_seen(struct dvt_edge_memory *m, const char *address,
    const char *device, int64_t now)
{
	struct who w = who_at(m, address, KIND_ADDRESS);
	struct news news;
	struct line *l = begin(&w, now, &news);

	if (l == NULL)
		return;
	if (strlen(device) >= DEVICE_N) /* too long to be remembered */
		news.several = 1;
	else if (news.device[0] == '\0')
		memcpy(news.device, device, strlen(device) + 1);
	else if (strncmp(news.device, device, DEVICE_N) != 0)
		news.several = 1;
	write_line(l, &news);
}

enum dvt_confidence
dvt_edge_memory_device_at(struct dvt_edge_memory *m, const char *address,
    int64_t now, char device[DVT_DEVICE_ID_MAX + 1])
{
	struct who w = who_at(m, address, KIND_ADDRESS);
	struct news news;

	device[0] = '\0';
	if (!find(&w, now, &news))
		return DVT_CONF_NONE;
	if (news.several)
		return DVT_CONF_CANDIDATES;
	memcpy(device, news.device, DEVICE_N);
	device[DEVICE_N] = '\0';
	return DVT_CONF_ADDRESS;
}
