/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_test.h"

#include "pki/key.h"
#include "wire/json.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

/* --- a core that only writes down what it is asked --- */

static void note(struct dvt_app *app, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void
note(struct dvt_app *app, const char *fmt, ...)
{
	struct test_core *c = app->core_ctx;
	size_t n = strlen(c->log);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(c->log + n, sizeof(c->log) - n, fmt, ap);
	va_end(ap);
}

static enum dvt_code
fake_audit(struct dvt_app *app, const char *action, const char *object,
    const json_t *detail, struct dvt_err *err)
{
	(void)err;
	(void)detail;
	note(app, "audit %s %s;", action, object);
	return DVT_OK;
}

static enum dvt_code
fake_event(struct dvt_app *app, const char *name, const char *device,
    const char *correlation, const json_t *body, struct dvt_err *err)
{
	(void)err;
	(void)body;
	(void)correlation;
	note(app, "event %s %s;", name, device);
	return DVT_OK;
}

static enum dvt_code
fake_feed_device(struct dvt_app *app, const char *id, struct dvt_err *err)
{
	(void)err;
	note(app, "feed device %s;", id);
	return DVT_OK;
}

static enum dvt_code
fake_feed_anchor(struct dvt_app *app, int64_t id, struct dvt_err *err)
{
	(void)err;
	note(app, "feed anchor %d;", (int)id);
	return DVT_OK;
}

static enum dvt_code
fake_feed_policy(struct dvt_app *app, const char *gateway, struct dvt_err *err)
{
	(void)err;
	note(app, "feed policy %s;", gateway);
	return DVT_OK;
}

static enum dvt_code
fake_feed_set(struct dvt_app *app, const char *kind, const char *key,
    const char *gateway, const json_t *body, struct dvt_err *err)
{
	(void)err;
	(void)gateway;
	note(app, "feed %s %s%s;", kind, key, body == NULL ? " gone" : "");
	return DVT_OK;
}

static void
fake_publish(struct dvt_app *app)
{
	note(app, "publish;");
}

static enum dvt_code
fake_order(struct dvt_app *app, const char *gateway, const char *order,
    int64_t authority, const char *slot, struct dvt_err *err)
{
	(void)err;
	(void)order;
	note(app, "order %s %d %s;", gateway, (int)authority, slot);
	return DVT_OK;
}

static enum dvt_code
fake_approval(struct dvt_app *app, const char *action, const char *object,
    const char *digest, struct dvt_err *err)
{
	struct test_core *c = app->core_ctx;

	note(app, "approval %s %s;", action, object);
	if (strlen(digest) != DVT_DIGEST_HEX - 1)
		return dvt_fail(err, DVT_E_SYSTEM, "no digest");
	if (c->approval == DVT_OK)
		return DVT_OK;
	app->approval = 7;
	return dvt_fail(err, c->approval, "a second person is needed");
}

static enum dvt_code
fake_operate(struct dvt_app *app, const char *what, const json_t *args,
    json_t **out, json_t **extra, struct dvt_err *err)
{
	struct test_core *c = app->core_ctx;
	char *text = json_dumps(args, JSON_COMPACT);

	note(app, "operate %s %s;", what, text == NULL ? "" : text);
	free(text);
	*extra = json_incref(c->extra);
	if (c->operate != DVT_OK)
		return dvt_fail(err, c->operate, "%s is refused", what);
	*out = json_loads(c->answer, 0, NULL);
	return DVT_OK;
}

static enum dvt_code
fake_create(struct dvt_app *app, const char *name, const char *subject,
    const char *parent, bool server, bool device, struct dvt_err *err)
{
	(void)err;
	note(app, "create %s %s %s %d%d;", name,
	    subject == NULL ? "-" : subject, parent == NULL ? "-" : parent,
	    server, device);
	app->later = true;
	return DVT_OK;
}

static enum dvt_code
fake_import(struct dvt_app *app, const char *name, const char *pem,
    struct dvt_span sealed, bool server, bool device, struct dvt_err *err)
{
	(void)err;
	note(app, "import %s %.5s %zu %d%d;", name, pem, sealed.n, server,
	    device);
	app->later = true;
	return DVT_OK;
}

static enum dvt_code
fake_cross(
    struct dvt_app *app, const char *name, const char *by, struct dvt_err *err)
{
	(void)err;
	note(app, "cross %s %s;", name, by);
	app->later = true;
	return DVT_OK;
}

static struct dvt_span
fake_import_key(struct dvt_app *app)
{
	return dvt_span_str(((struct test_core *)app->core_ctx)->import_key);
}

static const struct dvt_app_core fake_core = {.audit = fake_audit,
    .event = fake_event,
    .feed_device = fake_feed_device,
    .feed_anchor = fake_feed_anchor,
    .feed_policy = fake_feed_policy,
    .feed_set = fake_feed_set,
    .publish = fake_publish,
    .gateway_order = fake_order,
    .approval = fake_approval,
    .operate = fake_operate,
    .authority_create = fake_create,
    .authority_import = fake_import,
    .authority_cross = fake_cross,
    .import_key = fake_import_key};

static const struct dvt_setting settings[] = {
    {"checkin.period",       DVT_SET_SECONDS, "s",  1,  86400, "300s",         "", NULL},
    {"enrol.secretLifetime", DVT_SET_SECONDS, "s",  60, 86400, "1h",           "", NULL},
    {"edge.names",           DVT_SET_LIST,    NULL, 0,  0,     "edge.example", "", NULL},
    {"edge.next",            DVT_SET_TEXT,    NULL, 0,  253,   "next.example", "", NULL},
    {"edge.trial",           DVT_SET_TEXT,    NULL, 0,  253,   "",             "", NULL},
};

/* --- the database --- */

static void
add_tokens(struct test_api *t)
{
	for (int r = DVT_VIEWER; r < DVT_API_ROLE_N; r++) {
		const char *name = dvt_api_role_name((enum dvt_api_role)r);
		char hash[DVT_DIGEST_HEX];

		dvt_sha256_hex(dvt_span_str(name), hash);
		put(t, "token",
		    "id = %d, name = '%s', role = '%s', hash = '%s'", r, name,
		    name, hash);
	}
}

int
test_api_open(void **state)
{
	struct test_api *t = calloc(1, sizeof(*t));
	const char *tmp = getenv("TMPDIR");

	*state = t;
	(void)snprintf(t->dir, sizeof(t->dir), "%.40s/api-XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(t->dir) == NULL)
		return -1;
	(void)snprintf(t->path, sizeof(t->path), "%s/db", t->dir);
	if (dvt_store_open(t->path, DVT_STORE_WRITE, &t->store, NULL) ||
	    dvt_store_migrate(t->store, NULL) ||
	    dvt_config_load(
		settings, DVT_COUNT(settings), NULL, &t->config, NULL) ||
	    sqlite3_open(t->path, &t->db) != SQLITE_OK)
		return -1;
	(void)sqlite3_exec(t->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	add_tokens(t);
	return 0;
}

int
test_api_close(void **state)
{
	static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
	struct test_api *t = *state;
	char path[128];

	(void)sqlite3_close(t->db);
	dvt_store_close(t->store);
	for (size_t i = 0; i < DVT_COUNT(tails); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", t->path, tails[i]);
		(void)unlink(path);
	}
	(void)rmdir(t->dir);
	dvt_config_free(t->config);
	json_decref(t->core.extra);
	json_decref(t->answer);
	free(t);
	return 0;
}

/* The first word a column of the schema may hold; NULL: any. */
static const char *
first_word(const char *table, const char *column)
{
	for (size_t i = 0; i < dvt_sql_checks_n; i++) {
		if (strcmp(dvt_sql_checks[i].table, table) == 0 &&
		    strcmp(dvt_sql_checks[i].column, column) == 0)
			return dvt_sql_checks[i].words[0];
	}
	return NULL;
}

static void
run_sql(struct test_api *t, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(t->db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

void
put(struct test_api *t, const char *table, const char *values, ...)
{
	struct dvt_buf sql;
	sqlite3_stmt *h;
	char given[4000], info[128];
	const char *sep = "";
	va_list ap;

	va_start(ap, values);
	(void)vsnprintf(given, sizeof(given), values, ap);
	va_end(ap);
	dvt_buf_init(&sql, 16000);
	dvt_buf_puts(&sql, "CREATE TEMP TABLE one AS SELECT ");
	(void)snprintf(info, sizeof(info), "PRAGMA table_info(%s)", table);
	assert_int_equal(
	    sqlite3_prepare_v2(t->db, info, -1, &h, NULL), SQLITE_OK);
	while (sqlite3_step(h) == SQLITE_ROW) {
		const char *column = (const char *)sqlite3_column_text(h, 1);
		const char *type = (const char *)sqlite3_column_text(h, 2);
		const char *word = first_word(table, column);

		if (word != NULL)
			dvt_buf_printf(&sql, "%s'%s' AS %s", sep, word, column);
		else if (sqlite3_column_int(h, 3) == 0 &&
			 sqlite3_column_int(h, 5) == 0)
			dvt_buf_printf(&sql, "%sNULL AS %s", sep, column);
		else
			dvt_buf_printf(&sql, "%s%s AS %s", sep,
			    *type == 'I'   ? "0"
			    : *type == 'B' ? "x''"
					   : "''",
			    column);
		sep = ", ";
	}
	(void)sqlite3_finalize(h);
	run_sql(t, dvt_buf_str(&sql));
	dvt_buf_reset(&sql);
	dvt_buf_printf(&sql,
	    "UPDATE temp.one SET %s; INSERT INTO %s SELECT * FROM temp.one; "
	    "DROP TABLE temp.one",
	    given, table);
	run_sql(t, dvt_buf_str(&sql));
	dvt_buf_fini(&sql);
}

/* --- requests --- */

static void
check_answer(const char *method, const char *path, const json_t *answer)
{
	const struct dvt_route *route;
	struct dvt_arena arena = {0};
	struct dvt_err err = {0};
	struct dvt_req req = {0};

	if (dvt_route_find(method, path, &arena, &route, &req, &err) !=
		DVT_OK ||
	    dvt_route_check_answer(route, answer, &err) != DVT_OK)
		fail_msg("%s %s: answer: %s", method, path, err.text);
	dvt_arena_free(&arena);
}

/* What was answered, checked: a shape of the route, or a problem. */
static void
take_answer(struct test_api *t, const struct dvt_call *call, enum dvt_code rc,
    struct dvt_reply *reply)
{
	struct dvt_err err = {0};
	struct dvt_buf room;

	dvt_buf_init(&room, 1 << 22);
	if (dvt_json_parse(dvt_reply_body(reply, &room), 1 << 22, &t->answer,
		&err) != DVT_OK)
		fail_msg("%s %s: %s", call->method, call->path, err.text);
	dvt_buf_fini(&room);
	if (rc == DVT_OK)
		check_answer(call->method, call->path, t->answer);
	else if (dvt_shape_check(dvt_shape_find("problem"), t->answer, &err) !=
		 DVT_OK)
		fail_msg(
		    "%s %s: problem: %s", call->method, call->path, err.text);
}

static enum dvt_code
run_call(struct test_api *t, struct dvt_app *app, const struct dvt_call *call,
    struct dvt_reply *reply)
{
	struct dvt_err err = {0};
	enum dvt_code rc;

	if (dvt_tx_begin(t->store, &app->tx, &err) != DVT_OK)
		fail_msg("begin: %s", err.text);
	rc = dvt_api_run(app, call, reply);
	if (rc == DVT_OK || rc == DVT_E_APPROVAL)
		assert_int_equal(dvt_tx_commit(app->tx, &err), DVT_OK);
	else
		dvt_tx_rollback(app->tx);
	return rc;
}

const json_t *
ask(struct test_api *t, const char *who, const char *method, const char *target,
    const char *body)
{
	struct dvt_arena arena = {0};
	struct dvt_app app = {
	    .arena = &arena,
	    .now = {.wall_s = TEST_NOW, .mono_ms = 1000},
	    .config = t->config,
	    .core = &fake_core,
	    .core_ctx = &t->core
        };
	size_t n = strcspn(target, "?");
	char *path = dvt_strndup(target, n);
	const struct dvt_call call = {.method = method,
	    .path = path,
	    .query = target[n] == '?' ? target + n + 1 : "",
	    .token = who == NULL ? "" : who,
	    .accept = "",
	    .body = dvt_span_str(body)};
	struct dvt_reply reply;
	enum dvt_code rc;

	t->core.log[0] = '\0';
	json_decref(t->answer);
	t->answer = NULL;
	dvt_reply_init(&reply);
	rc = run_call(t, &app, &call, &reply);
	t->status = app.later ? 0 : reply.status;
	if (!app.later)
		take_answer(t, &call, rc, &reply);
	dvt_reply_fini(&reply);
	dvt_arena_free(&arena);
	free(path);
	return t->answer;
}

const json_t *
ask_for(struct test_api *t, int status, const char *who, const char *method,
    const char *target, const char *body)
{
	ask(t, who, method, target, body);
	if (t->status != status)
		fail_msg("%s %s: %d instead of %d: %s", method, target,
		    t->status, status, at(t, "detail"));
	return t->answer;
}

const char *
at(struct test_api *t, const char *path)
{
	static char out[4096];
	const json_t *v = t->answer;

	while (v != NULL && *path != '\0') {
		size_t n = strcspn(path, ".");
		char key[64] = "";

		memcpy(key, path, n < 63 ? n : 63);
		v = isdigit((unsigned char)*key)
			? json_array_get(v, (size_t)atoi(key))
			: json_object_get(v, key);
		path += n + (path[n] == '.');
	}
	out[0] = '\0';
	if (json_is_string(v)) {
		(void)snprintf(out, sizeof(out), "%s", json_string_value(v));
	} else if (v != NULL) {
		size_t n = json_dumpb(
		    v, out, sizeof(out) - 1, JSON_COMPACT | JSON_ENCODE_ANY);

		out[n < sizeof(out) ? n : 0] = '\0';
	}
	return out;
}
