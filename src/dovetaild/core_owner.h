/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose certificate it is: the owner behind a request, from the inventory;
 * writing down what was issued; confirming it and superseding the former.
 */
#ifndef DVT_DOVETAILD_CORE_OWNER_H
#define DVT_DOVETAILD_CORE_OWNER_H

#include "dovetaild/core.h"
#include "dovetaild/request.h"
#include "store/rows.h"

/* All memory: the turn's arena. */
struct core_owner {
	enum dvt_owner_kind kind;
	const char *id;
	bool by_secret;
	bool has_credential;
	struct dvt_row_credential credential; /* it asked with */
	struct dvt_row_device device;         /* of a device */
	struct dvt_row_profile profile;
	struct dvt_span subject_der;
	struct dvt_span san_der;
	bool told_to_renew;  /* an instruction is out */
	int64_t rotation_to; /* authority of its rotation; 0: none */
	bool ended;          /* its certificate has: re-enrolment alone */
	const char *grant;   /* under which it returns; NULL: none needed */
};

/**
 * core_owner_find() - who asks at EST, and is it allowed to
 * @q: as proven by the front
 *
 * Return: DVT_OK; DVT_E_AUTH (unknown certificate, wrong or spent secret);
 *         DVT_E_DENIED (revoked, blocked, beyond its hold); DVT_E_INPUT (the
 *         label is no profile of this owner).
 */
DVT_MUST_USE enum dvt_code core_owner_find(struct core *c,
    const struct est_request *q, struct core_owner *out, struct dvt_err *err);

/**
 * core_owner_by_certificate() - who showed this certificate
 * @kind: wanted; another is DVT_E_DENIED
 * Return: as core_owner_find().
 */
DVT_MUST_USE enum dvt_code core_owner_by_certificate(struct core *c,
    const char *fingerprint, enum dvt_owner_kind kind, struct core_owner *out,
    struct dvt_err *err);

/* What the signer gave, on its way into the inventory. */
struct core_issue {
	enum dvt_owner_kind kind;
	const char *owner;
	int64_t authority;
	struct dvt_span der;
	const char *source; /* "est", "csr" */
};

/**
 * core_issue_record() - certificate, its DER, key use, audit, event, feed
 * @i: borrowed; the state becomes `issued`
 */
DVT_MUST_USE enum dvt_code core_issue_record(
    struct core *c, const struct core_issue *i, struct dvt_err *err);

/**
 * core_confirm() - the owner works under this certificate now
 * @cred: state issued or active
 *
 * The first time: it becomes active, older ones superseded and held, its
 * one-time secret is spent. Again: nothing.
 */
DVT_MUST_USE enum dvt_code core_confirm(
    struct core *c, const struct dvt_row_credential *cred, struct dvt_err *err);

/* Superseded, and its hold is over: edges refuse it from now on. */
DVT_MUST_USE enum dvt_code core_deny_superseded(
    struct core *c, const struct dvt_row_credential *row, struct dvt_err *err);

#endif
