/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_test.h"

#include "store/audit_priv.h"
#include "store/store_priv.h"

#include "pki/key.h"

#include <sqlite3.h>

#include <inttypes.h>

#define NOW     INT64_C(1764547200)
#define STREAMS 3
#define ENTRIES 40 /* in each stream */

/* One log, check-points of it, and the way into its tables past the store. */
struct log {
	struct test_store *t;
	sqlite3 *db;
	EVP_PKEY *key;
	struct dvt_dsse_key trusted;
	struct dvt_buf lines;
	struct dvt_audit_evidence evidence;
	struct dvt_audit_report report;
	char newest[DVT_AUDIT_STREAM_SIZE];
};

static void
checkpoint(struct log *l, int64_t at)
{
	struct dvt_buf payload;
	struct dvt_dsse dsse = {0};

	dvt_buf_init(&payload, DVT_BUNDLE_MAX);
	assert_done(dvt_store_checkpoint_payload(
	    l->t->tx, "fleet", at, &payload, &err));
	assert_done(dvt_dsse_init(&dsse, dvt_buf_span(&payload), &err));
	assert_done(dvt_dsse_sign(&dsse, DVT_CHECKPOINT_TYPE, l->key, &err));
	assert_done(dvt_dsse_format(&dsse, &l->lines, &err));
	dvt_buf_putc(&l->lines, '\n');
	dvt_dsse_fini(&dsse);
	dvt_buf_fini(&payload);
}

static void
append(struct log *l, const char *stream, int i)
{
	char object[32], detail[64];
	const struct dvt_row_audit row = {
	    .stream = stream,
	    .at = NOW + i,
	    .actor = "operator",
	    .action = i % 3 == 0 ? "certificate.issue" : "device.block",
	    .object = object,
	    .detail = detail,
	};
	int64_t seq;

	(void)snprintf(object, sizeof(object), "dev-%d", i);
	(void)snprintf(detail, sizeof(detail), "{\"serial\":\"%d\"}", i * 77);
	assert_done(dvt_store_audit_append(l->t->tx, &row, &seq, &err));
	assert_int_equal(seq, i);
}

static int
log_open(void **state)
{
	struct log *l = calloc(1, sizeof(*l));
	void *store = NULL;

	if (test_store_open(&store) != 0)
		return -1;
	l->t = store;
	*state = l;
	/* The driver's connection begins with SQLite's. */
	memcpy(&l->db, l->t->store->conn, sizeof(l->db));
	dvt_buf_init(&l->lines, 1 << 20);
	assert_done(dvt_key_new(DVT_KEY_P256, 0, &l->key, &err));
	assert_done(dvt_key_digest(l->key, l->trusted.keyid, &err));
	l->trusted.key = l->key;
	for (int k = 1; k <= STREAMS; k++) {
		assert_done(dvt_store_audit_open(
		    l->t->tx, "host", NOW, l->newest, &err));
		for (int i = 1; i <= ENTRIES; i++) {
			append(l, l->newest, i);
			if (i % 10 == 0)
				checkpoint(l, NOW + 1000 * k + i);
		}
	}
	l->evidence = (struct dvt_audit_evidence){
	    "fleet", dvt_buf_span(&l->lines), &l->trusted, 1};
	return 0;
}

static int
log_close(void **state)
{
	struct log *l = *state;
	void *store = l->t;

	(void)test_store_close(&store);
	EVP_PKEY_free(l->key);
	dvt_buf_fini(&l->lines);
	free(l);
	return 0;
}

#define test_in_log(fn) cmocka_unit_test_setup_teardown(fn, log_open, log_close)

DVT_PRINTF(2, 3)
static void
sql(struct log *l, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sqlite3_exec(l->db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(l->db));
}

static void
verify(struct log *l, bool with_checkpoints)
{
	assert_done(dvt_store_audit_verify(l->t->tx, &l->t->arena,
	    with_checkpoints ? &l->evidence : NULL, &l->report, &err));
}

static bool
told(const struct log *l, enum dvt_audit_fault fault, const char *stream,
    int64_t seq)
{
	for (size_t i = 0; i < l->report.n; i++) {
		const struct dvt_audit_finding *f = &l->report.findings[i];

		if (f->fault == fault && strcmp(f->stream, stream) == 0 &&
		    f->seq == seq)
			return true;
	}
	return false;
}

static void
expect(const struct log *l, enum dvt_audit_fault fault, const char *stream,
    int64_t seq)
{
	if (told(l, fault, stream, seq))
		return;
	for (size_t i = 0; i < l->report.n; i++)
		print_message("  %s: %s\n",
		    dvt_audit_fault_name(l->report.findings[i].fault),
		    l->report.findings[i].text);
	fail_msg("not told: %s, stream %s, entry %" PRId64,
	    dvt_audit_fault_name(fault), stream, seq);
}

/* Compute every hash of a stream again from entry @from on, and its end: what
 * someone does who can write the database and knows this program. */
static void
rehash(struct log *l, const char *stream, int64_t from)
{
	struct dvt_row_audit *rows;
	char prev[DVT_DIGEST_HEX] = "", hash[DVT_DIGEST_HEX] = "";
	int64_t number = 0;
	size_t n;

	assert_done(dvt_store_audit_list(
	    l->t->tx, &l->t->arena, stream, 0, 1000, &rows, &n, &err));
	for (size_t i = 0; i < n; i++) {
		number = rows[i].seq;
		if (number >= from && prev[0] != '\0') {
			dvt_audit_hash(prev, &rows[i], hash);
			sql(l,
			    "UPDATE audit SET hash = '%s' WHERE stream = '%s' "
			    "AND seq = %" PRId64,
			    hash, stream, number);
		} else {
			(void)dvt_copy_str(hash, sizeof(hash), rows[i].hash);
		}
		memcpy(prev, hash, sizeof(prev));
	}
	sql(l,
	    "UPDATE audit_stream SET head = '%s', seq = %" PRId64
	    " WHERE stream = '%s'",
	    hash, number, stream);
}

static void
an_untouched_log_is_sound(void **state)
{
	struct log *l = *state;

	verify(l, true);
	for (size_t i = 0; i < l->report.n; i++)
		print_message("  %s\n", l->report.findings[i].text);
	assert_int_equal(l->report.total, 0);
	assert_int_equal(l->report.streams, STREAMS);
	assert_int_equal(l->report.entries, STREAMS * ENTRIES);
	assert_int_equal(l->report.checkpoints, STREAMS * ENTRIES / 10);
	assert_string_equal(l->newest, "host-3");
}

static void
each_kind_of_change_is_named_with_its_place(void **state)
{
	static const struct {
		const char *sql;
		enum dvt_audit_fault fault;
		const char *stream;
		int64_t seq;
	} cases[] = {
	    {"UPDATE audit SET actor = 'nobody' "
	     "WHERE stream = 'host-2' AND seq = 17",			 DVT_AUDIT_ALTERED,     "host-2",     17},
	    {"UPDATE audit SET at = at + 1 "
	     "WHERE stream = 'host-1' AND seq = 1",			  DVT_AUDIT_ALTERED,     "host-1",     1 },
	    {"DELETE FROM audit WHERE stream = 'host-2' AND seq = 5",
             DVT_AUDIT_DROPPED,										  "host-2",     5 },
	    {"DELETE FROM audit WHERE stream = 'host-3' AND seq > 35",
             DVT_AUDIT_TRUNCATED,										"host-3",     36},
	    {"UPDATE audit SET seq = -seq WHERE stream = 'host-1' "
	     "AND seq IN (7, 8); UPDATE audit SET seq = 15 + seq "
	     "WHERE stream = 'host-1' AND seq < 0",			  DVT_AUDIT_REORDERED,   "host-1",     7 },
	    {"UPDATE audit SET seq = -seq WHERE stream = 'host-1' "
	     "AND seq IN (10, 30); UPDATE audit SET seq = 40 + seq "
	     "WHERE stream = 'host-1' AND seq < 0",			  DVT_AUDIT_REORDERED,   "host-1",     30},
	    {"INSERT INTO audit SELECT stream, 41, at, actor, action, object, "
	     "detail, hash FROM audit WHERE stream = 'host-3' AND seq = 12", DVT_AUDIT_REPEATED,    "host-3",     41},
	    {"INSERT INTO audit SELECT stream, 41, at, actor, action, object, "
	     "detail, 'ff' FROM audit WHERE stream = 'host-3' AND seq = 12", DVT_AUDIT_ADDED,       "host-3",     41},
	    {"DELETE FROM audit WHERE stream = 'host-2'; "
	     "DELETE FROM audit_stream WHERE stream = 'host-2'",             DVT_AUDIT_ROLLED_BACK, "host-2",     40},
	    {"DELETE FROM audit_stream WHERE stream = 'host-2'",
             DVT_AUDIT_DROPPED,										  "host-2",     0 },
	    {"UPDATE audit_stream SET started_at = 5 WHERE stream = 'host-2'",
             DVT_AUDIT_ALTERED,										  "host-2",     1 },
	    {"UPDATE audit_stream SET head = 'ff' WHERE stream = 'host-3'",
             DVT_AUDIT_ALTERED,										  "host-3",     0 },
 /* told in JSON, so it has to be text even where that is none */
	    {"UPDATE audit_stream SET stream = CAST(x'686f73b42d32' AS TEXT) "
	     "WHERE stream = 'host-2'",				      DVT_AUDIT_ALTERED,     "hos\\xb4-2", 0 },
	};
	struct log *l = *state;

	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		assert_done(dvt_tx_save(l->t->tx, &err));
		sql(l, "%s", cases[i].sql);
		verify(l, true);
		expect(l, cases[i].fault, cases[i].stream, cases[i].seq);
		assert_done(dvt_tx_undo(l->t->tx, &err));
	}
	verify(l, true);
	assert_int_equal(l->report.total, 0);
}

static void
a_log_put_back_shows_against_checkpoints(void **state)
{
	struct log *l = *state;

	/* All of yesterday's database: it agrees with itself. */
	sql(l, "DELETE FROM audit WHERE stream = 'host-3' AND seq > 12");
	rehash(l, "host-3", 13);
	verify(l, false);
	assert_int_equal(l->report.total, 0);
	verify(l, true);
	expect(l, DVT_AUDIT_ROLLED_BACK, "host-3", 40);
	assert_non_null(strstr(l->report.findings[l->report.n - 1].text,
	    "says stream host-3 has entry 40"));
	assert_non_null(strstr(l->report.findings[l->report.n - 1].text,
	    "the database ends at 12"));
}

static void
a_rehashed_log_shows_against_checkpoints(void **state)
{
	struct log *l = *state;

	sql(l, "UPDATE audit SET object = 'dev-0' WHERE stream = 'host-3' "
	       "AND seq = 23");
	rehash(l, "host-3", 23);
	verify(l, false);
	assert_int_equal(l->report.total, 0);
	verify(l, true);
	expect(l, DVT_AUDIT_REHASHED, "host-3", 30);
	expect(l, DVT_AUDIT_REHASHED, "host-3", 40);
	assert_false(told(l, DVT_AUDIT_REHASHED, "host-3", 20));
}

static void
an_older_stream_written_anew_shows_in_the_next(void **state)
{
	struct log *l = *state;

	sql(l, "DELETE FROM audit WHERE stream = 'host-1' AND seq > 30");
	rehash(l, "host-1", 31);
	verify(l, false); /* without any check-point */
	expect(l, DVT_AUDIT_REHASHED, "host-1", 0);
}

static void
only_check_points_of_known_keys_count(void **state)
{
	struct log *l = *state;
	uint8_t *line = l->lines.p;

	l->evidence.keys_n = 0;
	verify(l, true);
	assert_int_equal(l->report.checkpoints, 0);
	assert_int_equal(l->report.total, STREAMS * ENTRIES / 10);
	l->evidence.keys_n = 1;
	l->evidence.fleet = "another";
	verify(l, true);
	assert_int_equal(l->report.checkpoints, 0);
	l->evidence.fleet = NULL;
	line[40] = (uint8_t)(line[40] == 'A' ? 'B' : 'A'); /* of the payload */
	verify(l, true);
	expect(l, DVT_AUDIT_CHECKPOINT, "", 0);
	assert_int_equal(l->report.total, 1);
	assert_int_equal(l->report.checkpoints, STREAMS * ENTRIES / 10 - 1);
}

/* --- dice --- */

static uint32_t throw(uint32_t * dice, uint32_t sides)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 17;
	*dice ^= *dice << 5;
	return *dice % sides;
}

/* One bit of one field of one entry. */
static void
flip(struct log *l, const char *stream, int64_t seq, uint32_t *dice)
{
	static const char *const fields[] = {
	    "actor", "action", "object", "detail", "hash"};
	const char *field = fields[throw(dice, DVT_COUNT(fields))];
	char text[128] = "";
	sqlite3_stmt *h;
	size_t n, at;

	(void)snprintf(text, sizeof(text),
	    "SELECT %s FROM audit WHERE stream = '%s' AND seq = %" PRId64,
	    field, stream, seq);
	assert_int_equal(sqlite3_prepare_v2(l->db, text, -1, &h, NULL), 0);
	assert_int_equal(sqlite3_step(h), SQLITE_ROW);
	n = (size_t)sqlite3_column_bytes(h, 0);
	(void)snprintf(
	    text, sizeof(text), "%s", (const char *)sqlite3_column_text(h, 0));
	(void)sqlite3_finalize(h);
	at = throw(dice, (uint32_t)n);
	do {
		text[at] = (char)(text[at] ^ 1 << throw(dice, 7));
	} while (text[at] == '\0' || text[at] == '\'');
	sql(l,
	    "UPDATE audit SET %s = '%s' WHERE stream = '%s' AND seq = %" PRId64,
	    field, text, stream, seq);
}

static void
swap(struct log *l, const char *stream, int64_t a, int64_t b)
{
	sql(l,
	    "UPDATE audit SET seq = -seq WHERE stream = '%s' "
	    "AND seq IN (%" PRId64 ", %" PRId64 "); "
	    "UPDATE audit SET seq = %" PRId64 " + seq WHERE seq < 0",
	    stream, a, b, a + b);
}

/* Take entry @a out and put it to place @b; those between move by one. */
static void
shift(struct log *l, const char *stream, int64_t a, int64_t b)
{
	int64_t low = a < b ? a + 1 : b, high = a < b ? b : a - 1;

	sql(l,
	    "UPDATE audit SET seq = -1000 WHERE stream = '%s' "
	    "AND seq = %" PRId64 "; "
	    "UPDATE audit SET seq = -seq %s 1 WHERE stream = '%s' "
	    "AND seq BETWEEN %" PRId64 " AND %" PRId64 "; "
	    "UPDATE audit SET seq = %" PRId64 " WHERE seq = -1000; "
	    "UPDATE audit SET seq = -seq WHERE seq < 0",
	    stream, a, a < b ? "+" : "-", stream, low, high, b);
}

static const char *
mutate(struct log *l, uint32_t kind, uint32_t *dice)
{
	char stream[16];
	int64_t a = 1 + throw(dice, ENTRIES), b;

	(void)snprintf(
	    stream, sizeof(stream), "host-%u", 1 + throw(dice, STREAMS));
	do {
		b = 1 + throw(dice, ENTRIES);
	} while (b == a);
	switch (kind) {
	case 0:
		flip(l, stream, a, dice);
		return "bit";
	case 1:
		sql(l,
		    "DELETE FROM audit WHERE stream = '%s' AND seq = %" PRId64,
		    stream, a);
		return "drop";
	case 2:
		swap(l, stream, a, b);
		return "swap";
	case 3:
		shift(l, stream, a, b);
		return "move";
	case 4:
		sql(l,
		    "INSERT INTO audit SELECT stream, %d, at, actor, action, "
		    "object, detail, hash FROM audit WHERE stream = '%s' AND "
		    "seq = %" PRId64,
		    ENTRIES + 1, stream, a);
		return "repeat";
	case 5:
		sql(l,
		    "DELETE FROM audit WHERE stream = '%s' AND seq >= %" PRId64,
		    stream, a);
		return "cut tail";
	case 6: /* and its end made to agree */
		sql(l,
		    "DELETE FROM audit WHERE stream = '%s' AND seq > %" PRId64,
		    stream, a % 40);
		rehash(l, stream, 100);
		return "put back";
	default:
		sql(l,
		    "UPDATE audit SET object = object || '0' "
		    "WHERE stream = '%s' AND seq = %" PRId64,
		    stream, a);
		rehash(l, stream, 2);
		return "re-hash";
	}
}

static void
every_random_change_is_found(void **state)
{
	struct log *l = *state;
	uint32_t dice = 2463534242;

	for (uint32_t i = 0; i < 200; i++) {
		const char *what;

		assert_done(dvt_tx_save(l->t->tx, &err));
		what = mutate(l, i % 8, &dice);
		verify(l, true);
		if (l->report.total == 0)
			fail_msg("mutation %u (%s) not found", i, what);
		assert_true(l->report.findings[0].text[0] != '\0');
		assert_done(dvt_tx_undo(l->t->tx, &err));
		dvt_arena_free(&l->t->arena);
	}
	verify(l, true);
	assert_int_equal(l->report.total, 0);
}

static void
an_entry_is_taken_back_with_its_savepoint(void **state)
{
	struct log *l = *state;
	const struct dvt_row_audit row = {.stream = l->newest,
	    .at = NOW,
	    .actor = "a",
	    .action = "b",
	    .object = "c"};
	struct dvt_row_audit *rows;
	int64_t seq;
	size_t n;

	assert_done(dvt_tx_save(l->t->tx, &err));
	assert_done(dvt_store_audit_append(l->t->tx, &row, &seq, &err));
	assert_int_equal(seq, ENTRIES + 1);
	assert_done(dvt_tx_undo(l->t->tx, &err));
	assert_done(dvt_store_audit_append(l->t->tx, &row, &seq, &err));
	assert_int_equal(seq, ENTRIES + 1);
	assert_done(dvt_store_audit_list(
	    l->t->tx, &l->t->arena, l->newest, ENTRIES, 1, &rows, &n, &err));
	assert_string_equal(rows[0].detail, "{}");
	verify(l, true);
	assert_int_equal(l->report.total, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test_in_log(an_untouched_log_is_sound),
	    test_in_log(each_kind_of_change_is_named_with_its_place),
	    test_in_log(a_log_put_back_shows_against_checkpoints),
	    test_in_log(a_rehashed_log_shows_against_checkpoints),
	    test_in_log(an_older_stream_written_anew_shows_in_the_next),
	    test_in_log(only_check_points_of_known_keys_count),
	    test_in_log(every_random_change_is_found),
	    test_in_log(an_entry_is_taken_back_with_its_savepoint),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
