/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of core's process, for core_*.c only. */
#ifndef DVT_DOVETAILD_CORE_PRIV_H
#define DVT_DOVETAILD_CORE_PRIV_H

#include "dovetaild/core.h"
#include "dovetaild/peers.h"
#include "dovetaild/program.h"
#include "dovetaild/request.h"
#include "store/audit.h"
#include "store/store.h"

#define CORE_SIGN_MAX   4096  /* requests under way at the signer */
#define CORE_PARKED_MAX 4096  /* feed requests that wait for news */
#define CORE_ALARM_MS   60000 /* between two alerts about the clock */
#define CORE_LATER_S    2     /* Retry-After when a turn could not be kept */

struct core_after_call {
	void (*fn)(struct core *c, void *ctx, bool committed);
	void *ctx;
};

/* An answer that waits for the commit. */
struct core_reply {
	struct core_asker to;
	struct dvt_buf body; /* of the message */
};

struct core_signing {
	uint64_t generation; /* 0: free */
	enum dvt_code (*done)(struct core *c, void *ctx,
	    const struct sign_reply *r, struct dvt_err *err);
	void (*drop)(void *ctx);
	void *ctx;
	enum sign_kind kind;
};

/* A follower of the feed that waits for news. */
struct core_parked {
	bool used;
	struct core_asker to;
	char gateway[DVT_NAME_MAX + 1];
	int64_t after;
	int64_t until_ms; /* mono */
};

/* What a front has applied of the feed that core pushes to it. */
struct core_front {
	char name[16]; /* "front-1" */
	int64_t told;  /* position of the last line sent in this life */
	bool up;
	bool greeted; /* it has what there was when it came */
};

struct core {
	const struct program *program;
	struct dvt_loop *loop;
	struct peers *peers;
	struct dvt_store *store;
	struct dvt_defer *turn_end;
	struct dvt_timer *tick;

	/* the turn */
	struct dvt_tx *tx;
	struct dvt_time now;
	struct dvt_arena arena;
	bool failing;          /* a commit failed; its calls are told */
	struct dvt_err broken; /* why this turn has no transaction */
	struct core_after_call *after;
	size_t after_n, after_cap;
	struct core_reply *reply;
	size_t reply_n, reply_cap;

	/* the signer */
	struct core_signing signing[CORE_SIGN_MAX];
	uint32_t signing_next;
	uint64_t signing_generation;
	bool signer_ready;
	int64_t clock_alarm_ms; /* mono: not again before */
	bool started;           /* the parent was told so */
	struct dvt_buf import_key;

	/* edges */
	struct core_parked parked[CORE_PARKED_MAX];
	size_t parked_n;
	struct core_front front[DVT_FRONTS_MAX];
	struct dvt_timer *feed_timer;
	bool feed_changed;   /* in this turn */
	bool publish_wanted; /* in this turn */

	/* the audit log of this life */
	char stream[DVT_AUDIT_STREAM_SIZE];
	int64_t entries_since_checkpoint;
	int64_t checkpoint_at; /* Unix seconds */
	bool checkpoint_asked;

	struct core_outbound *outbound; /* core_outbound.h */

	/* rotations: see core_rotation.h */
	bool rotation_awake;       /* something happened that gates look at */
	int64_t rotation_due_ms;   /* mono; of the next look */
	int64_t rotation_least_ms; /* not before, as counting was costly */

	char fleet[DVT_NAME_MAX + 1];
	int64_t epoch;
	int64_t ticks;          /* seconds since the start, about */
	int status;             /* exit status */
	struct request request; /* room for the one being handled */
};

/* --- core_main.c --- */
/* The signer is ready: fronts are told, and the parent, once. */
void core_serve(struct core *c);
/* It cannot work like this: end with the status of @code. */
void core_give_up(struct core *c, enum dvt_code code);

/* --- core_turn.c --- */

/**
 * core_within() - @fn in a savepoint of this turn's transaction
 *
 * When @fn fails, what it wrote and queued is taken back.
 * Return: what @fn returns; DVT_E_LATER when there is no transaction (the
 *         database is away or full).
 */
DVT_MUST_USE enum dvt_code core_within(struct core *c,
    enum dvt_code (*fn)(struct core *c, void *ctx, struct dvt_err *err),
    void *ctx, struct dvt_err *err);
void core_turn_end(void *core); /* deferred: commit, then answers */
/* Commit what is open: before something is told that is read from rows. */
void core_settle(struct core *c);

/* --- core_sign.c --- */
/* As core_sign(), before the signer is ready; nothing to free. */
DVT_MUST_USE enum dvt_code core_sign_now(struct core *c,
    const struct sign_request *q,
    enum dvt_code (*done)(struct core *c, void *ctx, const struct sign_reply *r,
	struct dvt_err *err),
    struct dvt_err *err);
void core_signer_down(struct core *c);
void core_signer_reply(struct core *c, struct dvt_msg *m);
/**
 * core_signed() - what a request's answer came to, told to its asker
 * @record: with @ctx in a savepoint of its own, when the signer has signed; it
 *          answers. Else, and when it fails, the asker hears the problem.
 * Return: DVT_OK, for a done() of core_sign() to return.
 */
DVT_MUST_USE enum dvt_code core_signed(struct core *c,
    const struct core_asker *to, const struct sign_reply *r,
    enum dvt_code (*record)(struct core *c, void *ctx, struct dvt_err *err),
    void *ctx);
/* --- core_load.c --- */
void core_signer_up(struct core *c);
/* A new or changed authority, after the commit of this turn. */
void core_signer_load(struct core *c, int64_t authority_id);

/* --- core_approval.c --- */
struct dvt_row_approval;
/**
 * core_approval() - has a second person agreed to exactly this?
 * @digest: SHA-256 of all that would be done
 * @row:    out: the approval that was used, or that is to be given
 *
 * Return: DVT_OK (used up now, or one person is enough by setting);
 *         DVT_E_APPROVAL: the request is written; keep the savepoint.
 */
DVT_MUST_USE enum dvt_code core_approval(struct core *c, const char *actor,
    const char *action, const char *object, const char *digest,
    struct dvt_row_approval *row, struct dvt_err *err);

/* --- core_policy.c --- */
/* The list of the file is the database's, or absent. DVT_E_CONFLICT. */
DVT_MUST_USE enum dvt_code core_policy_open(
    struct core *c, struct dvt_err *err);
/* May that authority be imported? DVT_E_DENIED: the list does not name it. */
DVT_MUST_USE enum dvt_code core_policy_import(
    struct core *c, const char *fingerprint, struct dvt_err *err);
/* May a device enrol for the first time like this? DVT_E_DENIED. */
DVT_MUST_USE enum dvt_code core_policy_enrol(
    struct core *c, const struct est_request *q, struct dvt_err *err);

/* --- core_est.c --- */
void core_est_received(
    struct core *c, const struct core_asker *from, const struct est_request *q);

/* --- core_request.c --- */
void core_request_received(
    struct core *c, const struct core_asker *from, const struct request *q);

/* --- core_checkin.c --- */
DVT_MUST_USE enum dvt_code core_checkin(struct core *c,
    const struct core_asker *from, const struct request *q,
    struct dvt_err *err);

/* --- core_feed.c --- */
DVT_MUST_USE enum dvt_code core_feed_get(struct core *c,
    const struct core_asker *from, const struct request *q,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code core_feed_report(struct core *c,
    const struct core_asker *from, const struct request *q,
    struct dvt_err *err);
/* Followers hear what changed, a moment later: many changes, one telling. */
void core_feed_soon(struct core *c);
void core_feed_news(void *core);
void core_feed_sweep(struct core *c);
void core_feed_cancel(struct core *c, const struct core_asker *from);
void core_front_up(struct core *c, unsigned index);
/* All there is, to a front that has not got it yet. */
void core_front_greet(struct core *c, unsigned index);
void core_front_down(struct core *c, unsigned index);
void core_front_report(struct core *c, unsigned index, struct dvt_span body);

/* --- core_report.c --- */
/* A parked device was seen: it is active again. */
DVT_MUST_USE enum dvt_code core_device_unpark(
    struct core *c, const char *device_id, struct dvt_err *err);

/* --- core_publish.c --- */
void core_publish_now(struct core *c);
void core_publish_to(struct core *c, unsigned front);

/* --- core_watch.c --- */
/* Signed heads of the audit log, when it is time. */
void core_checkpoint(struct core *c);

/* --- core_timers.c --- */
void core_tick(struct core *c);

/* --- core_app.c: the hooks of api/app.h --- */
struct core_app_ctx { /* core_ctx of struct dvt_app */
	struct core *core;
	struct core_asker asker;
};
struct dvt_app_core;
extern const struct dvt_app_core core_app;

#endif
