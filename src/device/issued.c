/* SPDX-License-Identifier: Apache-2.0 */
/* Judging an EST answer: see issued.h. */
#include "device/issued.h"

#include "pki/key.h"
#include "pki/x509.h"
#include "proto/est.h"

/* s; clocks are told in whole seconds and answers take a while: a CA that
 * does not backdate is not wrong. The trial comes before it is used. */
#define EARLY_S 60

/* Certificates as they came; the first @n are there. */
struct pile {
	X509 *cert[DVT_EST_CERTS_MAX];
	size_t n;
};

static void
pile_fini(struct pile *p)
{
	for (size_t i = 0; i < p->n; i++)
		X509_free(p->cert[i]);
}

static enum dvt_code
pile_fill(struct pile *p, struct dvt_span body, struct dvt_err *err)
{
	struct dvt_span certs[DVT_EST_CERTS_MAX];
	struct dvt_buf der;
	enum dvt_code rc;
	size_t n = 0;

	dvt_buf_init(&der, DVT_EST_BODY_MAX);
	if ((rc = dvt_est_body_decode(body, &der, NULL, err)) == DVT_OK)
		rc = dvt_est_certs_parse(
		    dvt_buf_span(&der), certs, DVT_EST_CERTS_MAX, &n, err);
	for (size_t i = 0; i < n && rc == DVT_OK; i++) {
		rc = dvt_x509_from_der(certs[i], &p->cert[p->n], err);
		if (rc == DVT_OK)
			p->n++;
	}
	dvt_buf_fini(&der);
	return rc;
}

static X509 *
find_leaf(const struct pile *p, const EVP_PKEY *key)
{
	for (size_t i = 0; i < p->n; i++) {
		if (dvt_key_matches(key, p->cert[i], NULL) == DVT_OK)
			return p->cert[i];
	}
	return NULL;
}

static X509 *
find_issuer(const struct pile *p, X509 *cert)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->cert[i] != cert &&
		    dvt_x509_is_issued_by(cert, p->cert[i]))
			return p->cert[i];
	}
	return NULL;
}

static enum dvt_code
to_chain(const struct pile *p, X509 *leaf, struct dvt_chain *out,
    struct dvt_err *err)
{
	X509 *next = leaf;
	enum dvt_code rc;

	while (next != NULL) {
		if ((rc = dvt_chain_add(out, next, err)) != DVT_OK)
			return rc;
		next = find_issuer(p, next);
		if (next != NULL && dvt_x509_is_self_signed(next))
			break; /* a root is not shown */
	}
	return DVT_OK;
}

static bool
has_san(const struct dvt_san *list, size_t n, const struct dvt_san *one)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == one->kind &&
		    strcmp(list[i].text, one->text) == 0)
			return true;
	}
	return false;
}

/* By what the names say, not how they are encoded: CAs differ in that. */
static enum dvt_code
check_names(X509 *leaf, X509 *former, struct dvt_err *err)
{
	char now[DVT_DN_TEXT], before[DVT_DN_TEXT];
	struct dvt_san have[DVT_SANS_MAX], had[DVT_SANS_MAX];
	size_t have_n, had_n;
	enum dvt_code rc;

	if (strcmp(dvt_x509_subject(leaf, now),
		dvt_x509_subject(former, before)) != 0)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "certificate for another subject: \"%.150s\", not "
		    "\"%.150s\"",
		    now, before);
	if ((rc = dvt_x509_sans(leaf, have, &have_n, err)) != DVT_OK ||
	    (rc = dvt_x509_sans(former, had, &had_n, err)) != DVT_OK)
		return rc;
	for (size_t i = 0; i < had_n; i++) {
		if (!has_san(have, have_n, &had[i]))
			return dvt_fail(err, DVT_E_CONFLICT,
			    "certificate lacks the name \"%.150s\"",
			    had[i].text);
	}
	return DVT_OK;
}

static enum dvt_code
check_issuer(const struct dvt_trust *issuing, const struct dvt_chain *chain,
    struct dvt_err *err)
{
	char name[DVT_DN_TEXT];

	if (issuing == NULL)
		return DVT_OK;
	for (size_t i = 0; i < chain->n; i++) {
		for (size_t k = 0; k < dvt_trust_count(issuing); k++) {
			if (dvt_x509_is_issued_by(
				chain->cert[i], dvt_trust_get(issuing, k)))
				return DVT_OK;
		}
	}
	return dvt_fail(err, DVT_E_DENIED,
	    "certificate of \"%.150s\", a CA that the trust bundle does not "
	    "list",
	    dvt_x509_issuer(chain->cert[0], name));
}

enum dvt_code
dvt_issued_check_chain(const struct dvt_issued_want *want,
    const struct dvt_chain *chain, struct dvt_err *err)
{
	X509 *leaf = chain->cert[0];
	const char *why;
	enum dvt_code rc;

	if ((rc = dvt_key_matches(want->key, leaf, err)) != DVT_OK ||
	    (rc = dvt_chain_check(chain, err)) != DVT_OK)
		return rc;
	if (want->former != NULL &&
	    (rc = check_names(leaf, want->former, err)) != DVT_OK)
		return rc;
	if ((why = dvt_leaf_refuse(leaf, DVT_FOR_CLIENT)) != NULL)
		return dvt_fail(err, DVT_E_INPUT, "certificate: %s", why);
	if (dvt_x509_not_before(leaf) > want->now + EARLY_S ||
	    dvt_x509_not_after(leaf) < want->now) {
		if ((rc = dvt_x509_check_time(leaf, want->now, err)) != DVT_OK)
			return rc;
	}
	return check_issuer(want->issuing, chain, err);
}

enum dvt_code
dvt_issued_check(struct dvt_span body, const struct dvt_issued_want *want,
    struct dvt_chain *out, struct dvt_err *err)
{
	struct pile p = {.n = 0};
	enum dvt_code rc;
	X509 *leaf;

	memset(out, 0, sizeof(*out));
	rc = pile_fill(&p, body, err);
	if (rc == DVT_OK && (leaf = find_leaf(&p, want->key)) == NULL)
		rc = dvt_fail(
		    err, DVT_E_CONFLICT, "certificate for another key");
	if (rc == DVT_OK)
		rc = to_chain(&p, leaf, out, err);
	if (rc == DVT_OK)
		rc = dvt_issued_check_chain(want, out, err);
	if (rc != DVT_OK)
		dvt_chain_fini(out);
	pile_fini(&p);
	return rc;
}
