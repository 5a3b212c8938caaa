/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities for tests: see testca.h. */
#include "pki/testca.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_S 86400

static void
must(enum dvt_code rc, const struct dvt_err *err)
{
	if (rc == DVT_OK)
		return;
	(void)fprintf(stderr, "testca: %s\n", err->text);
	abort();
}

struct dvt_issue
testca_ca_fields(int pathlen)
{
	return (struct dvt_issue){.not_before = TESTCA_NOW - 10 * DAY_S,
	    .not_after = TESTCA_NOW + 3650LL * DAY_S,
	    .key_usage = DVT_KU_KEY_CERT_SIGN | DVT_KU_CRL_SIGN,
	    .ca = true,
	    .pathlen = pathlen};
}

struct dvt_issue
testca_leaf_fields(unsigned eku)
{
	return (struct dvt_issue){.not_before = TESTCA_NOW - DAY_S,
	    .not_after = TESTCA_NOW + 365 * DAY_S,
	    .key_usage = DVT_KU_DIGITAL_SIGNATURE,
	    .eku = eku,
	    .pathlen = -1};
}

X509 *
testca_issue(const struct testca *ca, const char *name, EVP_PKEY *key,
    struct dvt_issue fields)
{
	struct dvt_buf subject, spki, der;
	struct dvt_err err;
	X509 *cert = NULL;

	dvt_buf_init(&subject, 1024);
	dvt_buf_init(&spki, DVT_SPKI_MAX);
	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	must(dvt_name_from_text(name, &subject, &err), &err);
	must(dvt_key_to_spki(key, &spki, &err), &err);
	must(dvt_serial_make(fields.serial, &err), &err);
	fields.subject = dvt_buf_span(&subject);
	fields.spki = dvt_buf_span(&spki);
	must(dvt_issue(&fields, ca == NULL ? NULL : ca->cert,
		 ca == NULL ? key : ca->key, TESTCA_NOW, &der, &err),
	    &err);
	must(dvt_x509_from_der(dvt_buf_span(&der), &cert, &err), &err);
	dvt_buf_fini(&subject);
	dvt_buf_fini(&spki);
	dvt_buf_fini(&der);
	return cert;
}

struct testca
testca_make(const struct testca *under, const char *name, int pathlen)
{
	struct testca ca = {0};
	struct dvt_err err;

	must(dvt_key_new(DVT_KEY_P256, 0, &ca.key, &err), &err);
	ca.cert = testca_issue(under, name, ca.key, testca_ca_fields(pathlen));
	return ca;
}

struct testca
testca_leaf(const struct testca *under, const char *name, unsigned eku)
{
	struct testca leaf = {0};
	struct dvt_err err;

	must(dvt_key_new(DVT_KEY_P256, 0, &leaf.key, &err), &err);
	leaf.cert = testca_issue(
	    under, name, leaf.key, testca_leaf_fields(eku));
	return leaf;
}

X509 *
testca_cross(const struct testca *newer, const struct testca *older)
{
	struct dvt_buf der;
	struct dvt_err err;
	X509 *cert = NULL;

	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	must(dvt_issue_cross(newer->cert, older->cert, older->key, TESTCA_NOW,
		 TESTCA_NOW + 365 * DAY_S, &der, &err),
	    &err);
	must(dvt_x509_from_der(dvt_buf_span(&der), &cert, &err), &err);
	dvt_buf_fini(&der);
	return cert;
}

void
testca_fini(struct testca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	*ca = (struct testca){0};
}

struct dvt_chain
testca_chain(X509 *a, X509 *b, X509 *c)
{
	X509 *all[] = {a, b, c};
	struct dvt_chain chain = {0};
	struct dvt_err err;

	for (size_t i = 0; i < DVT_COUNT(all) && all[i] != NULL; i++)
		must(dvt_chain_add(&chain, all[i], &err), &err);
	return chain;
}
