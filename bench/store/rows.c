/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows per second through the store, beside SQLite's own API with the same
 * settings: one event per row, 1 and 100 rows per commit; then what one
 * re-enrolment records, in a savepoint each, 45 per commit.
 *
 *   bench-store FOLDER SECONDS
 */
#include "base/hex.h"
#include "store/audit.h"
#include "store/credential.h"
#include "store/watch.h"

#include <sqlite3.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NOW  INT64_C(1764547200)
#define BODY "{\"serial\":\"5f2c9a0b7d1e44c8a1f0\",\"issuer\":\"CN=Device CA\"}"

static char path[512];
static double seconds;

static double
now_s(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
must(enum dvt_code rc, const struct dvt_err *err)
{
	if (rc == DVT_OK)
		return;
	(void)fprintf(stderr, "bench-store: %s\n", err->text);
	exit(1);
}

static void
clear(void)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	char name[520];

	for (size_t i = 0; i < DVT_COUNT(tails); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		(void)unlink(name);
	}
}

/* Rows of one kind for a while; *done counts things, each @rows rows. */
static void
tell(const char *what, int64_t done, int rows, double wall, double cpu)
{
	printf("%-44s %9.0f/s %9.0f rows/s %8.1f us CPU each\n", what,
	    (double)done / wall, (double)(done * rows) / wall,
	    cpu / (double)done * 1e6);
}

static void
bare_sqlite(int group)
{
	sqlite3_stmt *begin, *add, *commit;
	double wall = now_s(CLOCK_MONOTONIC);
	double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	int64_t n = 0;
	sqlite3 *db;
	char what[64];

	clear();
	(void)sqlite3_open(path, &db);
	(void)sqlite3_exec(db,
	    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	    "CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
	    "name TEXT NOT NULL, device TEXT NOT NULL, correlation TEXT "
	    "NOT NULL, body TEXT NOT NULL) STRICT",
	    NULL, NULL, NULL);
	(void)sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &begin, NULL);
	(void)sqlite3_prepare_v2(db, "COMMIT", -1, &commit, NULL);
	(void)sqlite3_prepare_v2(db,
	    "INSERT INTO event VALUES (NULL, ?1, ?2, ?3, ?4, ?5)", -1, &add,
	    NULL);
	while (now_s(CLOCK_MONOTONIC) - wall < seconds) {
		(void)sqlite3_step(begin);
		(void)sqlite3_reset(begin);
		for (int i = 0; i < group; i++, n++) {
			(void)sqlite3_bind_int64(add, 1, NOW);
			(void)sqlite3_bind_text(
			    add, 2, "DEVICE_PUBKEY_CHANGE", -1, NULL);
			(void)sqlite3_bind_text(add, 3, "dev-000123", -1, NULL);
			(void)sqlite3_bind_text(
			    add, 4, "certs-1764547200", -1, NULL);
			(void)sqlite3_bind_text(add, 5, BODY, -1, NULL);
			(void)sqlite3_step(add);
			(void)sqlite3_reset(add);
		}
		(void)sqlite3_step(commit);
		(void)sqlite3_reset(commit);
	}
	(void)snprintf(
	    what, sizeof(what), "SQLite's API, %d per commit", group);
	tell(what, n, 1, now_s(CLOCK_MONOTONIC) - wall,
	    now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	(void)sqlite3_finalize(begin);
	(void)sqlite3_finalize(add);
	(void)sqlite3_finalize(commit);
	(void)sqlite3_close(db);
}

static struct dvt_store *
open_store(void)
{
	struct dvt_store *s;
	struct dvt_err err;

	clear();
	must(dvt_store_open(path, DVT_STORE_WRITE, &s, &err), &err);
	must(dvt_store_migrate(s, &err), &err);
	return s;
}

static void
events(int group)
{
	static const struct dvt_row_event row = {.at = NOW,
	    .name = "DEVICE_PUBKEY_CHANGE",
	    .device = "dev-000123",
	    .correlation = "certs-1764547200",
	    .body = BODY};
	struct dvt_store *s = open_store();
	double wall = now_s(CLOCK_MONOTONIC);
	double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	struct dvt_err err;
	struct dvt_tx *tx;
	int64_t n = 0;
	char what[64];

	while (now_s(CLOCK_MONOTONIC) - wall < seconds) {
		must(dvt_tx_begin(s, &tx, &err), &err);
		for (int i = 0; i < group; i++, n++)
			must(dvt_store_event_add(tx, &row, NULL, &err), &err);
		must(dvt_tx_commit(tx, &err), &err);
	}
	(void)snprintf(what, sizeof(what), "events, %d per commit", group);
	tell(what, n, 1, now_s(CLOCK_MONOTONIC) - wall,
	    now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	dvt_store_close(s);
}

/* One of these: key, certificate, its DER, its end, event, audit, head. */
#define RENEWAL_ROWS 7

static void
renewal(struct dvt_tx *tx, const char *stream, int64_t i, struct dvt_err *err)
{
	static const uint8_t der[600] = {0x30, 0x82};
	char id[32], fingerprint[DVT_DIGEST_HEX];
	const struct dvt_row_credential c = {.owner_kind = DVT_OWNER_DEVICE,
	    .owner = id,
	    .fingerprint = fingerprint,
	    .state = DVT_CRED_ACTIVE,
	    .serial = fingerprint,
	    .issuer = "CN=Device CA,O=Example",
	    .authority_id = 2,
	    .root = "root",
	    .subject = id,
	    .key_digest = fingerprint,
	    .not_after = NOW + i % 1000 * 86400,
	    .issued_at = NOW,
	    .revoke_reason = -1,
	    .source = "est"};
	const struct dvt_row_event event = {.at = NOW,
	    .name = "DEVICE_PUBKEY_CHANGE",
	    .device = id,
	    .body = BODY};
	const struct dvt_row_audit audit = {.stream = stream,
	    .at = NOW,
	    .actor = "device",
	    .action = "certificate.issue",
	    .object = id,
	    .detail = BODY};
	uint64_t mixed[4] = {(uint64_t)i * 0x9e3779b97f4a7c15,
	    (uint64_t)i * 0xc2b2ae3d27d4eb4f, (uint64_t)i, 0};

	dvt_hex(mixed, sizeof(mixed), fingerprint, sizeof(fingerprint));
	(void)snprintf(id, sizeof(id), "dev-%06" PRId64, i % 200000);
	must(dvt_tx_save(tx, err), err);
	must(dvt_store_key_claim(tx, fingerprint, DVT_OWNER_DEVICE, id, err),
	    err);
	must(dvt_store_credential_add(
		 tx, &c, (struct dvt_span){der, sizeof(der)}, "", NULL, err),
	    err);
	must(dvt_store_event_add(tx, &event, NULL, err), err);
	must(dvt_store_audit_append(tx, &audit, NULL, err), err);
	must(dvt_tx_release(tx, err), err);
}

static void
renewals(int group)
{
	struct dvt_store *s = open_store();
	char stream[DVT_AUDIT_STREAM_SIZE], what[64];
	struct dvt_err err;
	struct dvt_tx *tx;
	double wall, cpu;
	int64_t n = 0;

	must(dvt_tx_begin(s, &tx, &err), &err);
	must(dvt_store_audit_open(tx, "bench", NOW, stream, &err), &err);
	must(dvt_tx_commit(tx, &err), &err);
	wall = now_s(CLOCK_MONOTONIC);
	cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	while (now_s(CLOCK_MONOTONIC) - wall < seconds) {
		must(dvt_tx_begin(s, &tx, &err), &err);
		for (int i = 0; i < group; i++)
			renewal(tx, stream, ++n, &err);
		must(dvt_tx_commit(tx, &err), &err);
	}
	(void)snprintf(what, sizeof(what),
	    "re-enrolments (%d rows each), %d per commit", RENEWAL_ROWS, group);
	tell(what, n, RENEWAL_ROWS, now_s(CLOCK_MONOTONIC) - wall,
	    now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	dvt_store_close(s);
}

int
main(int argc, char **argv)
{
	if (argc != 3) {
		(void)fprintf(stderr, "usage: bench-store FOLDER SECONDS\n");
		return 64;
	}
	(void)snprintf(path, sizeof(path), "%s/bench.db", argv[1]);
	seconds = strtod(argv[2], NULL);
	bare_sqlite(1);
	events(1);
	bare_sqlite(100);
	events(100);
	renewals(1);
	renewals(45);
	clear();
	return 0;
}
