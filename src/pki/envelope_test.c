/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/envelope.h"

#include "pki/key.h"
#include "pki/testca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct testca root, own, other;
static struct dvt_buf sealed;

static int
setup(void **state)
{
	struct dvt_err err;

	(void)state;
	root = testca_make(NULL, "CN=root", -1);
	own = testca_leaf(&root, "CN=pump-7", DVT_EKU_CLIENT);
	other = testca_leaf(&root, "CN=pump-8", DVT_EKU_CLIENT);
	dvt_buf_init(&sealed, DVT_CONFIG_SEALED);
	return dvt_envelope_seal(
		   own.cert, DVT_SPAN_LIT("s3cret"), &sealed, &err) == DVT_OK
		   ? 0
		   : -1;
}

static int
teardown(void **state)
{
	(void)state;
	testca_fini(&root);
	testca_fini(&own);
	testca_fini(&other);
	dvt_buf_fini(&sealed);
	return 0;
}

static void
only_its_own_key_opens_it(void **state)
{
	struct dvt_buf plain;
	struct dvt_err err;

	(void)state;
	dvt_buf_init(&plain, DVT_CONFIG_VALUE);
	assert_int_equal(dvt_envelope_open(dvt_buf_span(&sealed), own.cert,
			     own.key, &plain, &err),
	    DVT_OK);
	assert_string_equal(dvt_buf_str(&plain), "s3cret");
	assert_int_equal(dvt_envelope_open(dvt_buf_span(&sealed), other.cert,
			     other.key, &plain, &err),
	    DVT_E_AUTH);
	assert_int_equal(dvt_envelope_open(dvt_buf_span(&sealed), own.cert,
			     other.key, &plain, &err),
	    DVT_E_AUTH);
	assert_string_equal(dvt_buf_str(&plain), "s3cret");
	dvt_buf_fini(&plain);
}

/* No byte of it can be changed without notice, nor any be cut off. */
static void
every_changed_byte_is_noticed(void **state)
{
	struct dvt_buf plain, copy;
	struct dvt_err err;

	(void)state;
	dvt_buf_init(&plain, DVT_CONFIG_VALUE);
	dvt_buf_init(&copy, DVT_CONFIG_SEALED);
	for (size_t i = 0; i < sealed.n; i++) {
		enum dvt_code rc;

		dvt_buf_reset(&copy);
		dvt_buf_put_span(&copy, dvt_buf_span(&sealed));
		copy.p[i] ^= 0x20;
		dvt_buf_reset(&plain);
		rc = dvt_envelope_open(
		    dvt_buf_span(&copy), own.cert, own.key, &plain, &err);
		/* versions and the like carry nothing */
		if (rc == DVT_OK)
			assert_string_equal(dvt_buf_str(&plain), "s3cret");
		rc = dvt_envelope_open((struct dvt_span){sealed.p, i}, own.cert,
		    own.key, &plain, &err);
		assert_int_not_equal(rc, DVT_OK);
	}
	dvt_buf_fini(&plain);
	dvt_buf_fini(&copy);
}

static void
what_is_no_envelope_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} hostile[] = {
	    {"",						     0 },
	    {"\x30",						 1 },
	    {"\x30\x80\x00\x00",				     4 },
	    {"<html>",					       6 },
	    {"\x30\x84\xff\xff\xff\xff\x06",                         7 },
	    {"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", 13},
	    {"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", 13},
	    {"\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x02"
	     "\x30\x00",				17},
	};
	uint8_t *large = calloc(1, DVT_CONFIG_SEALED + 1);
	struct dvt_err err;

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(hostile); i++)
		assert_int_equal(
		    dvt_envelope_check(
			(struct dvt_span){
			    (const uint8_t *)hostile[i].bytes, hostile[i].n},
			&err),
		    DVT_E_INPUT);
	assert_int_equal(
	    dvt_envelope_check(
		(struct dvt_span){large, DVT_CONFIG_SEALED + 1}, &err),
	    DVT_E_LIMIT);
	dvt_buf_reset(&sealed);
	assert_int_equal(
	    dvt_envelope_seal(own.cert,
		(struct dvt_span){large, DVT_CONFIG_VALUE + 1}, &sealed, &err),
	    DVT_E_LIMIT);
	assert_int_equal(
	    dvt_envelope_seal(own.cert,
		(struct dvt_span){large, DVT_CONFIG_VALUE}, &sealed, &err),
	    DVT_OK);
	assert_int_equal(
	    dvt_envelope_check(dvt_buf_span(&sealed), &err), DVT_OK);
	free(large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_its_own_key_opens_it),
	    cmocka_unit_test(every_changed_byte_is_noticed),
	    cmocka_unit_test(what_is_no_envelope_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
