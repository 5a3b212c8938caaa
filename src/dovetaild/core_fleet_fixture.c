/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet for tests of rotations: see core_fleet_fixture.h. */
#include "dovetaild/core_fleet_fixture.h"

#include "dovetaild/core_authority.h"
#include "dovetaild/core_rotation_priv.h"
#include "pki/csr.h"
#include "pki/key.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const char *const fleet_edge[FLEET_EDGES] = {
    "front-1", "front-2", "gw-1", "gw-2"};

/* --- asking core --- */

static enum dvt_code
operate(struct core *c, void *ctx, struct dvt_err *err)
{
	struct fleet_asked *a = ctx;
	json_t *args = json_loads(a->args, 0, NULL);

	assert_non_null(args);
	a->code = core_operate(c, "op", a->what, args, &a->out, &a->extra, err);
	json_decref(args);
	snprintf(a->why, sizeof(a->why), "%s", err->text);
	return a->code == DVT_E_APPROVAL ? DVT_OK : a->code;
}

struct fleet_asked
fleet_ask(struct fleet *x, const char *what, const char *args)
{
	struct fleet_asked a = {.what = what, .args = args};
	struct dvt_err err = {0};

	if (core_within(x->f->core, operate, &a, &err) != DVT_OK)
		assert_null(a.out);
	fixture_settle(x->f);
	return a;
}

void
fleet_must(struct fleet *x, const char *what, const char *args)
{
	struct fleet_asked a = fleet_ask(x, what, args);

	if (a.code != DVT_OK)
		fail_msg("%s: %s", what, a.why);
	json_decref(a.out);
	json_decref(a.extra);
}

/* The first column of the first row into @out; "" without one. */
static char *
text_of(struct fleet *x, const char *sql, char *out, size_t size)
{
	char *text = fixture_text(x->f, sql);

	snprintf(out, size, "%s", text);
	free(text);
	return out;
}

/* --- making the fleet --- */

static enum dvt_code
make_root(struct core *c, void *ctx, struct dvt_err *err)
{
	static const struct core_asker to = {.life = 1};
	struct core_authority_new want = {
	    .name = ctx, .use_server = true, .use_device = true};

	return core_authority_create(c, &to, "op", &want, err);
}

static void
root(struct fleet *x, const char *name, char *fingerprint)
{
	char sql[128];

	assert_int_equal(
	    core_within(x->f->core, make_root, (void *)(uintptr_t)name, NULL),
	    DVT_OK);
	fixture_settle(x->f);
	snprintf(sql, sizeof(sql),
	    "SELECT fingerprint FROM authority WHERE name='%s'", name);
	text_of(x, sql, fingerprint, DVT_DIGEST_HEX);
	assert_int_equal(strlen(fingerprint), 64);
}

static void
make_edges(struct fleet *x)
{
	struct core *c = x->f->core;

	for (size_t i = 0; i < FLEET_EDGES; i++) {
		char *sql = dvt_asprintf(
		    "DELETE FROM gateway WHERE name='%s';"
		    "INSERT INTO gateway (name, kind, site, names, next_name,"
		    " trial_name, default_root, next_root, forced, applied,"
		    " applied_at, heard_at, batch, clock_off_s, sessions,"
		    " version, created_at) VALUES ('%s', '%s', '',"
		    " '[\"edge.test\"]', 'next.edge.test', 'trial.edge.test',"
		    " '%s', '', 0, 0, 0, 0, 0, 0, 0, '', 1);"
		    "DELETE FROM gateway_credential WHERE gateway='%s';"
		    "INSERT INTO gateway_credential (gateway, id, listener,"
		    " slot, generation, names, authority_id, root, key_digest,"
		    " csr, chain_pem, fingerprint, not_after, rotation_id,"
		    " created_at) VALUES ('%s', 'file', 'main', 'current', 1,"
		    " '[]', 0, '%s', 'k%zu', NULL, 'PEM', 'f%zu', 9999999999,"
		    " 0, 1)",
		    fleet_edge[i], fleet_edge[i], i < 2 ? "front" : "gateway",
		    x->old_root, fleet_edge[i], fleet_edge[i], x->old_root, i,
		    i);

		fixture_sql(x->f, sql);
		free(sql);
		snprintf(c->front[i].name, sizeof(c->front[i].name), "%s",
		    fleet_edge[i]);
	}
}

/* --- what they do --- */

static void
check_in(struct fleet *x, size_t d)
{
	char *body = dvt_asprintf("{\"agent\":\"t/1\",\"time\":%" PRId64
				  ",\"bundle\":{\"version\":%" PRId64
				  ",\"digest\":\"%s\"}}",
	    dvt_time_now().wall_s, x->dev[d].version, x->dev[d].digest);

	fixture_call(
	    x->f, "POST", "/v1/device/checkin", "", x->dev[d].fp, body);
	if (x->f->answer.status != 200)
		fail_msg("%s: %d %s", x->dev[d].id, x->f->answer.status,
		    x->f->answer.body);
	free(body);
}

void
fleet_set_up(struct fleet *x, struct fixture *f)
{
	*x = (struct fleet){.f = f};
	root(x, "old", x->old_root);
	root(x, "new", x->new_root);
	make_edges(x);
	for (size_t d = 0; d < FLEET_DEVICES; d++) {
		const char *only[] = {x->old_root};

		snprintf(
		    x->dev[d].id, sizeof(x->dev[d].id), "dev-%04zu", d + 1);
		fixture_enrol(f, x->dev[d].id, x->dev[d].fp);
		dvt_anchor_digest(only, 1, x->dev[d].digest);
		check_in(x, d);
	}
}

void
fleet_report(
    struct fleet *x, unsigned edge, const char *handshakes, const char *csrs)
{
	int64_t position = fixture_number(
	    x->f, "SELECT max(position) FROM feed");
	char *body = dvt_asprintf(
	    "{\"batch\":%" PRId64 ",\"applied\":%" PRId64
	    ",\"epoch\":1,\"now\":%" PRId64
	    ",\"version\":\"t\",\"sessions\":1,\"credentials\":[],"
	    "\"csrs\":[%s],\"handshakes\":[%s]}",
	    ++x->batch, position, dvt_time_now().wall_s, csrs, handshakes);

	core_front_report(x->f->core, edge, dvt_span_str(body));
	fixture_settle(x->f);
	free(body);
}

static char *
handshake(struct fleet *x, size_t d, const char *fp, const char *name,
    const char *root, bool ok)
{
	return dvt_asprintf(
	    "{\"at\":%" PRId64 ",\"duration_us\":9,\"address\":\"10.0.0.%zu\","
	    "\"name\":\"%s\",\"device\":\"%s\",\"confidence\":\"certificate\","
	    "\"certificate\":\"%s\",\"outcome\":\"%s\",\"reason\":\"%s\","
	    "\"root\":\"%s\",\"form\":\"pure\",\"why\":\"default\","
	    "\"protocol\":\"TLSv1.3\"}",
	    dvt_time_now().wall_s, d, name, x->dev[d].id, fp,
	    ok ? "ok" : "device-refused", ok ? "ok" : "unknown-ca", root);
}

static void
shake(struct fleet *x, unsigned edge, size_t d, const char *fp,
    const char *name, const char *root, bool ok)
{
	char *h = handshake(x, d, fp, name, root, ok);

	fleet_report(x, edge, h, "");
	free(h);
}

void
fleet_answer_order(struct fleet *x, unsigned edge)
{
	struct dvt_buf der, b64;
	char order[80], sql[256], *csr;
	EVP_PKEY *key;

	snprintf(sql, sizeof(sql),
	    "SELECT substr(key, %zu) FROM feed WHERE kind='csr' AND"
	    " gateway='%s' AND body IS NOT NULL",
	    strlen(fleet_edge[edge]) + 2, fleet_edge[edge]);
	if (text_of(x, sql, order, sizeof(order))[0] == '\0')
		return;
	dvt_buf_init(&der, DVT_CSR_DER_MAX);
	dvt_buf_init(&b64, 65536);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &key, NULL), DVT_OK);
	assert_int_equal(
	    dvt_csr_make_named(key, fleet_edge[edge], NULL, 0, &der, NULL),
	    DVT_OK);
	dvt_base64_encode(&b64, dvt_buf_span(&der), 0);
	csr = dvt_asprintf(
	    "{\"order\":\"%s\",\"csr\":\"%s\"}", order, dvt_buf_str(&b64));
	fleet_report(x, edge, "", csr);
	free(csr);
	EVP_PKEY_free(key);
	dvt_buf_fini(&der);
	dvt_buf_fini(&b64);
}

void
fleet_edges_turn(struct fleet *x)
{
	for (unsigned e = 0; e < FLEET_EDGES; e++) {
		fleet_answer_order(x, e);
		fleet_report(x, e, "", "");
	}
}

void
fleet_default_root(struct fleet *x, const char *edge, char *out)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "SELECT default_root FROM gateway WHERE name='%s'", edge);
	text_of(x, sql, out, DVT_DIGEST_HEX);
}

/* A new certificate by EST, its trial, its use, the completion check-in. */
static void
renew(struct fleet *x, size_t d)
{
	char fp[DVT_DIGEST_HEX], root_now[DVT_DIGEST_HEX];
	struct fixture_csr c;

	fixture_csr(&c, x->dev[d].id);
	c.q.reenroll = true;
	c.q.user[0] = '\0';
	memcpy(c.q.fingerprint, x->dev[d].fp, sizeof(x->dev[d].fp));
	fixture_est(x->f, &c.q);
	if (x->f->answer.status != 200)
		fail_msg("%s: %d %s", x->dev[d].id, x->f->answer.status,
		    x->f->answer.body);
	dvt_sha256_hex((struct dvt_span){(const uint8_t *)x->f->answer.body,
			   x->f->answer.body_n},
	    fp);
	fixture_csr_fini(&c);
	fleet_default_root(x, "gw-1", root_now);
	shake(x, 2, d, fp, "trial.edge.test", root_now, true);
	memcpy(x->dev[d].fp, fp, sizeof(fp));
	shake(x, 2, d, fp, "edge.test", root_now, true);
	check_in(x, d);
}

void
fleet_device_turn(struct fleet *x, size_t d)
{
	json_t *answer, *bundle;
	char root_now[DVT_DIGEST_HEX];
	int64_t version;

	check_in(x, d);
	answer = json_loads(x->f->answer.body, 0, NULL);
	bundle = json_object_get(answer, "bundle");
	version = json_integer_value(json_object_get(bundle, "version"));
	/* version 1 is of init, with its own root alone */
	if (version > x->dev[d].version && version > 1 && !x->dev[d].stubborn) {
		x->dev[d].version = version;
		snprintf(x->dev[d].digest, sizeof(x->dev[d].digest), "%s",
		    json_string_value(json_object_get(bundle, "digest")));
		check_in(x, d);
	}
	if (strstr(x->f->answer.body, "\"action\":\"probe\"") != NULL &&
	    !x->dev[d].stubborn)
		shake(
		    x, 2, d, x->dev[d].fp, "next.edge.test", x->new_root, true);
	else if (strstr(x->f->answer.body, "\"action\":\"renew\"") != NULL)
		renew(x, d);
	json_decref(answer);
	fleet_default_root(x, d % 2 == 0 ? "gw-1" : "gw-2", root_now);
	shake(x, 2 + (unsigned)d % 2, d, x->dev[d].fp, "edge.test", root_now,
	    !x->dev[d].broken || strcmp(root_now, x->new_root) != 0);
}

void
fleet_look(struct fleet *x)
{
	struct core *c = x->f->core;

	c->rotation_due_ms = c->rotation_least_ms = 0;
	core_outbox_run(c);
	core_rotation_tick(c);
	fixture_settle(x->f);
}

void
fleet_run(struct fleet *x, int64_t id, const char *until, bool approve)
{
	char sql[128], state[32], phase[32], why[512];

	for (int i = 0; i < 60; i++) {
		snprintf(sql, sizeof(sql),
		    "SELECT state FROM rotation WHERE id=%" PRId64, id);
		text_of(x, sql, state, sizeof(state));
		snprintf(sql, sizeof(sql),
		    "SELECT phase FROM rotation WHERE id=%" PRId64, id);
		text_of(x, sql, phase, sizeof(phase));
		if (strcmp(state, until) == 0 || strcmp(phase, until) == 0)
			return;
		fleet_edges_turn(x);
		for (size_t d = 0; d < FLEET_DEVICES; d++)
			fleet_device_turn(x, d);
		if (approve)
			fixture_sql(x->f,
			    "UPDATE approval SET given_by='ann', "
			    "given_at=unixepoch() WHERE given_at=0");
		fleet_look(x);
	}
	snprintf(sql, sizeof(sql),
	    "SELECT waits_for FROM rotation WHERE id=%" PRId64, id);
	text_of(x, sql, why, sizeof(why));
	fail_msg("%s in %s, not %s: %s", state, phase, until, why);
}
