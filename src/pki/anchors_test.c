/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/anchors.h"

#include "pki/testca.h"
#include "pki/x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400

static struct testca old, newer, sub, leaf, ended;
static X509 *cross;

static int
make(void **state)
{
	struct dvt_issue f = testca_ca_fields(-1);

	(void)state;
	old = testca_make(NULL, "CN=Old", -1);
	newer = testca_make(NULL, "CN=New", -1);
	sub = testca_make(&old, "CN=Old Issuing", 0);
	leaf = testca_leaf(&sub, "CN=edge", DVT_EKU_SERVER);
	cross = testca_cross(&newer, &old);
	ended = testca_make(NULL, "CN=Ended", -1);
	f.not_before = TESTCA_NOW - 9 * DAY;
	f.not_after = TESTCA_NOW - DAY;
	X509_free(ended.cert);
	ended.cert = testca_issue(NULL, "CN=Ended", ended.key, f);
	return 0;
}

static int
drop(void **state)
{
	(void)state;
	testca_fini(&old);
	testca_fini(&newer);
	testca_fini(&sub);
	testca_fini(&leaf);
	testca_fini(&ended);
	X509_free(cross);
	return 0;
}

static void
each_certificate_of_a_file_is_told_by_what_it_accepts(void **state)
{
	const struct {
		const char *what;
		X509 *certs[3];
		enum dvt_anchor_kind kind[3];
		bool covered[3];
		enum dvt_anchor_kind pins;
		X509 *last; /* whose end is that of the file */
	} rows[] = {
	    {"a root",				       {old.cert},              {DVT_ANCHOR_ROOT},         {false},        DVT_ANCHOR_ROOT,
             old.cert																	       },
	    {"an intermediate",                              {sub.cert},              {DVT_ANCHOR_INTERMEDIATE}, {false},
             DVT_ANCHOR_INTERMEDIATE,														     sub.cert  },
	    {"a leaf",				       {leaf.cert},             {DVT_ANCHOR_LEAF},         {false},        DVT_ANCHOR_LEAF,
             leaf.cert																	      },
	    {"a whole chain: the root does the work",
             {leaf.cert, sub.cert, old.cert},
             {DVT_ANCHOR_LEAF, DVT_ANCHOR_INTERMEDIATE, DVT_ANCHOR_ROOT},
             {true, true, false},												DVT_ANCHOR_ROOT,         old.cert  },
	    {"a cross-certificate beside its root",          {cross, newer.cert},
             {DVT_ANCHOR_CROSS, DVT_ANCHOR_ROOT},								{false, false},
             DVT_ANCHOR_ROOT,															     newer.cert},
	    {"alone it cannot be told from an intermediate", {cross},
             {DVT_ANCHOR_INTERMEDIATE},									  {false},        DVT_ANCHOR_INTERMEDIATE,
             cross																		  },
	    {"a root that has ended and a pin",              {ended.cert, leaf.cert},
             {DVT_ANCHOR_ROOT, DVT_ANCHOR_LEAF},								 {false, false},
             DVT_ANCHOR_LEAF,															     leaf.cert },
	    {"nothing useful",			       {ended.cert},            {DVT_ANCHOR_ROOT},         {false},
             DVT_ANCHOR_N,																NULL      },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_anchor_verdict v[3];
		struct dvt_anchors_sum sum;
		size_t n = 0;

		while (n < 3 && rows[i].certs[n] != NULL)
			n++;
		dvt_anchors_judge(rows[i].certs, n, TESTCA_NOW, v, &sum);
		for (size_t k = 0; k < n; k++)
			if (v[k].kind != rows[i].kind[k] ||
			    v[k].covered != rows[i].covered[k] ||
			    v[k].breaks_at !=
				dvt_x509_not_after(rows[i].certs[k]))
				fail_msg("%s: certificate %zu is %s",
				    rows[i].what, k + 1,
				    dvt_anchor_kind_name(v[k].kind));
		if (sum.pins != rows[i].pins)
			fail_msg("%s: in all %s", rows[i].what,
			    dvt_anchor_kind_name(sum.pins));
		assert_int_equal(sum.breaks_at,
		    rows[i].last != NULL ? dvt_x509_not_after(rows[i].last)
					 : 0);
	}
}

static void
dates_say_what_is_useful_now(void **state)
{
	struct dvt_anchor_verdict v;
	struct dvt_anchors_sum sum;
	const struct {
		int64_t at;
		bool useful;
	} rows[] = {
	    {dvt_x509_not_before(old.cert) - 1, false},
	    {dvt_x509_not_before(old.cert),     true },
	    {dvt_x509_not_after(old.cert) - 1,  true },
	    {dvt_x509_not_after(old.cert),      false},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		dvt_anchors_judge(&old.cert, 1, rows[i].at, &v, &sum);
		assert_int_equal(v.useful, rows[i].useful);
		assert_int_equal(sum.pins == DVT_ANCHOR_ROOT, rows[i].useful);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		each_certificate_of_a_file_is_told_by_what_it_accepts),
	    cmocka_unit_test(dates_say_what_is_useful_now),
	};
	return cmocka_run_group_tests(tests, make, drop);
}
