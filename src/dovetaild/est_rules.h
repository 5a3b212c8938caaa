/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of enrolment as pure functions: what a request may ask, when it
 * may ask, and what dates it gets. RFC 7030 section 4.2; docs/device-api.md.
 */
#ifndef DVT_DOVETAILD_EST_RULES_H
#define DVT_DOVETAILD_EST_RULES_H

#include "dovetaild/request.h"
#include "dovetaild/sign.h"
#include "fleet/rows.h"

#define EST_REPEAT_S     86400  /* the same key gets the same certificate */
#define EST_RETRY_MAX_S  604800 /* longest Retry-After that is told */
#define EST_ISSUE_LEAD_S (90 * 86400) /* kept free before an issuer's end */

/* Two Names say the same: types and values in order; string kinds (UTF8,
 * printable) do not count. Broken ones never do. */
bool est_name_same(struct dvt_span a, struct dvt_span b);

/**
 * est_check_request() - subject, alternative names and CA wish
 * @subject: of the inventory, DER Name
 * @san:     of the inventory, value of the extension; may be empty
 *
 * An empty subject in a request is taken for the right one on enrolment; a
 * missing alternative name always.
 * Return: DVT_OK; DVT_E_INPUT, telling what was asked and what is known.
 */
DVT_MUST_USE enum dvt_code est_check_request(const struct est_request *q,
    struct dvt_span subject, struct dvt_span san, struct dvt_err *err);

/* A credential as far as its use at EST and check-in is judged. */
struct est_credential {
	enum dvt_credential_state state;
	int64_t not_after;  /* Unix seconds */
	int64_t hold_until; /* of a superseded one */
};

/**
 * est_check_credential() - may it still speak for its owner?
 * @mend_s: time after the hold in which it may, to be mended
 * Return: DVT_OK; DVT_E_DENIED.
 */
DVT_MUST_USE enum dvt_code est_check_credential(const struct est_credential *c,
    int64_t mend_s, int64_t now, struct dvt_err *err);

/* DVT_E_DENIED, naming the state, for a device that may get nothing. */
DVT_MUST_USE enum dvt_code est_check_device(
    const char *device_id, enum dvt_device_state state, struct dvt_err *err);

/**
 * est_window() - is it time to renew?
 * @told: an instruction to renew is out
 * Return: 0: yes; else seconds to come back after, at most EST_RETRY_MAX_S.
 */
int64_t est_window(const struct est_credential *c, int64_t renew_before_s,
    bool told, int64_t now);

struct est_dates {
	int64_t not_before, not_after; /* Unix seconds */
};
/**
 * est_dates() - from when to when
 * @owner:  device or gateway; its jitter is always the same
 * @issuer_not_before, @issuer_last_issue: Unix seconds
 *
 * Back-dated, but never before the issuer. Past the issuer's last-issue date
 * nothing is issued; nothing is ever clamped.
 * Return: DVT_OK; DVT_E_CONFLICT.
 */
DVT_MUST_USE enum dvt_code est_dates(const struct sign_profile *p,
    const char *owner, const char *issuer, int64_t issuer_not_before,
    int64_t issuer_last_issue, int64_t now, struct est_dates *out,
    struct dvt_err *err);

/* The last date an issuer that ends at @not_after may issue. */
int64_t est_last_issue(
    int64_t not_after, int64_t longest_validity_s, int64_t longest_jitter_s);

#endif
