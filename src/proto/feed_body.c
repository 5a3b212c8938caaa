/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a feed: each kind's body from JSON and back. */
#include "proto/feed.h"

#include "base/mem.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NAME_OF(id, name) name,

const char *
dvt_feed_kind_name(enum dvt_feed_kind kind)
{
	static const char *const names[] = {DVT_FEED_KINDS(NAME_OF)};

	return (size_t)kind < DVT_COUNT(names) ? names[kind] : "?";
}

enum dvt_feed_kind
dvt_feed_kind_from_name(const char *name)
{
	int i = 0;

	while (i < DVT_FEED_KIND_N &&
	       strcmp(dvt_feed_kind_name((enum dvt_feed_kind)i), name) != 0)
		i++;
	return (enum dvt_feed_kind)i;
}

const char *
dvt_deny_reason_name(enum dvt_deny_reason r)
{
	static const char *const names[] = {DVT_DENY_REASONS(NAME_OF)};

	return (size_t)r < DVT_COUNT(names) ? names[r] : "?";
}

/* --- lists --- */

void
dvt_feed_list_add(struct dvt_feed_list *l, const char *text)
{
	l->v = dvt_realloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = dvt_strdup(text);
}

bool
dvt_feed_list_has(const struct dvt_feed_list *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], text) == 0)
			return true;
	return false;
}

void
dvt_feed_list_fini(struct dvt_feed_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct dvt_feed_list){0};
}

static json_t *
list_json(const struct dvt_feed_list *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(a, json_string(l->v[i]));
	return a;
}

/* 64 digits, or empty */
static bool
is_fingerprint(const char *s)
{
	size_t n = strlen(s);

	return n == 0 ||
	       (n == DVT_DIGEST_HEX - 1 &&
		   strspn(s, "0123456789abcdef") == DVT_DIGEST_HEX - 1);
}

/* --- reading fields of a body; the first failure is kept --- */

struct reader {
	const json_t *obj;
	enum dvt_code rc;
	struct dvt_err *err;
};

static void
read_text(struct reader *r, const char *key, bool must, char *out, size_t size)
{
	const char *v = "";

	if (r->rc != DVT_OK)
		return;
	r->rc = must ? dvt_json_get_str(r->obj, key, size - 1, &v, r->err)
		     : dvt_json_opt_str(r->obj, key, size - 1, "", &v, r->err);
	if (r->rc == DVT_OK)
		memcpy(out, v, strlen(v) + 1);
}

static void
read_fingerprint(struct reader *r, const char *key, char out[DVT_DIGEST_HEX])
{
	read_text(r, key, false, out, DVT_DIGEST_HEX);
	if (r->rc == DVT_OK && !is_fingerprint(out))
		r->rc = dvt_fail(
		    r->err, DVT_E_INPUT, "%s: not a fingerprint", key);
}

static void
read_pem(struct reader *r, const char *key, bool must, char **out)
{
	const char *v = NULL;

	if (r->rc != DVT_OK)
		return;
	r->rc = must ? dvt_json_get_str(
			   r->obj, key, DVT_CHAIN_PEM_MAX, &v, r->err)
		     : dvt_json_opt_str(
			   r->obj, key, DVT_CHAIN_PEM_MAX, NULL, &v, r->err);
	if (r->rc == DVT_OK)
		*out = dvt_strdup(v);
}

static void
read_number(struct reader *r, const char *key, int64_t dflt, int64_t *out)
{
	if (r->rc == DVT_OK)
		r->rc = dvt_json_opt_i64(
		    r->obj, key, 0, INT64_MAX, dflt, out, r->err);
}

/* Texts of at most @size - 1 characters; @found: whether it is there. */
static void
read_list(struct reader *r, const char *key, size_t most, size_t size,
    struct dvt_feed_list *out, bool *found)
{
	json_t *list = NULL, *item;
	size_t i;

	if (r->rc == DVT_OK)
		r->rc = dvt_json_opt_list(r->obj, key, &list, r->err);
	if (r->rc != DVT_OK || list == NULL)
		return;
	if (found != NULL)
		*found = true;
	if (json_array_size(list) > most) {
		r->rc = dvt_fail(r->err, DVT_E_LIMIT, "%s: %zu entries", key,
		    json_array_size(list));
		return;
	}
	json_array_foreach(list, i, item)
	{
		const char *s = json_string_value(item);

		if (s == NULL || strlen(s) >= size ||
		    strlen(s) != json_string_length(item)) {
			r->rc = dvt_fail(r->err, DVT_E_INPUT,
			    "%s: entry %zu is no text of 1 to %zu characters",
			    key, i, size - 1);
			return;
		}
		dvt_feed_list_add(out, s);
	}
}

static void
read_fingerprints(
    struct reader *r, const char *key, struct dvt_feed_list *out, bool *found)
{
	read_list(r, key, DVT_FEED_LIST_MAX, DVT_DIGEST_HEX, out, found);
	for (size_t i = 0; r->rc == DVT_OK && i < out->n; i++)
		if (!is_fingerprint(out->v[i]) || out->v[i][0] == '\0')
			r->rc = dvt_fail(r->err, DVT_E_INPUT,
			    "%s: entry %zu is not a fingerprint", key, i);
}

/* true and false, or 1 and 0 */
static void
read_flag(struct reader *r, const char *key, bool *out)
{
	const json_t *v = json_object_get(r->obj, key);

	if (r->rc != DVT_OK || v == NULL || json_is_null(v))
		return;
	if (json_is_boolean(v))
		*out = json_is_true(v);
	else if (json_is_integer(v))
		*out = json_integer_value(v) != 0;
	else
		r->rc = dvt_fail(r->err, DVT_E_INPUT, "%s: not a flag", key);
}

/* --- the kinds --- */

static void
anchor_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_anchor *a = &e->u.anchor;

	read_pem(r, "pem", true, &a->pem);
	read_text(r, "name", false, a->name, sizeof(a->name));
	read_text(r, "use", true, a->use, sizeof(a->use));
	a->root = true;
	read_flag(r, "root", &a->root);
}

static json_t *
anchor_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_anchor *a = &e->u.anchor;

	return json_pack("{s:s, s:s, s:s, s:i}", "pem", a->pem, "name", a->name,
	    "use", a->use, "root", a->root ? 1 : 0);
}

static void
anchor_fini(struct dvt_feed_entry *e)
{
	free(e->u.anchor.pem);
}

static void
device_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_device *d = &e->u.device;

	read_text(r, "state", true, d->state, sizeof(d->state));
	read_fingerprints(r, "certificates", &d->certificates, NULL);
	read_fingerprints(r, "trust", &d->trust, &d->trust_known);
	read_fingerprints(r, "proven", &d->proven, NULL);
	read_fingerprints(r, "refused", &d->refused, NULL);
	read_fingerprint(r, "pin", d->pin);
	read_pem(r, "pem", false, &d->pem);
}

static json_t *
device_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_device *d = &e->u.device;
	json_t *o = json_object();

	json_object_set_new(o, "state", json_string(d->state));
	json_object_set_new(o, "certificates", list_json(&d->certificates));
	if (d->trust_known)
		json_object_set_new(o, "trust", list_json(&d->trust));
	json_object_set_new(o, "proven", list_json(&d->proven));
	json_object_set_new(o, "refused", list_json(&d->refused));
	if (d->pin[0] != '\0')
		json_object_set_new(o, "pin", json_string(d->pin));
	if (d->pem != NULL)
		json_object_set_new(o, "pem", json_string(d->pem));
	return o;
}

static void
device_fini(struct dvt_feed_entry *e)
{
	struct dvt_feed_device *d = &e->u.device;

	dvt_feed_list_fini(&d->certificates);
	dvt_feed_list_fini(&d->trust);
	dvt_feed_list_fini(&d->proven);
	dvt_feed_list_fini(&d->refused);
	free(d->pem);
}

static void
deny_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_deny *d = &e->u.deny;
	char word[16] = "";
	int i = 0;

	read_text(r, "reason", true, word, sizeof(word));
	read_text(r, "device", false, d->device, sizeof(d->device));
	read_number(r, "not_after", INT64_MAX, &d->not_after);
	while (i < DVT_DENY_N &&
	       strcmp(dvt_deny_reason_name((enum dvt_deny_reason)i), word) != 0)
		i++;
	d->reason = (enum dvt_deny_reason)i;
	/* a reason of later days still means: refuse */
	if (r->rc == DVT_OK && i == DVT_DENY_N)
		d->reason = DVT_DENY_REVOKED;
}

static json_t *
deny_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_deny *d = &e->u.deny;

	return json_pack("{s:s, s:s, s:I}", "reason",
	    dvt_deny_reason_name(d->reason), "device", d->device, "not_after",
	    (json_int_t)d->not_after);
}

/* It only helps: one that is broken is as good as none. */
static void
read_staple(struct reader *r, struct dvt_feed_credential *c)
{
	const char *text = json_string_value(json_object_get(r->obj, "staple"));
	struct dvt_buf der;

	if (r->rc != DVT_OK || text == NULL)
		return;
	dvt_buf_init(&der, DVT_STAPLE_MAX);
	if (dvt_base64_decode(dvt_span_str(text), &der, NULL) == DVT_OK &&
	    der.n > 0) {
		c->staple_n = der.n;
		c->staple = (uint8_t *)dvt_buf_take_str(&der);
	}
	dvt_buf_fini(&der);
}

static void
credential_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_credential *c = &e->u.credential;

	read_text(r, "gateway", true, c->gateway, sizeof(c->gateway));
	read_text(r, "listener", true, c->listener, sizeof(c->listener));
	read_text(r, "slot", true, c->slot, sizeof(c->slot));
	read_number(r, "generation", 0, &c->generation);
	read_list(
	    r, "names", DVT_FEED_LIST_MAX, DVT_HOST_MAX + 1, &c->names, NULL);
	read_pem(r, "chain_pem", true, &c->chain_pem);
	read_pem(r, "cross_pem", false, &c->cross_pem);
	read_fingerprint(r, "root", c->root);
	read_fingerprint(r, "key_digest", c->key_digest);
	read_staple(r, c);
}

static json_t *
credential_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_credential *c = &e->u.credential;
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:o, s:s}", "gateway",
	    c->gateway, "listener", c->listener, "slot", c->slot, "generation",
	    (json_int_t)c->generation, "names", list_json(&c->names),
	    "chain_pem", c->chain_pem);

	if (c->cross_pem != NULL)
		json_object_set_new(o, "cross_pem", json_string(c->cross_pem));
	json_object_set_new(o, "root", json_string(c->root));
	json_object_set_new(o, "key_digest", json_string(c->key_digest));
	if (c->staple != NULL) {
		struct dvt_buf text;

		dvt_buf_init(&text, 2 * DVT_STAPLE_MAX);
		dvt_base64_encode(
		    &text, (struct dvt_span){c->staple, c->staple_n}, 0);
		json_object_set_new(
		    o, "staple", json_string(dvt_buf_str(&text)));
		dvt_buf_fini(&text);
	}
	return o;
}

static void
credential_fini(struct dvt_feed_entry *e)
{
	dvt_feed_list_fini(&e->u.credential.names);
	free(e->u.credential.chain_pem);
	free(e->u.credential.cross_pem);
	free(e->u.credential.staple);
}

static void
csr_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_csr *c = &e->u.csr;

	read_text(r, "gateway", true, c->gateway, sizeof(c->gateway));
	read_text(r, "order", true, c->order, sizeof(c->order));
	read_text(r, "listener", true, c->listener, sizeof(c->listener));
	read_text(r, "authority", false, c->authority, sizeof(c->authority));
	read_list(
	    r, "names", DVT_FEED_LIST_MAX, DVT_HOST_MAX + 1, &c->names, NULL);
}

static json_t *
csr_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_csr *c = &e->u.csr;

	return json_pack("{s:s, s:s, s:s, s:o, s:s}", "gateway", c->gateway,
	    "order", c->order, "listener", c->listener, "names",
	    list_json(&c->names), "authority", c->authority);
}

static void
csr_fini(struct dvt_feed_entry *e)
{
	dvt_feed_list_fini(&e->u.csr.names);
}

static void
policy_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_policy *p = &e->u.policy;

	read_fingerprint(r, "default_root", p->default_root);
	read_fingerprint(r, "next_root", p->next_root);
	read_text(r, "next_name", false, p->next_name, sizeof(p->next_name));
	read_text(r, "trial_name", false, p->trial_name, sizeof(p->trial_name));
	read_flag(r, "forced", &p->forced);
	read_number(r, "max_stale_s", 86400, &p->max_stale_s);
	read_number(r, "refuse_after_s", 0, &p->refuse_after_s);
}

static json_t *
text_or_null(const char *s)
{
	return s[0] != '\0' ? json_string(s) : json_null();
}

static json_t *
policy_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_policy *p = &e->u.policy;

	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:I, s:I}", "default_root",
	    text_or_null(p->default_root), "next_root",
	    text_or_null(p->next_root), "next_name", text_or_null(p->next_name),
	    "trial_name", text_or_null(p->trial_name), "forced",
	    p->forced ? 1 : 0, "max_stale_s", (json_int_t)p->max_stale_s,
	    "refuse_after_s", (json_int_t)p->refuse_after_s);
}

static void
reconnect_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_reconnect *c = &e->u.reconnect;
	bool some = false;

	read_text(r, "rotation", false, c->rotation, sizeof(c->rotation));
	read_fingerprint(r, "keep_root", c->keep_root);
	read_number(r, "rate_per_s", 50, &c->rate_per_s);
	read_list(r, "devices", DVT_FEED_DEVICES_MAX, DVT_DEVICE_ID_MAX + 1,
	    &c->devices, &some);
	c->all = !some;
}

static json_t *
reconnect_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_reconnect *c = &e->u.reconnect;
	json_t *o = json_pack("{s:s, s:o, s:I}", "rotation", c->rotation,
	    "keep_root", text_or_null(c->keep_root), "rate_per_s",
	    (json_int_t)c->rate_per_s);

	if (!c->all)
		json_object_set_new(o, "devices", list_json(&c->devices));
	return o;
}

static void
reconnect_fini(struct dvt_feed_entry *e)
{
	dvt_feed_list_fini(&e->u.reconnect.devices);
}

static void
deny_key_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_deny_key *d = &e->u.deny_key;

	read_text(r, "name", false, d->name, sizeof(d->name));
	read_number(r, "not_after", INT64_MAX, &d->not_after);
	if (r->rc == DVT_OK && (!is_fingerprint(e->key) || e->key[0] == '\0'))
		r->rc = dvt_fail(
		    r->err, DVT_E_INPUT, "key: not the digest of a key");
}

static json_t *
deny_key_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_deny_key *d = &e->u.deny_key;

	return json_pack("{s:s, s:I}", "name", d->name, "not_after",
	    (json_int_t)d->not_after);
}

static void
log_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_log *l = &e->u.log;

	read_text(r, "gateway", true, l->gateway, sizeof(l->gateway));
	read_text(r, "level", true, l->level, sizeof(l->level));
	read_text(r, "device", false, l->device, sizeof(l->device));
	read_text(r, "address", false, l->address, sizeof(l->address));
	read_number(r, "until", 0, &l->until);
}

static json_t *
log_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_log *l = &e->u.log;

	return json_pack("{s:s, s:s, s:s, s:s, s:I}", "gateway", l->gateway,
	    "level", l->level, "device", l->device, "address", l->address,
	    "until", (json_int_t)l->until);
}

static void
memory_read(struct reader *r, struct dvt_feed_entry *e)
{
	struct dvt_feed_memory *m = &e->u.memory;

	read_text(r, "gateway", true, m->gateway, sizeof(m->gateway));
	read_text(r, "address", true, m->address, sizeof(m->address));
	read_text(r, "print", false, m->print, sizeof(m->print));
	read_text(r, "device", false, m->device, sizeof(m->device));
	read_fingerprint(r, "root", m->root);
	read_text(r, "form", true, m->form, sizeof(m->form));
	read_flag(r, "accepted", &m->accepted);
	read_number(r, "at", 0, &m->at);
}

static json_t *
memory_write(const struct dvt_feed_entry *e)
{
	const struct dvt_feed_memory *m = &e->u.memory;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I}", "gateway",
	    m->gateway, "address", m->address, "print", m->print, "device",
	    m->device, "root", m->root, "form", m->form, "accepted",
	    m->accepted ? 1 : 0, "at", (json_int_t)m->at);
}

#define BODY(field) sizeof(((struct dvt_feed_entry *)0)->u.field)
static const struct {
	void (*read)(struct reader *r, struct dvt_feed_entry *e);
	json_t *(*write)(const struct dvt_feed_entry *e);
	void (*fini)(struct dvt_feed_entry *e);
	size_t size;
} bodies[] = {
  /* in the order of DVT_FEED_KINDS; the last is for unknown ones */
    {anchor_read,     anchor_write,     anchor_fini,     BODY(anchor)    },
    {device_read,     device_write,     device_fini,     BODY(device)    },
    {deny_read,       deny_write,       NULL,            BODY(deny)      },
    {credential_read, credential_write, credential_fini, BODY(credential)},
    {csr_read,        csr_write,        csr_fini,        BODY(csr)       },
    {policy_read,     policy_write,     NULL,            BODY(policy)    },
    {reconnect_read,  reconnect_write,  reconnect_fini,  BODY(reconnect) },
    {deny_key_read,   deny_key_write,   NULL,            BODY(deny_key)  },
    {log_read,        log_write,        NULL,            BODY(log)       },
    {memory_read,     memory_write,     NULL,            BODY(memory)    },
    {NULL,	    NULL,             NULL,            0               },
};
_Static_assert(DVT_COUNT(bodies) == DVT_FEED_KIND_N + 1, "one row per kind");

struct dvt_feed_entry *
dvt_feed_entry_new(enum dvt_feed_kind kind, const char *key, int64_t position)
{
	struct dvt_feed_entry *e = dvt_alloc(
	    offsetof(struct dvt_feed_entry, u) + bodies[kind].size);

	e->kind = kind;
	e->key = dvt_strdup(key);
	e->position = position;
	return e;
}

void
dvt_feed_entry_free(struct dvt_feed_entry *e)
{
	if (e == NULL)
		return;
	if (bodies[e->kind].fini != NULL)
		bodies[e->kind].fini(e);
	free(e->key);
	free(e);
}

static enum dvt_code
entry_read(const json_t *obj, struct dvt_feed_entry **out, struct dvt_err *err)
{
	const char *kind_name, *key;
	int64_t position;
	struct dvt_feed_entry *e;
	enum dvt_feed_kind kind;
	struct reader r = {.err = err};
	json_t *body = json_object_get(obj, "body");
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(obj, "kind", 32, &kind_name, err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_str(obj, "key", DVT_FEED_KEY_MAX, &key, err)) !=
		DVT_OK ||
	    (rc = dvt_json_get_i64(
		 obj, "position", 0, INT64_MAX, &position, err)) != DVT_OK)
		return rc;
	if (body == NULL)
		return dvt_fail(err, DVT_E_INPUT, "body: missing");
	kind = dvt_feed_kind_from_name(kind_name);
	e = dvt_feed_entry_new(kind, key, position);
	if (kind == DVT_FEED_KIND_N || json_is_null(body)) {
		e->gone = true;
		*out = e;
		return DVT_OK;
	}
	if (!json_is_object(body)) {
		r.rc = dvt_fail(err, DVT_E_INPUT, "body: not an object");
	} else {
		r.obj = body;
		bodies[kind].read(&r, e);
	}
	if (r.rc != DVT_OK) {
		dvt_err_prefix(err, "%s %s", kind_name, key);
		dvt_feed_entry_free(e);
		return r.rc;
	}
	*out = e;
	return DVT_OK;
}

enum dvt_code
dvt_feed_entry_parse(
    struct dvt_span line, struct dvt_feed_entry **out, struct dvt_err *err)
{
	json_t *obj = NULL;
	enum dvt_code rc;

	*out = NULL;
	if ((rc = dvt_json_parse(line, DVT_FEED_LINE_MAX, &obj, err)) == DVT_OK)
		rc = entry_read(obj, out, err);
	json_decref(obj);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "feed");
	return rc;
}

void
dvt_feed_body_format(const struct dvt_feed_entry *e, struct dvt_buf *out)
{
	json_t *body = e->gone ? json_null() : bodies[e->kind].write(e);

	if (body == NULL) { /* a text that is no UTF-8: our own mistake */
		dvt_buf_puts(out, "null");
		return;
	}
	if (json_is_null(body))
		dvt_buf_puts(out, "null");
	else
		dvt_json_put(out, body);
	json_decref(body);
}

void
dvt_feed_entry_format(const struct dvt_feed_entry *e, struct dvt_buf *out)
{
	json_t *key = json_string(e->key);
	char *quoted = json_dumps(key, JSON_ENCODE_ANY);

	dvt_buf_printf(out,
	    "{\"position\":%lld,\"kind\":\"%s\",\"key\":%s,\"body\":",
	    (long long)e->position, dvt_feed_kind_name(e->kind),
	    quoted != NULL ? quoted : "\"\"");
	dvt_feed_body_format(e, out);
	dvt_buf_puts(out, "}\n");
	free(quoted);
	json_decref(key);
}
