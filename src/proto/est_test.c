/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/est.h"

#include "vectors/vector.h"
#include "wire/cert.h"
#include "wire/pem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
paths_give_operation_and_label(void **state)
{
	static const struct {
		const char *path;
		enum dvt_code rc;
		enum dvt_est_op op;
		const char *label;
	} cases[] = {
	    {"/.well-known/est/cacerts",               DVT_OK,       DVT_EST_CACERTS,  ""},
	    {"/.well-known/est/simpleenroll",          DVT_OK,       DVT_EST_ENROLL,   ""},
	    {"/.well-known/est/meters/simplereenroll", DVT_OK,       DVT_EST_REENROLL,
             "meters"								    },
	    {"/.well-known/est/a.b_c-1/csrattrs",      DVT_OK,       DVT_EST_CSRATTRS,
             "a.b_c-1"								   },
	    {"/.well-known/est",                       DVT_E_ABSENT, 0,                ""},
	    {"/.well-known/est/",                      DVT_E_ABSENT, 0,                ""},
	    {"/.well-known/est/meters",                DVT_E_ABSENT, 0,                ""},
	    {"/.well-known/est//cacerts",              DVT_E_ABSENT, 0,                ""},
	    {"/.well-known/est/a/b/cacerts",           DVT_E_ABSENT, 0,                ""},
	    {"/.well-known/est/a%2Fb/cacerts",         DVT_E_ABSENT, 0,                ""},
	    {"/.well-known/est/cacerts/",              DVT_E_ABSENT, 0,                ""},
	    {"/.well-known/estcacerts",                DVT_E_ABSENT, 0,                ""},
	    {"/other",				 DVT_E_ABSENT, 0,                ""},
	    {"",				       DVT_E_ABSENT, 0,                ""},
	};
	struct dvt_buf out;

	(void)state;
	dvt_buf_init(&out, 200);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_est_path path;

		if (dvt_est_path_parse(dvt_span_str(cases[i].path), &path,
			NULL) != cases[i].rc)
			fail_msg("%s", cases[i].path);
		if (cases[i].rc != DVT_OK)
			continue;
		assert_int_equal(path.op, cases[i].op);
		assert_string_equal(path.label, cases[i].label);
		dvt_buf_reset(&out);
		dvt_est_path_put(&out, path.op, path.label);
		assert_string_equal(dvt_buf_str(&out), cases[i].path);
	}
	assert_string_equal(dvt_est_op_method(DVT_EST_CACERTS), "GET");
	dvt_buf_fini(&out);
}

static void
a_body_is_read_in_any_form_and_mirrored(void **state)
{
	struct dvt_buf der = dvt_test_vector("csr/p256-san.der"), text, back;
	static const struct {
		enum dvt_est_form form;
		const char *tail;
	} cases[] = {
	    {DVT_EST_WRAPPED,  ""    },
	    {DVT_EST_ONE_LINE, ""    },
	    {DVT_EST_ONE_LINE, "\r\n"},
	    {DVT_EST_WRAPPED,  "\n\n"},
	};
	enum dvt_est_form form;

	(void)state;
	dvt_buf_init(&text, 4096);
	dvt_buf_init(&back, 4096);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		dvt_buf_reset(&text);
		dvt_buf_reset(&back);
		dvt_est_body_put(&text, dvt_buf_span(&der), cases[i].form);
		dvt_buf_puts(&text, cases[i].tail);
		assert_int_equal(dvt_est_body_decode(
				     dvt_buf_span(&text), &back, &form, NULL),
		    DVT_OK);
		assert_int_equal(form, cases[i].form);
		assert_true(
		    dvt_span_eq(dvt_buf_span(&der), dvt_buf_span(&back)));
	}
	assert_int_equal(
	    dvt_est_body_decode(DVT_SPAN_LIT(" \n"), &back, &form, NULL),
	    DVT_E_INPUT);
	assert_int_equal(
	    dvt_est_body_decode(dvt_buf_span(&der), &back, &form, NULL),
	    DVT_E_INPUT);
	dvt_buf_fini(&der);
	dvt_buf_fini(&text);
	dvt_buf_fini(&back);
}

/* OpenSSL writes the same bytes for the same certificates. */
static void
a_certs_only_answer_is_what_openssl_makes(void **state)
{
	struct dvt_buf p7 = dvt_test_vector("est/chain.p7");
	struct dvt_buf b64 = dvt_test_vector("est/chain.b64"), ours, text;
	struct dvt_span certs[4];
	struct dvt_cert cert;
	size_t n;

	(void)state;
	assert_int_equal(
	    dvt_est_certs_parse(dvt_buf_span(&p7), certs, 4, &n, NULL), DVT_OK);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(dvt_cert_parse(certs[i], &cert, NULL), DVT_OK);
	dvt_buf_init(&ours, 20000);
	dvt_buf_init(&text, 20000);
	dvt_est_certs_put(&ours, certs, n);
	assert_true(dvt_span_eq(dvt_buf_span(&ours), dvt_buf_span(&p7)));
	dvt_est_body_put(&text, dvt_buf_span(&ours), DVT_EST_WRAPPED);
	assert_true(dvt_span_eq(dvt_buf_span(&text), dvt_buf_span(&b64)));
	assert_int_equal(
	    dvt_est_certs_parse(dvt_buf_span(&p7), certs, 2, &n, NULL),
	    DVT_E_LIMIT);
	assert_int_equal(n, 0);
	for (size_t cut = 0; cut < p7.n; cut++)
		assert_int_not_equal(
		    dvt_est_certs_parse(
			(struct dvt_span){p7.p, cut}, certs, 4, &n, NULL),
		    DVT_OK);
	dvt_buf_reset(&ours);
	dvt_est_certs_put(&ours, NULL, 0);
	assert_int_equal(
	    dvt_est_certs_parse(dvt_buf_span(&ours), certs, 4, &n, NULL),
	    DVT_E_INPUT);
	dvt_buf_fini(&p7);
	dvt_buf_fini(&b64);
	dvt_buf_fini(&ours);
	dvt_buf_fini(&text);
}

static void
http_basic_gives_user_and_password(void **state)
{
	static const struct {
		const char *header;
		const char *user, *password; /* NULL: refused */
	} cases[] = {
	    {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
	    {"basic dGVzdDoxMjPCow==",             "test",    "123\xc2\xa3"},
	    {"Basic YTpiOmM=",                     "a",       "b:c"        },
	    {"Basic Ong=",                         "",        "x"          },
	    {"Basic YTo=",                         "a",       ""           },
	    {"Basic YWJj",                         NULL,      NULL         },
	    {"Basic YQpiOng=",                     NULL,      NULL         },
	    {"Basic ***",			  NULL,      NULL         },
	    {"Basic ",			     NULL,      NULL         },
	    {"Bearer abc",                         NULL,      NULL         },
	    {"",				   NULL,      NULL         },
	    {"Basic MDEyMzQ1Njc4OTAxMjM0NTY6eA==", NULL,      NULL         },
	};
	struct dvt_secret password;
	struct dvt_buf out;
	char user[16];

	(void)state;
	dvt_buf_init(&out, 100);
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		enum dvt_code rc = dvt_est_basic_parse(
		    dvt_span_str(cases[i].header), user, sizeof(user),
		    &password, NULL);

		if (cases[i].user == NULL) {
			if (rc != DVT_E_AUTH)
				fail_msg("%s", cases[i].header);
			assert_int_equal(password.n, 0);
			continue;
		}
		assert_int_equal(rc, DVT_OK);
		assert_string_equal(user, cases[i].user);
		assert_int_equal(password.n, strlen(cases[i].password));
		assert_memory_equal(password.p, cases[i].password, password.n);
		dvt_buf_reset(&out);
		dvt_est_basic_put(&out, user, &password);
		assert_string_equal(dvt_buf_str(&out) + 6, cases[i].header + 6);
		dvt_secret_free(&password);
	}
	dvt_buf_fini(&out);
}

static void
retry_after_is_seconds_or_a_date(void **state)
{
	const int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
	static const struct {
		const char *value;
		int64_t delay_s; /* -1: refused */
	} cases[] = {
	    {"120",			    120        },
	    {"0",			      0          },
	    {"99999999999999999999999",        366 * 86400},
	    {"Sun, 06 Nov 1994 08:49:37 GMT",  0          },
	    {"Sun, 06 Nov 1994 08:51:37 GMT",  120        },
	    {"Sun, 06 Nov 1994 08:47:37 GMT",  0          },
	    {"Sun, 06 Nov 2094 08:47:37 GMT",  366 * 86400},
	    {"Sun, 06 Nov 1994 08:49:37 CET",  -1         },
	    {"Sun, 06 Nov 1994 99:49:37 GMT",  -1         },
	    {"Sun, 06 Nox 1994 08:49:37 GMT",  -1         },
	    {"Sun, 06 Nov 1994 08:49:37 GMT!", -1         },
	    {"12 ",			    -1         },
	    {"-1",			     -1         },
	    {"1.5",			    -1         },
	    {"",			       -1         },
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		int64_t delay;
		enum dvt_code rc = dvt_est_retry_after_parse(
		    dvt_span_str(cases[i].value), now, &delay, NULL);

		if (rc != (cases[i].delay_s < 0 ? DVT_E_INPUT : DVT_OK))
			fail_msg("%s", cases[i].value);
		if (rc == DVT_OK && delay != cases[i].delay_s)
			fail_msg("%s: %d", cases[i].value, (int)delay);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_give_operation_and_label),
	    cmocka_unit_test(a_body_is_read_in_any_form_and_mirrored),
	    cmocka_unit_test(a_certs_only_answer_is_what_openssl_makes),
	    cmocka_unit_test(http_basic_gives_user_and_password),
	    cmocka_unit_test(retry_after_is_seconds_or_a_date),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
