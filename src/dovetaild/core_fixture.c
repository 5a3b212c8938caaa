/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_fixture.h"

#include "dovetaild/signer.h"
#include "dovetaild/unlock.h"
#include "pki/key.h"

#include <sqlite3.h>

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct fixture *current; /* peers have no other way to it */

/* --- the peers of this core: a signer at once, fronts that remember --- */

struct sign_later {
	uint32_t slot;
	uint64_t generation;
	struct dvt_buf body;
	struct sign_later *next;
};
static struct sign_later *asked, **asked_end = &asked;

enum dvt_code
peers_send(struct peers *p, enum dvt_role role, unsigned index,
    const struct dvt_msg *m, struct dvt_err *err)
{
	struct fixture *f = current;
	struct reply r;

	(void)p;
	(void)index;
	if (role == DVT_ROLE_SIGNER) {
		struct sign_later *s = dvt_alloc(sizeof(*s));

		if (f->signer_away) {
			free(s);
			return dvt_fail(err, DVT_E_LATER, "signer away");
		}
		s->slot = m->slot;
		s->generation = m->generation;
		dvt_buf_init(&s->body, m->body.n + 1);
		dvt_buf_put_span(&s->body, m->body);
		*asked_end = s;
		asked_end = &s->next;
		return DVT_OK;
	}
	if (m->type != DVT_MSG_REPLY || reply_get(m->body, &r, NULL) != DVT_OK)
		return DVT_OK;
	f->answers++;
	f->answer.status = r.status;
	f->answer.retry_after_s = r.retry_after_s;
	snprintf(f->answer.type, sizeof(f->answer.type), "%s", r.type);
	free(f->answer.body);
	f->answer.body = dvt_strndup(r.body.p, r.body.n);
	f->answer.body_n = r.body.n;
	return DVT_OK;
}

uint64_t
peers_life(struct peers *p, enum dvt_role role, unsigned index)
{
	(void)p;
	(void)role;
	(void)index;
	return 1;
}

void
core_serve(struct core *c)
{
	c->started = true;
}

void
core_give_up(struct core *c, enum dvt_code code)
{
	fail_msg("core gives up: %s", dvt_code_name(code));
}

static void
sign_one(struct fixture *f, struct sign_later *s)
{
	struct sign_request_room *room = dvt_alloc(sizeof(*room));
	struct dvt_msg m = {
	    .type = DVT_MSG_SIGN_REPLY, .slot = s->slot, .fd = -1};
	struct sign_reply r = {.code = DVT_OK};
	struct dvt_err err = {0};
	struct sign_request q;
	struct signer_out out;
	struct dvt_buf body;

	signer_out_init(&out);
	dvt_buf_init(&body, 1 << 20);
	assert_int_equal(
	    sign_request_get(dvt_buf_span(&s->body), room, &q, &err), DVT_OK);
	r.code = signer_do(f->signer, &q, dvt_time_now().wall_s, &out, &err);
	r.der = dvt_buf_span(&out.der);
	r.wrapped = dvt_buf_span(&out.wrapped);
	r.line = dvt_buf_span(&out.line);
	if (r.code != DVT_OK)
		snprintf(r.why, sizeof(r.why), "%.255s", err.text);
	sign_reply_put(&body, &r);
	m.generation = s->generation;
	m.body = dvt_buf_span(&body);
	core_signer_reply(f->core, &m);
	signer_out_fini(&out);
	dvt_buf_fini(&body);
	dvt_buf_fini(&s->body);
	free(room);
	free(s);
}

void
fixture_settle(struct fixture *f)
{
	do {
		while (
		    dvt_loop_turn(f->core->loop, false) && f->core->tx != NULL)
			;
		if (asked != NULL) {
			struct sign_later *s = asked;

			asked = s->next;
			if (asked == NULL)
				asked_end = &asked;
			sign_one(f, s);
		}
	} while (asked != NULL || f->core->tx != NULL);
}

/* --- the data folder --- */

/* What init prints is not for the test's output. */
static void
make_folder(const char *dir)
{
	char *argv[] = {(char *)"--init", (char *)dir, (char *)"--fleet",
	    (char *)"test", (char *)"--user", (char *)"root",
	    (char *)"--front-name", (char *)"control.test",
	    (char *)"--edge-name", (char *)"edge.test", (char *)"--next-name",
	    (char *)"next.edge.test", (char *)"--trial-name",
	    (char *)"trial.edge.test", NULL};
	int keep, quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

	fflush(stdout);
	keep = dup(STDOUT_FILENO);
	dup2(quiet, STDOUT_FILENO);
	assert_int_equal(init_main((int)DVT_COUNT(argv) - 1, argv), 0);
	fflush(stdout);
	dup2(keep, STDOUT_FILENO);
	close(keep);
	close(quiet);
}

static enum dvt_code
begin_life(struct core *c, void *ctx, struct dvt_err *err)
{
	(void)ctx;
	c->epoch = 1;
	(void)dvt_copy_str(c->fleet, sizeof(c->fleet), "test");
	return dvt_store_audit_open(
	    core_tx(c), "node", core_now(c).wall_s, c->stream, err);
}

static void
open_core(struct fixture *f)
{
	const char *database = dvt_config_text(f->program.config, "database");
	struct core *c = dvt_alloc(sizeof(*c));

	f->core = c;
	c->program = &f->program;
	dvt_buf_init(&c->import_key, 1024);
	assert_int_equal(dvt_loop_new(&c->loop, NULL), DVT_OK);
	assert_int_equal(
	    dvt_store_open(database, DVT_STORE_WRITE, &c->store, NULL), DVT_OK);
	c->turn_end = dvt_defer_new(c->loop, core_turn_end, c);
	assert_int_equal(core_within(c, begin_life, NULL, NULL), DVT_OK);
	core_signer_up(c);
	fixture_settle(f);
	assert_true(c->signer_ready);
}

static void add_tokens(struct fixture *f);

int
fixture_set_up(void **state)
{
	struct fixture *f = dvt_alloc(sizeof(*f));
	struct dvt_secret unlock = {NULL, 0};
	char path[128];

	current = f;
	snprintf(f->dir, sizeof(f->dir), "/tmp/dovetail-core-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	make_folder(f->dir);
	snprintf(f->program.dir, sizeof(f->program.dir), "%s", f->dir);
	snprintf(path, sizeof(path), "%s/" DIR_SETTINGS, f->dir);
	assert_int_equal(dvt_config_load(settings_table, settings_count, path,
			     &f->program.config, NULL),
	    DVT_OK);
	assert_int_equal(
	    unlock_read(f->dir, "file:" DIR_UNLOCK, &unlock, NULL), DVT_OK);
	assert_int_equal(signer_new(&unlock, &f->signer, NULL), DVT_OK);
	dvt_secret_free(&unlock);
	open_core(f);
	add_tokens(f);
	*state = f;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int
fixture_tear_down(void **state)
{
	struct fixture *f = *state;

	fixture_settle(f);
	dvt_defer_free(f->core->turn_end);
	dvt_store_close(f->core->store);
	dvt_buf_fini(&f->core->import_key);
	dvt_loop_free(f->core->loop);
	free(f->core);
	signer_free(f->signer);
	dvt_config_free(f->program.config);
	free(f->answer.body);
	(void)nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* --- asking --- */

static const struct core_asker asker = {.life = 1, .slot = 1, .generation = 1};

void
fixture_est(struct fixture *f, const struct est_request *q)
{
	f->answer.status = 0;
	core_est_received(f->core, &asker, q);
	fixture_settle(f);
}

void
fixture_call(struct fixture *f, const char *method, const char *path,
    const char *query, const char *fingerprint, const char *body)
{
	struct request *q = dvt_alloc(sizeof(*q));

	q->from = FROM_DEVICE;
	snprintf(q->method, sizeof(q->method), "%s", method);
	snprintf(q->path, sizeof(q->path), "%s", path);
	snprintf(q->query, sizeof(q->query), "%s", query);
	snprintf(q->fingerprint, sizeof(q->fingerprint), "%s", fingerprint);
	q->body = dvt_span_str(body);
	f->answer.status = 0;
	core_request_received(f->core, &asker, q);
	fixture_settle(f);
	free(q);
}

/* Tokens of the test's own beside those of init, which nobody kept. */
static void
add_tokens(struct fixture *f)
{
	static const char *const roles[] = {"operator", "approver", "admin"};

	for (size_t i = 0; i < DVT_COUNT(roles); i++) {
		char hash[DVT_DIGEST_HEX], *sql;

		dvt_sha256_hex(dvt_span_str(roles[i]), hash);
		sql = dvt_asprintf(
		    "INSERT INTO token (id, name, role, hash, created_at,"
		    " expires_at, revoked_at) VALUES (%zu, 'test-%s', '%s',"
		    " '%s', 1, 0, 0)",
		    100 + i, roles[i], roles[i], hash);
		fixture_sql(f, sql);
		free(sql);
	}
}

void
fixture_api(struct fixture *f, const char *who, const char *method,
    const char *path, const char *body)
{
	struct request *q = dvt_alloc(sizeof(*q));

	q->from = FROM_SOCKET;
	snprintf(q->method, sizeof(q->method), "%s", method);
	snprintf(q->path, sizeof(q->path), "%s", path);
	snprintf(q->token, sizeof(q->token), "%s", who);
	q->body = dvt_span_str(body);
	f->answer.status = 0;
	core_request_received(f->core, &asker, q);
	fixture_settle(f);
	free(q);
}

/* --- beside core --- */

static sqlite3 *
beside(struct fixture *f)
{
	sqlite3 *db;

	assert_int_equal(
	    sqlite3_open(dvt_config_text(f->program.config, "database"), &db),
	    SQLITE_OK);
	sqlite3_busy_timeout(db, 1000);
	return db;
}

void
fixture_sql(struct fixture *f, const char *sql)
{
	sqlite3 *db = beside(f);
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

int64_t
fixture_number(struct fixture *f, const char *sql)
{
	sqlite3 *db = beside(f);
	sqlite3_stmt *q;
	int64_t v = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(q) == SQLITE_ROW)
		v = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return v;
}

char *
fixture_text(struct fixture *f, const char *sql)
{
	sqlite3 *db = beside(f);
	sqlite3_stmt *q;
	char *text = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(q) == SQLITE_ROW &&
	    sqlite3_column_type(q, 0) != SQLITE_NULL)
		text = dvt_strdup((const char *)sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
	sqlite3_close(db);
	return text != NULL ? text : dvt_strdup("");
}

void
fixture_device(struct fixture *f, const char *id)
{
	char hash[DVT_DIGEST_HEX];
	char *sql;

	dvt_sha256_hex(DVT_SPAN_LIT("s3cret"), hash);
	sql = dvt_asprintf(
	    "INSERT INTO device (device_id, state, hw_serial, model, firmware,"
	    " batch, type, profile, labels, environment, period_s, management,"
	    " oob_address, subject, subject_der, san_der, created_at,"
	    " last_seen_at, park_at, last_checkin_at, last_renewal_at,"
	    " clock_off_s, agent, blocked_case) VALUES ('%s', 'active', '',"
	    " 'press-4', '2.1', '', 'sensor', 'device', '{}', 'production',"
	    " 3600, 'checkin', '', '', x'', x'', 1, 0, 9999999999, 0, 0, 0,"
	    " '', '');"
	    "INSERT INTO enrol_secret (owner_kind, owner, hash, key_digest,"
	    " created_at, expires_at, used_at) VALUES ('device', '%s', '%s',"
	    " '', 1, 9999999999, 0);",
	    id, id, hash);
	fixture_sql(f, sql);
	free(sql);
}

void
fixture_csr(struct fixture_csr *c, const char *id)
{
	EVP_PKEY *key;

	memset(c, 0, sizeof(*c));
	dvt_buf_init(&c->subject, 1024);
	dvt_buf_init(&c->spki, 1024);
	dvt_buf_init(&c->san, 1024);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &key, NULL), DVT_OK);
	assert_int_equal(dvt_key_to_spki(key, &c->spki, NULL), DVT_OK);
	assert_int_equal(dvt_name_from_cn(id, &c->subject, NULL), DVT_OK);
	EVP_PKEY_free(key);
	c->q.subject = dvt_buf_span(&c->subject);
	c->q.spki = dvt_buf_span(&c->spki);
	dvt_sha256_hex(c->q.spki, c->q.key_digest);
	snprintf(c->q.user, sizeof(c->q.user), "%s", id);
	dvt_sha256_hex(DVT_SPAN_LIT("s3cret"), c->q.secret_hash);
}

void
fixture_csr_fini(struct fixture_csr *c)
{
	dvt_buf_fini(&c->subject);
	dvt_buf_fini(&c->spki);
	dvt_buf_fini(&c->san);
}

void
fixture_enrol(struct fixture *f, const char *id, char *fingerprint)
{
	struct fixture_csr c;

	fixture_device(f, id);
	fixture_csr(&c, id);
	fixture_est(f, &c.q);
	if (f->answer.status != 200)
		fail_msg("%s: %d %s", id, f->answer.status, f->answer.body);
	dvt_sha256_hex((struct dvt_span){(const uint8_t *)f->answer.body,
			   f->answer.body_n},
	    fingerprint);
	fixture_csr_fini(&c);
}
