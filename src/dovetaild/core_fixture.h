/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core for tests: a real data folder made by init, a real database, the
 * real signer called at once, and fronts whose answers are kept. The clock is
 * the host's; no process, no socket.
 */
#ifndef DVT_DOVETAILD_CORE_FIXTURE_H
#define DVT_DOVETAILD_CORE_FIXTURE_H

#include "dovetaild/core_priv.h"

/* The last answer a front would have sent. */
struct fixture_answer {
	int status; /* 0: none since fixture_ask() */
	char type[REPLY_TYPE_MAX + 1];
	int64_t retry_after_s;
	char *body; /* with a NUL behind it */
	size_t body_n;
};

struct fixture {
	char dir[64];
	struct program program;
	struct core *core;
	struct signer *signer;
	bool signer_away; /* requests are not taken */
	struct fixture_answer answer;
	unsigned answers;
};

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Run the turn that is open, and those that follow from it, to their end. */
void fixture_settle(struct fixture *f);
/* One EST request from front 1; the answer is in f->answer. */
void fixture_est(struct fixture *f, const struct est_request *q);
/* One call at the devices' listener. @body may be NULL. */
void fixture_call(struct fixture *f, const char *method, const char *path,
    const char *query, const char *fingerprint, const char *body);
/* One call of the REST API with the token of @who: "operator", "approver",
 * "admin". @body may be NULL. */
void fixture_api(struct fixture *f, const char *who, const char *method,
    const char *path, const char *body);
/* A statement of the test's own, in a turn of its own. */
void fixture_sql(struct fixture *f, const char *sql);
/* The first column of the first row; -1 without one. */
int64_t fixture_number(struct fixture *f, const char *sql);
/* The same as text; "" without one. The caller frees it. */
char *fixture_text(struct fixture *f, const char *sql);

/* A device of the inventory with the one-time secret "s3cret". */
void fixture_device(struct fixture *f, const char *id);

/* A request with a fresh key and subject CN=<id>; memory: the fixture's. */
struct fixture_csr {
	struct dvt_buf subject, spki, san;
	struct est_request q;
};
void fixture_csr(struct fixture_csr *c, const char *id);
void fixture_csr_fini(struct fixture_csr *c);
/* Enrol by secret; the fingerprint of what came, of DVT_DIGEST_HEX bytes. */
void fixture_enrol(struct fixture *f, const char *id, char *fingerprint);

#endif
