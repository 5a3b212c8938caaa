/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorities: made in the signer, taken over from outside, cross-signed.
 * Each answers its asker in a later turn.
 */
#ifndef DVT_DOVETAILD_CORE_AUTHORITY_H
#define DVT_DOVETAILD_CORE_AUTHORITY_H

#include "dovetaild/core.h"

struct core_authority_new {
	const char *name;
	const char *subject;         /* create: RFC 4514; NULL: from the name */
	const char *parent;          /* create: NULL: a root */
	const char *certificate_pem; /* import */
	struct dvt_span sealed_key;  /* import: empty: certificate alone */
	bool use_server, use_device;
};

/**
 * core_authority_check() - could it be imported?
 * @digest: out: of exactly this, for the second person
 *
 * Return: DVT_OK; DVT_E_INPUT (no CA, not begun: by how much, ended, broken);
 *         DVT_E_CONFLICT (the name or the certificate is there).
 */
DVT_MUST_USE enum dvt_code core_authority_check(struct core *c,
    const struct core_authority_new *want, char digest[DVT_DIGEST_HEX],
    struct dvt_err *err);
/**
 * core_authority_import() - record it; with a key, once the signer has it
 * @digest: of core_authority_check()
 *
 * A key that does not match is refused by the signer; then a second person is
 * asked for; without a key the caller has done that.
 */
#define AUTHORITY_IMPORT "authority.import" /* the action that is approved */
DVT_MUST_USE enum dvt_code core_authority_import(struct core *c,
    const struct core_asker *to, const char *actor,
    const struct core_authority_new *want, const char *digest,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code core_authority_create(struct core *c,
    const struct core_asker *to, const char *actor,
    const struct core_authority_new *want, struct dvt_err *err);
/* The new root @name signed by the old one @by (RFC 4210 section 4.4). */
DVT_MUST_USE enum dvt_code core_authority_cross(struct core *c,
    const struct core_asker *to, const char *actor, const char *name,
    const char *by, struct dvt_err *err);

#endif
