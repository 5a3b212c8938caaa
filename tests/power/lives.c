/* SPDX-License-Identifier: Apache-2.0 */
/* Lives of an agent and what must hold in them: see lives.h. */
#include "lives.h"

#include "base/mem.h"
#include "device/generation.h"
#include "device/testserver.h"
#include "handshake.h"
#include "pki/x509.h"
#include "values.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void
life_failed(const char *when, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "# %s: ", when);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	abort();
}

static void
must(enum dvt_code rc)
{
	if (rc != DVT_OK)
		life_failed("preparing", "code %d", (int)rc);
}

static void
reach(struct testworld *w, bool (*what)(const struct testworld *w))
{
	if (!testworld_run(w, HOUR_S, what))
		life_failed("preparing", "not reached");
}

/* --- what is prepared --- */

void
life_prepare_renewal(struct testworld *w)
{
	testworld_init(w);
	w->bundle = 1;
	w->lists_issuing = true;
	testworld_on(w);
	reach(w, testworld_is_trusting);
	(void)testworld_run(w, 200, NULL);
	testworld_off(w);
	testworld_ask_renew(w, "r2-renew");
	w->config.hook_switch = true;
}

static void
prepare_new_ca(struct testworld *w)
{
	life_prepare_renewal(w);
	w->new_ca = true;
}

static void
prepare_bad_hook(struct testworld *w)
{
	life_prepare_renewal(w);
	w->hook_exit = 1;
}

bool
life_is_back(const struct testworld *w)
{
	return strstr(w->done, "r2-renew=failed") != NULL;
}

static void
prepare_lost_answers(struct testworld *w)
{
	life_prepare_renewal(w);
	w->fault = FAULT_SILENT;
	w->fault_left = 1;
	w->checkin_fault = FAULT_SILENT;
	w->checkin_fault_left = 2;
}

static void
prepare_trust(struct testworld *w)
{
	testworld_init(w);
	w->bundle = 1;
	testworld_on(w);
	reach(w, testworld_is_trusting);
	(void)testworld_run(w, 200, NULL);
	testworld_off(w);
	w->bundle = 2;
	w->config.hook_trust = true;
}

static void
prepare_removal(struct testworld *w)
{
	prepare_trust(w);
	testworld_on(w);
	reach(w, testworld_is_trusting);
	(void)testworld_run(w, 200, NULL);
	testworld_off(w);
	w->edge_new = true;
	w->bundle = 3;
}

static void
prepare_empty(struct testworld *w)
{
	testworld_init_empty(w);
	w->config.device_id = "pump-7";
	(void)snprintf(w->secret, sizeof(w->secret), "only-once");
}

static enum dvt_code
command_enroll(struct testworld *w)
{
	struct dvt_command c = {
	    .kind = DVT_COMMAND_ENROLL, .secret = "only-once"};
	struct dvt_buf anchor;
	enum dvt_code rc;

	dvt_buf_init(&anchor, DVT_CERT_PEM_MAX);
	must(dvt_x509_to_pem(w->pki->old_root.cert, &anchor, NULL));
	c.anchor_pem = dvt_buf_span(&anchor);
	rc = dvt_agent_command(w->agent, &c, NULL);
	dvt_buf_fini(&anchor);
	return rc;
}

static enum dvt_code
command_import(struct testworld *w)
{
	struct dvt_command c = {.kind = DVT_COMMAND_IMPORT};
	struct dvt_buf anchor, key, chain;
	enum dvt_code rc;

	dvt_buf_init(&anchor, DVT_CERT_PEM_MAX);
	dvt_buf_init(&key, DVT_KEY_PEM_MAX);
	dvt_buf_init(&chain, DVT_CERT_PEM_MAX);
	must(dvt_x509_to_pem(w->pki->old_root.cert, &anchor, NULL));
	must(dvt_x509_to_pem(w->pki->device.cert, &chain, NULL));
	must(dvt_key_to_pem(w->pki->device.key, &key, NULL));
	c.anchor_pem = dvt_buf_span(&anchor);
	c.key_pem = dvt_buf_span(&key);
	c.chain_pem = dvt_buf_span(&chain);
	rc = dvt_agent_command(w->agent, &c, NULL);
	dvt_buf_fini(&anchor);
	dvt_buf_cleanse(&key);
	dvt_buf_fini(&chain);
	return rc;
}

static bool
has_checked_in(const struct testworld *w)
{
	return w->confirmed[0] != '\0';
}

/* A renewal is done, the hold of the first credential is about to end. */
static void
prepare_hold(struct testworld *w)
{
	life_prepare_renewal(w);
	w->config.hold_s = HOUR_S;
	testworld_on(w);
	reach(w, testworld_is_renewed);
	(void)testworld_run(w, 200, NULL);
	testworld_off(w);
	w->now.mono_ms += 2 * HOUR_S * 1000;
	w->now.wall_s = testworld_true_s(w);
}

static bool
first_is_gone(const struct testworld *w)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, DVT_FS_FILE_MAX);
	rc = dvt_memfs.read(w->disk, "generations/1/key.pem", &b, NULL);
	dvt_buf_cleanse(&b);
	return rc == DVT_E_ABSENT;
}

const struct life lives[] = {
    {"renewal",			    life_prepare_renewal,    NULL,           testworld_is_renewed,   true },
    {"renewal under a new CA",             prepare_new_ca,          NULL,           testworld_is_renewed,
     true													},
    {"renewal, each answer lost once",     prepare_lost_answers,    NULL,
     testworld_is_renewed,										  true },
    {"renewal that goes back",             prepare_bad_hook,        NULL,           life_is_back,           true },
    {"renewal with values",                values_prepare,          NULL,           values_are_sealed_anew, true },
    {"renewal with values that goes back", values_prepare_bad_hook, NULL,
     values_are_back,										       true },
    {"new version of a value",             values_prepare_new,      NULL,           values_are_taken,
     true													},
    {"trust bundle",		       prepare_trust,           NULL,           testworld_is_trusting,  true },
    {"trust bundle that removes",          prepare_removal,         NULL,           testworld_is_trusting,
     true													},
    {"first enrolment",                    prepare_empty,           command_enroll, testworld_is_renewed,
     false												       },
    {"adoption",			   prepare_empty,           command_import, has_checked_in,         false},
    {"end of a hold",		      prepare_hold,            NULL,           first_is_gone,          false},
};
const size_t lives_n = DVT_COUNT(lives);

/* --- what must hold --- */

static struct dvt_agent_env
env_of(struct testworld *w)
{
	return (struct dvt_agent_env){.fs = &dvt_memfs,
	    .fs_ctx = w->disk,
	    .keys = &dvt_keyfile_table,
	    .keys_ctx = &w->keyfile};
}

static void
check_first_is_there(struct testworld *w, const char *when)
{
	struct dvt_agent_env env = env_of(w);
	struct dvt_agent_credential cred;
	struct dvt_generation_meta meta;
	struct dvt_err err;

	if (dvt_generation_load(&env, 1, &cred, &meta, &err) != DVT_OK)
		life_failed(when, "the predecessor is gone: %s", err.text);
	dvt_credential_fini(&cred);
}

struct walk {
	struct testworld *w;
	const char *dir, *when;
	char sub[16][DVT_FS_NAME_MAX + 1];
	size_t sub_n;
};

static bool
is_key_place(const char *dir, const char *name)
{
	return strncmp(dir, "generations/", 12) == 0 &&
	       (strcmp(name, "key.pem") == 0 ||
		   strcmp(name, "key.pem.new") == 0);
}

static void
look_for_key(struct walk *walk, const char *name)
{
	char path[DVT_FS_PATH_MAX + 1];
	struct dvt_buf b;

	(void)snprintf(path, sizeof(path), "%s%s%s", walk->dir,
	    walk->dir[0] == '\0' ? "" : "/", name);
	dvt_buf_init(&b, DVT_FS_FILE_MAX);
	must(dvt_memfs.read(walk->w->disk, path, &b, NULL));
	if (b.n > 0 && memmem(b.p, b.n, "PRIVATE KEY", 11) != NULL &&
	    !is_key_place(walk->dir, name))
		life_failed(walk->when, "a clear key in %s", path);
	if (values_are_in(dvt_buf_span(&b)) && strcmp(walk->dir, "config") != 0)
		life_failed(walk->when, "a clear value in %s", path);
	dvt_buf_cleanse(&b);
}

static void
look_at(void *arg, const char *name, bool is_dir)
{
	struct walk *walk = arg;

	if (!is_dir)
		look_for_key(walk, name);
	else if (walk->sub_n < DVT_COUNT(walk->sub))
		(void)dvt_copy_str(
		    walk->sub[walk->sub_n++], sizeof(walk->sub[0]), name);
}

/* No clear key lies outside its generation, no value outside config. */
static void
check_keys(struct testworld *w, const char *dir, const char *when)
{
	struct walk walk = {.w = w, .dir = dir, .when = when};
	char path[DVT_FS_PATH_MAX + 1];

	must(dvt_memfs.list(w->disk, dir, look_at, &walk, NULL));
	for (size_t i = 0; i < walk.sub_n; i++) {
		(void)snprintf(path, sizeof(path), "%.100s%s%s", dir,
		    dir[0] == '\0' ? "" : "/", walk.sub[i]);
		check_keys(w, path, when);
	}
}

void
life_check_now(const struct life *l, struct testworld *w, const char *when)
{
	struct dvt_err err;

	if (l->command == NULL || dvt_agent_credential(w->agent) != NULL) {
		testworld_check_works(w, when);
		if (handshake(w, &err) != DVT_OK)
			life_failed(when, "%s", err.text);
	}
	if (l->keeps_first)
		check_first_is_there(w, when);
	values_check(w, when);
	check_keys(w, "", when);
}

/* --- a life --- */

bool
life_turn_on(struct testworld *w)
{
	struct dvt_err err;

	if (testworld_try_on(w, &err) == DVT_OK)
		return true;
	if (!dvt_memfs_is_off(w->disk))
		life_failed("open", "%s", err.text);
	return false;
}

enum dvt_code
life_try_ask(const struct life *l, struct testworld *w)
{
	struct dvt_agent_status s;

	dvt_agent_status(w->agent, &s);
	if (l->command == NULL || s.adopting ||
	    dvt_agent_credential(w->agent) != NULL)
		return DVT_OK;
	return l->command(w);
}

void
life_ask(const struct life *l, struct testworld *w)
{
	must(life_try_ask(l, w));
}

void
life_run(const struct life *l, struct testworld *w)
{
	if (!life_turn_on(w))
		return;
	life_ask(l, w);
	(void)testworld_run(w, 6 * HOUR_S, l->is_done);
	if (w->lose_ends && w->exchanges == w->lose_at)
		return; /* the power went */
	/* and what follows the last answer is written down */
	(void)testworld_run(w, 30, NULL);
}

void
life_finish(const struct life *l, struct testworld *w, const char *when)
{
	life_check_now(l, w, when);
	life_ask(l, w);
	if (!testworld_run(w, 24 * HOUR_S, l->is_done))
		life_failed(when, "not done; told\n%s", dvt_buf_str(&w->story));
	(void)testworld_run(w, 30, NULL);
	if (w->config.hook_trust && w->told_trust != w->version)
		life_failed(when, "consumers were not told of the anchors");
	if (w->config.hook_config && w->told_config == 0)
		life_failed(when, "consumers were not told of the value");
	testworld_off(w);
	testworld_on(w); /* and once more from the disk alone */
	if (dvt_agent_credential(w->agent) == NULL)
		life_failed(when, "done, and without a credential");
	life_check_now(l, w, when);
	testworld_off(w);
}

void
life_check(const struct life *l, struct testworld *w, const char *when)
{
	if (!life_turn_on(w))
		life_failed(when, "does not open");
	life_finish(l, w, when);
}

uint64_t
life_calls(const struct life *l, const struct testworld *ready)
{
	struct testworld w;
	uint64_t before, calls;

	testworld_copy(&w, ready);
	before = dvt_memfs_calls(w.disk);
	life_run(l, &w);
	if (!l->is_done(&w))
		life_failed(l->name, "not done without any cut");
	calls = dvt_memfs_calls(w.disk) - before;
	testworld_fini(&w);
	if (calls < 3 || calls > CALLS_MAX)
		life_failed(l->name, "%u calls", (unsigned)calls);
	return calls;
}

void
life_cut(const struct life *l, const struct testworld *ready, uint64_t k,
    enum dvt_cut mode, uint64_t seed)
{
	struct testworld w;
	char when[120];

	(void)snprintf(when, sizeof(when), "%s: cut before call %u, mode %d/%u",
	    l->name, (unsigned)k, (int)mode, (unsigned)seed);
	testworld_copy(&w, ready);
	dvt_memfs_cut(w.disk, k, mode, seed);
	life_run(l, &w);
	testworld_off(&w);
	dvt_memfs_power_on(w.disk);
	life_check(l, &w, when);
	testworld_fini(&w);
}
