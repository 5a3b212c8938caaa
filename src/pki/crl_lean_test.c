/* SPDX-License-Identifier: Apache-2.0 */
/* Against OpenSSL, which reads the same lists whole. */
#include "pki/crl_lean.h"

#include "base/mem.h"
#include "pki/testca.h"
#include "wire/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

static struct testca root, other;
static EVP_PKEY *rsa, *ed;

/* What makes a list another one. */
struct make {
	const char *serial; /* decimal, of the first; the others count up */
	size_t n;           /* entries */
	int reason;         /* of the last; -1: not said */
	bool no_next;       /* no nextUpdate */
	bool critical;      /* an unknown critical extension in the last */
	bool foreign;       /* the last is of another issuer */
	EVP_PKEY *key;      /* NULL: the root's */
	const EVP_MD *md;   /* NULL: SHA-256; none for Ed25519 */
	bool pss;
};

static void
odd_extension(X509_REVOKED *r, const struct make *m)
{
	if (m->reason >= 0) {
		ASN1_ENUMERATED *e = ASN1_ENUMERATED_new();

		assert_int_equal(ASN1_ENUMERATED_set(e, m->reason), 1);
		assert_int_equal(
		    X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, e, 0, 0), 1);
		ASN1_ENUMERATED_free(e);
	}
	if (m->critical) {
		ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
		ASN1_OBJECT *id = OBJ_txt2obj("1.2.3.4", 1);
		X509_EXTENSION *ext;

		assert_int_equal(ASN1_OCTET_STRING_set(v, (void *)"x", 1), 1);
		ext = X509_EXTENSION_create_by_OBJ(NULL, id, 1, v);
		assert_int_equal(X509_REVOKED_add_ext(r, ext, -1), 1);
		X509_EXTENSION_free(ext);
		ASN1_OBJECT_free(id);
		ASN1_OCTET_STRING_free(v);
	}
	if (m->foreign) {
		GENERAL_NAMES *names = GENERAL_NAMES_new();
		GENERAL_NAME *name = GENERAL_NAME_new();

		name->type = GEN_DIRNAME;
		name->d.directoryName = X509_NAME_dup(
		    X509_get_subject_name(other.cert));
		assert_true(sk_GENERAL_NAME_push(names, name) > 0);
		assert_int_equal(X509_REVOKED_add1_ext_i2d(
				     r, NID_certificate_issuer, names, 1, 0),
		    1);
		GENERAL_NAMES_free(names);
	}
}

static void
add_entries(X509_CRL *crl, const struct make *m)
{
	BIGNUM *at = NULL;

	assert_true(BN_dec2bn(&at, m->serial) > 0);
	for (size_t i = 0; i < m->n; i++) {
		X509_REVOKED *r = X509_REVOKED_new();
		ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(at, NULL);
		ASN1_TIME *t = ASN1_TIME_set(NULL, TESTCA_NOW - 9);

		X509_REVOKED_set_serialNumber(r, serial);
		X509_REVOKED_set_revocationDate(r, t);
		if (i + 1 == m->n)
			odd_extension(r, m);
		assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
		ASN1_INTEGER_free(serial);
		ASN1_TIME_free(t);
		BN_add_word(at, 1);
	}
	BN_free(at);
}

static void
seal(X509_CRL *crl, const struct make *m)
{
	EVP_PKEY *key = m->key != NULL ? m->key : root.key;
	const EVP_MD *md = m->md != NULL ? m->md : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p;

	assert_int_equal(
	    EVP_DigestSignInit(ctx, &p, key == ed ? NULL : md, NULL, key), 1);
	if (m->pss)
		assert_int_equal(
		    EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING), 1);
	assert_true(X509_CRL_sign_ctx(crl, ctx) > 0);
	EVP_MD_CTX_free(ctx);
}

static struct dvt_span
list(const struct make *m)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, TESTCA_NOW - 9);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	uint8_t *der = NULL;
	int n;

	assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(root.cert));
	X509_CRL_set1_lastUpdate(crl, t);
	ASN1_TIME_set(t, TESTCA_NOW + 99);
	if (!m->no_next)
		X509_CRL_set1_nextUpdate(crl, t);
	ASN1_INTEGER_set(number, 7);
	assert_int_equal(
	    X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0), 1);
	add_entries(crl, m);
	seal(crl, m);
	n = i2d_X509_CRL(crl, &der);
	assert_true(n > 0);
	ASN1_TIME_free(t);
	ASN1_INTEGER_free(number);
	X509_CRL_free(crl);
	return (struct dvt_span){der, (size_t)n};
}

static X509_CRL *
whole_of(struct dvt_span der)
{
	const uint8_t *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);

	ERR_clear_error();
	return crl;
}

/* Serial numbers in a plain list. */
struct told {
	struct dvt_buf all; /* each behind its length */
	size_t n;
	unsigned asked, done;
};

static void
tell(void *arg, struct dvt_span serial)
{
	struct told *t = arg;

	dvt_buf_putc(&t->all, (char)serial.n);
	dvt_buf_put_span(&t->all, serial);
	t->n++;
}

static bool
has(void *arg, struct dvt_span serial)
{
	struct told *t = arg;
	struct dvt_span in = dvt_buf_span(&t->all);

	t->asked++;
	while (in.n > 0) {
		size_t n = in.p[0];

		if (n == serial.n && memcmp(in.p + 1, serial.p, n) == 0)
			return true;
		in = dvt_span_from(in, 1 + n);
	}
	return false;
}

static void
done(void *arg)
{
	((struct told *)arg)->done++;
}

static X509_CRL *
lean_of(struct dvt_span der, struct told *t)
{
	struct dvt_crl_entries entries = {.has = has, .done = done, .arg = t};
	struct dvt_crl_head head;
	X509_CRL *crl;

	*t = (struct told){0};
	dvt_buf_init(&t->all, 1 << 20);
	if (dvt_crl_split(der, &head, tell, t) != DVT_OK) {
		assert_int_equal(t->n, 0);
		assert_int_equal(head.der.n, 0);
		return NULL;
	}
	if (dvt_crl_lean(&head, &entries, &crl, NULL) != DVT_OK)
		fail_msg("its own head");
	dvt_crl_head_fini(&head);
	return crl;
}

static bool
names(X509_CRL *crl, const char *decimal, int64_t add)
{
	BIGNUM *n = NULL;
	ASN1_INTEGER *serial;
	X509_REVOKED *found = NULL;
	bool yes;

	assert_true(BN_dec2bn(&n, decimal) > 0);
	if (add < 0)
		BN_sub_word(n, (BN_ULONG)-add);
	else
		BN_add_word(n, (BN_ULONG)add);
	serial = BN_to_ASN1_INTEGER(n, NULL);
	yes = X509_CRL_get0_by_serial(crl, &found, serial) == 1;
	assert_true(!yes || found != NULL);
	ASN1_INTEGER_free(serial);
	BN_free(n);
	return yes;
}

#define OCTETS_20 "730750818665451459101842416358141509827966271480"

static const struct make ordinary[] = {
    {"1",       0,   -1, false},
    {"0",       3,   -1, false},
    {"126",     5,   1,  false}, /* a leading zero begins here */
    {"32766",   200, 4,  false},
    {"-3",      9,   -1, false},
    {OCTETS_20, 60,  0,  true },
};

static void
a_lean_list_names_what_the_whole_one_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(ordinary); i++) {
		struct dvt_span der = list(&ordinary[i]);
		X509_CRL *whole = whole_of(der), *lean;
		struct told t;
		const char *first = ordinary[i].serial;

		lean = lean_of(der, &t);
		assert_non_null(lean);
		assert_int_equal(t.n, ordinary[i].n);
		for (int64_t k = -3; k < (int64_t)ordinary[i].n + 3; k++)
			if (names(lean, first, k) != names(whole, first, k))
				fail_msg("%s + %d", first, (int)k);
		assert_true(names(lean, first, 0) == (t.n > 0));
		assert_int_equal(X509_NAME_cmp(X509_CRL_get_issuer(lean),
				     X509_CRL_get_issuer(whole)),
		    0);
		assert_true((X509_CRL_get0_nextUpdate(lean) == NULL) ==
			    ordinary[i].no_next);
		assert_int_equal(X509_CRL_get_ext_count(lean), 1);
		assert_true(t.asked > 0);
		X509_CRL_free(lean);
		assert_int_equal(t.done, 1);
		X509_CRL_free(whole);
		dvt_buf_fini(&t.all);
		OPENSSL_free((void *)der.p);
	}
}

static void
it_is_signed_by_who_signed_the_whole_one(void **state)
{
	const struct {
		struct make make;
		EVP_PKEY *good, *bad;
	} rows[] = {
	    {{.n = 4, .reason = 1},                                 root.key, other.key},
	    {{.n = 4, .reason = 1, .md = EVP_sha512()},             root.key, rsa      },
	    {{.n = 4, .reason = 1, .key = rsa},                     rsa,      root.key },
	    {{.n = 4, .reason = 1, .key = rsa, .md = EVP_sha384()}, rsa,      ed       },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct make m = rows[i].make;
		struct dvt_span der;
		X509_CRL *lean;
		struct told t;
		uint8_t *entry;

		m.serial = "4660"; /* 0x1234 */
		der = list(&m);
		lean = lean_of(der, &t);
		assert_non_null(lean);
		assert_int_equal(X509_CRL_verify(lean, rows[i].good), 1);
		assert_int_equal(X509_CRL_verify(lean, rows[i].bad), 0);
		X509_CRL_free(lean);
		dvt_buf_fini(&t.all);
		/* another number in its place */
		entry = memmem(der.p, der.n, "\x02\x02\x12\x34", 4);
		assert_non_null(entry);
		entry[3] ^= 0x40;
		lean = lean_of(der, &t);
		assert_non_null(lean);
		assert_int_equal(X509_CRL_verify(lean, rows[i].good), 0);
		X509_CRL_free(lean);
		dvt_buf_fini(&t.all);
		OPENSSL_free((void *)der.p);
		ERR_clear_error();
	}
}

static void
what_is_out_of_the_ordinary_is_left_whole(void **state)
{
	const struct {
		const char *what;
		struct make make;
	} rows[] = {
	    {"taken back",         {.n = 3, .reason = 8}                          },
	    {"critical extension", {.n = 3, .reason = -1, .critical = true}       },
	    {"another issuer's",   {.n = 3, .reason = -1, .foreign = true}        },
	    {"Ed25519",            {.n = 3, .reason = -1, .key = ed}              },
	    {"PSS",                {.n = 3, .reason = -1, .key = rsa, .pss = true}},
	    {"SHA-1",              {.n = 3, .reason = -1, .md = EVP_sha1()}       },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct make m = rows[i].make;
		struct dvt_span der;
		struct told t;
		X509_CRL *whole;

		m.serial = "77";
		der = list(&m);
		whole = whole_of(der);
		assert_non_null(whole);
		X509_CRL_free(whole);
		if (lean_of(der, &t) != NULL)
			fail_msg("%s", rows[i].what);
		dvt_buf_fini(&t.all);
		OPENSSL_free((void *)der.p);
	}
}

/* Whatever is taken, OpenSSL takes as well, and finds the same in it. */
static void
a_damaged_list_is_never_taken_for_another(void **state)
{
	struct make m = {.n = 3, .serial = "4660", .reason = 1};
	struct dvt_span der = list(&m);
	uint8_t *p = dvt_alloc(der.n + 1);
	size_t taken = 0;

	(void)state;
	memcpy(p, der.p, der.n);
	for (size_t n = 0; n <= der.n + 1; n++) {
		struct told t;

		if (n != der.n)
			assert_null(lean_of((struct dvt_span){p, n}, &t));
		if (n != der.n)
			dvt_buf_fini(&t.all);
	}
	for (size_t bit = 0; bit < 8 * der.n; bit++) {
		struct dvt_span in = {p, der.n};
		X509_CRL *lean, *whole;
		struct told t;

		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		lean = lean_of(in, &t);
		whole = whole_of(in);
		if (lean != NULL && whole == NULL)
			fail_msg("bit %zu", bit);
		if (lean != NULL) {
			int n = sk_X509_REVOKED_num(
			    X509_CRL_get_REVOKED(whole));

			taken++;
			assert_int_equal(t.n, n < 0 ? 0 : n);
			assert_int_equal(X509_CRL_verify(lean, root.key),
			    X509_CRL_verify(whole, root.key) == 1);
		}
		X509_CRL_free(lean);
		X509_CRL_free(whole);
		dvt_buf_fini(&t.all);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_in_range(taken, 500, 8 * der.n); /* most of the signature */
	free(p);
	OPENSSL_free((void *)der.p);
	ERR_clear_error();
}

static void
no_head_makes_no_list(void **state)
{
	struct dvt_crl_head head = {0};
	struct told t = {0};
	struct dvt_crl_entries entries = {.has = has, .done = done, .arg = &t};
	X509_CRL *crl;

	(void)state;
	dvt_buf_init(&head.der, DVT_CRL_HEAD_MAX);
	assert_int_equal(
	    dvt_crl_lean(&head, &entries, &crl, NULL), DVT_E_INPUT);
	assert_null(crl);
	assert_int_equal(t.done, 1);
	dvt_crl_head_fini(&head);
}

static int
make(void **state)
{
	(void)state;
	root = testca_make(NULL, "CN=Root", -1);
	other = testca_make(NULL, "CN=Other", -1);
	rsa = EVP_RSA_gen(2048);
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return rsa == NULL || ed == NULL;
}

static int
drop(void **state)
{
	(void)state;
	testca_fini(&root);
	testca_fini(&other);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lean_list_names_what_the_whole_one_does),
	    cmocka_unit_test(it_is_signed_by_who_signed_the_whole_one),
	    cmocka_unit_test(what_is_out_of_the_ordinary_is_left_whole),
	    cmocka_unit_test(a_damaged_list_is_never_taken_for_another),
	    cmocka_unit_test(no_head_makes_no_list),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
