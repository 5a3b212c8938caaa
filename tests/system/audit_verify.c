/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dvt_store_audit_verify() over many databases, for test_audit.py.
 *
 *   audit-verify FLEET CHECKPOINTS KEY.der < PATHS
 *
 * CHECKPOINTS are exported lines, "" for none; KEY.der is the public key that
 * signs them. For each path on the standard input one line: the number of
 * findings, entries, check-points, and the first finding.
 */
#include "pki/key.h"
#include "store/audit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX (16 << 20)

static void
stop(const struct dvt_err *err)
{
	fprintf(stderr, "audit-verify: %s\n", err->text);
	exit(dvt_code_exit(err->code));
}

static void
read_file(const char *path, struct dvt_buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct dvt_err err;
	char part[65536];
	ssize_t n;

	dvt_buf_init(out, FILE_MAX);
	while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0)
		dvt_buf_put(out, part, (size_t)n);
	if (fd < 0 || n < 0) {
		(void)dvt_fail_errno(&err, "%s", path);
		stop(&err);
	}
	close(fd);
}

static enum dvt_code
look(struct dvt_store *store, const struct dvt_audit_evidence *evidence,
    struct dvt_err *err)
{
	struct dvt_arena arena = {NULL};
	struct dvt_audit_report report;
	struct dvt_tx *tx;
	enum dvt_code rc;

	if ((rc = dvt_tx_begin(store, &tx, err)) != DVT_OK)
		return rc;
	rc = dvt_store_audit_verify(tx, &arena, evidence, &report, err);
	dvt_tx_rollback(tx);
	if (rc == DVT_OK)
		printf("%zu %" PRId64 " %" PRId64 " %s: %s\n", report.total,
		    report.entries, report.checkpoints,
		    report.n == 0
			? "-"
			: dvt_audit_fault_name(report.findings[0].fault),
		    report.n == 0 ? "-" : report.findings[0].text);
	dvt_arena_free(&arena);
	return rc;
}

int
main(int argc, char **argv)
{
	struct dvt_audit_evidence evidence = {.keys_n = 1};
	struct dvt_dsse_key key = {.key = NULL};
	struct dvt_buf lines, spki;
	struct dvt_err err = {0};
	char path[4096];

	if (argc != 4) {
		fprintf(stderr,
		    "usage: audit-verify FLEET CHECKPOINTS KEY.der < PATHS\n");
		return 64;
	}
	dvt_buf_init(&lines, FILE_MAX);
	if (argv[2][0] != '\0')
		read_file(argv[2], &lines);
	read_file(argv[3], &spki);
	if (dvt_key_from_spki(dvt_buf_span(&spki), &key.key, &err) != DVT_OK ||
	    dvt_key_digest(key.key, key.keyid, &err) != DVT_OK)
		stop(&err);
	evidence.fleet = argv[1];
	evidence.lines = dvt_buf_span(&lines);
	evidence.keys = &key;
	while (fgets(path, sizeof(path), stdin) != NULL) {
		struct dvt_store *store;

		path[strcspn(path, "\n")] = '\0';
		if (dvt_store_open(path, DVT_STORE_READ, &store, &err) !=
			DVT_OK ||
		    look(store, &evidence, &err) != DVT_OK)
			stop(&err);
		dvt_store_close(store);
		(void)fflush(stdout);
	}
	EVP_PKEY_free(key.key);
	dvt_buf_fini(&lines);
	dvt_buf_fini(&spki);
	return 0;
}
