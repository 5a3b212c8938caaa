/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/edge_memory.h"

#include "base/mem.h"

#include <openssl/rand.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WAYS     32 /* lines in one set; an address has one set */
#define QUOTA    DVT_EDGE_MEMORY_QUOTA
#define VERDICTS 8 /* chains remembered per client */
#define STUCK_S  2 /* a writer that needs longer has died */
#define WINDOW_S 600
#define SOON_S   60 /* a client that was refused is back by then */
#define LUCK_IN  5  /* attempts, when no turns are left */
#define DEVICE_N 36
#define SEEN     (DEVICE_N * 8)
#define PROVEN   0x80000000u /* put before any half time of our age */

enum { KIND_FREE, KIND_CLIENT, KIND_ADDRESS };

struct verdict {
	uint16_t tag;     /* of the chain: root, form, generation */
	uint8_t order;    /* counts up in its line; 0: none */
	uint8_t accepted; /* LAST, EVER, times LEFT */
};
#define LAST     1u
#define EVER     2u /* a client of this key, though perhaps another one */
#define LEFT     4u /* refused, then a turn with another one ended well */
#define LEFT_MAX 3u /* in a row: it takes this one no more */

/* The turn that a refusal gave: to the next attempt, then to its end. */
enum { NO_TURN, TURN_ASKED, TURN_WAITS, TURN_TAKEN };

/* What is known; copied out, changed, copied back. */
struct news {
	uint32_t address; /* hash: whose quota */
	uint32_t touched; /* Unix seconds */
	uint64_t key;     /* hash of who it is about */
	uint16_t order;   /* of the newest verdict */
	uint8_t kind;
	uint8_t several; /* ADDRESS: more than one device was seen */
	union {
		struct {
			struct verdict verdict[VERDICTS];
			uint16_t window; /* of ten minutes; counts turns */
			uint8_t turns;   /* given in it */
			uint8_t turn;
		};
		char device[DEVICE_N];  /* the only one; no NUL at 36, */
		uint8_t seen[DEVICE_N]; /* or a bit for each, by hash */
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

static uint16_t
tag_of(const struct dvt_offer *o)
{
	uint64_t h = hash(
	    (uint64_t)o->generation * 4 + (uint64_t)o->form, o->root);

	return (uint16_t)(h ^ h >> 32);
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
		if (w->set[i].news.key == w->key &&
		    read_line(&w->set[i], out) && is_whose(out, w) &&
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

/* Own line, else a free or ended one, else the oldest that may be taken, of
 * those first that were never let in. */
static struct line *
place(const struct who *w, int64_t now, struct news *old)
{
	struct line *oldest = NULL, *own_oldest = NULL, *empty = NULL;
	uint32_t least = UINT32_MAX, own_least = UINT32_MAX;
	unsigned own = 0;

	for (size_t i = 0; i < WAYS; i++) {
		struct line *l = &w->set[i];
		struct news n;
		uint32_t value;

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
		value = n.touched / 2 + (is_proven(&n) ? PROVEN : 0);
		if (value <= least) {
			least = value;
			oldest = l;
		}
		if (n.address != w->address)
			continue;
		own++;
		if (value <= own_least) {
			own_least = value;
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

static bool
is_crowded(const struct dvt_edge_client *c)
{
	return c->devices > DVT_EDGE_MEMORY_CROWD && c->device[0] == '\0';
}

/* A chain that was taken there is refused: the next attempt may see another. */
static void
give_turn(struct news *n, int64_t now)
{
	uint16_t window = (uint16_t)(now / WINDOW_S);

	n->turn = NO_TURN;
	if (n->window != window) {
		n->window = window;
		n->turns = 0;
	}
	if (n->turns >= DVT_EDGE_MEMORY_TURNS)
		return;
	n->turns++;
	n->turn = TURN_WAITS;
}

/* It was let in. Who only says no never is, and uses up its turns. */
static void
end_turn(struct news *n)
{
	if (n->turn == TURN_TAKEN && n->turns > 0)
		n->turns--;
	n->turn = NO_TURN;
}

/* A client of this key took it, and it is not @but. */
static bool
was_taken(const struct verdict *x, const struct verdict *but)
{
	return x != but && (x->accepted & EVER) != 0;
}

/*
 * While strangers use up the turns, those are not shut out that need another
 * chain than most: one attempt in some is shown one that was taken there, and
 * not the one that is being refused.
 */
static bool
has_luck(const struct news *n, int64_t now, uint16_t *tag)
{
	const struct verdict *refused = NULL;
	uint8_t dice[2];
	unsigned others = 0, at;

	if (n->window != (uint16_t)(now / WINDOW_S) ||
	    n->turns < DVT_EDGE_MEMORY_TURNS)
		return false;
	for (size_t v = 0; v < VERDICTS; v++)
		if ((n->verdict[v].accepted & (LAST | EVER)) == EVER &&
		    (refused == NULL || n->verdict[v].order > refused->order))
			refused = &n->verdict[v];
	for (size_t v = 0; v < VERDICTS; v++)
		others += was_taken(&n->verdict[v], refused);
	/* nobody refuses anything, as after a rollback: nothing to help */
	if (refused == NULL || others == 0 ||
	    RAND_bytes(dice, sizeof(dice)) != 1 || dice[0] % LUCK_IN != 0)
		return false;
	at = dice[1] % others;
	for (size_t v = 0; v < VERDICTS; v++)
		if (was_taken(&n->verdict[v], refused) && at-- == 0)
			*tag = n->verdict[v].tag;
	return true;
}

/* The turn of a shared client, if one waits and is not stale. */
static bool
take_turn(struct line *l, struct news *n, int64_t now)
{
	if (n->turn != TURN_WAITS)
		return false;
	n->turn = now - (int64_t)n->touched <= SOON_S ? TURN_TAKEN : NO_TURN;
	write_line(l, n);
	return n->turn == TURN_TAKEN;
}

size_t
dvt_edge_memory_recall(struct dvt_edge_memory *m,
    const struct dvt_edge_client *c, const struct dvt_offer *offers, size_t n,
    int64_t now, struct dvt_choice_memory *out, bool *turn)
{
	struct who w = who_client(m, c);
	struct news news;
	struct line *l = is_crowded(c) ? NULL : find(&w, now, &news);
	unsigned what;
	uint16_t lucky = 0;
	bool luck;
	size_t found = 0;

	*turn = false;
	if (l == NULL)
		return 0;
	*turn = take_turn(l, &news, now) && c->devices > 0;
	what = c->devices > 0 && !*turn ? EVER : LAST;
	luck = c->devices > 0 && !*turn && has_luck(&news, now, &lucky);
	if (luck) { /* as good as a turn: one back when it ends well */
		*turn = true;
		news.turn = TURN_TAKEN;
		write_line(l, &news);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < VERDICTS; v++) {
			const struct verdict *x = &news.verdict[v];

			if (x->order == 0 || x->tag != tag_of(&offers[i]))
				continue;
			out[found++] = (struct dvt_choice_memory){
			    .root = offers[i].root,
			    .form = offers[i].form,
			    .generation = offers[i].generation,
			    .accepted = (x->accepted & what) != 0 &&
					(!luck || x->tag == lucky),
			    .at = x->order,
			};
			break;
		}
	return found;
}

/* Orders from 1 on, none of them lost. */
static void
count_anew(struct news *n)
{
	struct verdict old[VERDICTS];

	memcpy(old, n->verdict, sizeof(old));
	n->order = 0;
	for (size_t v = 0; v < VERDICTS; v++) {
		unsigned before = 0;

		for (size_t u = 0; u < VERDICTS; u++)
			before += old[u].order != 0 &&
				  old[u].order < old[v].order;
		if (old[v].order == 0)
			continue;
		n->verdict[v].order = (uint8_t)(before + 1);
		n->order++;
	}
}

/* Which is given up first: a free one, then who was never let in, then age. */
static unsigned
worth(const struct verdict *x)
{
	return x->order + ((x->accepted & EVER) != 0 ? 256u : 0);
}

/* The place of a chain's verdict, or of the one to be given up for it. */
static struct verdict *
verdict_of(struct news *n, uint16_t tag)
{
	struct verdict *to = &n->verdict[0];

	if (n->order == UINT8_MAX)
		count_anew(n);
	for (size_t v = 0; v < VERDICTS; v++) {
		struct verdict *x = &n->verdict[v];

		if (x->order != 0 && x->tag == tag)
			return x;
		if (worth(x) < worth(to))
			to = x;
	}
	*to = (struct verdict){.tag = tag};
	return to;
}

/*
 * The only device there, which comes in with @to after what it took before was
 * refused: once may be somebody else's word, several times in a row it is not.
 */
static void
leave(struct news *n, const struct verdict *to)
{
	for (size_t v = 0; v < VERDICTS; v++) {
		struct verdict *x = &n->verdict[v];

		if (x == to || (x->accepted & (LAST | EVER)) != EVER)
			continue;
		x->accepted += LEFT;
		if (x->accepted / LEFT >= LEFT_MAX)
			x->accepted = 0;
	}
}

/*
 * Who is alone there: its refusals of what it never took need none, they are
 * believed; one of what it took may be anybody's, at the second it is due.
 */
static bool
needs_turn(const struct dvt_edge_client *c, struct news *n,
    const struct verdict *refused)
{
	if (c->devices != 1)
		return c->devices > 1;
	if (c->word != DVT_WORD_ANY)
		return false;
	if (n->turn != NO_TURN)
		return true;
	if ((refused->accepted & EVER) != 0)
		n->turn = TURN_ASKED;
	return false;
}

void
dvt_edge_memory_learn(struct dvt_edge_memory *m,
    const struct dvt_edge_client *c, const struct dvt_offer *shown,
    bool accepted, int64_t now)
{
	struct who w = who_client(m, c);
	struct news news;
	struct line *l = is_crowded(c) ? NULL : begin(&w, now, &news);
	struct verdict *to;

	if (l == NULL)
		return;
	to = verdict_of(&news, tag_of(shown));
	to->order = (uint8_t)++news.order;
	if (accepted) {
		to->accepted = LAST | EVER;
		if (news.turn == TURN_TAKEN && c->devices == 1)
			leave(&news, to);
		end_turn(&news);
	} else {
		to->accepted &= (uint8_t)(c->word == DVT_WORD_OWN ? 0 : ~LAST);
		if (needs_turn(c, &news, to))
			give_turn(&news, now);
	}
	write_line(l, &news);
}

/* --- devices --- */

static void
see(struct news *n, uint64_t h)
{
	n->seen[h % SEEN / 8] |= (uint8_t)(1u << h % 8);
}

void
dvt_edge_memory_device_seen(struct dvt_edge_memory *m, const char *address,
    const char *device, int64_t now)
{
	struct who w = who_at(m, address, KIND_ADDRESS);
	struct news news;
	struct line *l = begin(&w, now, &news);

	if (l == NULL)
		return;
	if (!news.several && news.device[0] == '\0' &&
	    strlen(device) <= DEVICE_N) {
		memcpy(news.device, device, strlen(device));
	} else if (news.several || strlen(device) > DEVICE_N ||
		   strncmp(news.device, device, DEVICE_N) != 0) {
		if (!news.several) {
			char id[DEVICE_N + 1] = {0};
			uint64_t first;

			memcpy(id, news.device, DEVICE_N);
			first = hash(m->salt[1], id);
			memset(news.seen, 0, sizeof(news.seen));
			news.several = 1;
			see(&news, first);
		}
		see(&news, hash(m->salt[1], device));
	}
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

unsigned
dvt_edge_memory_devices(
    struct dvt_edge_memory *m, const char *address, int64_t now)
{
	struct who w = who_at(m, address, KIND_ADDRESS);
	struct news news;
	unsigned n = 0;

	if (!find(&w, now, &news))
		return 0;
	for (size_t i = 0; news.several && i < DEVICE_N; i++)
		n += (unsigned)__builtin_popcount(news.seen[i]);
	return n >= 2 ? n : news.several ? 2 : 1;
}
