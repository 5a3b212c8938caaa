/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the feed, made from rows as they are (docs/gateway-feed.md). */
#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "proto/feed.h"
#include "store/authority.h"
#include "store/credential.h"
#include "store/device.h"
#include "store/edge.h"
#include "store/trust.h"
#include "wire/json.h"
#include "wire/pem.h"

#include <stdio.h>
#include <stdlib.h>

#define CERTIFICATES_MAX 64 /* of one device */
#define UNUSED_MAX       4  /* of those issued and never used */
#define BODY_MAX         (DVT_CHAIN_PEM_MAX * 2)

static enum dvt_code
set(struct core *c, enum dvt_feed_row_kind kind, const char *key,
    const char *gateway, const char *body, int64_t *position,
    struct dvt_err *err)
{
	bool changed = false;
	enum dvt_code rc = dvt_store_feed_set(
	    core_tx(c), kind, key, gateway, body, position, &changed, err);

	if (rc == DVT_OK && changed)
		c->feed_changed = true;
	return rc;
}

enum dvt_code
core_feed_set(struct core *c, const char *kind, const char *key,
    const char *gateway, const json_t *body, int64_t *position,
    struct dvt_err *err)
{
	enum dvt_feed_row_kind k = dvt_feed_row_kind_from_name(kind);
	struct dvt_buf text;
	enum dvt_code rc;

	if (k == DVT_FEED_ROW_N)
		return dvt_fail(err, DVT_E_INPUT, "feed: no kind %s", kind);
	dvt_buf_init(&text, BODY_MAX);
	if (body != NULL)
		dvt_json_put(&text, body);
	rc = dvt_buf_ok(&text, "feed record", err);
	if (rc == DVT_OK)
		rc = set(c, k, key, gateway,
		    body == NULL ? NULL : dvt_buf_str(&text), position, err);
	dvt_buf_fini(&text);
	return rc;
}

/* An entry filled by hand (taken) becomes the row. */
static enum dvt_code
set_entry(struct core *c, enum dvt_feed_row_kind kind, const char *gateway,
    struct dvt_feed_entry *e, int64_t *position, struct dvt_err *err)
{
	struct dvt_buf text;
	enum dvt_code rc;

	dvt_buf_init(&text, BODY_MAX);
	dvt_feed_body_format(e, &text);
	rc = dvt_buf_ok(&text, "feed record", err);
	if (rc == DVT_OK)
		rc = set(c, kind, e->key, gateway, dvt_buf_str(&text), position,
		    err);
	dvt_buf_fini(&text);
	dvt_feed_entry_free(e);
	return rc;
}

static char *
to_pem(struct dvt_span der)
{
	struct dvt_buf pem;

	dvt_buf_init(&pem, DVT_CERT_PEM_MAX);
	dvt_pem_put(&pem, DVT_PEM_CERT, der);
	return dvt_buf_take_str(&pem);
}

/* Each text of a JSON list. */
static void
add_texts(struct dvt_feed_list *l, const char *json)
{
	json_t *list;
	const json_t *item;
	size_t i;

	if (json == NULL ||
	    dvt_json_parse(dvt_span_str(json), BODY_MAX, &list, NULL) != DVT_OK)
		return;
	json_array_foreach(list, i, item)
	{
		if (json_is_string(item))
			dvt_feed_list_add(l, json_string_value(item));
	}
	json_decref(list);
}

/* --- device --- */

/* @unused: newer ones that were issued and not used yet; of many such, edges
 * hear the newest. */
static bool
is_accepted(const struct dvt_row_credential *r, int64_t now, unsigned *unused)
{
	if (r->state == DVT_CRED_ISSUED)
		return (*unused)++ < UNUSED_MAX;
	if (r->state == DVT_CRED_ACTIVE)
		return true;
	return r->state == DVT_CRED_SUPERSEDED && r->denied_at == 0 &&
	       r->hold_until > now;
}

static enum dvt_code
add_certificates(struct core *c, const char *id, struct dvt_feed_device *d,
    struct dvt_err *err)
{
	struct dvt_row_credential *rows;
	unsigned unused = 0;
	size_t n;
	enum dvt_code rc = dvt_store_credential_of_owner(core_tx(c),
	    core_arena(c), DVT_OWNER_DEVICE, id, CERTIFICATES_MAX, &rows, &n,
	    err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct dvt_span der;
		const char *chain;

		if (!is_accepted(&rows[i], core_now(c).wall_s, &unused))
			continue;
		dvt_feed_list_add(&d->certificates, rows[i].fingerprint);
		if (!rows[i].pinned || d->pem != NULL)
			continue;
		rc = dvt_store_certificate_get(core_tx(c), core_arena(c), id,
		    rows[i].fingerprint, &der, &chain, err);
		if (rc != DVT_OK)
			break;
		(void)dvt_copy_str(d->pin, sizeof(d->pin), rows[i].fingerprint);
		d->pem = to_pem(der);
	}
	return rc;
}

static enum dvt_code
add_trust(struct core *c, const char *id, struct dvt_feed_device *d,
    struct dvt_err *err)
{
	struct dvt_row_trust_state state;
	const char *anchors = NULL;
	enum dvt_code rc = dvt_store_trust_state_get(
	    core_tx(c), core_arena(c), id, &state, err);

	if (rc == DVT_E_ABSENT || (rc == DVT_OK && state.digest[0] == '\0'))
		return DVT_OK;
	if (rc != DVT_OK)
		return rc;
	rc = dvt_store_trust_store_get(
	    core_tx(c), core_arena(c), state.digest, &anchors, err);
	if (rc == DVT_E_ABSENT)
		return DVT_OK; /* anchors of its own: what, is not known */
	if (rc == DVT_OK) {
		d->trust_known = true;
		add_texts(&d->trust, anchors);
	}
	return rc;
}

/* Roots it took alone, or did not take, by its last word on each. */
static enum dvt_code
add_seen(struct core *c, const char *id, struct dvt_feed_device *d,
    struct dvt_err *err)
{
	struct dvt_row_chain_seen *rows;
	size_t n;
	enum dvt_code rc = dvt_store_chain_seen(
	    core_tx(c), core_arena(c), id, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		if (rows[i].form != DVT_FORM_PURE || rows[i].root[0] == '\0')
			continue;
		if (rows[i].last_ok_at >= rows[i].last_bad_at)
			dvt_feed_list_add(&d->proven, rows[i].root);
		else
			dvt_feed_list_add(&d->refused, rows[i].root);
	}
	return rc;
}

enum dvt_code
core_feed_device(struct core *c, const char *device_id, struct dvt_err *err)
{
	struct dvt_feed_entry *e;
	struct dvt_row_device row;
	enum dvt_code rc;

	rc = dvt_store_device_get(
	    core_tx(c), core_arena(c), device_id, &row, err);
	if (rc != DVT_OK)
		return rc;
	if (row.state == DVT_DEVICE_RETIRED)
		return set(
		    c, DVT_FEED_ROW_DEVICE, device_id, "", NULL, NULL, err);
	e = dvt_feed_entry_new(DVT_FEED_DEVICE, device_id, 0);
	(void)dvt_copy_str(e->u.device.state, sizeof(e->u.device.state),
	    dvt_device_state_name(row.state));
	if ((rc = add_certificates(c, device_id, &e->u.device, err)) !=
		DVT_OK ||
	    (rc = add_trust(c, device_id, &e->u.device, err)) != DVT_OK ||
	    (rc = add_seen(c, device_id, &e->u.device, err)) != DVT_OK) {
		dvt_feed_entry_free(e);
		return rc;
	}
	return set_entry(c, DVT_FEED_ROW_DEVICE, "", e, NULL, err);
}

/* --- authorities --- */

enum dvt_code
core_feed_anchor(struct core *c, int64_t authority_id, struct dvt_err *err)
{
	struct dvt_row_authority row;
	struct dvt_feed_entry *e;
	bool stands;
	enum dvt_code rc;

	rc = dvt_store_authority_get(
	    core_tx(c), core_arena(c), authority_id, &row, err);
	if (rc != DVT_OK)
		return rc;
	/* issuing CAs of servers too: gateways are clients of the fronts */
	stands = (row.state == DVT_AUTHORITY_ACTIVE ||
		     row.state == DVT_AUTHORITY_RETIRING) &&
		 (row.use_device || !row.is_root);
	if (!stands)
		return set(c, DVT_FEED_ROW_ANCHOR, row.fingerprint, "", NULL,
		    NULL, err);
	e = dvt_feed_entry_new(DVT_FEED_ANCHOR, row.fingerprint, 0);
	(void)dvt_copy_str(
	    e->u.anchor.name, sizeof(e->u.anchor.name), row.name);
	(void)dvt_copy_str(e->u.anchor.use, sizeof(e->u.anchor.use), "device");
	e->u.anchor.root = row.is_root;
	e->u.anchor.pem = to_pem(row.der);
	return set_entry(c, DVT_FEED_ROW_ANCHOR, "", e, NULL, err);
}

/* --- edges --- */

enum dvt_code
core_feed_policy(
    struct core *c, const char *gateway, int64_t *position, struct dvt_err *err)
{
	struct dvt_feed_policy *p;
	struct dvt_row_gateway row;
	struct dvt_feed_entry *e;
	enum dvt_code rc;

	rc = dvt_store_gateway_get(
	    core_tx(c), core_arena(c), gateway, &row, err);
	if (rc != DVT_OK)
		return rc;
	e = dvt_feed_entry_new(DVT_FEED_POLICY, gateway, 0);
	p = &e->u.policy;
	(void)dvt_copy_str(
	    p->default_root, sizeof(p->default_root), row.default_root);
	(void)dvt_copy_str(p->next_root, sizeof(p->next_root), row.next_root);
	(void)dvt_copy_str(p->next_name, sizeof(p->next_name), row.next_name);
	(void)dvt_copy_str(
	    p->trial_name, sizeof(p->trial_name), row.trial_name);
	p->forced = row.forced;
	p->max_stale_s = dvt_config_int(core_config(c), "gateway.maxStale");
	p->refuse_after_s = dvt_config_int(
	    core_config(c), "gateway.refuseAfter");
	return set_entry(c, DVT_FEED_ROW_POLICY, gateway, e, position, err);
}

/* The cross-certificate over the root of this fingerprint, when it helps. */
static enum dvt_code
add_cross(struct core *c, const char *root, struct dvt_feed_credential *to,
    struct dvt_err *err)
{
	struct dvt_row_authority row, by;
	enum dvt_code rc;

	if (root[0] == '\0')
		return DVT_OK;
	rc = dvt_store_authority_by_fingerprint(
	    core_tx(c), core_arena(c), root, &row, err);
	if (rc == DVT_E_ABSENT || (rc == DVT_OK && row.cross_der.p == NULL))
		return DVT_OK;
	if (rc != DVT_OK)
		return rc;
	rc = dvt_store_authority_get(
	    core_tx(c), core_arena(c), row.cross_by, &by, err);
	if (rc == DVT_OK && (by.state == DVT_AUTHORITY_ACTIVE ||
				by.state == DVT_AUTHORITY_RETIRING))
		to->cross_pem = to_pem(row.cross_der);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

static enum dvt_code
set_credential(struct core *c, const struct dvt_row_gateway_credential *row,
    const char *key, int64_t *position, struct dvt_err *err)
{
	struct dvt_feed_entry *e = dvt_feed_entry_new(
	    DVT_FEED_CREDENTIAL, key, 0);
	struct dvt_feed_credential *to = &e->u.credential;
	enum dvt_code rc;

	(void)dvt_copy_str(to->gateway, sizeof(to->gateway), row->gateway);
	(void)dvt_copy_str(to->listener, sizeof(to->listener), row->listener);
	(void)dvt_copy_str(
	    to->slot, sizeof(to->slot), dvt_gateway_slot_name(row->slot));
	to->generation = row->generation;
	add_texts(&to->names, row->names);
	to->chain_pem = dvt_strdup(row->chain_pem);
	(void)dvt_copy_str(to->root, sizeof(to->root), row->root);
	(void)dvt_copy_str(
	    to->key_digest, sizeof(to->key_digest), row->key_digest);
	if ((rc = add_cross(c, row->root, to, err)) != DVT_OK) {
		dvt_feed_entry_free(e);
		return rc;
	}
	return set_entry(
	    c, DVT_FEED_ROW_CREDENTIAL, row->gateway, e, position, err);
}

enum dvt_code
core_feed_credential(struct core *c, const char *gateway, const char *id,
    int64_t *position, struct dvt_err *err)
{
	struct dvt_row_gateway_credential row;
	char key[2 * DVT_NAME_MAX + 4];
	enum dvt_code rc;

	rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), gateway, id, &row, err);
	if (rc != DVT_OK)
		return rc;
	snprintf(key, sizeof(key), "%s/%s", gateway, id);
	/* a chain of its own files is not ours to tell it, but that it is not
	 * to be shown any more is */
	if (strncmp(id, "file", 4) == 0 && row.slot == DVT_GWSLOT_GONE)
		return set_credential(c, &row, key, position, err);
	if (strncmp(id, "file", 4) == 0 || row.slot == DVT_GWSLOT_GONE ||
	    row.slot == DVT_GWSLOT_ORDERED || row.chain_pem[0] == '\0')
		return set(c, DVT_FEED_ROW_CREDENTIAL, key, gateway, NULL,
		    position, err);
	return set_credential(c, &row, key, position, err);
}
