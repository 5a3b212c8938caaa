/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration values on the disk: config/NAME holds a value in clear, for
 * its consumers alone; config.json what version each one is. A value is
 * written first, so a cut between the two only has it fetched again. Which
 * version could not be taken, and why, is noted for people; a start tries
 * again.
 */
#ifndef DVT_DEVICE_CONFVAL_H
#define DVT_DEVICE_CONFVAL_H

#include "device/agent.h"

#define DVT_CONFVAL_DIR  "config"
#define DVT_CONFVAL_FILE "config.json"

struct dvt_confval {
	char name[DVT_CONFIG_NAME + 1];
	int64_t have;                     /* version of the file; 0: none */
	int64_t want;                     /* as the server said; 0: none */
	char certificate[DVT_DIGEST_HEX]; /* it is encrypted to there; "" */
	int64_t failed_version;           /* that could not be taken */
	char failed[DVT_STEP_DETAIL];     /* why */
	int64_t noted_version; /* likewise, as the disk has it; 0: none */
	bool told;             /* the server knows */
};

struct dvt_confvals { /* zeros: none */
	struct dvt_confval *v;
	size_t n; /* at most DVT_CONFIG_VALUES */
};
void dvt_confvals_fini(struct dvt_confvals *all);

/* A name that may be a file there. */
bool dvt_confval_name_ok(const char *name);
/* That of this name, or NULL. */
struct dvt_confval *dvt_confvals_get(
    struct dvt_confvals *all, const char *name);
/* The same; a new one when there is none, NULL when there is no room. */
struct dvt_confval *dvt_confvals_add(
    struct dvt_confvals *all, const char *name);
void dvt_confvals_drop(struct dvt_confvals *all, struct dvt_confval *v);

/* What config.json says. Damaged, unreadable or absent: nothing, and all is
 * fetched again. */
void dvt_confvals_load(
    const struct dvt_agent_env *env, struct dvt_confvals *out);
/* One durable commit each. */
DVT_MUST_USE enum dvt_code dvt_confvals_save(const struct dvt_agent_env *env,
    const struct dvt_confvals *all, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_confval_put(const struct dvt_agent_env *env,
    const char *name, struct dvt_span plain, struct dvt_err *err);
/* DVT_OK as well when there is none. */
DVT_MUST_USE enum dvt_code dvt_confval_remove(
    const struct dvt_agent_env *env, const char *name, struct dvt_err *err);
/* The value in clear; cleanse it. DVT_E_ABSENT. */
DVT_MUST_USE enum dvt_code dvt_confval_read(const struct dvt_agent_env *env,
    const char *name, struct dvt_buf *plain, struct dvt_err *err);

#endif
