/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that is taken is made of parts of its own bytes. */
#include "fuzz.h"
#include "wire/cert.h"
#include "wire/name.h"
#include "wire/oid.h"

static void
check_extensions(const struct dvt_cert *cert)
{
	struct dvt_span id;
	int64_t path_len;
	uint16_t usage;
	bool flag;

	for (size_t i = 0; i < cert->exts.n; i++) {
		struct dvt_span v = cert->exts.at[i].value;

		FUZZ_ASSERT(fuzz_within(v, cert->tbs));
		(void)!dvt_ext_basic_constraints(v, &flag, &path_len, NULL);
		(void)!dvt_ext_key_usage(v, &usage, NULL);
		(void)!dvt_ext_eku_has(v, DVT_OID_CLIENT_AUTH, &flag, NULL);
		if (dvt_ext_subject_key_id(v, &id, NULL) == DVT_OK)
			FUZZ_ASSERT(fuzz_within(id, v));
		if (dvt_ext_authority_key_id(v, &id, NULL) == DVT_OK)
			FUZZ_ASSERT(fuzz_within(id, v));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span in = {p, n}, der = in;
	struct dvt_cert cert;
	struct dvt_buf text;

	if (dvt_cert_take(&in, &cert, NULL) != DVT_OK) {
		FUZZ_ASSERT(in.p == p && in.n == n);
		return 0;
	}
	FUZZ_ASSERT(cert.der.p == p && cert.der.n + in.n == n);
	FUZZ_ASSERT(fuzz_within(cert.tbs, der));
	FUZZ_ASSERT(fuzz_within(cert.serial, cert.tbs));
	FUZZ_ASSERT(fuzz_within(cert.issuer, cert.tbs));
	FUZZ_ASSERT(fuzz_within(cert.subject, cert.tbs));
	FUZZ_ASSERT(fuzz_within(cert.spki.der, cert.tbs));
	FUZZ_ASSERT(fuzz_within(cert.signature, cert.der));
	FUZZ_ASSERT(cert.version >= 1 && cert.version <= 3);
	check_extensions(&cert);
	dvt_buf_init(&text, 65536);
	FUZZ_ASSERT(dvt_name_format(cert.issuer, &text, NULL) == DVT_OK);
	dvt_buf_fini(&text);
	return 0;
}
