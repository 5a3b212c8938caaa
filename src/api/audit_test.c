/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_test.h"

#include "pki/key.h"
#include "store/audit.h"
#include "wire/json.h"

#include <stdio.h>

#define verify(t, body)                                                        \
	ask_for(t, 200, "viewer", "POST", "/v1/audit/verify", body)

/* Three entries of one stream and, exported, a check-point after them. */
static char *
write_log(struct test_api *t)
{
	struct dvt_row_audit row = {
	    .at = TEST_NOW, .actor = "a", .action = "b", .object = "c"};
	char stream[DVT_AUDIT_STREAM_SIZE], hex[2 * DVT_SPKI_MAX + 1];
	struct dvt_buf payload, line, spki;
	struct dvt_dsse dsse = {0};
	struct dvt_tx *tx;
	EVP_PKEY *key;

	assert_int_equal(dvt_tx_begin(t->store, &tx, NULL), DVT_OK);
	assert_int_equal(
	    dvt_store_audit_open(tx, "node", TEST_NOW, stream, NULL), DVT_OK);
	row.stream = stream;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    dvt_store_audit_append(tx, &row, NULL, NULL), DVT_OK);
	dvt_buf_init(&payload, 4096);
	dvt_buf_init(&line, 8192);
	dvt_buf_init(&spki, DVT_SPKI_MAX);
	assert_int_equal(
	    dvt_store_checkpoint_payload(tx, "mill", TEST_NOW, &payload, NULL),
	    DVT_OK);
	assert_int_equal(dvt_tx_commit(tx, NULL), DVT_OK);
	assert_int_equal(dvt_key_new(DVT_KEY_P256, 0, &key, NULL), DVT_OK);
	assert_int_equal(
	    dvt_dsse_init(&dsse, dvt_buf_span(&payload), NULL), DVT_OK);
	assert_int_equal(
	    dvt_dsse_sign(&dsse, DVT_CHECKPOINT_TYPE, key, NULL), DVT_OK);
	assert_int_equal(dvt_dsse_format(&dsse, &line, NULL), DVT_OK);
	assert_int_equal(dvt_key_to_spki(key, &spki, NULL), DVT_OK);
	dvt_hex(spki.p, spki.n, hex, sizeof(hex));
	put(t, "meta", "key = 'fleet', value = 'mill'");
	put(t, "trust_key", "keyid = 'k', role = 'online', spki = x'%s'", hex);
	EVP_PKEY_free(key);
	dvt_dsse_fini(&dsse);
	dvt_buf_fini(&payload);
	dvt_buf_fini(&spki);
	return dvt_buf_take_str(&line);
}

static char *
body_with(const char *line)
{
	json_t *body = json_pack("{s:[s]}", "checkpoints", line);
	char *text = json_dumps(body, 0);

	json_decref(body);
	return text;
}

static void
a_sound_log_has_no_faults(void **state)
{
	struct test_api *t = *state;
	char *line = write_log(t), *body = body_with(line);

	verify(t, NULL);
	assert_at(t, "entries", "3");
	assert_at(t, "checkpoints", "0");
	assert_at(t, "faults", "[]");
	verify(t, body);
	assert_at(t, "checkpoints", "1");
	assert_at(t, "total", "0");
	free(line);
	free(body);
}

static void
what_was_touched_is_named(void **state)
{
	struct test_api *t = *state;
	char *line = write_log(t), *body = body_with(line);

	assert_int_equal(
	    sqlite3_exec(t->db, "UPDATE audit SET actor = 'z' WHERE seq = 2",
		NULL, NULL, NULL),
	    SQLITE_OK);
	verify(t, NULL);
	assert_at(t, "faults.0.seq", "2");
	assert_at(t, "faults.0.fault", "altered");
	assert_string_not_equal(at(t, "faults.0.what"), "");
	free(line);
	free(body);
}

static void
an_exported_checkpoint_tells_that_the_end_is_gone(void **state)
{
	struct test_api *t = *state;
	char *line = write_log(t), *body = body_with(line);

	assert_int_equal(sqlite3_exec(t->db,
			     "DELETE FROM audit WHERE seq = 3;"
			     "UPDATE audit_stream SET seq = 2, head = (SELECT "
			     "hash FROM audit WHERE seq = 2)",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	verify(t, NULL);
	assert_at(t, "total", "0");
	verify(t, body);
	assert_string_not_equal(at(t, "total"), "0");
	free(line);
	free(body);
}

/* {"fleet":"mill","at":1,"heads":[]} */
#define UNSIGNED                                                               \
	"{\"payload\": \"eyJmbGVldCI6Im1pbGwiLCJhdCI6MSwiaGVhZHMiOltdfQ==\", " \
	"\"signatures\": []}"

static void
what_is_no_checkpoint_says_nothing_of_the_log(void **state)
{
	static const char *const bad[] = {"hello", "{}", "[]",
	    "{\"payload\": \"AAAA\", \"signatures\": []}",
	    "{\"payload\": \"e30=\", \"signatures\": []}", /* {} */
	    UNSIGNED "\n" UNSIGNED};
	struct test_api *t = *state;
	char *line = write_log(t), *body;

	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		body = body_with(bad[i]);
		ask_for(t, 400, "viewer", "POST", "/v1/audit/verify", body);
		assert_at(t, "code", "bad-input");
		assert_non_null(
		    strstr(at(t, "detail"), "line 1 is no check-point"));
		free(body);
	}
	body = body_with(UNSIGNED);
	verify(t, body);
	assert_at(t, "total", "1");
	assert_at(t, "faults.0.fault", "check-point");
	free(body);
	/* in the database itself nobody may have put one */
	put(t, "audit_checkpoint", "at = 1, line = 'hello'");
	verify(t, NULL);
	assert_at(t, "faults.0.fault", "check-point");
	free(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_api(a_sound_log_has_no_faults),
	    test_api(what_was_touched_is_named),
	    test_api(an_exported_checkpoint_tells_that_the_end_is_gone),
	    test_api(what_is_no_checkpoint_says_nothing_of_the_log),
	};

	return cmocka_run_group_tests_name("api audit", tests, NULL, NULL);
}
