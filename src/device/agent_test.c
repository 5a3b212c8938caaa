/* SPDX-License-Identifier: Apache-2.0 */
#include "device/agent.h"

#include "device/testworld.h"
#include "pki/x509.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR_S 3600

static int64_t
generation(const struct testworld *w)
{
	struct dvt_agent_status s;

	dvt_agent_status(w->agent, &s);
	return s.generation;
}

static bool
has_switched(const struct testworld *w)
{
	return generation(w) == 2;
}

static void
an_adopted_device_checks_in_with_the_digest_of_its_anchor(void **state)
{
	struct testworld *w = *state;
	char anchor[DVT_DIGEST_HEX], digest[DVT_DIGEST_HEX];
	const char *one = anchor;

	testworld_on(w);
	assert_int_equal(generation(w), 1);
	(void)testworld_run(w, 10, NULL);
	assert_int_equal(w->checkins, 1);
	assert_int_equal(w->version, 0);
	dvt_x509_fingerprint(w->pki->old_root.cert, anchor);
	dvt_anchor_digest(&one, 1, digest);
	assert_string_equal(w->digest, digest);
	(void)testworld_run(w, 600, NULL); /* every 60 s, a tenth around */
	assert_in_range(w->checkins, 9, 12);
	assert_int_equal(generation(w), 1);
}

static void
a_renewal_tells_every_step_in_order_and_completes(void **state)
{
	static const char *const want[] = {"CertRotationStarted(2)->Succeed\n",
	    "Generate new certificate(2)->Start\n",
	    "Generate new certificate(2)->Succeed\n",
	    "Lock device configuration on server(2)->Start\n",
	    "Lock device configuration on server(2)->Succeed\n",
	    "Update local configuration with new key(2)->Succeed",
	    "Update device specific configuration on server with new key(2)"
	    "->Start\n",
	    "Update device specific configuration on server with new key(2)"
	    "->Succeed: values: 0\n",
	    "Try new credential(2)->Start\n",
	    "Try new credential(2)->Succeed\n", "Switch(2)->Start\n",
	    "Switch(2)->Succeed\n", "Restart consumers(2)->Start\n",
	    "Restart consumers(2)->Succeed\n",
	    "CertRotationCompleted(2)->Start\n",
	    "CertRotationCompleted(2)->Succeed\n"};
	struct testworld *w = *state;
	const char *at;

	w->config.hook_switch = true;
	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_int_equal(generation(w), 2);
	assert_int_equal(w->trials, 1);
	assert_int_equal(w->hooks, 1);
	assert_string_equal(w->done, "r2-renew=ok ");
	at = dvt_buf_str(&w->story);
	for (size_t i = 0; i < DVT_COUNT(want); i++) {
		const char *found = strstr(at, want[i]);

		if (found == NULL)
			fail_msg("%s is not told, or not there:\n%s", want[i],
			    dvt_buf_str(&w->story));
		at = found;
	}
	testworld_check_works(w, "renewed");
}

/* Whatever the server does, the old credential works and the next attempt
 * succeeds; failures that are its fault are told. */
static void
promise_1_a_bad_answer_leaves_the_old_credential_in_use(void **state)
{
	static const struct {
		const char *why;
		enum testfault fault;
		const char *told; /* NULL: asked again, nothing to tell */
	} cases[] = {
	    {"not reached",      FAULT_UNREACHED,     NULL             },
	    {"answer lost",      FAULT_SILENT,        NULL             },
	    {"busy",             FAULT_BUSY,          NULL             },
	    {"HTML",             FAULT_HTML,          "base64"         },
	    {"denied",           FAULT_DENIED,        "HTTP 403"       },
	    {"for another key",  FAULT_OTHER_KEY,     "another key"    },
	    {"other subject",    FAULT_OTHER_SUBJECT, "another subject"},
	    {"without its name", FAULT_LACKS_NAME,    "lacks the name" },
	    {"expired",          FAULT_EXPIRED,       "ended"          },
	    {"not yet valid",    FAULT_NOT_YET,       "starts in"      },
	    {"CA not listed",    FAULT_OTHER_CA,      "does not list"  },
	    {"for servers only", FAULT_SERVER_LEAF,   "certificate: "  },
	};
	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct testworld w;
		char line[200];

		testworld_init(&w);
		w.lists_issuing = true;
		w.bundle = 1;
		testworld_on(&w);
		assert_true(testworld_run(&w, 60, testworld_is_trusting));
		w.fault = cases[i].fault;
		w.fault_left = 1;
		testworld_ask_renew(&w, "r2-renew");
		while (w.fault_left > 0 && w.now.mono_ms < 9000000)
			(void)testworld_run(&w, 1, NULL);
		assert_int_equal(generation(&w), 1);
		testworld_check_works(&w, cases[i].why);
		if (!testworld_run(&w, 2 * HOUR_S, testworld_is_renewed))
			fail_msg("%s: not renewed afterwards:\n%s",
			    cases[i].why, dvt_buf_str(&w.story));
		testworld_check_works(&w, cases[i].why);
		(void)snprintf(
		    line, sizeof(line), "Generate new certificate(2)->Fail: ");
		if (testworld_has_told(&w, line) != (cases[i].told != NULL) ||
		    (cases[i].told != NULL &&
			!testworld_has_told(&w, cases[i].told)))
			fail_msg("%s: told\n%s", cases[i].why,
			    dvt_buf_str(&w.story));
		testworld_fini(&w);
	}
}

static void
a_refused_trial_stays_on_the_old_one_and_says_fail(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	w->trial_refused = true;
	testworld_ask_renew(w, "r2-renew");
	(void)testworld_run(w, 300, NULL);
	assert_int_equal(generation(w), 1);
	assert_true(
	    testworld_has_told(w, "Try new credential(2)->Fail: trial: "));
	assert_false(testworld_has_told(w, "Switch("));
	assert_non_null(strstr(w->done, "r2-renew=failed"));
	testworld_check_works(w, "trial refused");
	w->trial_refused = false;
	assert_true(testworld_run(w, 2 * HOUR_S, testworld_is_renewed));
	assert_true(generation(w) > 2); /* numbers are not used again */
}

static void
consumers_that_do_not_come_up_bring_the_old_one_back(void **state)
{
	struct testworld *w = *state;

	w->config.hook_switch = true;
	w->hook_exit = 1;
	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	(void)testworld_run(w, 100, NULL);
	assert_true(testworld_has_told(w, "Switch(2)->Succeed"));
	assert_true(testworld_has_told(
	    w, "Restart consumers(2)->Fail: post-switch hook: exit "));
	assert_int_equal(generation(w), 1);
	assert_int_equal(w->hooks % 2, 0); /* and again, with the old one */
	testworld_check_works(w, "hook failed");
}

static void
a_completion_that_is_refused_brings_the_old_one_back(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, 60, has_switched));
	w->checkin_fault = FAULT_DENIED;
	w->checkin_fault_left = 4;
	(void)testworld_run(w, 900, NULL);
	assert_true(testworld_has_told(
	    w, "CertRotationCompleted(2)->Fail: check-in under it: HTTP 403"));
	testworld_check_works(w, "completion refused");
}

static void
a_lost_answer_to_the_completion_is_asked_again(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, 60, has_switched));
	w->checkin_fault = FAULT_SILENT;
	w->checkin_fault_left = 3;
	assert_true(testworld_run(w, 2 * HOUR_S, testworld_is_renewed));
	assert_int_equal(generation(w), 2);
	assert_int_equal(w->issued_n, 2);
}

static void
bundles_are_walked_proven_at_the_next_name_and_confirmed(void **state)
{
	struct testworld *w = *state;
	char digest[DVT_DIGEST_HEX];

	testworld_on(w);
	w->bundle = 2;
	assert_true(testworld_run(w, 300, testworld_is_trusting));
	assert_int_equal(w->probes, 1);
	assert_true(testworld_has_told(w, "Load trust bundle(2)->Succeed: its "
					  "signing keys are taken over"));
	assert_true(testworld_has_told(w, "Probe next chain(2)->Succeed"));
	memcpy(digest, w->digest, sizeof(digest));
	testworld_off(w); /* and are there after a restart */
	testworld_on(w);
	assert_true(testworld_run(w, 300, testworld_is_trusting));
	(void)testworld_run(w, 120, NULL);
	assert_string_equal(w->digest, digest);
	assert_int_equal(w->probes, 1);
	w->bundle = 3; /* the old root goes */
	w->edge_new = true;
	assert_true(testworld_run(w, 300, testworld_is_trusting));
	assert_string_not_equal(w->digest, digest);
	testworld_check_works(w, "bundle 3");
}

/* Ended within the hook: consumers may not have heard. */
static void
consumers_hear_of_new_anchors_though_the_hook_was_cut(void **state)
{
	struct testworld *w = *state, t;

	w->config.hook_trust = true;
	w->bundle = 2;
	testworld_copy_in_hook(&t, w);
	assert_int_equal(t.hooks, 1);
	for (int starts = 0; starts < 3; starts++) { /* once more, not always */
		testworld_on(&t);
		assert_true(testworld_run(&t, 300, testworld_is_trusting));
		(void)testworld_run(&t, 120, NULL);
		testworld_off(&t);
		assert_int_equal(t.hooks, 2);
	}
	testworld_fini(&t);
}

static void
a_failed_probe_is_told_and_does_not_stop_the_load(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	w->bundle = 1; /* does not hold the root that the next name shows */
	assert_true(testworld_run(w, 300, testworld_is_trusting));
	assert_true(testworld_has_told(w, "Probe next chain(1)->Fail: "
					  "next.edge.test: peer-not-trusted"));
}

static void
a_broken_bundle_is_refused_told_once_and_fetched_again(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	w->bundle = 2;
	w->fault = FAULT_BROKEN_BUNDLE;
	w->fault_left = 3;
	assert_true(testworld_run(w, HOUR_S, testworld_is_trusting));
	assert_true(testworld_has_told(w, "Load trust bundle(1)->Fail: "));
	assert_true(testworld_has_told(w, "Load trust bundle(2)->Succeed"));
}

static void
a_probe_is_made_when_asked_and_not_in_a_rush(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	w->bundle = 2;
	assert_true(testworld_run(w, 300, testworld_is_trusting));
	(void)snprintf(w->probe, sizeof(w->probe), "r1-probe");
	(void)testworld_run(w, 200, NULL);
	assert_int_equal(w->probes, 2);
	assert_string_equal(w->done, "r1-probe=ok ");
	w->edge_new = false;
	w->bundle = 2;
	for (int i = 0; i < 4; i++) { /* the server does not see it yet */
		(void)snprintf(w->probe, sizeof(w->probe), "r1-probe");
		(void)testworld_run(w, 10, NULL);
	}
	assert_in_range(w->probes, 2, 5);
}

static void
a_first_enrolment_by_secret_needs_an_anchor(void **state)
{
	struct testworld *w = *state;
	struct dvt_command c = {
	    .kind = DVT_COMMAND_ENROLL, .secret = "only-once"};
	struct dvt_buf anchor;
	struct dvt_err err;

	w->config.device_id = "pump-7";
	testworld_on(w);
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_E_INPUT);
	dvt_buf_init(&anchor, DVT_CERT_PEM_MAX);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->old_root.cert, &anchor, NULL), DVT_OK);
	c.anchor_pem = dvt_buf_span(&anchor);
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_OK);
	dvt_buf_fini(&anchor);
	(void)snprintf(w->secret, sizeof(w->secret), "only-once");
	w->fault = FAULT_SILENT; /* and its answer gets lost once */
	w->fault_left = 1;
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_int_equal(w->issued_n, 2); /* the same key asked again */
	testworld_check_works(w, "enrolled");
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_E_CONFLICT);
}

static void
a_first_enrolment_by_fingerprint_finds_its_anchor(void **state)
{
	struct testworld *w = *state;
	char fingerprint[DVT_DIGEST_HEX];
	struct dvt_command c = {.kind = DVT_COMMAND_ENROLL,
	    .secret = "only-once",
	    .fingerprint = fingerprint};
	struct dvt_err err;

	w->config.device_id = "pump-7";
	(void)snprintf(w->secret, sizeof(w->secret), "only-once");
	dvt_x509_fingerprint(w->pki->old_root.cert, fingerprint);
	testworld_on(w);
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_OK);
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	testworld_check_works(w, "enrolled");
}

static void
a_wrong_fingerprint_enrols_nothing(void **state)
{
	struct testworld *w = *state;
	char fingerprint[DVT_DIGEST_HEX];
	struct dvt_command c = {.kind = DVT_COMMAND_ENROLL,
	    .secret = "only-once",
	    .fingerprint = fingerprint};
	struct dvt_agent_status s;
	struct dvt_err err;

	w->config.device_id = "pump-7";
	(void)snprintf(w->secret, sizeof(w->secret), "only-once");
	dvt_x509_fingerprint(w->pki->new_root.cert, fingerprint);
	testworld_on(w);
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_OK);
	(void)testworld_run(w, HOUR_S, NULL);
	dvt_agent_status(w->agent, &s);
	assert_int_equal(s.generation, 0);
	assert_int_equal(w->certificates, 0);
	assert_non_null(strstr(s.last_error, "fingerprint"));
}

static void
an_import_that_does_not_match_is_refused(void **state)
{
	struct testworld *w = *state;
	struct dvt_command c = {.kind = DVT_COMMAND_IMPORT};
	struct dvt_buf key, chain, anchor, leaf;
	struct dvt_err err;

	dvt_buf_init(&key, DVT_KEY_PEM_MAX);
	dvt_buf_init(&chain, DVT_CHAIN_PEM_MAX);
	dvt_buf_init(&anchor, DVT_CHAIN_PEM_MAX);
	dvt_buf_init(&leaf, DVT_CHAIN_PEM_MAX);
	assert_int_equal(dvt_key_to_pem(w->pki->stranger, &key, NULL), DVT_OK);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->device.cert, &chain, NULL), DVT_OK);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->old_root.cert, &anchor, NULL), DVT_OK);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->edge_old.cert, &leaf, NULL), DVT_OK);
	testworld_on(w);
	c.key_pem = dvt_buf_span(&key);
	c.chain_pem = dvt_buf_span(&chain);
	c.anchor_pem = dvt_buf_span(&anchor);
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_E_CONFLICT);
	dvt_buf_reset(&key);
	assert_int_equal(
	    dvt_key_to_pem(w->pki->device.key, &key, NULL), DVT_OK);
	c.key_pem = dvt_buf_span(&key);
	c.anchor_pem = dvt_buf_span(&leaf); /* no CA */
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_E_INPUT);
	(void)testworld_run(w, 10, NULL);
	assert_null(dvt_agent_credential(w->agent));
	dvt_buf_cleanse(&key);
	dvt_buf_fini(&chain);
	dvt_buf_fini(&anchor);
	dvt_buf_fini(&leaf);
}

static void
it_renews_by_itself_in_the_last_third(void **state)
{
	struct testworld *w = *state;
	int64_t end = dvt_x509_not_after(w->pki->device.cert);
	int64_t begin = dvt_x509_not_before(w->pki->device.cert);
	int64_t due = end - (end - begin) / 3 - TESTCA_NOW;

	testworld_on(w);
	(void)testworld_run(w, 10, NULL);
	w->now.mono_ms += (due - HOUR_S) * 1000;
	(void)testworld_run(w, HOUR_S / 2, NULL);
	assert_int_equal(w->certificates, 0);
	assert_true(testworld_run(w, 3 * HOUR_S, testworld_is_renewed));
}

/* Told to come back tomorrow, it does not hold its update open until then. */
static void
a_renewal_before_its_window_ends_and_comes_back_in_time(void **state)
{
	struct testworld *w = *state;
	struct dvt_command c = {.kind = DVT_COMMAND_RENEW};
	struct dvt_agent_status s;

	testworld_on(w);
	w->fault = FAULT_EARLY;
	w->fault_left = 1;
	assert_int_equal(dvt_agent_command(w->agent, &c, NULL), DVT_OK);
	(void)testworld_run(w, 60, NULL);
	dvt_agent_status(w->agent, &s);
	assert_string_equal(s.update, "");
	assert_true(testworld_has_told(w,
	    "Generate new certificate(2)->Fail: certificate request: HTTP "
	    "503"));
	testworld_check_works(w, "too early");
	testworld_ask_renew(
	    w, "r2-renew"); /* an instruction is taken at once */
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
}

static void
a_first_enrolment_asks_for_the_subject_given(void **state)
{
	struct testworld *w = *state;
	struct dvt_command c = {.kind = DVT_COMMAND_ENROLL,
	    .secret = "only-once",
	    .subject = "CN=pump-7,O=Works"};
	struct dvt_buf anchor;

	w->config.device_id = "pump-7";
	(void)snprintf(w->secret, sizeof(w->secret), "only-once");
	dvt_buf_init(&anchor, DVT_CERT_PEM_MAX);
	assert_int_equal(
	    dvt_x509_to_pem(w->pki->old_root.cert, &anchor, NULL), DVT_OK);
	c.anchor_pem = dvt_buf_span(&anchor);
	testworld_on(w);
	assert_int_equal(dvt_agent_command(w->agent, &c, NULL), DVT_OK);
	dvt_buf_fini(&anchor);
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_string_equal(
	    w->asked_subject, "O=Works,CN=pump-7"); /* as on the wire */
}

static void
an_old_key_is_wiped_after_its_hold_and_not_before(void **state)
{
	struct testworld *w = *state;
	struct dvt_agent_status s;

	testworld_on(w);
	testworld_ask_renew(w, "r2-renew");
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	w->now.mono_ms += 6LL * 24 * HOUR_S * 1000;
	testworld_off(w);
	testworld_on(w);
	(void)testworld_run(w, 600, NULL);
	dvt_agent_status(w->agent, &s);
	assert_int_equal(s.held, 1);
	w->now.mono_ms += 2LL * 24 * HOUR_S * 1000;
	(void)testworld_run(w, 600, NULL);
	dvt_agent_status(w->agent, &s);
	assert_int_equal(s.held, 0);
	assert_int_equal(
	    dvt_memfs.list(w->disk, "generations/1", NULL, NULL, NULL),
	    DVT_E_ABSENT);
	testworld_check_works(w, "hold over");
}

static void
a_replaced_trust_set_is_removed_when_the_newest_is_confirmed(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	w->bundle = 2;
	assert_true(testworld_run(w, 300, testworld_is_trusting));
	(void)testworld_run(w, 200, NULL);
	assert_int_equal(
	    dvt_memfs.list(w->disk, "trust/0", NULL, NULL, NULL), DVT_E_ABSENT);
	testworld_check_works(w, "one set");
}

static void
a_new_instruction_replaces_a_stuck_update(void **state)
{
	struct testworld *w = *state;

	testworld_on(w);
	w->fault = FAULT_UNREACHED;
	w->fault_left = 1000;
	testworld_ask_renew(w, "r2-renew");
	(void)testworld_run(w, 600, NULL);
	assert_true(w->checkins > 5); /* they go on meanwhile */
	testworld_ask_renew(w, "r3-renew");
	(void)testworld_run(w, 300, NULL);
	w->fault_left = 0;
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_true(testworld_has_told(w, "replaced by a new instruction"));
	assert_non_null(strstr(w->done, "r3-renew=ok"));
}

static void
an_instruction_does_not_end_an_update_that_goes_well(void **state)
{
	const struct dvt_command renew = {.kind = DVT_COMMAND_RENEW};
	struct testworld *w = *state;
	struct dvt_err err;

	testworld_on(w);
	(void)testworld_run(w, 10, NULL);
	assert_int_equal(dvt_agent_command(w->agent, &renew, &err), DVT_OK);
	testworld_ask_renew(w, "r2-renew");
	assert_int_equal(
	    dvt_agent_command(w->agent,
		&(struct dvt_command){.kind = DVT_COMMAND_CHECKIN}, &err),
	    DVT_OK);
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
	assert_false(testworld_has_told(w, "->Fail"));
	testworld_off(w);
}

static void
a_full_disk_stops_no_check_in(void **state)
{
	struct testworld *w = *state;
	unsigned before;

	testworld_on(w);
	(void)testworld_run(w, 10, NULL);
	dvt_memfs_fail(w->disk, 0, UINT64_MAX, 28); /* ENOSPC */
	testworld_ask_renew(w, "r2-renew");
	before = w->checkins;
	(void)testworld_run(w, 600, NULL);
	assert_true(w->checkins > before + 5);
	testworld_check_works(w, "disk full");
	dvt_memfs_fail(w->disk, 0, 0, 0);
	assert_true(testworld_run(w, HOUR_S, testworld_is_renewed));
}

static unsigned tries_left;

static bool
has_tried(const struct testworld *w)
{
	return w->checkin_fault_left < tries_left;
}

/* Each within a fifth of it, and not all alike. */
static void
a_server_that_is_away_is_asked_after_30_60_120_and_300_s(void **state)
{
	static const int64_t waits_s[] = {30, 60, 120, 300, 300, 300, 300, 300};
	struct testworld *w = *state;
	int64_t last_ms, last_wait = 0;
	bool alike = true;

	w->checkin_fault = FAULT_UNREACHED;
	w->checkin_fault_left = 1000;
	testworld_on(w);
	last_ms = w->now.mono_ms; /* it stops with the wait over */
	for (size_t i = 0; i < DVT_COUNT(waits_s); i++) {
		int64_t wait;

		tries_left = w->checkin_fault_left;
		assert_true(testworld_run(w, HOUR_S, has_tried));
		wait = w->now.mono_ms - last_ms;
		last_ms = w->now.mono_ms;
		assert_in_range(wait, waits_s[i] * 800, waits_s[i] * 1200 + 10);
		alike = alike && (i < 5 || wait == last_wait);
		last_wait = wait;
	}
	assert_false(alike);
}

static void
an_early_update_can_be_cancelled(void **state)
{
	struct testworld *w = *state;
	struct dvt_command c = {.kind = DVT_COMMAND_CANCEL};
	struct dvt_err err;

	testworld_on(w);
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_E_CONFLICT);
	w->fault = FAULT_UNREACHED;
	w->fault_left = 1000;
	testworld_ask_renew(w, "r2-renew");
	(void)testworld_run(w, 70, NULL);
	w->renew[0] = '\0';
	assert_int_equal(dvt_agent_command(w->agent, &c, &err), DVT_OK);
	(void)testworld_run(w, 300, NULL);
	assert_true(testworld_has_told(w, "->Fail: cancelled"));
	testworld_check_works(w, "cancelled");
}

int
main(void)
{
#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, testworld_setup, testworld_teardown)
#define E(f)                                                                   \
	cmocka_unit_test_setup_teardown(                                       \
	    f, testworld_setup_empty, testworld_teardown)
	const struct CMUnitTest tests[] = {
	    T(an_adopted_device_checks_in_with_the_digest_of_its_anchor),
	    T(a_renewal_tells_every_step_in_order_and_completes),
	    cmocka_unit_test(
		promise_1_a_bad_answer_leaves_the_old_credential_in_use),
	    T(a_refused_trial_stays_on_the_old_one_and_says_fail),
	    T(consumers_that_do_not_come_up_bring_the_old_one_back),
	    T(a_completion_that_is_refused_brings_the_old_one_back),
	    T(a_lost_answer_to_the_completion_is_asked_again),
	    T(bundles_are_walked_proven_at_the_next_name_and_confirmed),
	    T(consumers_hear_of_new_anchors_though_the_hook_was_cut),
	    T(a_failed_probe_is_told_and_does_not_stop_the_load),
	    T(a_broken_bundle_is_refused_told_once_and_fetched_again),
	    T(a_probe_is_made_when_asked_and_not_in_a_rush),
	    E(a_first_enrolment_by_secret_needs_an_anchor),
	    E(a_first_enrolment_by_fingerprint_finds_its_anchor),
	    E(a_wrong_fingerprint_enrols_nothing),
	    E(an_import_that_does_not_match_is_refused),
	    T(it_renews_by_itself_in_the_last_third),
	    T(a_renewal_before_its_window_ends_and_comes_back_in_time),
	    E(a_first_enrolment_asks_for_the_subject_given),
	    T(an_old_key_is_wiped_after_its_hold_and_not_before),
	    T(a_replaced_trust_set_is_removed_when_the_newest_is_confirmed),
	    T(a_new_instruction_replaces_a_stuck_update),
	    T(an_instruction_does_not_end_an_update_that_goes_well),
	    T(a_full_disk_stops_no_check_in),
	    T(a_server_that_is_away_is_asked_after_30_60_120_and_300_s),
	    T(an_early_update_can_be_cancelled),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	testpki_free();
	return failed;
}
