/* SPDX-License-Identifier: Apache-2.0 */
/* Signed lines (trust bundles, audit check-points) and revocation lists. */
#include "dovetaild/signer_priv.h"
#include "pki/bundle.h"

#include <inttypes.h>
#include <stdlib.h>

/* A bundle of the online key names that key and never goes back. */
static enum dvt_code
check_bundle(struct signer *s, struct dvt_span payload, int64_t *version,
    struct dvt_err *err)
{
	struct dvt_bundle *b = dvt_alloc(sizeof(*b));
	enum dvt_code rc = dvt_bundle_parse(payload, b, err);
	bool named = false;

	if (rc != DVT_OK)
		goto out;
	for (size_t i = 0; i < b->keys.n; i++) {
		if (strcmp(b->keys.key[i].keyid, s->online_id) == 0)
			named = true;
	}
	if (!named)
		rc = dvt_fail(err, DVT_E_DENIED,
		    "bundle %" PRId64 " does not name the key that signs it",
		    b->version);
	else if (b->version < s->bundle_version)
		rc = dvt_fail(err, DVT_E_DENIED,
		    "bundle %" PRId64 " after bundle %" PRId64, b->version,
		    s->bundle_version);
	*version = b->version;
	dvt_bundle_fini(b);
out:
	free(b);
	return rc;
}

enum dvt_code
signer_dsse(struct signer *s, const struct sign_request *q,
    struct signer_out *out, struct dvt_err *err)
{
	bool bundle = strcmp(q->name, DVT_BUNDLE_TYPE) == 0;
	int64_t version = s->bundle_version;
	struct dvt_dsse d;
	enum dvt_code rc;

	if (s->online == NULL)
		return dvt_fail(
		    err, DVT_E_DENIED, "signer: no trust-signing key loaded");
	if (!bundle && strcmp(q->name, SIGNER_AUDIT_TYPE) != 0)
		return dvt_fail(
		    err, DVT_E_DENIED, "signer: type %.64s", q->name);
	if (bundle && (rc = check_bundle(s, q->der, &version, err)) != DVT_OK)
		return rc;
	memset(&d, 0, sizeof(d));
	if ((rc = dvt_dsse_init(&d, q->der, err)) != DVT_OK ||
	    (rc = dvt_dsse_sign(&d, q->name, s->online, err)) != DVT_OK ||
	    (rc = dvt_dsse_format(&d, &out->line, err)) != DVT_OK)
		goto out;
	s->bundle_version = version;
out:
	dvt_dsse_fini(&d);
	return rc;
}

enum dvt_code
signer_crl(struct signer *s, const struct sign_request *q, int64_t now,
    struct signer_out *out, struct dvt_err *err)
{
	struct signer_authority *a;
	struct dvt_crl *crl;
	enum dvt_code rc;

	if ((rc = signer_issuer(s, q->authority, &a, err)) != DVT_OK)
		return rc;
	if (q->not_before > now)
		return dvt_fail(err, DVT_E_DENIED,
		    "list of %s would begin in %" PRId64 " s", a->name,
		    q->not_before - now);
	rc = dvt_crl_new(
	    a->cert, q->crl_number, q->not_before, q->not_after, &crl, err);
	if (rc != DVT_OK)
		return rc;
	for (size_t i = 0; i < q->entries_n; i++)
		dvt_crl_add(crl,
		    (struct dvt_span){
			q->entries[i].serial, q->entries[i].serial_n},
		    q->entries[i].revoked_at, q->entries[i].reason);
	rc = dvt_crl_finish(crl, a->key, &out->der, err);
	dvt_crl_free(crl);
	return rc;
}
