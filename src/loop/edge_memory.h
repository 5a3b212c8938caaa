/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients of an edge did lately: which chains each took or refused, and
 * which device was proven at which address. A bounded table in memory shared
 * by all processes forked after it was made: 64-byte lines with sequence
 * counters, no locks. Hints, never authority: a line may be lost at any time.
 */
#ifndef DVT_LOOP_EDGE_MEMORY_H
#define DVT_LOOP_EDGE_MEMORY_H

#include "base/limits.h"
#include "fleet/chain_choice.h"

struct dvt_edge_memory;

/* As a gateway has it: 16 MiB once all are used, two lines for a device. */
#define DVT_EDGE_MEMORY_LINES 262144

/**
 * dvt_edge_memory_new() - an empty table of about @lines lines
 *
 * An address has at most DVT_EDGE_MEMORY_QUOTA lines, so that many clients
 * behind one address cannot push out others; lines of clients that were let in
 * go last.
 * Return: DVT_OK; DVT_E_SYSTEM (no memory to share).
 */
DVT_MUST_USE enum dvt_code dvt_edge_memory_new(
    size_t lines, struct dvt_edge_memory **out, struct dvt_err *err);
/* In this process alone; NULL-safe. */
void dvt_edge_memory_free(struct dvt_edge_memory *m);

#define DVT_EDGE_MEMORY_QUOTA 24

/* Who is remembered: where from, which TLS stack, and who it says it is. */
struct dvt_edge_client {
	const char *address;
	const char *print;  /* of the ClientHello */
	const char *device; /* of its ticket, or "" */
	/*
	 * Devices seen there lately that this key cannot tell apart; 0: none.
	 * When there are some, a chain that one of them accepted stays the one
	 * shown although another refuses it (or somebody who only says so); a
	 * refusal then gives the next attempt a turn, if that comes soon:
	 * DVT_EDGE_MEMORY_TURNS in ten minutes, and one back for each turn
	 * that ended well (who is alone gets it at the second refusal). Without
	 * turns left, one attempt in some is shown another chain that was
	 * accepted there. Who is alone and comes in by its turns alone, three
	 * times in a row, is believed. Over DVT_EDGE_MEMORY_CROWD nothing is
	 * remembered of who has no ticket.
	 */
	unsigned devices;
	/* Whose word it is, when it is learned: one that proved its
	 * certificate is no forger; the only device there is believed. */
	enum dvt_edge_word { DVT_WORD_ANY, DVT_WORD_PROVEN, DVT_WORD_OWN } word;
};
#define DVT_EDGE_MEMORY_TURNS 6
#define DVT_EDGE_MEMORY_CROWD 32

/* Forgotten after this long without news: hours, as clients retry late. */
#define DVT_EDGE_MEMORY_S (6 * 3600)

/**
 * dvt_edge_memory_recall() - what this client did with these chains
 *
 * Once per attempt: it may use up a turn of a shared client.
 * @out:  room for DVT_OFFERS_MAX; roots are borrowed from @offers
 * @turn: out: this attempt has the turn
 * Return: how many.
 */
size_t dvt_edge_memory_recall(struct dvt_edge_memory *m,
    const struct dvt_edge_client *c, const struct dvt_offer *offers, size_t n,
    int64_t now, struct dvt_choice_memory *out, bool *turn);
/* It took or refused a chain. Before the connection is closed. */
void dvt_edge_memory_learn(struct dvt_edge_memory *m,
    const struct dvt_edge_client *c, const struct dvt_offer *shown,
    bool accepted, int64_t now);

/* A device proved its certificate from there. */
void dvt_edge_memory_device_seen(struct dvt_edge_memory *m, const char *address,
    const char *device, int64_t now);
/**
 * dvt_edge_memory_device_at() - who may it be
 * @device: out: the only device seen at @address lately, or ""
 * Return: DVT_CONF_ADDRESS; DVT_CONF_CANDIDATES (several); DVT_CONF_NONE.
 */
enum dvt_confidence dvt_edge_memory_device_at(struct dvt_edge_memory *m,
    const char *address, int64_t now, char device[DVT_DEVICE_ID_MAX + 1]);
/* How many devices were seen there lately, about. */
unsigned dvt_edge_memory_devices(
    struct dvt_edge_memory *m, const char *address, int64_t now);

#endif
