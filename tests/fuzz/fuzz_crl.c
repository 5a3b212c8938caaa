/* SPDX-License-Identifier: Apache-2.0 */
/* CRLs of a file: all of them or none, and every question gets an answer. */
#include "fuzz.h"
#include "pki/crl_read.h"
#include "pki/verify.h"

#define LISTS 8

static void
ask(X509_CRL *crl)
{
	struct dvt_trust *trust;
	char name[DVT_DN_TEXT];

	FUZZ_ASSERT(strlen(dvt_crl_issuer(crl, name)) < DVT_DN_TEXT);
	(void)dvt_crl_next_update(crl);
	(void)dvt_crl_count(crl);
	FUZZ_ASSERT(dvt_crl_check(crl, NULL, 0, NULL) == DVT_OK);
	FUZZ_ASSERT(dvt_trust_new(NULL, 0, 0, &trust, NULL) == DVT_OK);
	(void)!dvt_trust_use_crl(trust, crl, NULL);
	dvt_trust_free(trust);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	X509_CRL *list[LISTS];
	struct dvt_err err = {0};
	size_t got = 99;
	enum dvt_code rc = dvt_crls_read(
	    (struct dvt_span){p, n}, LISTS, list, &got, &err);

	FUZZ_ASSERT(rc == DVT_OK ? got > 0 && got <= LISTS
				 : got == 0 && err.text[0] != '\0');
	for (size_t i = 0; i < got; i++) {
		ask(list[i]);
		X509_CRL_free(list[i]);
	}
	return 0;
}
