/* SPDX-License-Identifier: Apache-2.0 */
/* The world of a test: authorities, disk, clock, and turning the crank. */
#include "device/testworld.h"

#include "base/mem.h"
#include "device/testserver.h"
#include "pki/x509.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_S   86400
#define START_S 1000 /* s since boot */

void
testworld_must(enum dvt_code rc, const struct dvt_err *err, const char *what)
{
	if (rc == DVT_OK)
		return;
	(void)fprintf(stderr, "testworld: %s: %s\n", what, err->text);
	abort();
}

/* --- authorities --- */

static struct testpki *shared;

static struct testca
server_leaf(const struct testca *under, const char *name)
{
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_SERVER);
	struct dvt_san names[1] = {{.kind = DVT_SAN_DNS}};
	struct testca leaf = {0};
	struct dvt_err err;
	char dn[64];

	(void)snprintf(names[0].text, sizeof(names[0].text), "%s", name);
	f.sans = names;
	f.sans_n = 1;
	(void)snprintf(dn, sizeof(dn), "CN=%s", name);
	testworld_must(
	    dvt_key_new(DVT_KEY_P256, 0, &leaf.key, &err), &err, "key");
	leaf.cert = testca_issue(under, dn, leaf.key, f);
	return leaf;
}

static struct testca
device_leaf(const struct testca *under)
{
	struct dvt_issue f = testca_leaf_fields(DVT_EKU_CLIENT);
	const struct dvt_san names[] = {
	    {DVT_SAN_DNS, "pump-7.test"}
        };
	struct testca leaf = {0};
	struct dvt_err err;

	f.sans = names;
	f.sans_n = 1;
	testworld_must(
	    dvt_key_new(DVT_KEY_P256, 0, &leaf.key, &err), &err, "key");
	leaf.cert = testca_issue(under, "CN=pump-7", leaf.key, f);
	return leaf;
}

struct testpki *
testpki_get(void)
{
	struct testpki *p = shared;
	struct dvt_err err;

	if (p != NULL)
		return p;
	p = dvt_alloc(sizeof(*p));
	p->old_root = testca_make(NULL, "CN=Old Root", -1);
	p->new_root = testca_make(NULL, "CN=New Root", -1);
	p->device_old = testca_make(&p->old_root, "CN=Old Devices", 0);
	p->device_new = testca_make(&p->new_root, "CN=New Devices", 0);
	p->edge_old = server_leaf(&p->old_root, "edge.test");
	p->edge_new = server_leaf(&p->new_root, "edge.test");
	p->front = server_leaf(&p->old_root, "control.test");
	p->device = device_leaf(&p->device_old);
	for (size_t i = 0; i < DVT_COUNT(p->sign_root); i++)
		testworld_must(
		    dvt_key_new(DVT_KEY_P256, 0, &p->sign_root[i], &err), &err,
		    "key");
	testworld_must(
	    dvt_key_new(DVT_KEY_P256, 0, &p->sign_online, &err), &err, "key");
	testworld_must(
	    dvt_key_new(DVT_KEY_P256, 0, &p->stranger, &err), &err, "key");
	for (size_t i = 0; i < TESTWORLD_KEYS; i++)
		testworld_must(dvt_key_new(DVT_KEY_P256, 0, &p->stock[i], &err),
		    &err, "key");
	shared = p;
	return p;
}

void
testpki_free(void)
{
	struct testpki *p = shared;
	struct testca *all[] = {&p->old_root, &p->new_root, &p->device_old,
	    &p->device_new, &p->edge_old, &p->edge_new, &p->front, &p->device};

	for (size_t i = 0; i < DVT_COUNT(all); i++)
		testca_fini(all[i]);
	for (size_t i = 0; i < DVT_COUNT(p->sign_root); i++)
		EVP_PKEY_free(p->sign_root[i]);
	for (size_t i = 0; i < TESTWORLD_KEYS; i++)
		EVP_PKEY_free(p->stock[i]);
	EVP_PKEY_free(p->sign_online);
	EVP_PKEY_free(p->stranger);
	free(p);
	shared = NULL;
}

/* --- the device's surroundings --- */

static void
roll(void *ctx, uint8_t *p, size_t n)
{
	struct testworld *w = ctx;

	for (size_t i = 0; i < n; i++) {
		w->dice = w->dice * 1664525u + 1013904223u;
		p[i] = (uint8_t)(w->dice >> 24);
	}
}

static enum dvt_code
fresh_key(
    void *ctx, enum dvt_key_kind kind, EVP_PKEY **out, struct dvt_err *err)
{
	struct testworld *w = ctx;

	*out = w->pki->stock[w->stock_next++ % TESTWORLD_KEYS];
	(void)EVP_PKEY_up_ref(*out);
	return DVT_OK;
}

enum dvt_code
testworld_try_on(struct testworld *w, struct dvt_err *err)
{
	const struct dvt_fs *fs = w->fs != NULL ? w->fs : &dvt_memfs;
	struct dvt_agent_env env = {.fs = fs,
	    .fs_ctx = w->disk,
	    .keys = &dvt_keyfile_table,
	    .keys_ctx = &w->keyfile,
	    .random = roll,
	    .random_ctx = w};

	w->keyfile = (struct dvt_keyfile){fs, w->disk, fresh_key, w};
	if (w->keys != NULL) {
		env.keys = w->keys;
		env.keys_ctx = w->keys_ctx;
	}
	return dvt_agent_open(&env, &w->config, w->now, &w->agent, err);
}

void
testworld_on(struct testworld *w)
{
	struct dvt_err err;

	testworld_must(testworld_try_on(w, &err), &err, "open");
}

void
testworld_off(struct testworld *w)
{
	dvt_agent_free(w->agent);
	w->agent = NULL;
}

int64_t
testworld_true_s(const struct testworld *w)
{
	return TESTCA_NOW + (w->now.mono_ms / 1000 - START_S);
}

/* Also after a case has set another. */
static void
look_at_clock(struct testworld *w)
{
	w->now.wall_s = w->device_clock_s != 0 ? w->device_clock_s
					       : testworld_true_s(w);
}

void
testworld_sleep(struct testworld *w, int64_t seconds)
{
	w->now.mono_ms += seconds * 1000;
	look_at_clock(w);
}

bool
testworld_run(struct testworld *w, int64_t seconds,
    bool (*stop)(const struct testworld *w))
{
	int64_t end = w->now.mono_ms + seconds * 1000;
	struct dvt_answer answer, *given = NULL;
	struct dvt_buf body;
	struct dvt_want want;
	struct dvt_err err;
	bool stopped = false;

	dvt_buf_init(&body, DVT_BODY_MAX);
	while (w->now.mono_ms <= end && !dvt_memfs_is_off(w->disk)) {
		/* an answer on its way is still delivered */
		if (given == NULL && stop != NULL && (stopped = stop(w)))
			break;
		if (dvt_agent_step(w->agent, w->now, given, &want, &err) !=
		    DVT_OK)
			w->disk_failures++;
		given = NULL;
		if (want.kind == DVT_WANT_WAIT) {
			int64_t ms = want.wake_at_ms - w->now.mono_ms;

			if (want.wake_at_ms == INT64_MAX)
				break;
			ms = ms > 0 ? ms : 0;
			w->now.mono_ms += ms;
			look_at_clock(w);
			continue;
		}
		dvt_buf_reset(&body);
		memset(&answer, 0, sizeof(answer));
		answer.ticket = want.ticket;
		answer.retry_after_s = -1;
		testserver_answer(w, &want, &answer, &body);
		if (++w->exchanges == w->lose_at) {
			if (w->lose_ends)
				break;
			dvt_buf_reset(&body);
			answer.outcome = DVT_ANSWER_LATE;
			answer.http_status = 0;
		}
		answer.body = dvt_buf_span(&body);
		w->now.mono_ms += 5;
		given = &answer;
	}
	dvt_buf_fini(&body);
	return stopped;
}

static void
adopt(struct testworld *w)
{
	struct dvt_command c = {.kind = DVT_COMMAND_IMPORT};
	struct dvt_buf key, chain, anchor;
	struct dvt_err err;

	dvt_buf_init(&key, DVT_KEY_PEM_MAX);
	dvt_buf_init(&chain, DVT_CHAIN_PEM_MAX);
	dvt_buf_init(&anchor, DVT_CHAIN_PEM_MAX);
	testworld_must(
	    dvt_key_to_pem(w->pki->device.key, &key, &err), &err, "key");
	testworld_must(
	    dvt_x509_to_pem(w->pki->device.cert, &chain, &err), &err, "chain");
	testworld_must(dvt_x509_to_pem(w->pki->device_old.cert, &chain, &err),
	    &err, "chain");
	testworld_must(dvt_x509_to_pem(w->pki->old_root.cert, &anchor, &err),
	    &err, "anchor");
	c.key_pem = dvt_buf_span(&key);
	c.chain_pem = dvt_buf_span(&chain);
	c.anchor_pem = dvt_buf_span(&anchor);
	testworld_on(w);
	testworld_must(dvt_agent_command(w->agent, &c, &err), &err, "import");
	(void)testworld_run(w, 1, NULL);
	testworld_off(w);
	dvt_buf_cleanse(&key);
	dvt_buf_fini(&chain);
	dvt_buf_fini(&anchor);
}

void
testworld_init_empty(struct testworld *w)
{
	memset(w, 0, sizeof(*w));
	w->pki = testpki_get();
	w->disk = dvt_memfs_new();
	w->dice = 7;
	w->now = (struct dvt_time){START_S * 1000, TESTCA_NOW};
	w->config = (struct dvt_agent_config){.edge_name = "edge.test"};
	dvt_buf_init(&w->story, TESTWORLD_STORY);
	(void)X509_up_ref(w->pki->device.cert);
	w->issued[w->issued_n++] = w->pki->device.cert;
}

void
testworld_init(struct testworld *w)
{
	testworld_init_empty(w);
	adopt(w);
	dvt_buf_reset(&w->story);
	w->checkins = 0;
}

void
testworld_fini(struct testworld *w)
{
	testworld_off(w);
	dvt_memfs_free(w->disk);
	for (size_t i = 0; i < w->issued_n; i++)
		X509_free(w->issued[i]);
	dvt_buf_fini(&w->story);
}

static struct testworld for_cases;

int
testworld_setup(void **state)
{
	testworld_init(&for_cases);
	*state = &for_cases;
	return 0;
}

int
testworld_setup_empty(void **state)
{
	testworld_init_empty(&for_cases);
	*state = &for_cases;
	return 0;
}

int
testworld_teardown(void **state)
{
	testworld_fini(*state);
	return 0;
}

void
testworld_ask_renew(struct testworld *w, const char *id)
{
	(void)snprintf(w->renew, sizeof(w->renew), "%s", id);
}

void
testworld_copy(struct testworld *to, const struct testworld *from)
{
	*to = *from;
	to->disk = dvt_memfs_clone(from->disk);
	for (size_t i = 0; i < to->issued_n; i++)
		(void)X509_up_ref(to->issued[i]);
	dvt_buf_init(&to->story, TESTWORLD_STORY);
	dvt_buf_put_span(&to->story, dvt_buf_span(&from->story));
}

void
testworld_copy_in_hook(struct testworld *to, const struct testworld *from)
{
	for (unsigned k = 1;; k++) { /* at which exchange it is */
		testworld_copy(to, from);
		to->lose_at = to->exchanges + k;
		to->lose_ends = true;
		testworld_on(to);
		(void)testworld_run(to, 300, NULL);
		testworld_off(to);
		if (to->hooks > 0)
			return;
		testworld_fini(to);
	}
}

/* --- questions --- */

bool
testworld_has_told(const struct testworld *w, const char *line)
{
	return w->story.n > 0 &&
	       memmem(w->story.p, w->story.n, line, strlen(line)) != NULL;
}

bool
testworld_is_renewed(const struct testworld *w)
{
	struct dvt_agent_status s;
	char newest[DVT_DIGEST_HEX];

	dvt_agent_status(w->agent, &s);
	dvt_x509_fingerprint(w->issued[w->issued_n - 1], newest);
	return w->issued_n > 1 && s.update[0] == '\0' && w->renew[0] == '\0' &&
	       strcmp(w->confirmed, newest) == 0;
}

bool
testworld_is_trusting(const struct testworld *w)
{
	return w->version == w->bundle;
}

void
testworld_check_works(struct testworld *w, const char *when)
{
	const struct dvt_agent_credential *c = dvt_agent_credential(w->agent);
	const struct dvt_agent_trust *t = dvt_agent_trust(w->agent);
	struct dvt_err err;

	if (c == NULL || t == NULL) {
		(void)fprintf(stderr, "%s: no %s\n", when,
		    c == NULL ? "credential" : "trust");
		abort();
	}
	testworld_must(
	    dvt_key_matches(c->key, c->chain.cert[0], &err), &err, when);
	if (!testserver_knows(w, c->chain.cert[0])) {
		(void)fprintf(stderr, "%s: an unknown certificate\n", when);
		abort();
	}
	testworld_must(testserver_shown(w, t->trust, false, &err), &err, when);
}
