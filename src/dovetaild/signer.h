/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer without its process: what it holds, and what it does for one
 * request. It trusts nobody: every request is checked against what was loaded
 * and against the clock. Keys are made, unwrapped and used here alone.
 */
#ifndef DVT_DOVETAILD_SIGNER_H
#define DVT_DOVETAILD_SIGNER_H

#include "base/mem.h"
#include "dovetaild/sign.h"

#define SIGNER_AUTHORITIES_MAX 256
#define SIGNER_PROFILES_MAX    64
#define SIGNER_CLOCK_SLACK_S   60 /* small steps back that NTP makes */
#define SIGNER_SECRET_BYTES    32 /* of the unlocking secret */

#define SIGNER_AUDIT_TYPE "application/vnd.dovetail.audit+json"
/* What a key sealed to the signer is bound to (pki/seal.h). */
#define SIGNER_IMPORT_BOUND "dovetail authority key"

struct signer;

/**
 * signer_new() - a signer that holds nothing yet
 * @unlock: SIGNER_SECRET_BYTES bytes; borrowed
 * Return: DVT_OK; DVT_E_INPUT (not that many bytes); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code signer_new(
    const struct dvt_secret *unlock, struct signer **out, struct dvt_err *err);
void signer_free(struct signer *s); /* NULL-safe; keys are wiped */

/* What one request gave. */
struct signer_out {
	struct dvt_buf der;
	struct dvt_buf wrapped;
	struct dvt_buf line;
};
void signer_out_init(struct signer_out *o);
void signer_out_fini(struct signer_out *o);

/**
 * signer_do() - check one request and carry it out
 * @now: Unix seconds
 * @out: initialised; what the kind gives is appended, only on DVT_OK
 *
 * Return: DVT_OK; DVT_E_LATER (the clock runs behind the last certificate or
 *         the build); DVT_E_DENIED (outside the profile, unknown profile or
 *         authority, key not held); DVT_E_AUTH (a wrapped key that this
 *         secret does not open); and what pki/issue.h returns.
 */
DVT_MUST_USE enum dvt_code signer_do(struct signer *s,
    const struct sign_request *q, int64_t now, struct signer_out *out,
    struct dvt_err *err);

/**
 * signer_wrap_key() - a key as it is stored
 * @bound: "authority:<fingerprint>" or "trust-key:<key id>"
 */
DVT_MUST_USE enum dvt_code signer_wrap_key(const struct signer *s,
    const char *bound, const EVP_PKEY *key, struct dvt_buf *out,
    struct dvt_err *err);

/* The private key of a loaded authority, for `--init --root offline` alone.
 * Borrowed; NULL: not held. */
EVP_PKEY *signer_key(struct signer *s, int64_t authority);

#endif
