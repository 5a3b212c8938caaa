/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which chain an edge shows to which client. Pure: what is held, what the
 * policy wants, what the ClientHello says, what is known of the device and
 * what this client was seen to do go in; an order of chains comes out. Used
 * by gateway workers and by fronts; docs/gateway-feed.md has the words.
 */
#ifndef DVT_FLEET_CHAIN_CHOICE_H
#define DVT_FLEET_CHAIN_CHOICE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DVT_OFFERS_MAX                                                         \
	48 /* chains one edge can hold: 16 credentials x forms                 \
	    */

/* What goes into the flight; stored by name in records. */
#define DVT_CHAIN_FORMS(X)                                                     \
	X(DVT_FORM_PURE, "pure")   /* leaf and intermediates of its root */    \
	X(DVT_FORM_CROSS, "cross") /* the same with a cross-certificate */     \
	X(DVT_FORM_LEAF, "leaf")   /* the leaf alone */
#define DVT_CHAIN_FORM_ENUM(id, name) id,
enum dvt_chain_form { DVT_CHAIN_FORMS(DVT_CHAIN_FORM_ENUM) DVT_FORM_N };
const char *dvt_chain_form_name(enum dvt_chain_form form);
/* DVT_FORM_N when no form has that name. */
enum dvt_chain_form dvt_chain_form_from_name(const char *name);

/* Place of a credential in time; in the order in which the ladder goes. */
#define DVT_SLOTS(X)                                                           \
	X(DVT_SLOT_CURRENT, "current")                                         \
	X(DVT_SLOT_PREVIOUS, "previous")                                       \
	X(DVT_SLOT_RECOVERY, "recovery")                                       \
	X(DVT_SLOT_NEXT, "next")
#define DVT_SLOT_ENUM(id, name) id,
enum dvt_slot { DVT_SLOTS(DVT_SLOT_ENUM) DVT_SLOT_N };
const char *dvt_slot_name(enum dvt_slot slot);
enum dvt_slot dvt_slot_from_name(const char *name); /* or DVT_SLOT_N */

/* Why a chain was chosen; stored by name in records. */
#define DVT_CHAIN_WHYS(X)                                                      \
	X(DVT_WHY_DEFAULT, "default")         /* the policy's root */          \
	X(DVT_WHY_NEXT_NAME, "next-name")     /* asked for by the next name */ \
	X(DVT_WHY_FORCED, "forced")           /* policy: this root only */     \
	X(DVT_WHY_AUTHORITIES, "authorities") /* the hello names its roots */  \
	X(DVT_WHY_TRUST, "trust")   /* what the device holds, took, refused */ \
	X(DVT_WHY_MEMORY, "memory") /* what this client did before */          \
	X(DVT_WHY_TURN, "turn")     /* one of several like it refused */
#define DVT_CHAIN_WHY_ENUM(id, name) id,
enum dvt_chain_why { DVT_CHAIN_WHYS(DVT_CHAIN_WHY_ENUM) DVT_WHY_N };
const char *dvt_chain_why_name(enum dvt_chain_why why);
enum dvt_chain_why dvt_chain_why_from_name(const char *name); /* or _N */

/* How sure it is who the client is; in falling order. */
#define DVT_CONFIDENCES(X)                                                     \
	X(DVT_CONF_CERTIFICATE, "certificate") /* proven */                    \
	X(DVT_CONF_TICKET, "ticket")           /* claimed, can be replayed */  \
	X(DVT_CONF_NAME, "name")               /* asked for its own name */    \
	X(DVT_CONF_ADDRESS, "address")         /* only device seen there */    \
	X(DVT_CONF_CANDIDATES, "candidates")   /* one of several seen there */ \
	X(DVT_CONF_NONE, "none")
#define DVT_CONFIDENCE_ENUM(id, name) id,
enum dvt_confidence { DVT_CONFIDENCES(DVT_CONFIDENCE_ENUM) DVT_CONF_N };
const char *dvt_confidence_name(enum dvt_confidence c);
enum dvt_confidence dvt_confidence_from_name(const char *name); /* or _N */

/* A list of borrowed texts (fingerprints, names). */
struct dvt_texts {
	const char *const *v;
	size_t n;
};

/* One chain the edge could show. Fingerprints are lower-case hex. */
struct dvt_offer {
	const char *credential; /* its id */
	const char *root;       /* fingerprint; "" when not known */
	const char
	    *cross_root; /* CROSS: what signed the extra certificate, or ""
			  */
	enum dvt_chain_form form;
	enum dvt_slot slot;
	int64_t generation;
	const char *listener;
	struct dvt_texts names; /* host names; "*.x" takes one label. 0: all */
	bool rsa;               /* the leaf's key; else EC */
	size_t flight; /* bytes of its Certificate message; 0: not known */
};

struct dvt_choice_policy {
	const char *default_root; /* NULL: no policy (slots decide) */
	const char *next_root;    /* NULL: none */
	const char *next_name;    /* NULL: none */
	const char *trial_name;   /* NULL: none; chosen for as usual */
	bool forced;              /* show default_root only */
};

struct dvt_choice_hello {
	const char *server_name; /* NULL: none sent; any case */
	/*
	 * Roots held here whose subject is in certificate_authorities (RFC
	 * 8446 section 4.2.4). No match says as little as no extension.
	 */
	struct dvt_texts authorities;
	bool no_ec;  /* its algorithms rule out an EC leaf */
	bool no_rsa; /* or an RSA one */
	/*
	 * max_fragment_length (RFC 6066 section 4), bytes; 0: none. Small
	 * stacks that ask for it cannot put a longer message together.
	 */
	size_t max_fragment;
};

/* What the feed says of the device the client seems to be. */
struct dvt_choice_device {
	enum dvt_confidence confidence; /* NONE, CANDIDATES: the rest is not
					   looked at */
	bool trust_known;
	struct dvt_texts trust;   /* roots it confirmed as loaded */
	struct dvt_texts proven;  /* roots it was seen to accept */
	struct dvt_texts refused; /* roots it was seen to refuse */
};

/*
 * What this client (address + print, or ticket) did with one chain. The EC and
 * the RSA credential of one generation are one chain here.
 */
struct dvt_choice_memory {
	const char *root;
	enum dvt_chain_form form;
	int64_t generation;
	bool accepted; /* else refused; the later one counts */
	int64_t at;    /* grows with time */
};

struct dvt_choice_in {
	const struct dvt_offer *offers;
	size_t offers_n; /* at most DVT_OFFERS_MAX */
	const char *listener;
	struct dvt_choice_policy policy;
	struct dvt_choice_hello hello;
	struct dvt_choice_device device;
	const struct dvt_choice_memory *memory;
	size_t memory_n;
	bool turn; /* memory is that of one among several (DVT_WHY_TURN) */
};

struct dvt_choice {
	/* Places in offers: [0] is shown, the rest are the next rungs. */
	size_t order[DVT_OFFERS_MAX];
	size_t n;
	enum dvt_chain_why why;
};

/**
 * dvt_chain_choose() - order the chains for one client
 * @in:  borrowed for the call
 * @out: filled on DVT_OK
 *
 * - next_name: chains of next_root (without one: of default_root), form pure
 *   only: the pure-chain probe.
 * - forced: chains of default_root only.
 * - A client that names the roots it trusts, or a recognised device, is not
 *   shown a chain it is known not to accept while one it accepts is held,
 *   whatever the memory says; of what it accepts, pure chains come first.
 *   With confidence name or address, which may be wrong, the memory can lead
 *   elsewhere.
 * - Anyone else: default_root with its cross-certificate, then alone, then the
 *   other roots (slot next last), then leaves alone, oldest first; what it
 *   refused comes later, the oldest refusal first. What it accepted only takes
 *   a refusal back: it must not hold a client on the old chain.
 * - With a turn, chains that others like it took come first of those that
 *   were not refused.
 * - Chains that do not fit a max_fragment_length come after those that do.
 * - Of one generation, the EC pair comes before the RSA one; pairs that the
 *   client's algorithms rule out are left out while others are held.
 * Return: DVT_OK; DVT_E_ABSENT when nothing held may be shown (no chain of
 *         the next root, an empty set).
 */
DVT_MUST_USE enum dvt_code dvt_chain_choose(const struct dvt_choice_in *in,
    struct dvt_choice *out, struct dvt_err *err);

/* RFC 6125 section 6.4: equal, or "*.rest" for exactly one label; any case. */
bool dvt_host_matches(const char *pattern, const char *host);

#endif
