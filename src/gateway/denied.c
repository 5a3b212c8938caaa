/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/denied.h"

#include "base/file.h"
#include "base/hex.h"
#include "proto/feed_shelf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_MARK "key:"

static void
deny(struct dvt_shelf *s, const char *fingerprint)
{
	struct dvt_feed_entry *e = dvt_feed_entry_new(
	    DVT_FEED_DENY, fingerprint, 0);

	e->u.deny.reason = DVT_DENY_REVOKED;
	e->u.deny.not_after = INT64_MAX;
	dvt_feed_shelve(s, e);
	dvt_feed_entry_free(e);
}

static enum dvt_code
deny_key(struct dvt_shelf *s, const char *digest, struct dvt_err *err)
{
	struct dvt_shelf_key k;

	if (dvt_shelf_count(s, DVT_SHELF_KEY) == GW_DENIED_KEYS)
		return dvt_fail(
		    err, DVT_E_LIMIT, "over %d keys", GW_DENIED_KEYS);
	dvt_shelf_put(s, DVT_SHELF_KEY, dvt_shelf_key_of(digest, &k),
	    (struct dvt_span){NULL, 0});
	return DVT_OK;
}

void
gw_denied_keys(const struct dvt_shelf *s,
    void (*each)(void *arg, const char *digest), void *arg)
{
	struct dvt_shelf_walk w = DVT_SHELF_WALK;
	char digest[DVT_DIGEST_HEX];

	if (s == NULL || dvt_shelf_count(s, DVT_SHELF_KEY) == 0)
		return;
	while (dvt_shelf_next(s, DVT_SHELF_KEY, &w)) {
		dvt_shelf_key_text(w.key, digest, sizeof(digest));
		each(arg, digest);
	}
}

static enum dvt_code
take_line(struct dvt_shelf *s, char *line, struct dvt_err *err)
{
	char fp[DVT_DIGEST_HEX];
	bool is_key;

	line[strcspn(line, "#\r\n")] = '\0';
	line += strspn(line, " \t");
	if (*line == '\0')
		return DVT_OK;
	is_key = strncmp(line, KEY_MARK, sizeof(KEY_MARK) - 1) == 0;
	if (is_key)
		line += sizeof(KEY_MARK) - 1;
	if (dvt_hex_normal(line, fp, sizeof(fp)) != 0 ||
	    strlen(fp) != DVT_DIGEST_HEX - 1)
		return dvt_fail(err, DVT_E_INPUT, "no SHA-256 fingerprint");
	if (is_key)
		return deny_key(s, fp, err);
	if (dvt_feed_shelved(s, DVT_FEED_DENY) == GW_DENIED_MAX)
		return dvt_fail(
		    err, DVT_E_LIMIT, "over %d fingerprints", GW_DENIED_MAX);
	deny(s, fp);
	return DVT_OK;
}

/* The next line with its end cut off; *more false: the file was over. */
static enum dvt_code
next_line(FILE *in, char line[GW_DENIED_LINE], bool *more, struct dvt_err *err)
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(in)) != EOF && c != '\n') {
		if (c == '\0')
			return dvt_fail(err, DVT_E_INPUT, "a zero byte");
		if (n == GW_DENIED_LINE - 1)
			return dvt_fail(err, DVT_E_LIMIT, "over %d bytes",
			    GW_DENIED_LINE - 1);
		line[n++] = (char)c;
	}
	line[n] = '\0';
	*more = c != EOF || n > 0;
	return DVT_OK;
}

static enum dvt_code
take_file(struct dvt_shelf *s, FILE *in, const char *path, struct dvt_err *err)
{
	char line[GW_DENIED_LINE];
	size_t number = 0;
	bool more = true;
	enum dvt_code rc = DVT_OK;

	while (rc == DVT_OK && more) {
		number++;
		rc = next_line(in, line, &more, err);
		if (rc == DVT_OK && more)
			rc = take_line(s, line, err);
	}
	if (rc != DVT_OK)
		dvt_err_prefix(err, "%s: line %zu", path, number);
	else if (ferror(in))
		rc = dvt_fail_errno(err, "%s", path);
	return rc;
}

enum dvt_code
gw_denied_read(
    FILE *in, const char *name, struct dvt_shelf **out, struct dvt_err *err)
{
	struct dvt_shelf *s = dvt_shelf_new(true);
	enum dvt_code rc = take_file(s, in, name, err);

	*out = NULL;
	if (rc == DVT_OK)
		*out = s;
	else
		dvt_shelf_free(s);
	return rc;
}

enum dvt_code
gw_denied_load(const char *path, struct dvt_shelf **out, struct dvt_err *err)
{
	enum dvt_code rc;
	FILE *in;
	int fd;

	*out = NULL;
	if (path == NULL) {
		*out = dvt_shelf_new(true);
		return DVT_OK;
	}
	if ((rc = dvt_open_regular(path, &fd, err)) != DVT_OK)
		return rc;
	if ((in = fdopen(fd, "r")) == NULL) {
		close(fd);
		return dvt_fail_errno(err, "%s", path);
	}
	rc = gw_denied_read(in, path, out, err);
	fclose(in);
	return rc;
}
