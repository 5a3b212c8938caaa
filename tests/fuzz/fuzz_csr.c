/* SPDX-License-Identifier: Apache-2.0 */
/* A request that is taken is made of parts of its own bytes. */
#include "fuzz.h"
#include "wire/csr.h"
#include "wire/name.h"

static void
check_names(struct dvt_span san, struct dvt_span der)
{
	struct dvt_span names, name;
	uint8_t tag;

	if (san.p == NULL || dvt_ext_san_open(san, &names, NULL) != DVT_OK)
		return;
	while (names.n > 0 &&
	       dvt_ext_san_take(&names, &tag, &name, NULL) == DVT_OK)
		FUZZ_ASSERT(fuzz_within(name, der));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span der = {p, n};
	struct dvt_csr csr;
	struct dvt_err err;
	struct dvt_buf text;

	if (dvt_csr_parse(der, &csr, &err) != DVT_OK) {
		FUZZ_ASSERT(err.text[0] != '\0');
		return 0;
	}
	FUZZ_ASSERT(fuzz_within(csr.tbs, der));
	FUZZ_ASSERT(fuzz_within(csr.subject, csr.tbs));
	FUZZ_ASSERT(fuzz_within(csr.spki.der, csr.tbs));
	FUZZ_ASSERT(fuzz_within(csr.spki.key, csr.spki.der));
	FUZZ_ASSERT(fuzz_within(csr.signature, der));
	FUZZ_ASSERT(fuzz_within(dvt_csr_binding(&csr), csr.tbs));
	FUZZ_ASSERT(csr.spki.kind != DVT_KEY_P256 || csr.spki.point.n == 65);
	FUZZ_ASSERT(csr.spki.kind != DVT_KEY_P384 || csr.spki.point.n == 97);
	FUZZ_ASSERT(csr.spki.kind != DVT_KEY_RSA || csr.spki.key_bits > 0);
	check_names(csr.san, der);
	dvt_buf_init(&text, 65536);
	FUZZ_ASSERT(dvt_name_format(csr.subject, &text, NULL) == DVT_OK);
	dvt_buf_fini(&text);
	return 0;
}
