/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decoding costs, without and with fast EC decoding (pki/fastec.h), and
 * what issuing costs. Microseconds of CPU per operation, best of five rounds.
 */
#include "pki/fastec.h"
#include "pki/testca.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 5
#define TIMES  2000

static struct testca root, leaf;
static struct dvt_buf cert_der, spki;

static void
must(enum dvt_code rc, const char *what)
{
	if (rc == DVT_OK)
		return;
	(void)fprintf(stderr, "fastec: %s: %s\n", what, dvt_code_name(rc));
	exit(EXIT_FAILURE);
}

static void
read_certificate(void)
{
	X509 *cert;

	must(dvt_x509_from_der(dvt_buf_span(&cert_der), &cert, NULL), "read");
	must(X509_get0_pubkey(cert) == NULL ? DVT_E_SYSTEM : DVT_OK, "key");
	X509_free(cert);
}

static void
read_key(void)
{
	EVP_PKEY *key;

	must(dvt_key_from_spki(dvt_buf_span(&spki), &key, NULL), "key");
	EVP_PKEY_free(key);
}

static void
issue(void)
{
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_CLIENT);
	struct dvt_buf der;

	dvt_buf_init(&der, DVT_CERT_DER_MAX);
	must(dvt_serial_make(f.serial, NULL), "serial");
	f.subject = dvt_x509_subject_der(leaf.cert);
	f.spki = dvt_buf_span(&spki);
	must(dvt_issue(&f, root.cert, root.key, TESTCA_NOW, &der, NULL),
	    "issue");
	dvt_buf_fini(&der);
}

static double
cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
measure(const char *name, void (*once)(void))
{
	double best = 0;

	for (int r = 0; r < ROUNDS; r++) {
		double begin = cpu_us(), took;

		for (int i = 0; i < TIMES; i++)
			once();
		took = (cpu_us() - begin) / TIMES;
		best = r == 0 || took < best ? took : best;
	}
	(void)printf("%-40s %7.1f us\n", name, best);
}

int
main(void)
{
	struct dvt_err err;

	root = testca_make(NULL, "CN=Root", -1);
	leaf = testca_leaf(&root, "CN=pump-7", DVT_EKU_CLIENT);
	dvt_buf_init(&cert_der, DVT_CERT_DER_MAX);
	dvt_buf_init(&spki, DVT_SPKI_MAX);
	must(dvt_x509_to_der(leaf.cert, &cert_der, NULL), "certificate");
	must(dvt_key_to_spki(leaf.key, &spki, NULL), "key");
	measure("certificate and key, ordinary", read_certificate);
	measure("public key, short way", read_key);
	measure("issue and lint", issue);
	if (dvt_fastec_enable(&err) != DVT_OK) {
		(void)printf("%s\n", err.text);
		return EXIT_SUCCESS;
	}
	measure("certificate and key, fast decoding", read_certificate);
	measure("public key, fast decoding", read_key);
	return EXIT_SUCCESS;
}
