/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: accepts on its own listening socket, speaks TLS, relays. It holds
 * a copy of the state that the feed process hands out.
 */
#ifndef DVT_GATEWAY_WORKER_H
#define DVT_GATEWAY_WORKER_H

#include "gateway/conn_index.h"
#include "gateway/program.h"
#include "gateway/record_queue.h"
#include "gateway/stats.h"
#include "ipc/channel.h"
#include "loop/loop.h"

#define GW_RECORD  16384           /* bytes: the largest TLS record */
#define GW_SCRATCH (4 * GW_RECORD) /* what one session moves in a turn */

struct gw_conn;

struct gw_key {
	char digest[DVT_DIGEST_HEX];
	EVP_PKEY *key;
};

/* An order to close sessions on other chains, at a pace. */
struct gw_reconnect {
	bool on;
	char rotation[DVT_NAME_MAX + 1];
	char keep_root[DVT_DIGEST_HEX];
	int64_t since_ms; /* sessions opened later are not meant */
	double per_tick, tokens;
};

struct gw_worker {
	struct gw_program *program;
	unsigned index;
	struct dvt_loop *loop;
	struct dvt_control *control;
	struct dvt_channel *feed_channel;  /* NULL while it is away */
	struct dvt_channel *names_channel; /* the same */
	struct dvt_edge *edge;
	struct dvt_watch *listening;
	struct dvt_timer *accept_again, *sweeper, *pacer, *teller, *ender;
	bool told_ready, stopping;

	/* state */
	struct dvt_feed *feed;  /* never NULL */
	struct dvt_feed *aside; /* a snapshot being built, or NULL */
	struct gw_files files;
	struct gw_crl_parts crl_parts; /* of the files to come */
	bool has_files;                /* told, perhaps that there are none */
	struct gw_key *keys;
	size_t keys_n;
	int64_t heard_at; /* Unix seconds; 0: never */
	bool too_old;     /* to let anybody in, by policy */
	struct gw_reconnect reconnect;
	uint64_t serial; /* last one applied */

	/* connections */
	struct gw_conn *first;
	struct gw_index *index_of;
	struct gw_conn *sweep_at; /* next to be checked, or NULL */
	size_t conns, conns_max;
	struct gw_conn *half_first, *half_last; /* newest, oldest */
	size_t half, half_max; /* of this worker; at most of all */
	size_t half_own_max;
	int64_t limit_told_ms;
	uint64_t limited; /* turned away since that was told */
	struct gw_upstreams upstreams, pass_to; /* health as seen here */
	size_t sessions;                        /* of these open */
	size_t passed;                          /* handed on as they came */
	size_t told_sessions;
	int64_t stall_ms;            /* a side may take nothing; 0: for ever */
	struct gw_stats stats, told; /* what is counted; what the feed has */
	int memory_fd;
	uint8_t *scratch; /* GW_SCRATCH bytes and a goodbye, within one call */

	/* records that wait for the next message, or for the feed process;
	 * those under way go again when it is another */
	bool recording; /* somebody wants them */
	struct gw_queue *queue;
	uint64_t life; /* this worker; with the number of a message */
	struct dvt_timer *recorder;
};

/* Connections come and go. */
void gw_worker_linked(struct gw_worker *w, struct gw_conn *c);
void gw_worker_unlinked(struct gw_worker *w, struct gw_conn *c);

/* A client whose certificate verifies but is not listed. */
enum gw_admission { GW_ADMIT, GW_WAIT, GW_REJECT };
enum gw_admission gw_worker_admission(
    struct gw_worker *w, const struct dvt_edge_peer *peer, bool waited);

/* Refuse, or take in again, by how old what it knows is. */
void gw_worker_look_at_age(struct gw_worker *w);
/* Is it an active device, going by the name its authority gave it? */
bool gw_worker_names_active(const struct gw_worker *w, const char *id);

/* worker_state.c: a message of the feed process with its descriptor (borrowed,
 * or -1). false: it is broken. */
bool gw_worker_state(struct gw_worker *w, struct dvt_span body, int fd);
/* Build what is shown and trusted from files, keys and feed anew. */
void gw_worker_refresh(struct gw_worker *w);
/* The feed process has this message. */
void gw_worker_records_taken(struct gw_worker *w, uint64_t seq);
/* Check every connection, in slices. */
void gw_worker_sweep(struct gw_worker *w);
void gw_worker_sweep_step(void *worker);
void gw_worker_pace_step(void *worker);
void gw_worker_tell(struct gw_worker *w); /* EDGE_APPLIED */

#endif
