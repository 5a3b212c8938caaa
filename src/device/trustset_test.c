/* SPDX-License-Identifier: Apache-2.0 */
#include "device/trustset.h"

#include "device/testworld.h"
#include "pki/x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct disk {
	struct testpki *p;
	struct dvt_memfs *fs;
	struct dvt_agent_env env;
	struct dvt_buf anchor, keys; /* PEM: old root; two root keys */
};

static int
setup(void **state)
{
	static struct disk d;

	d.p = testpki_get();
	d.fs = dvt_memfs_new();
	d.env = (struct dvt_agent_env){.fs = &dvt_memfs, .fs_ctx = d.fs};
	assert_int_equal(
	    dvt_memfs.mkdir(d.fs, DVT_TRUST_DIR, 0700, NULL), DVT_OK);
	dvt_buf_init(&d.anchor, DVT_CERT_PEM_MAX);
	dvt_buf_init(&d.keys, DVT_CERT_PEM_MAX);
	assert_int_equal(
	    dvt_x509_to_pem(d.p->old_root.cert, &d.anchor, NULL), DVT_OK);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    dvt_key_public_to_pem(d.p->sign_root[i], &d.keys, NULL),
		    DVT_OK);
	*state = &d;
	return 0;
}

static int
teardown(void **state)
{
	struct disk *d = *state;

	dvt_memfs_free(d->fs);
	dvt_buf_fini(&d->anchor);
	dvt_buf_fini(&d->keys);
	return 0;
}

/* What a bundle of a test differs in. */
struct draft {
	int64_t version;
	const char *fleet, *audience;
	const char *by; /* a b c root keys, o online, s stranger */
	bool without_keys_of_root_c;
	int64_t keys_version;
};

static void
add(struct dvt_bundle_keys *k, EVP_PKEY *key, enum dvt_key_role role)
{
	assert_int_equal(dvt_bundle_add_key(k, key, role, NULL), DVT_OK);
}

static void
put_line(struct testpki *p, const struct draft *d, struct dvt_buf *lines)
{
	struct dvt_bundle b = {.version = d->version,
	    .previous = d->version - 1,
	    .issued_at = TESTCA_NOW,
	    .expires_at = TESTCA_NOW + 1000};
	EVP_PKEY *keys[8];
	struct dvt_buf line;
	size_t n = 0;

	(void)snprintf(b.fleet, sizeof(b.fleet), "%s",
	    d->fleet != NULL ? d->fleet : "works");
	(void)snprintf(b.audience, sizeof(b.audience), "%s",
	    d->audience != NULL ? d->audience : "all");
	b.keys.version = d->keys_version != 0 ? d->keys_version : 1;
	b.keys.threshold = 2;
	b.keys.online_threshold = 1;
	for (size_t i = 0; i < 3; i++) {
		if (i < 2 || !d->without_keys_of_root_c)
			add(&b.keys, p->sign_root[i], DVT_ROLE_ROOT);
	}
	add(&b.keys, p->sign_online, DVT_ROLE_ONLINE);
	assert_int_equal(
	    dvt_bundle_add_anchor(&b, p->old_root.cert, DVT_PRIMARY, NULL),
	    DVT_OK);
	assert_int_equal(
	    dvt_bundle_add_issuer(&b, p->device_old.cert, NULL), DVT_OK);
	for (const char *by = d->by; *by != '\0'; by++)
		keys[n++] = *by == 'o'   ? p->sign_online
			    : *by == 's' ? p->stranger
					 : p->sign_root[*by - 'a'];
	dvt_buf_init(&line, DVT_BUNDLE_MAX);
	assert_int_equal(dvt_bundle_sign(&b, keys, n, &line, NULL), DVT_OK);
	dvt_buf_put_span(lines, dvt_buf_span(&line));
	dvt_buf_putc(lines, '\n');
	dvt_buf_fini(&line);
	dvt_bundle_fini(&b);
}

static struct dvt_trustset *
given(struct disk *d, bool with_keys)
{
	struct dvt_trustset *t;
	struct dvt_err err;

	if (dvt_trustset_from_pem(dvt_buf_span(&d->anchor),
		with_keys ? dvt_buf_span(&d->keys) : DVT_SPAN_LIT(""), "pump-7",
		&t, &err) != DVT_OK)
		fail_msg("%s", err.text);
	return t;
}

static void
a_walk_ends_at_the_newest_that_may_be_taken(void **state)
{
	static const struct {
		const char *why;
		bool with_keys;       /* else pinned by the first line */
		struct draft line[4]; /* version 0 ends */
		int64_t version;      /* reached; 0: none */
		size_t kept;
		const char *told; /* part of the reason, "" all is well */
	} cases[] = {
	    {"pinned, then walked",              false,
             {{.version = 1, .by = "abo"}, {.version = 2, .by = "o"},
		    {.version = 3, .by = "o"}},
             3,									  3, ""                     },
	    {"keys given, fleet from the first", true,
             {{.version = 4, .by = "ab"}, {.version = 5, .by = "o"}},                 5, 2,
             ""												    },
	    {"keys given, first by others",      true,  {{.version = 1, .by = "so"}},
             0,									  0, "too-few-signatures"   },
	    {"not signed by what it names",      false, {{.version = 1, .by = "s"}},
             0,									  0, "too-few-signatures"   },
	    {"a later line of another fleet",    false,
             {{.version = 1, .by = "abo"},
		    {.version = 2, .by = "o", .fleet = "other"},
		    {.version = 3, .by = "o"}},
             1,									  1, "other-fleet"          },
	    {"for another device",               false,
             {{.version = 1, .by = "abo", .audience = "pump-8"}},                     0, 0,
             "other-audience"										      },
	    {"for this device",                  false,
             {{.version = 1, .by = "abo", .audience = "pump-7"}},                     1, 1, ""                     },
	    {"the same twice",                   false,
             {{.version = 2, .by = "abo"}, {.version = 2, .by = "o"},
		    {.version = 1, .by = "o"}},
             2,									  1, ""                     },
	    {"keys change by the root keys",     false,
             {{.version = 1, .by = "abo"},
		    {.version = 2,
			.by = "ab",
			.without_keys_of_root_c = true,
			.keys_version = 2}},
             2,									  2, ""                     },
	    {"keys change by the online key",    false,
             {{.version = 1, .by = "abo"},
		    {.version = 2,
			.by = "o",
			.without_keys_of_root_c = true,
			.keys_version = 2}},
             1,									  1, "key-change-not-proven"},
	};
	struct disk *d = *state;

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct dvt_trustset *from = given(d, cases[i].with_keys), *to;
		struct dvt_buf lines, kept;
		struct dvt_err err;
		size_t feeds = 0;
		enum dvt_code rc;

		dvt_buf_init(&lines, DVT_FS_FILE_MAX);
		dvt_buf_init(&kept, DVT_FS_FILE_MAX);
		for (size_t k = 0; k < DVT_COUNT(cases[i].line) &&
				   cases[i].line[k].version > 0;
		     k++)
			put_line(d->p, &cases[i].line[k], &lines);
		rc = dvt_trustset_walk(
		    from, dvt_buf_span(&lines), &to, &kept, &err);
		for (size_t k = 0; k < kept.n; k++)
			feeds += kept.p[k] == '\n';
		if ((rc == DVT_OK) != (cases[i].version > 0) ||
		    (to == NULL ? 0 : to->version) != cases[i].version ||
		    feeds != cases[i].kept ||
		    strstr(err.text, cases[i].told) == NULL)
			fail_msg("%s: %s", cases[i].why, err.text);
		if (to != NULL && to->pinned == cases[i].with_keys)
			fail_msg("%s: pinned", cases[i].why);
		dvt_trustset_free(from);
		dvt_trustset_free(to);
		dvt_buf_fini(&lines);
		dvt_buf_fini(&kept);
	}
}

static void
nothing_newer_is_told_as_that(void **state)
{
	static const char *const bodies[] = {"", "\n\n"};
	struct disk *d = *state;
	struct dvt_trustset *from = given(d, true), *to;
	struct dvt_buf kept;

	dvt_buf_init(&kept, DVT_FS_FILE_MAX);
	for (size_t i = 0; i < DVT_COUNT(bodies); i++)
		assert_int_equal(dvt_trustset_walk(from,
				     dvt_span_str(bodies[i]), &to, &kept, NULL),
		    DVT_E_CONFLICT);
	assert_int_equal(
	    dvt_trustset_walk(from, DVT_SPAN_LIT("<html>\n"), &to, &kept, NULL),
	    DVT_E_INPUT);
	assert_null(to);
	assert_int_equal(kept.n, 0);
	dvt_trustset_free(from);
	dvt_buf_fini(&kept);
}

static void
what_is_put_is_loaded_again(void **state)
{
	const struct draft first = {.version = 1, .by = "abo"};
	struct disk *d = *state;
	struct dvt_trustset *from = given(d, false), *to, *back;
	struct dvt_buf lines, kept, again;
	struct dvt_err err;

	dvt_buf_init(&lines, DVT_FS_FILE_MAX);
	dvt_buf_init(&kept, DVT_FS_FILE_MAX);
	dvt_buf_init(&again, DVT_FS_FILE_MAX);
	put_line(d->p, &first, &lines);
	assert_int_equal(
	    dvt_trustset_walk(from, dvt_buf_span(&lines), &to, &kept, NULL),
	    DVT_OK);
	assert_int_equal(dvt_trustset_put(&d->env, to, dvt_buf_span(&kept),
			     TESTCA_NOW, NULL),
	    DVT_OK);
	if (dvt_trustset_load(&d->env, 1, &back, &err) != DVT_OK)
		fail_msg("%s", err.text);
	assert_string_equal(
	    dvt_trust_digest(back->trust), dvt_trust_digest(to->trust));
	assert_true(back->pinned);
	assert_string_equal(back->held.fleet, "works");
	assert_int_equal(back->held.keys.n, 4);
	assert_int_equal(dvt_trust_count(back->issuing), 1);
	assert_int_equal(
	    dvt_memfs.read(d->fs, "trust/1/bundle.jsonl", &again, NULL),
	    DVT_OK);
	assert_true(dvt_span_eq(dvt_buf_span(&again), dvt_buf_span(&lines)));
	assert_int_equal(dvt_trustset_put(&d->env, to, dvt_buf_span(&kept),
			     TESTCA_NOW, NULL),
	    DVT_E_CONFLICT);
	dvt_trustset_free(to);
	assert_int_equal(dvt_trustset_load(&d->env, 2, &to, NULL), DVT_E_INPUT);
	assert_null(to);
	dvt_trustset_free(from);
	dvt_trustset_free(back);
	dvt_buf_fini(&lines);
	dvt_buf_fini(&kept);
	dvt_buf_fini(&again);
}

static void
an_anchor_must_be_a_ca(void **state)
{
	struct disk *d = *state;
	struct dvt_trustset *t;
	struct dvt_buf leaf;

	dvt_buf_init(&leaf, DVT_CERT_PEM_MAX);
	assert_int_equal(
	    dvt_x509_to_pem(d->p->edge_old.cert, &leaf, NULL), DVT_OK);
	assert_int_equal(dvt_trustset_from_pem(dvt_buf_span(&leaf),
			     DVT_SPAN_LIT(""), "pump-7", &t, NULL),
	    DVT_E_INPUT);
	assert_int_equal(dvt_trustset_from_pem(DVT_SPAN_LIT("no PEM"),
			     DVT_SPAN_LIT(""), "pump-7", &t, NULL),
	    DVT_E_INPUT);
	assert_int_equal(dvt_trustset_from_pem(dvt_buf_span(&d->anchor),
			     DVT_SPAN_LIT("no key"), "pump-7", &t, NULL),
	    DVT_E_INPUT);
	assert_null(t);
	dvt_buf_fini(&leaf);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_walk_ends_at_the_newest_that_may_be_taken),
	    T(nothing_newer_is_told_as_that),
	    T(what_is_put_is_loaded_again),
	    T(an_anchor_must_be_a_ca),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
