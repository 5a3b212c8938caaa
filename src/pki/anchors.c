/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/anchors.h"

#include "pki/x509.h"

#include <string.h>

#define NAME_OF(id, name) name,

const char *
dvt_anchor_kind_name(enum dvt_anchor_kind kind)
{
	static const char *const names[] = {DVT_ANCHOR_KINDS(NAME_OF)};

	return (size_t)kind < DVT_COUNT(names) ? names[kind] : "none";
}

/* What each stack does: docs/device-stacks.md. */
static const struct {
	const char *accepts, *before, *mind;
} words[] = {
    [DVT_ANCHOR_ROOT] = {"every certificate below it",                      "", ""								      },
    [DVT_ANCHOR_CROSS] = {"nothing that the root beside it does not accept", "",
			 "a cross-certificate belongs into the server's flight, never into "
	"a trust file: ship the self-signed root alone"												 },
    [DVT_ANCHOR_INTERMEDIATE] = {"certificates issued by this CA, not by "
                         "others of its root",						  "the server's certificate comes from another issuing CA",
			 "useless to stock OpenSSL clients (mosquitto, Paho, Python: without "
	"X509_V_FLAG_PARTIAL_CHAIN they want the root); default wolfSSL takes "
	"only a leaf sent alone"},
    [DVT_ANCHOR_LEAF] = {"this one server certificate",
			 "the server's certificate is renewed",		       "only clients of OpenSSL with X509_V_FLAG_PARTIAL_CHAIN, curl, "
	"BearSSL and GnuTLS can use it at all"											  },
};

static bool
same_name_and_key(const X509 *a, const X509 *b)
{
	char ka[DVT_DIGEST_HEX], kb[DVT_DIGEST_HEX];

	dvt_x509_key_digest(a, ka);
	dvt_x509_key_digest(b, kb);
	return strcmp(ka, kb) == 0 &&
	       dvt_span_eq(dvt_x509_subject_der(a), dvt_x509_subject_der(b));
}

static enum dvt_anchor_kind
kind_of(X509 *const *certs, size_t n, size_t at)
{
	if (!dvt_x509_is_ca(certs[at]))
		return DVT_ANCHOR_LEAF;
	if (dvt_x509_is_self_signed(certs[at]))
		return DVT_ANCHOR_ROOT;
	for (size_t i = 0; i < n; i++)
		if (i != at && dvt_x509_is_self_signed(certs[i]) &&
		    same_name_and_key(certs[at], certs[i]))
			return DVT_ANCHOR_CROSS;
	return DVT_ANCHOR_INTERMEDIATE;
}

static bool
is_covered(X509 *const *certs, size_t n, size_t at, int64_t now)
{
	for (size_t i = 0; i < n; i++)
		if (i != at && dvt_x509_is_ca(certs[i]) &&
		    dvt_x509_not_after(certs[i]) > now &&
		    dvt_x509_is_issued_by(certs[at], certs[i]))
			return true;
	return false;
}

void
dvt_anchors_judge(X509 *const *certs, size_t n, int64_t now,
    struct dvt_anchor_verdict *out, struct dvt_anchors_sum *sum)
{
	*sum = (struct dvt_anchors_sum){.pins = DVT_ANCHOR_N};
	for (size_t i = 0; i < n; i++) {
		enum dvt_anchor_kind kind = kind_of(certs, n, i);
		struct dvt_anchor_verdict *v = &out[i];

		*v = (struct dvt_anchor_verdict){
		    .kind = kind,
		    .covered = kind != DVT_ANCHOR_ROOT &&
			       is_covered(certs, n, i, now),
		    .useful = dvt_x509_not_before(certs[i]) <= now &&
			      dvt_x509_not_after(certs[i]) > now,
		    .breaks_at = dvt_x509_not_after(certs[i]),
		    .accepts = words[kind].accepts,
		    .before = words[kind].before,
		    .mind = words[kind].mind,
		};
		if (!v->useful)
			continue;
		if (kind < sum->pins)
			sum->pins = kind;
		if (v->breaks_at > sum->breaks_at)
			sum->breaks_at = v->breaks_at;
	}
}
