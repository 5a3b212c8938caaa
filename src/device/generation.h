/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials on the disk: generations/N/{key.pem or key.uri, chain.pem,
 * meta.json} and the one pointer "current". A generation is whole once its
 * meta.json is there, which is written last; numbers are never used again. What
 * a cut leaves between: docs/power-loss.md.
 */
#ifndef DVT_DEVICE_GENERATION_H
#define DVT_DEVICE_GENERATION_H

#include "device/agent.h"

#define DVT_GENERATIONS_DIR "generations"
#define DVT_GENERATIONS_MAX 64 /* looked at; more are left alone */

struct dvt_generation_meta {
	int64_t number;
	int64_t predecessor; /* 0: the first */
	char key_uri[DVT_KEY_URI_MAX + 1];
	char leaf[DVT_DIGEST_HEX]; /* fingerprint */
	char update[DVT_STEP_ID];  /* what made it; "" imported */
	int64_t made_at;           /* Unix seconds */
};

/* "file:generations/7/key.pem": what a key store is asked for */
void dvt_generation_key_uri(int64_t number, char out[DVT_KEY_URI_MAX + 1]);
/**
 * dvt_generation_get_key_uri() - where the key of one being made really is
 * @out: what its file key.uri says; without that file the URI asked for
 * Return: DVT_OK; DVT_E_INPUT (damaged); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_generation_get_key_uri(
    const struct dvt_agent_env *env, int64_t number,
    char out[DVT_KEY_URI_MAX + 1], struct dvt_err *err);
/* Note it: the store answered with another one. Makes the directory. */
DVT_MUST_USE enum dvt_code dvt_generation_put_key_uri(
    const struct dvt_agent_env *env, int64_t number, const char *uri,
    struct dvt_err *err);

/**
 * dvt_generation_list() - numbers of all directories there, ascending
 * @out: room for DVT_GENERATIONS_MAX
 */
DVT_MUST_USE enum dvt_code dvt_generation_list(const struct dvt_agent_env *env,
    int64_t *out, size_t *n, struct dvt_err *err);

/**
 * dvt_generation_load() - read a whole one back and check it
 * @out: credential without serial; dvt_credential_fini() it
 *
 * Return: DVT_OK; DVT_E_ABSENT (no such, or no meta.json yet); DVT_E_INPUT
 *         or DVT_E_CONFLICT (damaged, key and leaf do not match);
 *         DVT_E_SYSTEM (the disk; a store of keys that has it not, or not
 *         now).
 */
DVT_MUST_USE enum dvt_code dvt_generation_load(const struct dvt_agent_env *env,
    int64_t number, struct dvt_agent_credential *out,
    struct dvt_generation_meta *meta, struct dvt_err *err);
void dvt_credential_fini(struct dvt_agent_credential *c);

/* Read chain.pem alone, of one that is not whole yet. DVT_E_ABSENT. */
DVT_MUST_USE enum dvt_code dvt_generation_get_chain(
    const struct dvt_agent_env *env, int64_t number, struct dvt_chain *out,
    struct dvt_err *err);

/* One durable commit each; the directory exists (make() of its key). */
DVT_MUST_USE enum dvt_code dvt_generation_put_chain(
    const struct dvt_agent_env *env, int64_t number,
    const struct dvt_chain *chain, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_generation_put_meta(
    const struct dvt_agent_env *env, const struct dvt_generation_meta *meta,
    struct dvt_err *err);

/* A whole one at once, key as a file: for adopting. DVT_E_CONFLICT. */
DVT_MUST_USE enum dvt_code dvt_generation_put(const struct dvt_agent_env *env,
    const struct dvt_generation_meta *meta, struct dvt_span key_pem,
    const struct dvt_chain *chain, struct dvt_err *err);

/* What is read there now a cut leaves, too: a name whose sync failed only looks
 * durable. DVT_OK also when there is no directory yet; DVT_E_SYSTEM. */
DVT_MUST_USE enum dvt_code dvt_generation_sync(
    const struct dvt_agent_env *env, int64_t number, struct dvt_err *err);

/* Its directory with all files; DVT_OK also when there is none. A key that is
 * no file in it is wiped by its URI before. */
DVT_MUST_USE enum dvt_code dvt_generation_remove(
    const struct dvt_agent_env *env, int64_t number, struct dvt_err *err);
/* Rename to "N.bad": never loaded again, for people to look at. */
DVT_MUST_USE enum dvt_code dvt_generation_set_aside(
    const struct dvt_agent_env *env, int64_t number, struct dvt_err *err);

/**
 * dvt_generation_remake() - load one whose meta.json is lost or damaged
 * @meta: out: what can be told without it; to be put
 *
 * Key and chain must be there and belong together. For a generation that is
 * known to have been whole, or where nothing else is left.
 * Return: as dvt_generation_load(); DVT_E_CONFLICT (meta.json reads well).
 */
DVT_MUST_USE enum dvt_code dvt_generation_remake(
    const struct dvt_agent_env *env, int64_t number,
    struct dvt_agent_credential *out, struct dvt_generation_meta *meta,
    struct dvt_err *err);

/* A file of it is there and does not come off the disk (EIO, EACCES), or a
 * store does not give its key now: that says nothing of what is in it. */
bool dvt_generation_is_unreadable(
    const struct dvt_agent_env *env, int64_t number);

/* The pointer. DVT_E_ABSENT; DVT_E_INPUT (damaged); DVT_E_CONFLICT (no file);
 * DVT_E_SYSTEM. */
DVT_MUST_USE enum dvt_code dvt_generation_current(
    const struct dvt_agent_env *env, int64_t *number, struct dvt_err *err);
/* What lies in its place, to "current.bad": no file can be renamed over it. */
DVT_MUST_USE enum dvt_code dvt_generation_current_set_aside(
    const struct dvt_agent_env *env, struct dvt_err *err);
/* The switch: one rename. */
DVT_MUST_USE enum dvt_code dvt_generation_switch(
    const struct dvt_agent_env *env, int64_t number, struct dvt_err *err);

#endif
