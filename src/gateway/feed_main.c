/* SPDX-License-Identifier: Apache-2.0 */
/* The feed process: start, reload, stop. */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/admin.h"
#include "gateway/feed_priv.h"
#include "proc/children.h"
#include "proc/control.h"
#include "proc/sandbox.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STOP_MS        3000   /* for a last report */
#define FORGET_MS      10000  /* between two looks at ended denials */
#define FORGET_SLOTS   200000 /* looked at in one: two million in 4 minutes */
#define FORGET_AFTER_S 86400  /* clocks may differ so much */

static void
on_reload(void *user)
{
	(void)gw_reload(user, NULL);
}

/* --- start --- */

static enum dvt_code
control_ca_read(struct gw_feed *f, struct dvt_err *err)
{
	struct gw_settings only = {
	    .client_ca = f->program->settings.control_ca};
	struct gw_files files;
	enum dvt_code rc = gw_files_load(&only, 0, &files, err);

	if (rc != DVT_OK)
		return rc;
	f->control_ca = sk_X509_new_null();
	for (size_t i = 0; i < files.anchor_n; i++) {
		X509_up_ref(files.anchor[i]);
		sk_X509_push(f->control_ca, files.anchor[i]);
	}
	gw_files_fini(&files);
	return DVT_OK;
}

/* Denials of certificates that have ended; a slice of them each time. */
static void
on_forget(void *ctx)
{
	struct gw_feed *f = ctx;
	int64_t now = dvt_loop_time(f->loop).wall_s;

	dvt_feed_forget(
	    f->feed, now - FORGET_AFTER_S, FORGET_SLOTS, &f->forget_at);
}

static enum dvt_code
control_start(struct gw_feed *f, struct dvt_err *err)
{
	const char *state = f->program->settings.state;
	enum dvt_code rc;

	if (f->program->settings.control_n == 0)
		return DVT_OK;
	f->cache_timer = dvt_timer_new(f->loop, gw_cache_write, f);
	f->gather = dvt_timer_new(f->loop, gw_feed_gathered, f);
	if ((rc = dvt_fs_posix_open(state, true, &f->fs, err)) != DVT_OK ||
	    (rc = gw_keyring_open(&dvt_fs_posix, f->fs, &f->keys, err)) !=
		DVT_OK ||
	    (rc = gw_spool_open(&dvt_fs_posix, f->fs, &f->spool, err)) !=
		DVT_OK ||
	    (rc = control_ca_read(f, err)) != DVT_OK ||
	    (rc = gw_enrol_start(f, err)) != DVT_OK) {
		dvt_err_prefix(err, "%s", state);
		return rc;
	}
	gw_cache_load(f);
	f->forgetter = dvt_timer_new(f->loop, on_forget, f);
	dvt_timer_repeat(f->forgetter, FORGET_MS);
	return gw_link_start(f, err);
}

void
gw_feed_stopped(struct gw_feed *f)
{
	dvt_loop_stop(f->loop);
}

static void
on_stop(void *user)
{
	struct gw_feed *f = user;

	gw_records_flush(f);
	if (f->spool == NULL) {
		gw_feed_stopped(f);
		return;
	}
	dvt_timer_start(f->stop_timer, STOP_MS);
	gw_link_finish(f);
}

static void
on_stop_timer(void *ctx)
{
	gw_feed_stopped(ctx);
}

static void
on_peer(void *user, int role, unsigned index, int fd)
{
	if (role == DVT_ROLE_EDGE_WORKER && index < GW_WORKERS_MAX)
		gw_feed_peer(user, index, fd);
	else
		close(fd);
}

#define PATHS_MAX 128

struct reach {
	struct dvt_sandbox_path path[PATHS_MAX];
	char *text[PATHS_MAX];
	size_t n;
};

/* The folder of a file, which may be replaced by another one of its name. */
static void
reach_folder(struct reach *r, const char *file, bool write)
{
	if (file == NULL || strcmp(file, "-") == 0 || r->n == PATHS_MAX)
		return;
	r->text[r->n] = dvt_strdup(file);
	r->path[r->n] = (struct dvt_sandbox_path){
	    .path = dirname(r->text[r->n]), .write = write};
	r->n++;
}

static void
reach_pairs(struct reach *r, const struct gw_settings *s)
{
	for (size_t i = 0; i < s->pairs_n; i++) {
		const struct gw_pair_setting *p = &s->pair[i];

		reach_folder(r, p->certificate, false);
		reach_folder(r, p->key, false);
		reach_folder(r, p->cross, false);
		reach_folder(r, p->root, false);
		reach_folder(r, p->staple, false);
	}
}

static enum dvt_code
sandbox(struct gw_feed *f, struct dvt_err *err)
{
	const struct gw_settings *s = &f->program->settings;
	struct reach r = {.n = 0};
	enum dvt_code rc;

	reach_folder(&r, f->program->config_path, false);
	reach_pairs(&r, s);
	reach_folder(&r, s->client_ca, false);
	for (size_t i = 0; i < s->crl_n; i++)
		reach_folder(&r, s->crl[i], false);
	reach_folder(&r, s->deny, false);
	reach_folder(&r, s->control_ca, false);
	if (s->secret != NULL && strncmp(s->secret, "file:", 5) == 0)
		reach_folder(&r, s->secret + 5, false);
	reach_folder(&r, s->record, true);
	if (s->state != NULL)
		r.path[r.n++] = (struct dvt_sandbox_path){
		    .path = s->state, .write = true};
	rc = gw_sandbox(f->program,
	    DVT_SYS_NET | DVT_SYS_CONNECT | DVT_SYS_ACCEPT | DVT_SYS_FILES_RO |
		DVT_SYS_FILES_RW | DVT_SYS_MEMFD,
	    r.path, r.n, err);
	for (size_t i = 0; i < PATHS_MAX; i++)
		free(r.text[i]);
	return rc;
}

static enum dvt_code
start(struct gw_feed *f, struct dvt_child *me, struct dvt_err *err)
{
	struct dvt_control_config control = {
	    .peer = on_peer, .reload = on_reload, .stop = on_stop, .user = f};
	enum dvt_code rc;

	if ((rc = dvt_loop_new(&f->loop, err)) != DVT_OK)
		return rc;
	f->stop_timer = dvt_timer_new(f->loop, on_stop_timer, f);
	gw_file_start(f);
	gw_records_start(f);
	f->memory_fd = gw_memory_open();
	if ((rc = sandbox(f, err)) != DVT_OK ||
	    (rc = gw_files_load(&f->program->settings,
		 dvt_loop_time(f->loop).wall_s, &f->files, err)) != DVT_OK ||
	    (rc = control_start(f, err)) != DVT_OK)
		return rc;
	if ((rc = gw_admin_start(f, err)) != DVT_OK)
		return rc;
	gw_records_recover(f);
	gw_reload_start(f);
	f->control = dvt_control_new(f->loop, me, &control);
	dvt_control_ready(f->control);
	return DVT_OK;
}

static void
stop(struct gw_feed *f)
{
	gw_cache_write(f);
	gw_admin_end(f);
	gw_reload_end(f);
	gw_feed_workers_end(f);
	gw_link_end(f);
	gw_enrol_end(f);
	gw_records_end(f);
	gw_spool_close(f->spool);
	gw_keyring_close(f->keys);
	sk_X509_pop_free(f->control_ca, X509_free);
	dvt_feed_free(f->feed);
	dvt_feed_free(f->aside);
	gw_files_fini(&f->files);
	dvt_timer_free(f->cache_timer);
	dvt_timer_free(f->gather);
	dvt_timer_free(f->forgetter);
	dvt_timer_free(f->stop_timer);
	dvt_control_free(f->control);
	if (f->memory_fd >= 0)
		close(f->memory_fd);
	dvt_fs_posix_free(f->fs);
	dvt_loop_free(f->loop);
	free(f);
}

int
gw_feed_run(struct dvt_child *me, void *program)
{
	struct gw_feed *f = dvt_alloc(sizeof(*f));
	struct dvt_err err = {0};
	enum dvt_code rc;

	f->program = program;
	gw_log_start(f->program, dvt_child_name(me));
	f->feed = dvt_feed_new_shared();
	rc = start(f, me, &err);
	if (rc == DVT_OK)
		dvt_loop_run(f->loop);
	else
		log_event(LOG_CRIT, "gateway.start.failed", LE(&err));
	stop(f);
	return dvt_code_exit(rc);
}
