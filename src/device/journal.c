/* SPDX-License-Identifier: Apache-2.0 */
/* The journal on the disk: see journal.h. */
#include "device/journal.h"

#include "base/mem.h"
#include "durable/atomic.h"

#define NAME "journal"
#define BAD  "journal.bad"

/*
 * Count every whole line. What does not parse at the end is what a cut left of
 * the last append; before that, or where nothing parses at all, it is damage.
 */
static void
take_lines(struct dvt_span text, struct dvt_history *h,
    struct dvt_journal_state *state)
{
	size_t bad = 0, good = 0;

	while (text.n > 0) {
		const uint8_t *feed = memchr(text.p, '\n', text.n);
		size_t n = feed == NULL ? text.n : (size_t)(feed - text.p);
		struct dvt_record r;

		if (feed != NULL &&
		    dvt_record_parse((struct dvt_span){text.p, n}, &r, NULL) ==
			DVT_OK) {
			dvt_history_apply(h, &r);
			state->damaged += bad;
			bad = 0;
			good++;
		} else {
			bad++;
		}
		text = dvt_span_from(text, feed == NULL ? n : n + 1);
	}
	state->torn = bad > 0;
	if (good == 0 && bad > 1)
		state->damaged = bad;
}

enum dvt_code
dvt_journal_read(const struct dvt_agent_env *env, struct dvt_history *h,
    struct dvt_journal_state *state, struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	memset(state, 0, sizeof(*state));
	dvt_buf_init(&b, DVT_JOURNAL_MAX);
	rc = env->fs->read(env->fs_ctx, NAME, &b, err);
	if (rc == DVT_OK) {
		state->size = b.n;
		take_lines(dvt_buf_span(&b), h, state);
	}
	dvt_buf_fini(&b);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

enum dvt_code
dvt_journal_append(
    const struct dvt_agent_env *env, struct dvt_span lines, struct dvt_err *err)
{
	return env->fs->append(env->fs_ctx, NAME, lines, 0600, err);
}

/* A killed process may have written a line and not synced it. */
enum dvt_code
dvt_journal_settle(const struct dvt_agent_env *env, struct dvt_err *err)
{
	return dvt_journal_append(env, DVT_SPAN_LIT(""), err);
}

enum dvt_code
dvt_journal_rewrite(const struct dvt_agent_env *env,
    const struct dvt_history *h, size_t *size, struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, DVT_JOURNAL_MAX);
	dvt_history_format(h, &b);
	rc = dvt_buf_ok(&b, "journal", err);
	if (rc == DVT_OK)
		rc = dvt_atomic_replace(env->fs, env->fs_ctx, "", NAME,
		    dvt_buf_span(&b), 0600, err);
	if (rc == DVT_OK)
		*size = b.n;
	dvt_buf_fini(&b);
	return rc;
}

/* What is no file, or does not come off the disk. A folder does not go over a
 * full one: then under another name. */
static enum dvt_code
move_aside(const struct dvt_agent_env *env, struct dvt_err *err)
{
	static const char *const names[] = {BAD, BAD ".1", BAD ".2", BAD ".3"};
	enum dvt_code rc = DVT_E_CONFLICT;

	for (size_t i = 0; i < DVT_COUNT(names) && rc == DVT_E_CONFLICT; i++)
		rc = env->fs->rename(env->fs_ctx, NAME, names[i], err);
	return rc;
}

enum dvt_code
dvt_journal_set_aside(const struct dvt_agent_env *env, struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, DVT_JOURNAL_MAX);
	rc = env->fs->read(env->fs_ctx, NAME, &b, err);
	if (rc == DVT_OK)
		rc = dvt_atomic_replace(
		    env->fs, env->fs_ctx, "", BAD, dvt_buf_span(&b), 0600, err);
	else if (rc != DVT_E_ABSENT)
		rc = move_aside(env, err);
	dvt_buf_fini(&b);
	return rc;
}
