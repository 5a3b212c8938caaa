/* SPDX-License-Identifier: Apache-2.0 */
/* See recovery.h. */
#include "device/recovery.h"

#include "base/mem.h"

#include <stdlib.h>

void
dvt_recovery_fini(struct dvt_recovery *r)
{
	if (r == NULL)
		return;
	dvt_trustset_free(r->next);
	memset(r, 0, sizeof(*r));
}

/* The next line that is not empty; false at the end. */
static bool
take_line(struct dvt_span *lines, struct dvt_span *line)
{
	while (lines->n > 0) {
		const uint8_t *feed = memchr(lines->p, '\n', lines->n);
		size_t n = feed == NULL ? lines->n : (size_t)(feed - lines->p);

		*line = (struct dvt_span){lines->p, n};
		*lines = dvt_span_from(*lines, feed == NULL ? n : n + 1);
		if (n > 0)
			return true;
	}
	return false;
}

static enum dvt_code
check_size(struct dvt_span lines, struct dvt_err *err)
{
	struct dvt_span line;
	size_t n = 0;

	if (lines.n > DVT_RECOVERY_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "over-limit: recovery file of %zu bytes, at most %d",
		    lines.n, DVT_RECOVERY_MAX);
	while (take_line(&lines, &line))
		n++;
	if (n > DVT_RECOVERY_LINES)
		return dvt_fail(err, DVT_E_LIMIT,
		    "over-limit: recovery file of %zu lines, at most %d", n,
		    DVT_RECOVERY_LINES);
	return DVT_OK;
}

/* The end of the newest one taken: the last line of @kept. */
static enum dvt_code
check_end(struct dvt_span kept, int64_t floor_s, struct dvt_err *err)
{
	struct dvt_bundle *b = dvt_alloc(sizeof(*b));
	struct dvt_span line = {NULL, 0};
	struct dvt_dsse d;
	enum dvt_code rc;

	while (take_line(&kept, &line))
		;
	if ((rc = dvt_dsse_parse(line, &d, err)) != DVT_OK)
		goto out;
	rc = dvt_bundle_parse(dvt_buf_span(&d.payload), b, err);
	dvt_dsse_fini(&d);
	if (rc == DVT_OK && b->expires_at <= floor_s)
		rc = dvt_fail(err, DVT_E_DENIED,
		    "expired: bundle %lld ended before the last signed time",
		    (long long)b->version);
	dvt_bundle_fini(b);
out:
	free(b);
	return rc;
}

static enum dvt_code
check_grant(const struct dvt_bundle_grant *g, const char *certificate,
    int64_t floor_s, struct dvt_err *err)
{
	if (strcmp(g->certificate, certificate) != 0)
		return dvt_fail(err, DVT_E_DENIED,
		    "grant: for another certificate (%.16s...)",
		    g->certificate);
	if (g->expires_at <= floor_s)
		return dvt_fail(err, DVT_E_DENIED,
		    "grant: it ended before the last signed time");
	return DVT_OK;
}

/* The first grant that holds; @err tells of the last that does not. */
static enum dvt_code
find_grant(const struct dvt_bundle_held *held, struct dvt_span lines,
    const char *certificate, int64_t floor_s, struct dvt_bundle_grant *out,
    struct dvt_err *err)
{
	enum dvt_code found = DVT_E_ABSENT, rc;
	enum dvt_bundle_reason why;
	struct dvt_bundle_grant g;
	struct dvt_span line;
	struct dvt_err ignored;

	while (take_line(&lines, &line)) {
		rc = dvt_bundle_grant_get(held, line, &g, &why, &ignored);
		if (rc != DVT_OK)
			continue;
		found = check_grant(&g, certificate, floor_s, err);
		if (found == DVT_OK) {
			*out = g;
			return DVT_OK;
		}
	}
	return found;
}

enum dvt_code
dvt_recovery_read(const struct dvt_trustset *from, struct dvt_span lines,
    const char *certificate, int64_t floor_s, struct dvt_recovery *out,
    struct dvt_buf *kept, struct dvt_err *err)
{
	const struct dvt_bundle_held *held = &from->held;
	enum dvt_code rc, granted;

	memset(out, 0, sizeof(*out));
	if (from->held.keys.n == 0)
		return dvt_fail(err, DVT_E_AUTH,
		    "%s: no signing keys are held; they are pinned over a "
		    "verified connection, or given by enroll --trust-key",
		    dvt_bundle_reason_name(DVT_BUNDLE_NO_KEYS));
	if ((rc = check_size(lines, err)) != DVT_OK)
		return rc;
	rc = dvt_trustset_walk(from, lines, &out->next, kept, err);
	if (rc == DVT_OK)
		rc = check_end(dvt_buf_span(kept), floor_s, err);
	if (rc == DVT_OK)
		held = &out->next->held;
	if (rc != DVT_OK && rc != DVT_E_CONFLICT) {
		dvt_recovery_fini(out);
		return rc;
	}
	granted = find_grant(
	    held, lines, certificate, floor_s, &out->grant, err);
	if (granted == DVT_OK || out->next != NULL)
		return DVT_OK;
	return granted == DVT_E_ABSENT ? rc : granted;
}
