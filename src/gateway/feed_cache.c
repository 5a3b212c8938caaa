/* SPDX-License-Identifier: Apache-2.0 */
/* The state on disk, signed by the gateway's own key. */
#include "proto/feed_cache.h"

#include "base/log.h"
#include "base/mem.h"
#include "durable/atomic.h"
#include "gateway/feed_priv.h"
#include "proc/control.h"

#define CACHE    "cache"
#define SOON_MS  1000   /* gather changes for so long */
#define FRESH_MS 300000 /* how old its heard_at may become */

static enum dvt_code
read_it(struct gw_feed *f, struct dvt_feed_cache *meta, struct dvt_feed **out,
    struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	dvt_buf_init(&b, DVT_FEED_CACHE_MAX);
	if ((rc = dvt_fs_posix.read(f->fs, CACHE, &b, err)) == DVT_OK)
		rc = dvt_feed_cache_parse(
		    dvt_buf_span(&b), f->identity_key, meta, out, err);
	dvt_buf_fini(&b);
	if (rc == DVT_OK && strcmp(meta->gateway, f->program->settings.name)) {
		dvt_feed_free(*out);
		*out = NULL;
		rc = dvt_fail(
		    err, DVT_E_CONFLICT, "cache of gateway %s", meta->gateway);
	}
	return rc;
}

void
gw_cache_load(struct gw_feed *f)
{
	struct dvt_feed_cache meta;
	struct dvt_feed *feed;
	struct dvt_err err;
	enum dvt_code rc;

	if (f->identity_key == NULL)
		return;
	rc = read_it(f, &meta, &feed, &err);
	if (rc != DVT_OK) {
		if (rc != DVT_E_ABSENT)
			log_event(LOG_ERR, "gateway.cache.refused", LE(&err));
		return;
	}
	dvt_feed_free(f->feed);
	f->feed = feed;
	f->heard_at = f->cached_heard_at = meta.heard_at;
	f->cache_sequence = meta.sequence;
	f->cached_position = dvt_feed_position(feed);
	f->cached_epoch = dvt_feed_epoch(feed);
	log_event(LOG_NOTICE, "gateway.cache.loaded",
	    LI("position", f->cached_position),
	    LI("age_s", dvt_loop_time(f->loop).wall_s - meta.heard_at));
}

void
gw_cache_write(void *feed)
{
	struct gw_feed *f = feed;
	struct dvt_feed_cache meta = {
	    .sequence = f->cache_sequence + 1, .heard_at = f->heard_at};
	struct dvt_buf b;
	struct dvt_err err;

	if (f->identity_key == NULL || dvt_feed_position(f->feed) == 0)
		return;
	dvt_timer_start(f->cache_timer, FRESH_MS);
	if (f->cached_position == dvt_feed_position(f->feed) &&
	    f->cached_epoch == dvt_feed_epoch(f->feed) &&
	    f->cached_heard_at == f->heard_at)
		return;
	(void)dvt_copy_str(
	    meta.gateway, sizeof(meta.gateway), f->program->settings.name);
	dvt_control_busy(f->control, true);
	dvt_buf_init(&b, DVT_FEED_CACHE_MAX);
	if (dvt_feed_cache_format(&meta, f->feed, f->identity_key, &b, &err) !=
		DVT_OK ||
	    dvt_atomic_replace(&dvt_fs_posix, f->fs, "", CACHE,
		dvt_buf_span(&b), 0600, &err) != DVT_OK) {
		log_event(LOG_ERR, "gateway.cache.failed", LE(&err));
	} else {
		f->cache_sequence = meta.sequence;
		f->cached_position = dvt_feed_position(f->feed);
		f->cached_epoch = dvt_feed_epoch(f->feed);
		f->cached_heard_at = f->heard_at;
	}
	dvt_buf_fini(&b);
	dvt_control_busy(f->control, false);
}

void
gw_cache_changed(struct gw_feed *f)
{
	dvt_timer_start(f->cache_timer, SOON_MS);
}
