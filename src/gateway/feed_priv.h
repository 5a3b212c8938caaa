/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feed process: the control plane's line, the gateway's own keys, spool
 * and cache; hands state to workers and takes their records. Shared by the
 * feed_*.c files alone.
 */
#ifndef DVT_GATEWAY_FEED_PRIV_H
#define DVT_GATEWAY_FEED_PRIV_H

#include "durable/fs_posix.h"
#include "gateway/feed_log.h"
#include "gateway/keyring.h"
#include "gateway/program.h"
#include "gateway/record_sink.h"
#include "gateway/record_sum.h"
#include "gateway/spool.h"
#include "gateway/stats.h"
#include "http/client.h"
#include "ipc/channel.h"
#include "loop/loop.h"
#include "proto/feed.h"

/* A message that waits for room in a worker's queue; shared by workers. */
struct gw_blob {
	int refs;
	int fd; /* goes along, or -1; owned */
	struct dvt_buf body;
};

struct gw_peer {
	struct dvt_channel *channel; /* NULL while it is away */
	struct gw_blob **queue;
	size_t queue_n, queue_cap;
	int64_t position, epoch; /* in force there */
	uint64_t serial;
	size_t sessions;
	struct gw_stats stats;
};

/* One kind of request at a time, tried again with growing pauses. */
struct gw_line {
	struct dvt_http_client *http;
	struct dvt_timer *timer;
	bool busy;
	unsigned failures; /* in a row */
};

/* How it stands with the record file. */
struct gw_file_state {
	struct dvt_timer *again;
	int64_t again_ms; /* pause before the next try */
	int64_t moved_ms; /* since boot: when it last took something */
	bool failing;     /* told; not well again */
	int64_t failed_told_ms, told_ms;
	uint64_t lost_told;
};

struct gw_feed {
	struct gw_program *program;
	struct dvt_loop *loop;
	struct dvt_control *control;
	struct gw_files files;
	bool files_unreported;
	struct gw_sink *sink; /* the record file */
	struct gw_file_state file;
	struct gw_sums *sums;
	struct dvt_timer *sums_timer;
	unsigned sums_ticks; /* since they went out */
	bool records_ready;  /* what a former one left is on its way */
	size_t spooled_to;   /* lines of the ledger that the spool has seen */

	/* workers */
	struct gw_peer peer[GW_WORKERS_MAX];
	struct gw_stats past; /* counts of workers that are gone */
	uint64_t serial;

	/* state; the members below are unused without a control plane */
	struct dvt_fs_posix *fs;
	struct gw_keyring *keys;
	struct gw_spool *spool;
	struct dvt_timer *gather;
	struct dvt_timer *forgetter;
	uint64_t forget_at;
	struct dvt_feed *feed;  /* what workers have */
	uint64_t shelf_told;    /* generation of its shelf that workers have */
	struct dvt_feed *aside; /* from position 0, until it is whole */
	int64_t heard_at;       /* Unix seconds; 0: never */
	bool caught_up;         /* the last answer had no more to come */
	EVP_PKEY *identity_key; /* NULL: not enrolled */
	struct dvt_chain identity;
	STACK_OF(X509) * control_ca;

	/* the control plane */
	struct gw_line enrol, poll, report;
	EVP_PKEY *enrol_key;
	int64_t applied_told; /* position in the last acknowledged report */
	int64_t report_batch; /* under way */
	int64_t report_applied;
	bool report_files;    /* it tells the files */
	int64_t csrs_told_ms; /* since boot */
	bool csrs_untold;

	/* the cache */
	struct dvt_timer *cache_timer;
	int64_t cache_sequence;
	int64_t cached_position, cached_epoch, cached_heard_at;

	struct gw_reload *reload;
	bool doubts_untold; /* to the control plane */
	bool report_doubts; /* the report under way tells them */
	uint64_t reloads, reloads_refused;
	unsigned refusals;                /* answers, since it was caught up */
	char feed_refused[DVT_DOUBT_MAX]; /* why the last answer was, or "" */
	char refused[DVT_DOUBT_MAX];      /* why the last reload was, or "" */
	struct gw_admin *admin;
	int memory_fd;

	bool stopping;
	struct dvt_timer *stop_timer;
};

/* feed_reload.c */
void gw_reload_start(struct gw_feed *f);
void gw_reload_end(struct gw_feed *f);
/* As gw_files_doubt(), and what was refused: of the disk, of the feed. */
const char *gw_feed_doubt(const struct gw_feed *f, int64_t now, size_t i,
    const char **event, char text[DVT_DOUBT_MAX]);
/*
 * Read settings and files again and put them into use, or keep the old ones:
 * the reason is logged, and in @err (or NULL).
 */
enum dvt_code gw_reload(struct gw_feed *f, struct dvt_err *err);

/* feed_workers.c */
void gw_feed_peer(struct gw_feed *f, unsigned index, int fd);
void gw_feed_send_files(struct gw_feed *f);
void gw_feed_send_records(struct gw_feed *f); /* whether they are wanted */
void gw_feed_send_key(struct gw_feed *f, const char *digest, EVP_PKEY *key);
void gw_feed_send_state(struct gw_feed *f); /* a snapshot, to all */
/* Devices and denials, if they have moved to another mapping. */
void gw_feed_send_shelf(struct gw_feed *f);
void gw_feed_send_answer(struct gw_feed *f, struct dvt_span answer);
void gw_feed_send_heard(struct gw_feed *f);
/* The position that every worker has in force. */
int64_t gw_feed_applied(const struct gw_feed *f);
size_t gw_feed_sessions(const struct gw_feed *f);
void gw_feed_workers_end(struct gw_feed *f);

/* feed_file.c */
void gw_file_start(struct gw_feed *f);
void gw_file_end(struct gw_feed *f);
void gw_file_open(struct gw_feed *f); /* anew: it may be another */
/* What of the lines a killed feed process has written. */
void gw_file_recover(struct gw_feed *f);
void gw_file_write(struct gw_feed *f); /* what waits, as far as it is taken */
/* Before lines come: so many do not wait any longer. */
void gw_file_make_room(struct gw_feed *f);
void gw_file_lose(struct gw_feed *f, uint64_t records); /* count, tell */
/* Why lines wait; NULL: the file is well. */
const char *gw_file_why(const struct gw_feed *f);

/* feed_records.c */
void gw_records_start(struct gw_feed *f);
void gw_records_end(struct gw_feed *f);
void gw_records_settings(struct gw_feed *f); /* they were read again */
/* An EDGE_RECORD of worker @index. Return: its number when it will not be
 * lost any more; 0: it is broken. */
uint64_t gw_records_take(
    struct gw_feed *f, unsigned index, struct dvt_span body);
/* What a killed feed process had taken goes on its way. */
void gw_records_recover(struct gw_feed *f);
/* All counts become records: before the end. */
void gw_records_flush(struct gw_feed *f);
void gw_feed_gathered(void *feed); /* by the timer */

/* feed_enrol.c */
DVT_MUST_USE enum dvt_code gw_enrol_start(
    struct gw_feed *f, struct dvt_err *err);
void gw_enrol_end(struct gw_feed *f);
/* After it was stored: connections from now on use it. */
void gw_link_identity(struct gw_feed *f);

/* feed_link.c */
DVT_MUST_USE enum dvt_code gw_link_start(
    struct gw_feed *f, struct dvt_err *err);
void gw_link_end(struct gw_feed *f);
/* Something to tell: report at once, or as soon as that can be. */
void gw_link_report(struct gw_feed *f);
/* A last report when there is something in it; then gw_feed_stopped(). */
void gw_link_finish(struct gw_feed *f);
void gw_feed_stopped(struct gw_feed *f);
/* Milliseconds to wait after @failures in a row: 0.5 s doubled to 30 s. */
int64_t gw_line_pause_ms(unsigned failures);
/* A client of the control plane with the identity (or without, @anonymous). */
DVT_MUST_USE enum dvt_code gw_line_open(
    struct gw_feed *f, struct gw_line *l, bool anonymous, struct dvt_err *err);
void gw_line_close(struct gw_line *l);
/* A try went wrong: log it when it is the first of a row. */
void gw_line_failed(
    struct gw_line *l, const char *what, const struct dvt_http_answer *a);

/* feed_cache.c */
void gw_cache_load(struct gw_feed *f);
void gw_cache_changed(struct gw_feed *f); /* write it soon */
void gw_cache_write(void *feed);

#endif
