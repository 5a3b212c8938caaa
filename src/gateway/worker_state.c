/* SPDX-License-Identifier: Apache-2.0 */
/* What the feed process hands out, put into force in this worker. */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/conn.h"
#include "gateway/denied.h"
#include "ipc/fields.h"
#include "pki/key.h"
#include "pki/x509.h"
#include "proc/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_SLICE 256 /* connections looked at in one turn */

/* --- what is shown and trusted --- */

static EVP_PKEY *
key_find(void *ctx, const char *digest)
{
	struct gw_worker *w = ctx;

	for (size_t i = 0; i < w->keys_n; i++)
		if (strcmp(w->keys[i].digest, digest) == 0)
			return w->keys[i].key;
	return NULL;
}

/* Does the feed say that the chain of the files is not to be shown? It means
 * the one it names: a file that was exchanged since is shown. */
static bool
file_is_gone(struct gw_worker *w, const struct gw_pair *p)
{
	char key[2 * DVT_NAME_MAX + 2];
	char told[DVT_DIGEST_HEX], ours[DVT_DIGEST_HEX];
	const struct dvt_feed_entry *e;
	struct dvt_chain chain = {.n = 0};

	snprintf(key, sizeof(key), "%s/%s", w->program->settings.name, p->id);
	e = dvt_feed_get(w->feed, DVT_FEED_CREDENTIAL, key);
	if (e == NULL || e->gone ||
	    strcmp(e->u.credential.slot, DVT_EDGE_GONE) != 0 ||
	    dvt_chain_from_pem(dvt_span_str(e->u.credential.chain_pem), &chain,
		NULL) != DVT_OK)
		return false;
	dvt_x509_fingerprint(chain.cert[0], told);
	dvt_x509_fingerprint(p->chain.cert[0], ours);
	dvt_chain_fini(&chain);
	return strcmp(told, ours) == 0;
}

static void
set_add_pair(struct dvt_edge_set *set, const struct gw_pair *p, int64_t now)
{
	struct dvt_edge_credential c = {
	    .id = p->id,
	    .listener = "main",
	    .slot = DVT_SLOT_CURRENT,
	    .names = {(const char *const *)p->names.v, p->names.n },
	    .chain = &p->chain,
	    .cross = p->cross,
	    .key = p->key,
	    .staple = {p->staple,                       p->staple_n},
	};
	struct dvt_err err;

	if (p->root != NULL)
		dvt_edge_set_root(set, p->root);
	if (dvt_edge_set_add(set, &c, now, &err) != DVT_OK)
		log_event(LOG_WARNING, "edge.credential-refused",
		    LS("id", c.id), LE(&err));
}

static void
set_add_files(struct gw_worker *w, struct dvt_edge_set *set, int64_t now)
{
	const struct gw_files *f = &w->files;

	for (size_t i = 0; i < f->pairs_n; i++)
		if (!file_is_gone(w, &f->pair[i]))
			set_add_pair(set, &f->pair[i], now);
	for (size_t i = 0; i < f->crl_n; i++)
		dvt_edge_set_crl(set, f->crl[i]);
	dvt_edge_set_depth(set, f->max_depth);
	for (size_t i = 0; i < f->anchor_n; i++) {
		dvt_edge_set_root(set, f->anchor[i]);
		/* once the control plane speaks, it says whom to trust */
		if (!dvt_edge_set_has_policy(set))
			dvt_edge_set_anchor(set, f->anchor[i]);
	}
}

static void
deny_key(void *set, const char *digest)
{
	dvt_edge_set_deny_key(set, digest);
}

/* A fresh world: nothing of an old edge, and no order from above yet. */
static void
say_how(const char *gateway, struct dvt_err *err)
{
	(void)dvt_fail(err, DVT_E_ABSENT,
	    "no certificate that can be shown; one from the control plane: "
	    "dovetail gateway rotate --gateway %s --authority server-ca",
	    gateway);
}

void
gw_worker_refresh(struct gw_worker *w)
{
	struct dvt_edge_set *set = dvt_edge_set_new();
	int64_t now = dvt_loop_time(w->loop).wall_s;
	struct dvt_err err;
	enum dvt_code rc;

	if (!w->has_files) { /* that comes last, and completes the start */
		dvt_edge_set_unref(set);
		dvt_edge_use(w->edge, NULL, w->feed);
		return;
	}
	gw_denied_keys(w->files.denied, deny_key, set);
	dvt_edge_set_feed(
	    set, w->feed, w->program->settings.name, key_find, w, now);
	set_add_files(w, set, now);
	if ((rc = dvt_edge_set_seal(set, &err)) != DVT_OK) {
		if (rc == DVT_E_ABSENT && w->program->settings.control_n > 0)
			say_how(w->program->settings.name, &err);
		log_event(LOG_ERR, "gateway.set.refused", LE(&err));
		dvt_edge_set_unref(set);
		/* the former chains, but never a feed that is gone */
		set = dvt_edge_set_used(w->edge) == NULL
			  ? NULL
			  : dvt_edge_set_ref((struct dvt_edge_set *)(uintptr_t)
				    dvt_edge_set_used(w->edge));
	}
	dvt_edge_use(w->edge, set, w->feed);
	gw_worker_look_at_age(w); /* the policy may be another */
}

/* --- denials and listings on open sessions --- */

void
gw_worker_sweep_step(void *worker)
{
	struct gw_worker *w = worker;

	for (int i = 0; i < SWEEP_SLICE && w->sweep_at != NULL; i++) {
		struct gw_conn *c = w->sweep_at;

		w->sweep_at = gw_conn_next(c);
		gw_conn_check(c);
	}
	if (w->sweep_at != NULL)
		dvt_timer_start(w->sweeper, 0);
}

void
gw_worker_sweep(struct gw_worker *w)
{
	w->sweep_at = gw_conn_first(w);
	gw_worker_sweep_step(w);
}

/* --- reconnects --- */

static void
reconnect_update(struct gw_worker *w)
{
	const struct dvt_feed_entry *e = dvt_feed_get(
	    w->feed, DVT_FEED_RECONNECT, w->program->settings.name);
	struct gw_reconnect *r = &w->reconnect;
	const struct dvt_feed_reconnect *want;

	if (e == NULL) {
		r->on = false;
		return;
	}
	want = &e->u.reconnect;
	r->per_tick = (double)want->rate_per_s / 10 /
		      (double)w->program->settings.workers;
	if (r->on && strcmp(r->rotation, want->rotation) == 0 &&
	    strcmp(r->keep_root, want->keep_root) == 0)
		return;
	r->on = true;
	r->tokens = 1;
	r->since_ms = dvt_loop_time(w->loop).mono_ms;
	memcpy(r->rotation, want->rotation, sizeof(r->rotation));
	memcpy(r->keep_root, want->keep_root, sizeof(r->keep_root));
}

static bool
is_meant(const struct gw_worker *w, const struct gw_conn *c)
{
	const struct dvt_feed_entry *e = dvt_feed_get(
	    w->feed, DVT_FEED_RECONNECT, w->program->settings.name);
	int64_t opened = gw_conn_opened_ms(c);

	if (e == NULL || opened == 0 || opened > w->reconnect.since_ms ||
	    strcmp(gw_conn_root(c), w->reconnect.keep_root) == 0)
		return false;
	return e->u.reconnect.all ||
	       dvt_feed_list_has(&e->u.reconnect.devices, gw_conn_device(c));
}

/* Ten times a second: as many sessions as the pace allows. */
void
gw_worker_pace_step(void *worker)
{
	struct gw_worker *w = worker;
	struct gw_reconnect *r = &w->reconnect;
	struct gw_conn *c, *next;

	if (!r->on)
		return;
	r->tokens += r->per_tick;
	if (r->tokens > 1 + r->per_tick)
		r->tokens = 1 + r->per_tick;
	for (c = gw_conn_first(w); c != NULL && r->tokens >= 1; c = next) {
		next = gw_conn_next(c);
		if (!is_meant(w, c))
			continue;
		r->tokens -= 1;
		log_event(LOG_INFO, "gateway.session.reconnect",
		    LS("device", gw_conn_device(c)),
		    LS("rotation", r->rotation));
		gw_conn_send_away(c);
	}
}

/* --- the state --- */

static enum dvt_code
use_files(
    struct gw_worker *w, struct dvt_fields *in, int fd, struct dvt_err *err)
{
	struct gw_files fresh;
	enum dvt_code rc;

	rc = gw_files_get(in, fd, &w->crl_parts, &fresh, err);
	if (rc != DVT_OK)
		return rc;
	gw_files_fini(&w->files);
	w->files = fresh;
	w->has_files = true;
	/* the file's denials stand whatever the feed says */
	dvt_feed_denied_too(w->feed, w->files.denied);
	gw_worker_refresh(w);
	gw_worker_sweep(w);
	return DVT_OK;
}

static enum dvt_code
take_files(
    struct gw_worker *w, struct dvt_fields *in, int fd, struct dvt_err *err)
{
	enum dvt_code rc;

	dvt_control_busy(w->control, true); /* lists may be long */
	rc = use_files(w, in, fd, err);
	dvt_control_busy(w->control, false);
	return rc;
}

static enum dvt_code
take_key(struct gw_worker *w, struct dvt_fields *in, struct dvt_err *err)
{
	struct gw_key k = {0};
	struct dvt_span der;
	enum dvt_code rc;

	dvt_get_str(in, k.digest, sizeof(k.digest));
	der = dvt_get_bytes(in, DVT_KEY_PEM_MAX);
	if ((rc = dvt_fields_end(in, "key", err)) != DVT_OK ||
	    (rc = dvt_key_from_pkcs8(der, &k.key, err)) != DVT_OK)
		return rc;
	if (key_find(w, k.digest) != NULL) {
		EVP_PKEY_free(k.key);
		return DVT_OK;
	}
	w->keys = dvt_realloc(w->keys, (w->keys_n + 1) * sizeof(*w->keys));
	w->keys[w->keys_n++] = k;
	return DVT_OK;
}

static enum dvt_code
take_lines(struct gw_worker *w, struct dvt_fields *in, struct dvt_err *err)
{
	struct dvt_span text = dvt_get_bytes(in, GW_LINES_MAX);
	enum dvt_code rc = dvt_fields_end(in, "lines", err);

	if (w->aside == NULL)
		return dvt_fail(err, DVT_E_CONFLICT, "lines before BEGIN");
	while (rc == DVT_OK && text.n > 0) {
		const uint8_t *nl = memchr(text.p, '\n', text.n);
		size_t n = nl != NULL ? (size_t)(nl - text.p) : text.n;
		struct dvt_feed_entry *e;

		rc = dvt_feed_entry_parse(
		    (struct dvt_span){text.p, n}, &e, err);
		if (rc == DVT_OK)
			dvt_feed_put(w->aside, e);
		text = dvt_span_from(text, n + 1);
	}
	return rc;
}

static enum dvt_code
take_end(struct gw_worker *w, struct dvt_fields *in, struct dvt_err *err)
{
	int64_t position = dvt_get_i64(in), epoch = dvt_get_i64(in);
	struct dvt_feed *old = w->feed;
	enum dvt_code rc = dvt_fields_end(in, "end", err);

	if (rc != DVT_OK || w->aside == NULL)
		return rc != DVT_OK
			   ? rc
			   : dvt_fail(err, DVT_E_CONFLICT, "END before BEGIN");
	dvt_feed_position_set(w->aside, position, epoch);
	dvt_feed_denied_too(w->aside, w->files.denied);
	w->feed = w->aside;
	w->aside = NULL;
	gw_worker_refresh(w); /* from here on the old one is out of use */
	dvt_feed_free(old);
	reconnect_update(w);
	gw_worker_sweep(w);
	return DVT_OK;
}

/* What a client did at a sister gateway, as if it had done it here; once for
 * all workers, who share that memory. */
static void
learn_from_sister(struct gw_worker *w, const struct dvt_feed_memory *m)
{
	const struct dvt_edge_set *set = dvt_edge_set_used(w->edge);
	struct dvt_edge_client who = {
	    .address = m->address, .print = m->print, .device = m->device};
	int64_t now = dvt_loop_time(w->loop).wall_s;
	const struct dvt_offer *offers;
	size_t n = 0;

	if (w->index != 0 || set == NULL ||
	    strcmp(m->gateway, w->program->settings.name) != 0 || m->at > now ||
	    m->at < now - DVT_EDGE_MEMORY_S)
		return;
	who.devices = dvt_edge_memory_devices(
	    w->program->memory, m->address, now);
	offers = dvt_edge_set_offers(set, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(offers[i].root, m->root) == 0 &&
		    strcmp(dvt_chain_form_name(offers[i].form), m->form) == 0) {
			dvt_edge_memory_learn(w->program->memory, &who,
			    &offers[i], m->accepted, now);
			return;
		}
}

/* One line of an answer: whoever it is about is asked again at once. */
static void
on_line(void *worker, const struct dvt_feed_entry *e)
{
	struct gw_worker *w = worker;
	const struct dvt_feed_list *certificates;

	if (e->kind == DVT_FEED_DENY)
		gw_index_each(
		    w->index_of, GW_BY_CERTIFICATE, e->key, gw_conn_check);
	if (e->kind == DVT_FEED_MEMORY && !e->gone)
		learn_from_sister(w, &e->u.memory);
	if (e->kind != DVT_FEED_DEVICE)
		return;
	gw_index_each(w->index_of, GW_BY_DEVICE, e->key, gw_conn_check);
	if (e->gone)
		return;
	/* who waited for its listing */
	certificates = &e->u.device.certificates;
	for (size_t i = 0; i < certificates->n; i++)
		gw_index_each(w->index_of, GW_BY_CERTIFICATE,
		    certificates->v[i], gw_conn_check);
	gw_index_each(
	    w->index_of, GW_BY_CERTIFICATE, e->u.device.pin, gw_conn_check);
}

static enum dvt_code
take_answer(struct gw_worker *w, struct dvt_fields *in, struct dvt_err *err)
{
	const unsigned shown = 1u << DVT_FEED_ANCHOR |
			       1u << DVT_FEED_CREDENTIAL |
			       1u << DVT_FEED_POLICY | 1u << DVT_FEED_DENY_KEY;
	struct dvt_span text = dvt_get_bytes(in, DVT_FEED_ANSWER_MAX);
	unsigned changed;
	enum dvt_code rc = dvt_fields_end(in, "answer", err);

	if (rc != DVT_OK)
		return rc;
	rc = dvt_feed_apply_each(
	    w->feed, text, NULL, &changed, on_line, w, err);
	if (rc != DVT_OK)
		return rc;
	if ((changed & shown) != 0)
		gw_worker_refresh(w);
	if ((changed & 1u << DVT_FEED_RECONNECT) != 0)
		reconnect_update(w);
	if ((changed & 1u << DVT_FEED_DENY_KEY) != 0)
		gw_worker_sweep(w);
	return DVT_OK;
}

/* Devices and denials are read where the feed process writes them. */
static enum dvt_code
take_begin(struct gw_worker *w, int fd, struct dvt_err *err)
{
	dvt_feed_free(w->aside);
	w->aside = dvt_feed_new();
	return dvt_feed_attach(w->aside, fd, err);
}

bool
gw_worker_state(struct gw_worker *w, struct dvt_span body, int fd)
{
	struct dvt_fields in = dvt_fields_of(body);
	enum gw_what what = (enum gw_what)dvt_get_u64(&in, GW_WHAT_N);
	uint64_t serial = 0;
	struct dvt_err err = {0};
	enum dvt_code rc = DVT_OK;

	if (what == GW_FILES || what == GW_END || what == GW_ANSWER)
		serial = dvt_get_u64(&in, UINT64_MAX);
	switch (what) {
	case GW_FILES:
		rc = take_files(w, &in, fd, &err);
		break;
	case GW_CRL:
		rc = gw_crl_part_get(&in, &w->crl_parts, &err);
		break;
	case GW_KEY:
		rc = take_key(w, &in, &err);
		break;
	case GW_BEGIN:
		rc = take_begin(w, fd, &err);
		break;
	case GW_SHELF:
		rc = dvt_feed_attach(w->feed, fd, &err);
		break;
	case GW_LINES:
		rc = take_lines(w, &in, &err);
		break;
	case GW_END:
		rc = take_end(w, &in, &err);
		break;
	case GW_ANSWER:
		rc = take_answer(w, &in, &err);
		break;
	case GW_HEARD:
		w->heard_at = dvt_get_i64(&in);
		gw_worker_look_at_age(w);
		break;
	case GW_RECORDS:
		w->recording = dvt_get_u64(&in, 1) != 0;
		break;
	case GW_TAKEN:
		gw_worker_records_taken(w, dvt_get_u64(&in, UINT64_MAX));
		break;
	case GW_WHAT_N:
		rc = dvt_fail(&err, DVT_E_INPUT, "a message of no kind");
		break;
	}
	if (rc != DVT_OK) {
		log_event(LOG_CRIT, "gateway.state.broken", LE(&err));
		return false;
	}
	if (serial != 0) {
		w->serial = serial;
		gw_worker_tell(w);
	}
	return true;
}
