/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/est_rules.h"

#include "base/clock.h"
#include "pki/key.h"
#include "pki/x509.h"
#include "wire/name.h"

#include <inttypes.h>

bool
est_name_same(struct dvt_span a, struct dvt_span b)
{
	struct dvt_name_part x, y;
	struct dvt_name_walk wa, wb;

	if (dvt_span_eq(a, b))
		return true;
	if (dvt_name_open(a, &wa, NULL) != DVT_OK ||
	    dvt_name_open(b, &wb, NULL) != DVT_OK)
		return false;
	for (;;) {
		enum dvt_code ra = dvt_name_take(&wa, &x, NULL);
		enum dvt_code rb = dvt_name_take(&wb, &y, NULL);

		if (ra != DVT_OK || rb != DVT_OK)
			return ra == DVT_E_ABSENT && rb == DVT_E_ABSENT;
		if (!dvt_span_eq(x.type, y.type) ||
		    !dvt_span_eq(x.value, y.value) || x.joined != y.joined)
			return false;
	}
}

/* As enrolling programs take a name: most specific part first (RFC 4514). */
static enum dvt_code
fail_subject(struct dvt_span asked, struct dvt_span known, struct dvt_err *err)
{
	char a[DVT_DN_TEXT], k[DVT_DN_TEXT];

	(void)dvt_x509_name_text(asked, a);
	(void)dvt_x509_name_text(known, k);
	return dvt_fail(err, DVT_E_INPUT,
	    "the request's subject is \"%.95s\", the inventory's \"%.95s\"", a,
	    k);
}

enum dvt_code
est_check_request(const struct est_request *q, struct dvt_span subject,
    struct dvt_span san, struct dvt_err *err)
{
	bool empty = q->subject.n <= 2; /* SEQUENCE of nothing */

	if (q->asks_ca)
		return dvt_fail(err, DVT_E_INPUT,
		    "the request asks for CA:TRUE; no device is a CA");
	if (!(empty && !q->reenroll) && !est_name_same(q->subject, subject))
		return fail_subject(q->subject, subject, err);
	if (q->san.n > 0 && !dvt_span_eq(q->san, san))
		return dvt_fail(err, DVT_E_INPUT,
		    "the request's alternative names are not those of the "
		    "%s (leave them out, or repeat them)",
		    san.n == 0 ? "inventory, which has none"
			       : "current certificate");
	return DVT_OK;
}

enum dvt_code
est_check_credential(const struct est_credential *c, int64_t mend_s,
    int64_t now, struct dvt_err *err)
{
	switch (c->state) {
	case DVT_CRED_ISSUED:
	case DVT_CRED_ACTIVE:
		return DVT_OK;
	case DVT_CRED_SUPERSEDED:
		if (now <= c->hold_until + mend_s)
			return DVT_OK;
		return dvt_fail(err, DVT_E_DENIED,
		    "this certificate was superseded; its hold ended %" PRId64
		    " s ago",
		    now - c->hold_until);
	case DVT_CRED_REVOKED:
		return dvt_fail(
		    err, DVT_E_DENIED, "this certificate is revoked");
	case DVT_CRED_EXPIRED:
		return dvt_fail(err, DVT_E_DENIED,
		    "this certificate ended %" PRId64 " s ago",
		    now - c->not_after);
	case DVT_CRED_N:
		break;
	}
	return dvt_fail(err, DVT_E_SYSTEM, "credential without a state");
}

enum dvt_code
est_check_device(
    const char *device_id, enum dvt_device_state state, struct dvt_err *err)
{
	if (state == DVT_DEVICE_ACTIVE || state == DVT_DEVICE_PARKED)
		return DVT_OK;
	return dvt_fail(err, DVT_E_DENIED, "device %s is %s", device_id,
	    dvt_device_state_name(state));
}

int64_t
est_window(const struct est_credential *c, int64_t renew_before_s, bool told,
    int64_t now)
{
	int64_t wait = c->not_after - renew_before_s - now;

	if (told || c->state == DVT_CRED_SUPERSEDED || wait <= 0)
		return 0;
	return wait < EST_RETRY_MAX_S ? wait : EST_RETRY_MAX_S;
}

/* Same owner, same jitter: 0 to @most seconds. */
static int64_t
jitter(const char *owner, int64_t most)
{
	char digest[DVT_DIGEST_HEX];
	uint64_t v = 0;

	if (most <= 0)
		return 0;
	dvt_sha256_hex(dvt_span_str(owner), digest);
	for (int i = 0; i < 12; i++)
		v = v * 16 + (uint64_t)(digest[i] <= '9'
					    ? digest[i] - '0'
					    : digest[i] - 'a' + 10);
	return (int64_t)(v % (uint64_t)(most + 1));
}

enum dvt_code
est_dates(const struct sign_profile *p, const char *owner, const char *issuer,
    int64_t issuer_not_before, int64_t issuer_last_issue, int64_t now,
    struct est_dates *out, struct dvt_err *err)
{
	char text[32];

	if (now < issuer_not_before)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "authority %s begins in %" PRId64
		    " s; check this host's clock",
		    issuer, issuer_not_before - now);
	if (now > issuer_last_issue)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "authority %s issues nothing after %s", issuer,
		    dvt_time_format(issuer_last_issue, text, sizeof(text)));
	out->not_before = now - p->backdate_s;
	if (out->not_before < issuer_not_before)
		out->not_before = issuer_not_before;
	out->not_after = now + p->validity_s + jitter(owner, p->jitter_s);
	return DVT_OK;
}

int64_t
est_last_issue(
    int64_t not_after, int64_t longest_validity_s, int64_t longest_jitter_s)
{
	return not_after - longest_validity_s - longest_jitter_s -
	       EST_ISSUE_LEAD_S;
}
