/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/bundle.h"

#include "pki/testca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOTS 3

/* One fleet: two authorities, three root keys, two online keys. */
struct world {
	struct testca older, newer;
	EVP_PKEY *root[ROOTS], *online, *spare;
	struct dvt_bundle b;         /* version 2, keys as held */
	struct dvt_bundle_held held; /* after version 1 */
};

static void
set_keys(struct dvt_bundle_keys *k, int64_t version, EVP_PKEY *const *root,
    EVP_PKEY *online)
{
	memset(k, 0, sizeof(*k));
	k->version = version;
	k->threshold = 2;
	k->online_threshold = 1;
	for (size_t i = 0; i < ROOTS; i++)
		assert_int_equal(
		    dvt_bundle_add_key(k, root[i], DVT_ROLE_ROOT, NULL),
		    DVT_OK);
	assert_int_equal(
	    dvt_bundle_add_key(k, online, DVT_ROLE_ONLINE, NULL), DVT_OK);
}

static int
setup(void **state)
{
	static struct world w;
	EVP_PKEY **keys[] = {
	    &w.root[0], &w.root[1], &w.root[2], &w.online, &w.spare};

	memset(&w, 0, sizeof(w));
	w.older = testca_make(NULL, "CN=Old", -1);
	w.newer = testca_make(NULL, "CN=New", -1);
	for (size_t i = 0; i < DVT_COUNT(keys); i++)
		assert_int_equal(
		    dvt_key_new(DVT_KEY_P256, 0, keys[i], NULL), DVT_OK);
	(void)snprintf(w.b.fleet, sizeof(w.b.fleet), "works");
	(void)snprintf(w.b.audience, sizeof(w.b.audience), "all");
	w.b.version = 2;
	w.b.previous = 1;
	w.b.issued_at = TESTCA_NOW;
	w.b.expires_at = TESTCA_NOW + 1000;
	(void)snprintf(w.b.est[0], sizeof(w.b.est[0]), "est.example:8443");
	w.b.est_n = 1;
	set_keys(&w.b.keys, 1, w.root, w.online);
	assert_int_equal(
	    dvt_bundle_add_anchor(&w.b, w.older.cert, DVT_SECONDARY, NULL),
	    DVT_OK);
	assert_int_equal(
	    dvt_bundle_add_anchor(&w.b, w.newer.cert, DVT_PRIMARY, NULL),
	    DVT_OK);
	assert_int_equal(
	    dvt_bundle_add_issuer(&w.b, w.newer.cert, NULL), DVT_OK);
	(void)snprintf(w.held.fleet, sizeof(w.held.fleet), "works");
	(void)snprintf(w.held.device_id, sizeof(w.held.device_id), "pump-7");
	w.held.version = 1;
	w.held.keys = w.b.keys;
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	testca_fini(&w->older);
	testca_fini(&w->newer);
	for (size_t i = 0; i < ROOTS; i++)
		EVP_PKEY_free(w->root[i]);
	EVP_PKEY_free(w->online);
	EVP_PKEY_free(w->spare);
	dvt_bundle_fini(&w->b);
	return 0;
}

/* Sign @b with the keys named by letters: a b c root, o online, s spare. */
static void
sign(const struct world *w, const struct dvt_bundle *b, const char *by,
    struct dvt_buf *line)
{
	EVP_PKEY *keys[8];
	size_t n = 0;
	struct dvt_err err;

	for (; *by != '\0'; by++)
		keys[n++] = *by == 'o'   ? w->online
			    : *by == 's' ? w->spare
					 : w->root[*by - 'a'];
	dvt_buf_init(line, DVT_BUNDLE_MAX);
	if (dvt_bundle_sign(b, keys, n, line, &err) != DVT_OK)
		fail_msg("%s", err.text);
}

static enum dvt_bundle_reason
offer(const struct dvt_bundle_held *held, struct dvt_span line,
    struct dvt_bundle_held *next)
{
	struct dvt_bundle got;
	enum dvt_bundle_reason why;
	struct dvt_bundle_held same = *next;
	enum dvt_code rc;

	rc = dvt_bundle_accept(held, line, &got, next, &why, NULL);
	assert_int_equal(rc == DVT_OK, why == DVT_BUNDLE_TAKEN);
	if (rc != DVT_OK) {
		assert_memory_equal(&same, next, sizeof(same));
		assert_int_equal(got.anchor_n, 0);
	}
	dvt_bundle_fini(&got);
	return why;
}

static void
a_bundle_goes_through_its_line_and_back(void **state)
{
	struct world *w = *state;
	struct dvt_bundle got;
	struct dvt_bundle_held next = {0};
	enum dvt_bundle_reason why;
	char want[DVT_DIGEST_HEX], have[DVT_DIGEST_HEX];
	struct dvt_trust *trust;
	struct dvt_buf line;
	struct dvt_err err;

	sign(w, &w->b, "o", &line);
	assert_int_equal(dvt_bundle_accept(&w->held, dvt_buf_span(&line), &got,
			     &next, &why, &err),
	    DVT_OK);
	assert_string_equal(got.fleet, "works");
	assert_int_equal(got.version, 2);
	assert_int_equal(got.previous, 1);
	assert_int_equal(got.expires_at, TESTCA_NOW + 1000);
	assert_int_equal(got.anchor_n, 2);
	assert_int_equal(got.anchor[0].priority, DVT_SECONDARY);
	assert_int_equal(got.issuer_n, 1);
	assert_string_equal(got.est[0], "est.example:8443");
	assert_int_equal(next.version, 2);
	assert_int_equal(strlen(next.digest), 64);
	dvt_bundle_anchor_digest(&got, have);
	dvt_bundle_anchor_digest(&w->b, want);
	assert_string_equal(have, want);
	assert_int_equal(dvt_bundle_trust(&got, 0, &trust, &err), DVT_OK);
	assert_string_equal(dvt_trust_digest(trust), want);
	assert_int_equal(X509_cmp(dvt_trust_get(trust, 0), w->newer.cert), 0);
	dvt_trust_free(trust);
	dvt_bundle_fini(&got);
	dvt_buf_fini(&line);
}

static void
signatures_count_by_distinct_keys_held_and_their_role(void **state)
{
	static const struct {
		const char *by;
		enum dvt_bundle_reason why;
	} cases[] = {
	    {"o",    DVT_BUNDLE_TAKEN     },
	    {"so",   DVT_BUNDLE_TAKEN     }, /* an unknown co-signer */
	    {"ab",   DVT_BUNDLE_TAKEN     }, /* root keys may do it too */
	    {"",     DVT_BUNDLE_SIGNATURES},
	    {"s",    DVT_BUNDLE_SIGNATURES}, /* not held */
	    {"a",    DVT_BUNDLE_SIGNATURES}, /* one of two */
	    {"aaas", DVT_BUNDLE_SIGNATURES}, /* one key, more than once */
	};
	struct world *w = *state;

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_bundle_held next = {0};
		struct dvt_buf line;
		enum dvt_bundle_reason why;

		sign(w, &w->b, cases[i].by, &line);
		why = offer(&w->held, dvt_buf_span(&line), &next);
		if (why != cases[i].why)
			fail_msg("signed by \"%s\": %s", cases[i].by,
			    dvt_bundle_reason_name(why));
		dvt_buf_fini(&line);
	}
}

static void
a_repeated_signature_counts_once(void **state)
{
	struct world *w = *state;
	struct dvt_bundle_held next = {0};
	struct dvt_buf payload, line;
	struct dvt_dsse d;

	dvt_buf_init(&payload, DVT_BUNDLE_MAX);
	dvt_buf_init(&line, DVT_BUNDLE_MAX);
	assert_int_equal(dvt_bundle_format(&w->b, &payload, NULL), DVT_OK);
	assert_int_equal(
	    dvt_dsse_init(&d, dvt_buf_span(&payload), NULL), DVT_OK);
	assert_int_equal(
	    dvt_dsse_sign(&d, DVT_BUNDLE_TYPE, w->root[0], NULL), DVT_OK);
	d.sig[1] = d.sig[0];
	d.sig[2] = d.sig[0]; /* and once under another key's name */
	memcpy(d.sig[2].keyid, w->b.keys.key[1].keyid, DVT_DIGEST_HEX);
	d.sig_n = 3;
	assert_int_equal(dvt_dsse_format(&d, &line, NULL), DVT_OK);
	assert_int_equal(
	    offer(&w->held, dvt_buf_span(&line), &next), DVT_BUNDLE_SIGNATURES);
	dvt_dsse_fini(&d);
	dvt_buf_fini(&payload);
	dvt_buf_fini(&line);
}

static void
other_fleets_audiences_and_older_versions_are_refused_by_name(void **state)
{
	static const struct {
		const char *fleet, *audience;
		int64_t version;
		enum dvt_bundle_reason why;
	} cases[] = {
	    {"works", "all",    2, DVT_BUNDLE_TAKEN   },
	    {"works", "pump-7", 9, DVT_BUNDLE_TAKEN   },
	    {"works", "all",    1, DVT_BUNDLE_OLD     },
	    {"Works", "all",    2, DVT_BUNDLE_FLEET   },
	    {"works", "pump-8", 2, DVT_BUNDLE_AUDIENCE},
	    {"works", "",       2, DVT_BUNDLE_AUDIENCE},
	};
	struct world *w = *state;

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_bundle_held next = {0};
		struct dvt_buf line;

		(void)snprintf(
		    w->b.fleet, sizeof(w->b.fleet), "%s", cases[i].fleet);
		(void)snprintf(w->b.audience, sizeof(w->b.audience), "%s",
		    cases[i].audience);
		w->b.version = cases[i].version;
		sign(w, &w->b, "o", &line);
		assert_int_equal(
		    offer(&w->held, dvt_buf_span(&line), &next), cases[i].why);
		dvt_buf_fini(&line);
	}
}

static void
keys_change_only_by_the_threshold_of_old_and_new_roots(void **state)
{
	/* the new set: root keys s, b, c; the online key stays */
	static const struct {
		const char *by;
		int64_t keys_version;
		enum dvt_bundle_reason why;
	} cases[] = {
	    {"bc",   2, DVT_BUNDLE_TAKEN     },
            {"abs",  2, DVT_BUNDLE_TAKEN     },
	    {"abso", 2, DVT_BUNDLE_TAKEN     },
	    {"ab",   2, DVT_BUNDLE_KEY_CHANGE}, /* new: b alone */
	    {"bso",  2, DVT_BUNDLE_KEY_CHANGE}, /* old: b alone */
	    {"o",    2, DVT_BUNDLE_KEY_CHANGE},
	    {"bc",   1, DVT_BUNDLE_KEY_CHANGE}, /* no new number */
	};
	struct world *w = *state;
	EVP_PKEY *roots[ROOTS] = {w->spare, w->root[1], w->root[2]};

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_bundle_held next = {0};
		struct dvt_buf line;
		enum dvt_bundle_reason why;

		set_keys(&w->b.keys, cases[i].keys_version, roots, w->online);
		sign(w, &w->b, cases[i].by, &line);
		why = offer(&w->held, dvt_buf_span(&line), &next);
		if (why != cases[i].why)
			fail_msg("signed by \"%s\": %s", cases[i].by,
			    dvt_bundle_reason_name(why));
		if (why == DVT_BUNDLE_TAKEN)
			assert_string_equal(
			    next.keys.key[0].keyid, w->b.keys.key[0].keyid);
		dvt_buf_fini(&line);
	}
}

static void
every_changed_byte_of_a_line_is_noticed(void **state)
{
	struct world *w = *state;
	struct dvt_buf line;

	sign(w, &w->b, "o", &line);
	for (size_t at = 0; at < line.n; at += 13) {
		struct dvt_bundle_held next = {0};
		uint8_t was = line.p[at];

		line.p[at] = was == 'A' ? 'B' : 'A';
		if (offer(&w->held, dvt_buf_span(&line), &next) ==
		    DVT_BUNDLE_TAKEN)
			fail_msg("byte %zu", at);
		line.p[at] = was;
	}
	for (size_t n = 0; n < line.n; n += 29) {
		struct dvt_bundle_held next = {0};

		assert_int_equal(
		    offer(&w->held, (struct dvt_span){line.p, n}, &next),
		    DVT_BUNDLE_BROKEN);
	}
	dvt_buf_fini(&line);
}

static void
what_no_honest_signer_makes_is_refused_all_the_same(void **state)
{
	struct world *w = *state;
	struct testca leaf = testca_leaf(&w->newer, "CN=x", DVT_EKU_SERVER);
	struct dvt_bundle_held next = {0}, none = w->held;
	struct dvt_buf line;
	struct dvt_err err;
	char big[DVT_BUNDLE_MAX + 2];

	assert_int_equal(
	    dvt_bundle_add_anchor(&w->b, leaf.cert, DVT_PRIMARY, &err),
	    DVT_E_INPUT);
	assert_non_null(strstr(err.text, "is no CA"));
	assert_int_equal(
	    dvt_bundle_add_anchor(&w->b, w->newer.cert, DVT_PRIMARY, &err),
	    DVT_E_CONFLICT);
	sign(w, &w->b, "o", &line);
	memset(&none.keys, 0, sizeof(none.keys));
	assert_int_equal(
	    offer(&none, dvt_buf_span(&line), &next), DVT_BUNDLE_NO_KEYS);
	dvt_buf_fini(&line);
	dvt_buf_fini(&w->b.anchor[0].der);
	dvt_buf_fini(&w->b.anchor[1].der);
	w->b.anchor_n = 0;
	sign(w, &w->b, "o", &line);
	assert_int_equal(
	    offer(&w->held, dvt_buf_span(&line), &next), DVT_BUNDLE_EMPTY);
	dvt_buf_fini(&line);
	memset(big, ' ', sizeof(big));
	assert_int_equal(
	    offer(&w->held,
		(struct dvt_span){(const uint8_t *)big, sizeof(big)}, &next),
	    DVT_BUNDLE_LIMIT);
	testca_fini(&leaf);
}

static void
thresholds_that_cannot_be_reached_are_no_bundle(void **state)
{
	struct world *w = *state;
	struct dvt_bundle_held next = {0};
	static const size_t bad[] = {0, 4};

	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct dvt_buf line;

		w->b.keys.threshold = bad[i];
		sign(w, &w->b, "o", &line);
		assert_int_equal(offer(&w->held, dvt_buf_span(&line), &next),
		    DVT_BUNDLE_BROKEN);
		dvt_buf_fini(&line);
	}
}

static void
first_keys_are_pinned_once(void **state)
{
	struct world *w = *state;
	struct dvt_bundle_held empty = {0}, next = {0};
	struct dvt_bundle got;
	enum dvt_bundle_reason why;
	struct dvt_buf line;

	sign(w, &w->b, "s", &line);
	assert_int_equal(dvt_bundle_pin(&empty, dvt_buf_span(&line), &got,
			     &next, &why, NULL),
	    DVT_E_AUTH);
	assert_int_equal(why, DVT_BUNDLE_SIGNATURES);
	dvt_buf_fini(&line);
	sign(w, &w->b, "o", &line);
	assert_int_equal(dvt_bundle_pin(&empty, dvt_buf_span(&line), &got,
			     &next, &why, NULL),
	    DVT_OK);
	dvt_bundle_fini(&got);
	assert_string_equal(next.fleet, "works");
	assert_int_equal(next.keys.n, 4);
	assert_int_equal(
	    dvt_bundle_pin(&next, dvt_buf_span(&line), &got, &next, &why, NULL),
	    DVT_E_CONFLICT);
	dvt_buf_fini(&line);
}

static void
a_trust_key_file_lets_the_first_bundle_name_the_keys(void **state)
{
	struct world *w = *state;
	struct dvt_bundle_held held = {.fleet = "works"}, next = {0};
	struct dvt_buf pem, line;

	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	for (size_t i = 0; i < ROOTS; i++)
		assert_int_equal(
		    dvt_key_public_to_pem(w->root[i], &pem, NULL), DVT_OK);
	assert_int_equal(
	    dvt_bundle_keys_from_pem(dvt_buf_span(&pem), &held.keys, NULL),
	    DVT_OK);
	assert_int_equal(held.keys.threshold, 2);
	sign(w, &w->b, "ac", &line);
	assert_int_equal(
	    offer(&held, dvt_buf_span(&line), &next), DVT_BUNDLE_TAKEN);
	assert_int_equal(next.keys.n, 4);
	dvt_buf_fini(&line);
	sign(w, &w->b, "ao", &line);
	assert_int_equal(
	    offer(&held, dvt_buf_span(&line), &next), DVT_BUNDLE_SIGNATURES);
	dvt_buf_fini(&line);
	dvt_buf_fini(&pem);
	assert_int_equal(
	    dvt_bundle_keys_from_pem(DVT_SPAN_LIT("none"), &held.keys, NULL),
	    DVT_E_INPUT);
}

static void
what_is_held_survives_its_file(void **state)
{
	struct world *w = *state;
	struct dvt_bundle_held back, none = {0};
	struct dvt_buf text;

	dvt_buf_init(&text, DVT_BUNDLE_MAX);
	memset(w->held.digest, 'a', 64);
	assert_int_equal(dvt_bundle_held_format(&w->held, &text, NULL), DVT_OK);
	assert_int_equal(
	    dvt_bundle_held_parse(dvt_buf_span(&text), &back, NULL), DVT_OK);
	assert_memory_equal(&back, &w->held, sizeof(back));
	dvt_buf_reset(&text);
	assert_int_equal(dvt_bundle_held_format(&none, &text, NULL), DVT_OK);
	assert_int_equal(
	    dvt_bundle_held_parse(dvt_buf_span(&text), &back, NULL), DVT_OK);
	assert_int_equal(back.keys.n, 0);
	assert_int_equal(dvt_bundle_held_parse(DVT_SPAN_LIT("{}"), &back, NULL),
	    DVT_E_INPUT);
	dvt_buf_fini(&text);
}

static void
the_anchor_digest_is_the_one_of_sha256sum(void **state)
{
	/* printf 'aa\nbb' | sha256sum; printf '' | sha256sum */
	const char *list[] = {"bb", "aa", "bb"};
	char out[DVT_DIGEST_HEX];

	(void)state;
	dvt_anchor_digest(list, 3, out);
	assert_string_equal(out,
	    "80c0d5c7137871baa75af2038f350bf60a4d45a131a653d0eb93f3cda3d28609");
	dvt_anchor_digest(list, 0, out);
	assert_string_equal(out,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void
a_grant_is_read_from_a_line_for_this_device_alone(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *audience, *by, *id;
		const char *fleet;
		enum dvt_code want;
	} cases[] = {
	    {"pump-7", "o",  "0123456789abcdef0123456789abcdef", "works",
             DVT_OK								   },
	    {"pump-7", "ab", "0123456789abcdef0123456789abcdef", "works",
             DVT_OK								   },
	    {"pump-7", "o",  "",				 "works", DVT_E_ABSENT},
	    {"pump-8", "o",  "0123456789abcdef0123456789abcdef", "works",
             DVT_E_DENIED							     },
	    {"pump-7", "s",  "0123456789abcdef0123456789abcdef", "works",
             DVT_E_AUTH							       },
	    {"pump-7", "a",  "0123456789abcdef0123456789abcdef", "works",
             DVT_E_AUTH							       },
	    {"pump-7", "o",  "0123456789abcdef0123456789abcdef", "other",
             DVT_E_DENIED							     },
	    {"pump-7", "o",  "0123456789abcdeX0123456789abcdef", "works",
             DVT_E_INPUT							      },
	    {"pump-7", "o",  "0123",                             "works", DVT_E_INPUT },
	    {"all",    "o",  "0123456789abcdef0123456789abcdef", "works",
             DVT_E_INPUT							      },
	};

	w->held.version = w->b.version + 5; /* which does not matter */
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_bundle b = w->b;
		struct dvt_bundle_grant g;
		enum dvt_bundle_reason why;
		struct dvt_buf line;
		struct dvt_err err;
		enum dvt_code rc;

		(void)snprintf(
		    b.audience, sizeof(b.audience), "%s", cases[i].audience);
		(void)snprintf(b.fleet, sizeof(b.fleet), "%s", cases[i].fleet);
		(void)snprintf(
		    b.grant.id, sizeof(b.grant.id), "%s", cases[i].id);
		memset(b.grant.certificate, 'c', DVT_DIGEST_HEX - 1);
		b.grant.certificate[DVT_DIGEST_HEX - 1] = '\0';
		b.grant.expires_at = 5;
		sign(w, &b, cases[i].by, &line);
		rc = dvt_bundle_grant_get(
		    &w->held, dvt_buf_span(&line), &g, &why, &err);
		if (rc != cases[i].want)
			fail_msg("case %zu: %d", i, (int)rc);
		assert_string_equal(g.id, rc == DVT_OK ? cases[i].id : "");
		dvt_buf_fini(&line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_bundle_goes_through_its_line_and_back),
	    CASE(signatures_count_by_distinct_keys_held_and_their_role),
	    CASE(a_repeated_signature_counts_once),
	    CASE(other_fleets_audiences_and_older_versions_are_refused_by_name),
	    CASE(keys_change_only_by_the_threshold_of_old_and_new_roots),
	    CASE(every_changed_byte_of_a_line_is_noticed),
	    CASE(what_no_honest_signer_makes_is_refused_all_the_same),
	    CASE(thresholds_that_cannot_be_reached_are_no_bundle),
	    CASE(first_keys_are_pinned_once),
	    CASE(a_trust_key_file_lets_the_first_bundle_name_the_keys),
	    CASE(what_is_held_survives_its_file),
	    CASE(a_grant_is_read_from_a_line_for_this_device_alone),
	    cmocka_unit_test(the_anchor_digest_is_the_one_of_sha256sum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
