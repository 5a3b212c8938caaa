/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the signer, for signer_*.c only. */
#ifndef DVT_DOVETAILD_SIGNER_PRIV_H
#define DVT_DOVETAILD_SIGNER_PRIV_H

#include "dovetaild/signer.h"
#include "pki/wrap.h"

struct signer_authority {
	int64_t id;
	char name[DVT_NAME_MAX + 1];
	X509 *cert;
	EVP_PKEY *key; /* NULL: not held */
};

struct signer {
	uint8_t wrap_key[DVT_WRAP_KEY];
	EVP_PKEY *import_key; /* keys are sealed to it; new in each life */
	struct signer_authority authority[SIGNER_AUTHORITIES_MAX];
	size_t authority_n;
	struct sign_profile profile[SIGNER_PROFILES_MAX];
	size_t profile_n;
	EVP_PKEY *online;
	char online_id[DVT_DIGEST_HEX];
	int64_t last_issue_at;  /* Unix seconds; the clock must not be behind */
	int64_t bundle_version; /* highest signed in this life */
};

/* NULL when it was not loaded. */
struct signer_authority *signer_authority(struct signer *s, int64_t id);
/* DVT_E_DENIED, naming it, when it is unknown or its key is not held. */
DVT_MUST_USE enum dvt_code signer_issuer(struct signer *s, int64_t id,
    struct signer_authority **out, struct dvt_err *err);

DVT_MUST_USE enum dvt_code signer_load_authority(
    struct signer *s, const struct sign_request *q, struct dvt_err *err);
DVT_MUST_USE enum dvt_code signer_load_profile(
    struct signer *s, const struct sign_request *q, struct dvt_err *err);
DVT_MUST_USE enum dvt_code signer_load_trust_key(
    struct signer *s, const struct sign_request *q, struct dvt_err *err);
DVT_MUST_USE enum dvt_code signer_loaded(struct signer *s,
    const struct sign_request *q, struct signer_out *out, struct dvt_err *err);

DVT_MUST_USE enum dvt_code signer_leaf(struct signer *s,
    const struct sign_request *q, int64_t now, struct signer_out *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code signer_make_authority(struct signer *s,
    const struct sign_request *q, int64_t now, struct signer_out *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code signer_cross(struct signer *s,
    const struct sign_request *q, int64_t now, struct signer_out *out,
    struct dvt_err *err);
DVT_MUST_USE enum dvt_code signer_import(struct signer *s,
    const struct sign_request *q, struct signer_out *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code signer_dsse(struct signer *s,
    const struct sign_request *q, struct signer_out *out, struct dvt_err *err);
DVT_MUST_USE enum dvt_code signer_crl(struct signer *s,
    const struct sign_request *q, int64_t now, struct signer_out *out,
    struct dvt_err *err);

#endif
