/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway as its parent made it ready: settings, sockets, what workers
 * share. Handed to every child; each keeps only what its kind lists.
 */
#ifndef DVT_GATEWAY_PROGRAM_H
#define DVT_GATEWAY_PROGRAM_H

#include "gateway/files.h"
#include "gateway/half_count.h"
#include "gateway/ledger.h"
#include "gateway/pulse.h"
#include "gateway/rate.h"
#include "gateway/settings.h"
#include "loop/edge_tls.h"

struct gw_program {
	char *config_path; /* absolute */
	struct dvt_config *config;
	struct gw_settings settings;
	int listen_fd[GW_WORKERS_MAX]; /* one per worker, SO_REUSEPORT */
	struct dvt_addr listen;        /* what was bound */
	int admin_fd;                  /* 0: no admin listener */
	/* Shared by the workers: identity tickets, what clients did, limits. */
	uint8_t ticket_key[DVT_EDGE_TICKET_KEY];
	struct dvt_edge_memory *memory;
	struct gw_rate *rate;
	struct gw_rate *spared; /* uses of a ticket beyond it */
	struct gw_half_count *half_count;
	struct gw_pulse *pulse; /* by the parent for the feed process */
	/* What a feed process leaves to its successor. */
	struct gw_ledger *ledger;
};

/* Give up what this child does not need; @groups: DVT_SYS_... */
struct dvt_sandbox_path;
DVT_MUST_USE enum dvt_code gw_sandbox(const struct gw_program *p,
    unsigned groups, const struct dvt_sandbox_path *paths, size_t paths_n,
    struct dvt_err *err);

/* What children do; each returns its exit status. */
struct dvt_child;
void gw_log_start(const struct gw_program *p, const char *name);
int gw_feed_run(struct dvt_child *me, void *program);
int gw_worker_run(struct dvt_child *me, void *program);
int gw_resolver_run(struct dvt_child *me, void *program);

/*
 * EDGE_CONFIG bodies: a number of what, then fields. The worker answers each
 * that asks for it by EDGE_APPLIED: serial, position, epoch, open sessions.
 */
enum gw_what {
	GW_FILES,  /* serial, then gw_files_put(); with the deny file's shelf */
	GW_CRL,    /* gw_crl_part_put(): what the next GW_FILES goes with */
	GW_KEY,    /* digest, PKCS#8: a key made here */
	GW_SHELF,  /* devices and denials have moved: with their new shelf */
	GW_BEGIN,  /* a snapshot begins, built aside; with its shelf */
	GW_LINES,  /* text: lines of it */
	GW_END,    /* serial, position, epoch: take it into use */
	GW_ANSWER, /* serial, text: an answer of the feed, as it came */
	GW_HEARD,  /* Unix seconds of the last answer; 0: there is none */
	GW_RECORDS, /* 1: records are wanted; 0: nobody would read one */
	GW_TAKEN,   /* number of the EDGE_RECORD that will not be lost now */
	GW_WHAT_N,
};

#define GW_LINES_MAX 1000000 /* bytes of lines in one message */

#endif
