/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings and files read again: asked for by a signal or the admin listener,
 * or because a CRL, a staple or the denied list was replaced. And a look at
 * what goes out of date while nobody touches it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/feed_priv.h"
#include "proc/control.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MS       1000
#define DOUBT_AGAIN_S 3600 /* a doubt that stays is told once an hour */
#define WATCHED_MAX   (GW_CRL_FILES + GW_PAIRS_MAX + 1)

/* A file as it was seen; zero: not there. */
struct mark {
	int64_t size, changed_ns;
	uint64_t inode;
};

struct gw_reload {
	struct dvt_timer *timer;
	struct mark used[WATCHED_MAX]; /* when the files were read */
	struct mark last[WATCHED_MAX]; /* at the last look */
	size_t doubts;
	int64_t doubts_told_at;
};

/* --- what may be replaced without a word --- */

static struct mark
mark_of(const char *path)
{
	struct stat st;

	if (path == NULL || stat(path, &st) != 0)
		return (struct mark){0};
	return (struct mark){
	    .size = st.st_size,
	    .changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
			  st.st_mtim.tv_nsec,
	    .inode = st.st_ino,
	};
}

static bool
is_same(const struct mark *a, const struct mark *b)
{
	for (size_t i = 0; i < WATCHED_MAX; i++)
		if (a[i].size != b[i].size || a[i].inode != b[i].inode ||
		    a[i].changed_ns != b[i].changed_ns)
			return false;
	return true;
}

static void
look(const struct gw_settings *s, struct mark *out)
{
	size_t n = 0;

	memset(out, 0, WATCHED_MAX * sizeof(*out));
	for (size_t i = 0; i < s->crl_n; i++)
		out[n++] = mark_of(s->crl[i]);
	for (size_t i = 0; i < s->pairs_n; i++)
		out[n++] = mark_of(s->pair[i].staple);
	out[n] = mark_of(s->deny);
}

/* --- reload --- */

static bool
differ(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}

/* What needs other sockets or processes needs a start. */
static void
note_unchanged(const struct gw_settings *now, const struct gw_settings *want,
    bool other_watchdog)
{
	static const char
	    why[] = "name, listen, upstream, pass-through, pass-to, workers, "
		    "watchdog, admin and control need a restart";

	if (other_watchdog || differ(now->pass_text, want->pass_text) ||
	    differ(now->pass_to_text, want->pass_to_text) ||
	    strcmp(now->listen, want->listen) != 0 ||
	    now->workers != want->workers ||
	    strcmp(now->upstream_text, want->upstream_text) != 0 ||
	    strcmp(now->control_host, want->control_host) != 0 ||
	    differ(now->admin, want->admin) ||
	    strcmp(now->name, want->name) != 0)
		log_event(
		    LOG_WARNING, "gateway.reload.part", LS("why", &why[0]));
}

static void
use(struct gw_feed *f, struct dvt_config *config, struct gw_settings *want,
    struct gw_files *fresh)
{
	struct gw_program *p = f->program;

	note_unchanged(&p->settings, want,
	    dvt_config_int(p->config, "gateway.watchdog") !=
		dvt_config_int(config, "gateway.watchdog"));
	want->workers = p->settings.workers;
	dvt_config_free(p->config);
	p->config = config;
	p->settings = *want;
	gw_files_fini(&f->files);
	f->files = *fresh;
	f->files_unreported = true;
	gw_file_open(f);
	gw_records_settings(f);
	gw_feed_send_records(f);
	gw_feed_send_files(f);
	gw_link_report(f);
}

/* --- doubts --- */

const char *
gw_feed_doubt(const struct gw_feed *f, int64_t now, size_t i,
    const char **event, char text[DVT_DOUBT_MAX])
{
	const struct {
		const char *event, *text;
	} refused[] = {
	    {"gateway.reload.refused", f->refused     },
	    {"gateway.feed.refused",   f->feed_refused},
	};
	size_t n = 0;

	for (; gw_files_doubt(&f->files, now, n, event, text) != NULL; n++)
		if (n == i)
			return text;
	for (size_t k = 0; k < DVT_COUNT(refused); k++) {
		if (refused[k].text[0] == '\0' || n++ != i)
			continue;
		*event = refused[k].event;
		(void)dvt_copy_str(text, DVT_DOUBT_MAX, refused[k].text);
		return text;
	}
	return NULL;
}

static void
tell_doubts(struct gw_feed *f)
{
	int64_t now = dvt_loop_time(f->loop).wall_s;
	struct gw_reload *r = f->reload;
	const char *event;
	char text[DVT_DOUBT_MAX];
	size_t n = 0;

	while (gw_feed_doubt(f, now, n, &event, text) != NULL)
		n++;
	if (n == 0 ||
	    (n == r->doubts && now - r->doubts_told_at < DOUBT_AGAIN_S)) {
		r->doubts = n;
		return;
	}
	r->doubts = n;
	r->doubts_told_at = now;
	f->doubts_untold = true;
	for (size_t i = 0; gw_feed_doubt(f, now, i, &event, text) != NULL; i++)
		log_event(LOG_WARNING, event, LS("why", text));
	gw_link_report(f);
}

/* The old set serves on; a start with what is on the disk would fail. */
static void
note_refused(struct gw_feed *f, const struct dvt_err *why)
{
	log_event(LOG_ERR, "gateway.reload.refused", LE(why));
	f->reloads_refused++;
	if (f->refused[0] == '\0')
		f->reload->doubts++; /* told already */
	(void)snprintf(f->refused, sizeof(f->refused),
	    "settings or files of the disk are not in force: %.250s",
	    why->text);
	f->doubts_untold = true;
	gw_link_report(f);
}

/* Where it is now; without an answer it is where it was. */
static void
control_again(struct gw_settings *s)
{
	struct dvt_addr fresh[GW_CONTROL_MAX];
	size_t n;

	if (s->control_n == 0 || dvt_addr_resolve(s->control_host, fresh,
				     GW_CONTROL_MAX, &n, NULL) != DVT_OK)
		return;
	memcpy(s->control, fresh, sizeof(fresh));
	s->control_n = n;
}

/* @asked: by somebody, not because a file was replaced */
static enum dvt_code
reload(struct gw_feed *f, bool asked, struct dvt_err *err)
{
	struct dvt_config *config = NULL;
	struct gw_settings want;
	struct mark mark[WATCHED_MAX];
	struct gw_files fresh;
	struct dvt_err why = {0};
	int64_t now = dvt_loop_time(f->loop).wall_s;
	enum dvt_code rc;

	rc = gw_settings_load(f->program->config_path, &f->program->settings,
	    &config, &want, &why);
	if (rc == DVT_OK) {
		/* before they are read: what is replaced meanwhile is seen */
		look(&want, mark);
		rc = gw_files_load(&want, now, &fresh, &why);
	}
	if (rc == DVT_OK && (rc = gw_files_check_dates(&want, &fresh, &f->files,
				 now, &why)) != DVT_OK)
		gw_files_fini(&fresh);
	if (rc != DVT_OK) {
		note_refused(f, &why);
		dvt_config_free(config);
		look(&f->program->settings, f->reload->used);
		if (err != NULL)
			*err = why;
		return rc;
	}
	if (asked)
		control_again(&want);
	use(f, config, &want, &fresh);
	memcpy(f->reload->used, mark, sizeof(mark));
	f->reload->doubts = 0;
	f->refused[0] = '\0';
	f->reloads++;
	log_event(LOG_NOTICE, "gateway.reloaded",
	    LI("credentials", f->files.pairs_n), LI("crls", f->files.crl_n),
	    LI("denied", dvt_feed_shelved(f->files.denied, DVT_FEED_DENY)));
	tell_doubts(f);
	return DVT_OK;
}

static enum dvt_code
reload_busy(struct gw_feed *f, bool asked, struct dvt_err *err)
{
	enum dvt_code rc;

	dvt_control_busy(f->control, true); /* lists may be long */
	rc = reload(f, asked, err);
	dvt_control_busy(f->control, false);
	return rc;
}

enum dvt_code
gw_reload(struct gw_feed *f, struct dvt_err *err)
{
	return reload_busy(f, true, err);
}

/* --- as time goes by --- */

static void
on_look(void *ctx)
{
	struct gw_feed *f = ctx;
	struct gw_reload *r = f->reload;
	struct mark now[WATCHED_MAX];

	tell_doubts(f);
	look(&f->program->settings, now);
	/* changed, and not being written any more */
	if (!is_same(now, r->used) && is_same(now, r->last))
		(void)reload_busy(f, false, NULL);
	memcpy(r->last, now, sizeof(now));
}

void
gw_reload_start(struct gw_feed *f)
{
	f->reload = dvt_alloc(sizeof(*f->reload));
	look(&f->program->settings, f->reload->used);
	memcpy(f->reload->last, f->reload->used, sizeof(f->reload->last));
	f->reload->timer = dvt_timer_new(f->loop, on_look, f);
	dvt_timer_repeat(f->reload->timer, LOOK_MS);
	tell_doubts(f);
}

void
gw_reload_end(struct gw_feed *f)
{
	if (f->reload == NULL)
		return;
	dvt_timer_free(f->reload->timer);
	free(f->reload);
	f->reload = NULL;
}
