/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anchors on the disk: trust/VERSION/{anchor-01.pem ..., issuing.pem,
 * bundle.jsonl, held.json, meta.json}. Each directory is put whole; the
 * highest whole one is what is loaded.
 */
#ifndef DVT_DEVICE_TRUSTSET_H
#define DVT_DEVICE_TRUSTSET_H

#include "device/agent.h"
#include "pki/bundle.h"

#define DVT_TRUST_DIR "trust"

struct dvt_trustset {
	int64_t version;
	struct dvt_trust *trust;
	struct dvt_bundle_held held; /* keys, fleet, highest version */
	struct dvt_trust *issuing;   /* CAs a certificate may come from; NULL:
				      * any */
	bool pinned;                 /* the keys came with the first bundle */
};

void dvt_trustset_free(struct dvt_trustset *t); /* NULL-safe */

/* From anchors as PEM, given at enrolment: version 0. */
DVT_MUST_USE enum dvt_code dvt_trustset_from_pem(struct dvt_span anchors,
    struct dvt_span trust_keys, const char *device_id,
    struct dvt_trustset **out, struct dvt_err *err);

/**
 * dvt_trustset_walk() - from what is held to the newest of some lines
 * @from:  what is held; without keys the first line pins them
 * @lines: envelopes, oldest first, each ended by a line feed
 * @out:   out: the caller's; NULL when no line could be taken
 * @kept:  gets the lines taken, for bundle.jsonl
 *
 * Lines not newer than what is held are passed over.
 * Return: DVT_OK (then @err tells when a later line was refused, else its
 *         text is ""); DVT_E_CONFLICT (nothing newer); else why the first was
 *         refused, as dvt_bundle_accept().
 */
DVT_MUST_USE enum dvt_code dvt_trustset_walk(const struct dvt_trustset *from,
    struct dvt_span lines, struct dvt_trustset **out, struct dvt_buf *kept,
    struct dvt_err *err);

/* Write it; one durable commit. DVT_E_CONFLICT when the version is there. */
DVT_MUST_USE enum dvt_code dvt_trustset_put(const struct dvt_agent_env *env,
    const struct dvt_trustset *t, struct dvt_span lines, int64_t now,
    struct dvt_err *err);

/* Read back and check. DVT_E_ABSENT; DVT_E_INPUT (damaged); DVT_E_SYSTEM. */
DVT_MUST_USE enum dvt_code dvt_trustset_load(const struct dvt_agent_env *env,
    int64_t version, struct dvt_trustset **out, struct dvt_err *err);

/* A file of it is there and does not come off the disk (EIO, EACCES). */
bool dvt_trustset_is_unreadable(
    const struct dvt_agent_env *env, int64_t version);
/* Its signed lines read: it can be made again from them. */
bool dvt_trustset_has_lines(const struct dvt_agent_env *env, int64_t version);

/* Versions there, ascending; room for DVT_TRUST_LIST. */
#define DVT_TRUST_LIST 32
DVT_MUST_USE enum dvt_code dvt_trustset_list(const struct dvt_agent_env *env,
    int64_t *out, size_t *n, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_trustset_remove(
    const struct dvt_agent_env *env, int64_t version, struct dvt_err *err);
/* Rename to "N.bad"; over a former one. */
DVT_MUST_USE enum dvt_code dvt_trustset_set_aside(
    const struct dvt_agent_env *env, int64_t version, struct dvt_err *err);

/**
 * dvt_trustset_salvage() - make a set again from the newest that was set aside
 *
 * For when no set is whole. Its bundle.jsonl alone says all that the other
 * files do, and proves by its signatures that it is undamaged; the set given
 * at enrolment has none, and of it the anchors are taken. What was made is
 * put as an ordinary set.
 * Return: DVT_OK; DVT_E_ABSENT (nothing to make it from); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_trustset_salvage(const struct dvt_agent_env *env,
    const char *device_id, int64_t now, struct dvt_trustset **out,
    struct dvt_err *err);

#endif
