/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/staple.h"

#include "base/limits.h"
#include "base/mem.h"
#include "pki/testca.h"

#include <openssl/ocsp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY_S 86400

static struct testca root, other, leaf, second, helper, stranger;

/* What a responder would say of @of, signed by @by. */
struct answer {
	const struct testca *of, *issuer, *by;
	int status;
	int begin_d, end_d; /* days from now */
};

static struct dvt_buf
respond(const struct answer *a)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(
	    EVP_sha256(), a->of->cert, a->issuer->cert);
	ASN1_TIME *begin = ASN1_TIME_set(
	    NULL, TESTCA_NOW + (time_t)a->begin_d * DAY_S);
	ASN1_TIME *end = a->end_d != 0
			     ? ASN1_TIME_set(
				   NULL, TESTCA_NOW + (time_t)a->end_d * DAY_S)
			     : NULL;
	ASN1_TIME *gone = ASN1_TIME_set(NULL, TESTCA_NOW - DAY_S);
	OCSP_RESPONSE *r;
	struct dvt_buf out;
	uint8_t *der = NULL;
	int n;

	assert_non_null(OCSP_basic_add1_status(basic, id, a->status, 0,
	    a->status == V_OCSP_CERTSTATUS_REVOKED ? gone : NULL, begin, end));
	assert_int_equal(
	    OCSP_basic_sign(basic, a->by->cert, a->by->key, EVP_sha256(), NULL,
		a->by == a->issuer ? OCSP_NOCERTS : 0),
	    1);
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	n = i2d_OCSP_RESPONSE(r, &der);
	assert_true(n > 0);
	dvt_buf_init(&out, DVT_STAPLE_MAX);
	dvt_buf_put(&out, der, (size_t)n);
	OPENSSL_free(der);
	ASN1_TIME_free(begin);
	ASN1_TIME_free(end);
	ASN1_TIME_free(gone);
	OCSP_CERTID_free(id);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(r);
	return out;
}

static void
a_response_is_taken_only_when_all_of_it_fits(void **state)
{
	const struct {
		struct answer a;
		enum dvt_code want;
		const char *why;
	} cases[] = {
	    {{&leaf, &root, &root, V_OCSP_CERTSTATUS_GOOD, -1, 1},     DVT_OK,      ""                   },
	    {{&leaf, &root, &helper, V_OCSP_CERTSTATUS_GOOD, -1, 1},   DVT_OK,
             ""											  },
	    {{&second, &root, &root, V_OCSP_CERTSTATUS_GOOD, -1, 1},
             DVT_E_INPUT,							   "another certificate"},
	    {{&leaf, &root, &other, V_OCSP_CERTSTATUS_GOOD, -1, 1},
             DVT_E_CONFLICT,							"not signed"         },
	    {{&leaf, &root, &second, V_OCSP_CERTSTATUS_GOOD, -1, 1},
             DVT_E_CONFLICT,							"not signed"         },
	    {{&leaf, &root, &stranger, V_OCSP_CERTSTATUS_GOOD, -1, 1},
             DVT_E_CONFLICT,							"not signed"         },
	    {{&leaf, &root, &root, V_OCSP_CERTSTATUS_REVOKED, -1, 1},
             DVT_E_DENIED,							  "revoked"            },
	    {{&leaf, &root, &root, V_OCSP_CERTSTATUS_UNKNOWN, -1, 1},
             DVT_E_DENIED,							  "unknown"            },
	    {{&leaf, &root, &root, V_OCSP_CERTSTATUS_GOOD, -3, -1},    DVT_E_INPUT,
             "is over"										   },
	    {{&leaf, &root, &root, V_OCSP_CERTSTATUS_GOOD, 1, 2},      DVT_E_INPUT,
             "not begun"										 },
	    {{&leaf, &root, &root, V_OCSP_CERTSTATUS_GOOD, -1, 0},     DVT_E_INPUT,
             "names no end"									      },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_buf der = respond(&cases[i].a);
		int64_t until;
		struct dvt_err err = {0};
		enum dvt_code rc = dvt_staple_check(dvt_buf_span(&der),
		    leaf.cert, root.cert, TESTCA_NOW, &until, &err);

		if (rc != cases[i].want)
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(until, rc == DVT_OK ? TESTCA_NOW + DAY_S : 0);
		if (rc != DVT_OK)
			assert_non_null(strstr(err.text, cases[i].why));
		dvt_buf_fini(&der);
	}
}

static void
broken_bytes_are_refused(void **state)
{
	struct answer a = {&leaf, &root, &root, V_OCSP_CERTSTATUS_GOOD, -1, 1};
	struct dvt_buf der = respond(&a);
	uint8_t *big = dvt_alloc(DVT_STAPLE_MAX + 1);
	static const uint8_t later[] = {0x30, 0x03, 0x0a, 0x01, 0x03};
	struct dvt_span hostile[] = {
	    {NULL,                 0                 },
            {(const uint8_t *)"x", 1                 },
            {later,                sizeof(later)     },
	    {big,		  DVT_STAPLE_MAX + 1},
            {der.p,                der.n - 1         },
            {der.p,                9                 }
        };
	int64_t until;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(hostile); i++) {
		enum dvt_code rc = dvt_staple_check(
		    hostile[i], leaf.cert, root.cert, TESTCA_NOW, &until, NULL);

		assert_int_equal(rc,
		    hostile[i].n > DVT_STAPLE_MAX ? DVT_E_LIMIT : DVT_E_INPUT);
		assert_int_equal(until, 0);
	}
	/* any bit of what is signed */
	for (size_t at = der.n / 3; at < der.n; at += 7) {
		der.p[at] ^= 1;
		assert_int_not_equal(
		    dvt_staple_check(dvt_buf_span(&der), leaf.cert, root.cert,
			TESTCA_NOW, &until, NULL),
		    DVT_OK);
		der.p[at] ^= 1;
	}
	free(big);
	dvt_buf_fini(&der);
}

static int
make(void **state)
{
	(void)state;
	root = testca_make(NULL, "CN=Root", -1);
	other = testca_make(NULL, "CN=Root", -1); /* its name, another key */
	leaf = testca_leaf(&root, "CN=edge.example", DVT_EKU_SERVER);
	second = testca_leaf(&root, "CN=other.example", DVT_EKU_SERVER);
	helper = testca_leaf(&root, "CN=Responder", DVT_EKU_OCSP);
	stranger = testca_leaf(&other, "CN=Responder", DVT_EKU_OCSP);
	return 0;
}

static int
drop(void **state)
{
	(void)state;
	testca_fini(&root);
	testca_fini(&other);
	testca_fini(&leaf);
	testca_fini(&second);
	testca_fini(&helper);
	testca_fini(&stranger);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_response_is_taken_only_when_all_of_it_fits),
	    cmocka_unit_test(broken_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
