/* SPDX-License-Identifier: Apache-2.0 */
/* Opening is recovery: what is whole is taken, the rest is set aside. */
#include "device/agent_priv.h"

#include "base/mem.h"
#include "device/canary.h"
#include "durable/atomic.h"
#include "pki/x509.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_FIRST_S 30
#define TRIAL_WAIT_MS 1000
#define HOLD_S        (7 * 86400)
#define HOOK_LIMIT_MS 60000

static void
config_copy(struct dvt_agent *a, const struct dvt_agent_config *c)
{
	a->config = *c;
	a->config.device_id = dvt_strdup(c->device_id);
	a->config.label = dvt_strdup(c->label);
	a->config.edge_name = dvt_strdup(c->edge_name);
	if (c->retry_first_s <= 0)
		a->config.retry_first_s = RETRY_FIRST_S;
	if (c->trial_wait_ms <= 0)
		a->config.trial_wait_ms = TRIAL_WAIT_MS;
	if (c->hold_s <= 0)
		a->config.hold_s = HOLD_S;
	if (c->hook_limit_ms <= 0)
		a->config.hook_limit_ms = HOOK_LIMIT_MS;
}

void
dvt_agent_say_aside(struct dvt_agent *a, const char *what, int64_t number)
{
	char id[DVT_STEP_ID];

	(void)snprintf(id, sizeof(id), "state-%" PRId64, dvt_agent_now_s(a));
	dvt_agent_say(a, id, DVT_STEP_DAMAGE, number, DVT_STEP_SUCCEED, what);
}

void
dvt_agent_set_credential(struct dvt_agent *a, struct dvt_agent_credential *cred,
    const struct dvt_generation_meta *meta)
{
	char name[DVT_DN_TEXT];

	dvt_credential_fini(&a->cred);
	a->cred = *cred;
	memset(cred, 0, sizeof(*cred));
	a->cred.serial = ++a->serial;
	a->meta = *meta;
	if (a->config.device_id != NULL)
		return;
	(void)dvt_x509_common_name(a->cred.chain.cert[0], name);
	if (name[0] != '\0')
		a->config.device_id = dvt_strdup(name);
}

void
dvt_agent_set_trust(struct dvt_agent *a, struct dvt_trustset *t)
{
	dvt_trustset_free(a->trust);
	a->trust = t;
	a->trust_shown = (struct dvt_agent_trust){
	    ++a->serial, t->version, t->trust, t->issuing};
}

void
dvt_agent_add_orphan(struct dvt_agent *a, int64_t n)
{
	for (size_t i = 0; i < a->orphan_n; i++) {
		if (a->orphan[i] == n)
			return;
	}
	if (a->orphan_n < DVT_GENERATIONS_MAX)
		a->orphan[a->orphan_n++] = n;
}

enum dvt_code
dvt_agent_unless_refused(
    struct dvt_agent *a, enum dvt_code rc, const struct dvt_err *why)
{
	if (rc != DVT_E_SYSTEM)
		return rc;
	a->unmended = true;
	(void)dvt_agent_disk_failed(a, why);
	return DVT_OK;
}

/* --- the journal --- */

static void
open_journal(struct dvt_agent *a)
{
	struct dvt_err why = {0};
	enum dvt_code rc;
	char text[DVT_STEP_DETAIL];

	rc = dvt_journal_read(&a->env, &a->h, &a->journal, &why);
	a->h.handed = a->h.seq; /* those were handed out in their time */
	if (rc == DVT_OK && a->journal.size > 0 && !a->unmended &&
	    dvt_journal_settle(&a->env, NULL) != DVT_OK)
		a->journal.torn = true; /* to be rewritten */
	if (rc == DVT_OK && a->journal.damaged == 0)
		return;
	/* else too long, no plain file (a link, a FIFO, a folder), or it does
	 * not come off the disk */
	if (rc != DVT_OK && a->journal.damaged == 0)
		dvt_agent_text(text, sizeof(text), why.text);
	else
		(void)snprintf(text, sizeof(text),
		    "journal: %zu lines are damaged", a->journal.damaged);
	rc = dvt_journal_set_aside(&a->env, &why);
	a->journal_aside = rc != DVT_OK;
	if (rc != DVT_OK) /* whatever the reason: it is not what we live by */
		(void)!dvt_agent_unless_refused(a, DVT_E_SYSTEM, &why);
	a->journal.torn = true; /* to be rewritten */
	dvt_agent_say_aside(a, text, 0);
}

/* --- generations --- */

struct shelf { /* what is there */
	int64_t n[DVT_GENERATIONS_MAX];
	size_t count;
	int64_t unread[DVT_GENERATIONS_MAX]; /* it does not come off the disk */
	size_t unread_n;
	struct dvt_err why; /* of the last of these */
	int64_t named;      /* by "current"; 0: none */
};

static bool
is_unread(const struct shelf *s, int64_t n)
{
	for (size_t i = 0; i < s->unread_n; i++) {
		if (s->unread[i] == n)
			return true;
	}
	return false;
}

/* Another is used meanwhile; it is tried again at the next start. */
static void
leave_unread(
    struct dvt_agent *a, struct shelf *s, int64_t n, const struct dvt_err *why)
{
	s->why = *why;
	s->why.code = DVT_E_SYSTEM;
	if (is_unread(s, n) || s->unread_n == DVT_GENERATIONS_MAX)
		return;
	s->unread[s->unread_n++] = n;
	dvt_agent_say_aside(a, why->text, n);
}

static bool
is_of_update(const struct dvt_agent *a, int64_t n)
{
	return a->h.running && a->h.generation == n;
}

enum dvt_code
dvt_agent_or_no_memory(enum dvt_code rc, unsigned sound, struct dvt_err *err)
{
	if (rc == DVT_OK || rc == DVT_E_SYSTEM || rc == DVT_E_ABSENT ||
	    rc == DVT_E_LIMIT || sound >= 2)
		return rc;
	return dvt_fail(
	    err, DVT_E_SYSTEM, "no memory to read what is on the disk");
}

static enum dvt_code
load_generation(struct dvt_agent *a, int64_t n,
    struct dvt_agent_credential *cred, struct dvt_generation_meta *meta,
    struct dvt_err *err)
{
	unsigned sound = 0, tries = 0;
	enum dvt_code rc;

	do {
		rc = dvt_generation_load(&a->env, n, cred, meta, err);
	} while (dvt_canary_again(rc, &sound, &tries));
	return dvt_agent_or_no_memory(rc, sound, err);
}

/* A small file is no reason to lose a key: meta.json is written again. */
static bool
remade(struct dvt_agent *a, int64_t n)
{
	struct dvt_agent_credential cred;
	struct dvt_generation_meta meta;
	struct dvt_err why = {0};

	if (dvt_generation_remake(&a->env, n, &cred, &meta, &why) != DVT_OK)
		return false;
	dvt_agent_say_aside(a, "its meta.json was lost and is made again", n);
	dvt_agent_set_credential(a, &cred, &meta);
	if (dvt_generation_put_meta(&a->env, &meta, &why) != DVT_OK)
		(void)!dvt_agent_unless_refused(a, DVT_E_SYSTEM, &why);
	return true;
}

/* Load one; what is damaged is set aside and said, what is not whole yet (no
 * meta.json) is only passed over. */
static enum dvt_code
try_generation(struct dvt_agent *a, struct shelf *s, int64_t n, bool *ok,
    struct dvt_err *err)
{
	struct dvt_agent_credential cred;
	struct dvt_generation_meta meta;
	struct dvt_err why;
	enum dvt_code rc;

	*ok = false;
	rc = load_generation(a, n, &cred, &meta, &why);
	if (rc == DVT_E_SYSTEM && dvt_generation_is_unreadable(&a->env, n)) {
		leave_unread(a, s, n, &why);
		return DVT_OK;
	}
	if (rc == DVT_E_SYSTEM || rc == DVT_E_LIMIT) {
		if (err != NULL)
			*err = why;
		return DVT_E_SYSTEM;
	}
	if (rc == DVT_OK) {
		dvt_agent_set_credential(a, &cred, &meta);
		*ok = true;
		return DVT_OK;
	}
	/* "current" named it, so it has been whole */
	if (n == s->named && (*ok = remade(a, n)))
		return DVT_OK;
	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	dvt_agent_say_aside(a, why.text, n);
	rc = dvt_generation_set_aside(&a->env, n, &why);
	return dvt_agent_unless_refused(a, rc, &why);
}

/* The best that is left: the newest whole one that no update is making. */
static enum dvt_code
choose_generation(struct dvt_agent *a, struct shelf *s, struct dvt_err *err)
{
	struct dvt_err why = {0};
	enum dvt_code rc;
	bool ok = false;

	for (size_t i = s->count; i > 0 && !ok; i--) {
		if (is_of_update(a, s->n[i - 1]))
			continue;
		rc = try_generation(a, s, s->n[i - 1], &ok, err);
		if (rc != DVT_OK)
			return rc;
	}
	/* nothing else is left: that of an update, if it is whole */
	if (!ok && a->h.running && a->h.old != 0 &&
	    (rc = try_generation(a, s, a->h.generation, &ok, err)) != DVT_OK)
		return rc;
	for (size_t i = s->count; i > 0 && !ok && s->unread_n == 0; i--)
		ok = !is_of_update(a, s->n[i - 1]) && remade(a, s->n[i - 1]);
	if (!ok && s->unread_n > 0) { /* nothing else is there */
		if (err != NULL)
			*err = s->why;
		return DVT_E_SYSTEM;
	}
	if (!ok || s->unread_n > 0)
		return DVT_OK; /* none: it must be enrolled */
	rc = dvt_generation_switch(&a->env, a->cred.generation, &why);
	return dvt_agent_unless_refused(a, rc, &why);
}

static enum dvt_code
open_current(struct dvt_agent *a, struct shelf *s, struct dvt_err *err)
{
	struct dvt_err why = {0};
	bool ok = false;
	enum dvt_code rc;
	int64_t n;

	rc = dvt_generation_current(&a->env, &n, &why);
	if (rc == DVT_E_INPUT)
		dvt_agent_say_aside(a, "\"current\" names no generation", 0);
	else if (rc != DVT_OK && rc != DVT_E_ABSENT)
		dvt_agent_say_aside(a, why.text, 0);
	if (rc == DVT_E_CONFLICT) { /* a folder, a link: nothing goes over it */
		rc = dvt_generation_current_set_aside(&a->env, &why);
		if (rc != DVT_OK)
			(void)!dvt_agent_unless_refused(a, DVT_E_SYSTEM, &why);
		rc = DVT_E_ABSENT;
	}
	s->named = rc == DVT_OK ? n : 0;
	if (rc == DVT_OK && (rc = try_generation(a, s, n, &ok, err)) != DVT_OK)
		return rc;
	return ok ? DVT_OK : choose_generation(a, s, err);
}

/* Of very many the oldest goes before its time: certificates that live for an
 * hour would fill the disk within a hold of days. */
void
dvt_agent_hold(struct dvt_agent *a, int64_t n)
{
	struct dvt_record r = {
	    .kind = DVT_REC_HOLD, .generation = n, .at = dvt_agent_now_s(a)};
	int64_t oldest = a->h.hold_n < DVT_HISTORY_HOLDS
			     ? 0
			     : a->h.hold[0].generation;

	if (oldest != 0 && oldest != a->cred.generation &&
	    !(a->h.running && oldest == a->h.old))
		dvt_agent_add_orphan(a, oldest);
	dvt_agent_record(a, &r);
}

/* Older ones wait for the end of their hold; what nobody names goes, unless
 * there is nothing else. */
static void
sort_generations(struct dvt_agent *a, const struct shelf *s)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->n[i] > a->h.highest)
			a->h.highest = s->n[i];
		if (s->n[i] == a->cred.generation || is_of_update(a, s->n[i]))
			continue;
		if (is_unread(s, s->n[i]) || a->cred.key == NULL)
			continue;
		if (s->n[i] > a->cred.generation)
			dvt_agent_add_orphan(a, s->n[i]);
		else if (dvt_history_hold_get(&a->h, s->n[i]) == NULL)
			dvt_agent_hold(a, s->n[i]);
	}
}

static enum dvt_code
open_generations(struct dvt_agent *a, struct dvt_err *err)
{
	struct shelf *s = dvt_alloc(sizeof(*s));
	enum dvt_code rc;

	rc = dvt_generation_list(&a->env, s->n, &s->count, err);
	if (rc == DVT_E_ABSENT && a->unmended) /* not even made yet */
		rc = DVT_OK;
	if (rc == DVT_OK)
		rc = open_current(a, s, err);
	if (rc == DVT_OK)
		sort_generations(a, s);
	free(s);
	return rc;
}

/* --- all of it --- */

static enum dvt_code
recover(const struct dvt_agent_env *env, struct dvt_err *err)
{
	static const char *const dirs[] = {DVT_GENERATIONS_DIR, DVT_TRUST_DIR};
	enum dvt_code rc;

	if ((rc = dvt_dir_recover(env->fs, env->fs_ctx, "", err)) != DVT_OK)
		return rc;
	for (size_t i = 0; i < DVT_COUNT(dirs); i++) {
		rc = dvt_dir_ensure(env->fs, env->fs_ctx, dirs[i], err);
		if (rc == DVT_OK)
			rc = dvt_dir_recover(
			    env->fs, env->fs_ctx, dirs[i], err);
		if (rc != DVT_OK)
			return rc;
	}
	/* half a value may lie there, in clear, though none is listed */
	rc = dvt_dir_recover(env->fs, env->fs_ctx, DVT_CONFVAL_DIR, err);
	if (rc == DVT_E_CONFLICT) /* no folder: the values are fetched again */
		rc = env->fs->rename(
		    env->fs_ctx, DVT_CONFVAL_DIR, DVT_CONFVAL_DIR ".bad", err);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

/* A process that was killed may have left names of the generation being made
 * unsynced, which the update builds on when it goes on. */
static enum dvt_code
settle_update(const struct dvt_agent *a, struct dvt_err *err)
{
	return a->h.running ? dvt_generation_sync(&a->env, a->h.generation, err)
			    : DVT_OK;
}

static enum dvt_code
mend(struct dvt_agent *a, struct dvt_err *err)
{
	enum dvt_code rc;
	int64_t n;

	if ((rc = recover(&a->env, err)) != DVT_OK ||
	    (rc = settle_update(a, err)) != DVT_OK)
		return rc;
	if (a->journal_aside &&
	    (rc = dvt_journal_set_aside(&a->env, err)) != DVT_OK)
		return rc;
	if (a->cred.key == NULL ||
	    (dvt_generation_current(&a->env, &n, NULL) == DVT_OK &&
		n == a->cred.generation))
		return DVT_OK;
	return dvt_generation_switch(&a->env, a->cred.generation, err);
}

enum dvt_did
dvt_agent_run_mend(struct dvt_agent *a)
{
	struct dvt_err err;

	if (!a->unmended)
		return DVT_DID_NOTHING;
	dvt_agent_commit(a);
	if (mend(a, &err) != DVT_OK)
		return dvt_agent_disk_failed(a, &err);
	a->unmended = false;
	return DVT_DID_WORK;
}

enum dvt_code
dvt_agent_open(const struct dvt_agent_env *env,
    const struct dvt_agent_config *config, struct dvt_time now,
    struct dvt_agent **out, struct dvt_err *err)
{
	struct dvt_agent *a = dvt_alloc(sizeof(*a));
	struct dvt_err why = {0};
	enum dvt_code rc;

	*out = NULL;
	a->env = *env;
	a->now = now;
	a->opened_ms = now.mono_ms;
	a->former_trust = -1;
	config_copy(a, config);
	dvt_buf_init(&a->pending, DVT_JOURNAL_MAX);
	dvt_buf_init(&a->body, DVT_EST_BODY_MAX);
	dvt_buf_init(&a->target, DVT_URI_MAX);
	dvt_buf_init(&a->authorization, DVT_URI_MAX);
	dvt_buf_init(&a->bundle.lines, DVT_FS_FILE_MAX);
	dvt_buf_init(&a->adopt.trust_keys, DVT_KEY_PEM_MAX);
	dvt_buf_init(&a->adopt.key_pem, DVT_KEY_PEM_MAX);
	a->checkin.due_ms = now.mono_ms;
	a->renew_due_ms = now.mono_ms;
	rc = recover(&a->env, &why);
	if ((rc = dvt_agent_unless_refused(a, rc, &why)) != DVT_OK &&
	    err != NULL)
		*err = why;
	if (rc == DVT_OK)
		open_journal(a);
	if (rc != DVT_OK || (rc = open_generations(a, err)) != DVT_OK ||
	    (rc = dvt_agent_open_trust(a, err)) != DVT_OK) {
		dvt_agent_free(a);
		return rc;
	}
	dvt_agent_config_open(a);
	dvt_agent_tickets_open(a);
	if (settle_update(a, &why) != DVT_OK)
		(void)!dvt_agent_unless_refused(a, DVT_E_SYSTEM, &why);
	if (a->h.running)
		dvt_agent_update_resume(a);
	*out = a;
	return DVT_OK;
}

void
dvt_agent_free(struct dvt_agent *a)
{
	if (a == NULL)
		return;
	dvt_agent_update_fini(a);
	dvt_agent_adopt_fini(a);
	dvt_agent_config_fini(a);
	dvt_tickets_fini(&a->tickets);
	dvt_trustset_free(a->bundle.next);
	dvt_trustset_free(a->trust);
	dvt_credential_fini(&a->cred);
	dvt_history_fini(&a->h);
	dvt_buf_fini(&a->pending);
	dvt_buf_fini(&a->body);
	dvt_buf_fini(&a->target);
	dvt_buf_cleanse(&a->authorization);
	dvt_buf_fini(&a->bundle.lines);
	free((void *)(uintptr_t)a->config.device_id);
	free((void *)(uintptr_t)a->config.label);
	free((void *)(uintptr_t)a->config.edge_name);
	free(a);
}
