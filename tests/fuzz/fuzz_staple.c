/* SPDX-License-Identifier: Apache-2.0 */
/* An OCSP response is taken only as the issuer's word about one leaf. */
#include "base/limits.h"
#include "fuzz.h"
#include "pki/staple.h"
#include "pki/x509.h"

#define NOW 1795300000 /* the seeds are good from a day before */

static const char leaf_pem
    [] = "-----BEGIN CERTIFICATE-----\n"
	 "MIIBrjCCAVWgAwIBAgIUFIfB5uJMtzDBfUQ7aRbAJf9vAZswCgYIKoZIzj0EAwIw\n"
	 "DDEKMAgGA1UEAwwBUjAgFw0yNjExMjAwNjMyMDJaGA8yMDUxMDcxMzA2MzIwMlow\n"
	 "DzENMAsGA1UEAwwEZWRnZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOs/N5Ft\n"
	 "P3gdsmkFmceoLpPYzQHWcqB5JpRTte9h4WeCY8EVX1GVgqaZQJiraJh8D/bBJ8mB\n"
	 "cWRTT/A44cwg1zKjgY8wgYwwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4Aw\n"
	 "EwYDVR0lBAwwCgYIKwYBBQUHAwEwHQYDVR0OBBYEFAG4eA8QkjwJ+blPfq/tmsLr\n"
	 "7YEEMBcGA1UdEQQQMA6CDGVkZ2UuZXhhbXBsZTAfBgNVHSMEGDAWgBSt/AE9jlOP\n"
	 "jqgtYQVMmf+P/yGiTzAKBggqhkjOPQQDAgNHADBEAiAswRRoYnw54jJKfR79ctnN\n"
	 "sBAgPYPiWxWeWBJF2X37YAIgZmIEczeyNcSw9hPy6eNv0QphB0Su61aaNJJtwrF2\n"
	 "MWI=\n"
	 "-----END CERTIFICATE-----\n";
static const char issuer_pem
    [] = "-----BEGIN CERTIFICATE-----\n"
	 "MIIBfDCCASOgAwIBAgIUYmecSdbpc8z9NZtq9rpJ7zFJ2N8wCgYIKoZIzj0EAwIw\n"
	 "DDEKMAgGA1UEAwwBUjAeFw0yNjExMjEwNjMyMDJaFw0zNjExMTgwNjMyMDJaMAwx\n"
	 "CjAIBgNVBAMMAVIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT6erbGanwmX/Ey\n"
	 "e3jRb8X4BU2XHVnvYEQ00/vfm5Fbw7BbEHILPLyZt2b/G5a6ckFynI4Oxzg00zGr\n"
	 "vfaNVqYso2MwYTAdBgNVHQ4EFgQUrfwBPY5Tj46oLWEFTJn/j/8hok8wHwYDVR0j\n"
	 "BBgwFoAUrfwBPY5Tj46oLWEFTJn/j/8hok8wDwYDVR0TAQH/BAUwAwEB/zAOBgNV\n"
	 "HQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDRwAwRAIgW2G+7t4Dnc3k859q6ItsM4wv\n"
	 "LJ8cmVz4sSZRD7z2j2sCIDsumxflMN2g9eVr1IP0iF/rVjgH+IH9CfvJ2fuM1Qej\n"
	 "-----END CERTIFICATE-----\n";

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static X509 *leaf, *issuer;
	struct dvt_err err = {0};
	int64_t until = 7;
	enum dvt_code rc;

	if (leaf == NULL)
		FUZZ_ASSERT(dvt_x509_from_pem(dvt_span_str(leaf_pem), &leaf,
				NULL) == DVT_OK &&
			    dvt_x509_from_pem(dvt_span_str(issuer_pem), &issuer,
				NULL) == DVT_OK);
	rc = dvt_staple_check(
	    (struct dvt_span){p, n}, leaf, issuer, NOW, &until, &err);
	FUZZ_ASSERT(
	    rc == DVT_OK ? until > NOW : until == 0 && err.text[0] != '\0');
	FUZZ_ASSERT(n <= DVT_STAPLE_MAX || rc == DVT_E_LIMIT);
	/* nobody else may have said it */
	FUZZ_ASSERT(dvt_staple_check((struct dvt_span){p, n}, issuer, leaf, NOW,
			&until, NULL) != DVT_OK);
	return 0;
}
