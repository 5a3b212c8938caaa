/* SPDX-License-Identifier: Apache-2.0 */
/* A list that is taken apart is one that OpenSSL reads, with the same numbers
 * in it, and no part of it is made up. */
#include "fuzz.h"
#include "pki/crl_lean.h"

#include <openssl/err.h>

struct told {
	struct dvt_span der;
	X509_CRL *whole;
	size_t n;
};

static void
on_entry(void *arg, struct dvt_span serial)
{
	struct told *t = arg;

	FUZZ_ASSERT(serial.n > 0 && fuzz_within(serial, t->der));
	t->n++;
}

static bool
has(void *arg, struct dvt_span serial)
{
	(void)arg;
	return serial.n % 2 == 0;
}

static void
done(void *arg)
{
	++*(int *)arg;
}

static void
ask(const struct dvt_crl_head *head, X509_CRL *whole)
{
	int ended = 0;
	struct dvt_crl_entries entries = {has, done, &ended};
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	X509_REVOKED *found = NULL;
	X509_CRL *lean;

	FUZZ_ASSERT(dvt_crl_lean(head, &entries, &lean, NULL) == DVT_OK);
	FUZZ_ASSERT(X509_NAME_cmp(X509_CRL_get_issuer(lean),
			X509_CRL_get_issuer(whole)) == 0);
	FUZZ_ASSERT(
	    X509_CRL_get_ext_count(lean) == X509_CRL_get_ext_count(whole));
	FUZZ_ASSERT(ASN1_INTEGER_set(serial, 0x1234) == 1);
	FUZZ_ASSERT(X509_CRL_get0_by_serial(lean, &found, serial) == 1 &&
		    found != NULL);
	FUZZ_ASSERT(ASN1_INTEGER_set(serial, 0x12) == 1);
	FUZZ_ASSERT(X509_CRL_get0_by_serial(lean, &found, serial) == 0);
	ASN1_INTEGER_free(serial);
	X509_CRL_free(lean);
	FUZZ_ASSERT(ended == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct told t = {
	    .der = {p, n}
        };
	struct dvt_crl_head head;
	const uint8_t *at = p;
	int listed;

	if (dvt_crl_split(t.der, &head, on_entry, &t) != DVT_OK) {
		FUZZ_ASSERT(t.n == 0 && head.der.n == 0);
		return 0;
	}
	t.whole = d2i_X509_CRL(NULL, &at, (long)n);
	FUZZ_ASSERT(t.whole != NULL && at == p + n);
	listed = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(t.whole));
	FUZZ_ASSERT(t.n == (size_t)(listed > 0 ? listed : 0));
	ask(&head, t.whole);
	X509_CRL_free(t.whole);
	dvt_crl_head_fini(&head);
	ERR_clear_error();
	return 0;
}
