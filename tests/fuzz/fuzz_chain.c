/* SPDX-License-Identifier: Apache-2.0 */
/* A chain as PEM, through every reader of certificates that OpenSSL backs. */
#include "fuzz.h"
#include "pki/issue.h"
#include "pki/verify.h"

static void
read_all(X509 *cert)
{
	char text[DVT_DN_TEXT], serial[DVT_SERIAL_HEX], digest[DVT_DIGEST_HEX];
	struct dvt_san sans[DVT_SANS_MAX];
	struct dvt_buf der;
	size_t n;

	FUZZ_ASSERT(strlen(dvt_x509_subject(cert, text)) < DVT_DN_TEXT);
	FUZZ_ASSERT(strlen(dvt_x509_common_name(cert, text)) < DVT_DN_TEXT);
	dvt_x509_serial(cert, serial);
	dvt_x509_key_digest(cert, digest);
	(void)!dvt_x509_sans(cert, sans, &n, NULL);
	FUZZ_ASSERT(n <= DVT_SANS_MAX);
	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	if (dvt_x509_to_der(cert, &der, NULL) == DVT_OK)
		(void)!dvt_lint(dvt_buf_span(&der), NULL, NULL);
	dvt_buf_fini(&der);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_verify how = {.now = 1764547200, .edge = true};
	struct dvt_verdict verdict;
	struct dvt_trust *trust;
	struct dvt_chain c;
	char name[256];
	struct dvt_buf der;

	dvt_buf_init(&der, 4096);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(n > 255 ? 255 : n),
	    (const char *)p);
	(void)!dvt_name_from_text(name, &der, NULL);
	dvt_buf_fini(&der);
	if (dvt_chain_from_pem((struct dvt_span){p, n}, &c, NULL) != DVT_OK)
		return 0;
	FUZZ_ASSERT(c.n >= 1 && c.n <= DVT_CHAIN_MAX);
	(void)!dvt_chain_check(&c, NULL);
	(void)dvt_chain_touches(&c, c.cert[c.n - 1]);
	for (size_t i = 0; i < c.n; i++)
		read_all(c.cert[i]);
	FUZZ_ASSERT(dvt_trust_new(&c.cert[c.n - 1], 1, DVT_TRUST_PARTIAL,
			&trust, NULL) == DVT_OK);
	(void)!dvt_trust_verify(trust, &c, &how, &verdict, NULL);
	FUZZ_ASSERT(strlen(verdict.text) > 0);
	dvt_trust_free(trust);
	dvt_chain_fini(&c);
	return 0;
}
