/* SPDX-License-Identifier: Apache-2.0 */
/* See tickets.h; and what the agent does with them. */
#include "device/tickets.h"

#include "device/agent_priv.h"
#include "durable/atomic.h"
#include "pki/x509.h"
#include "wire/base64.h"
#include "wire/json.h"

#include <string.h>

#define WRITE_EVERY_S (6 * 3600)

static const char *const names[] = {"edge", "control"};

void
dvt_tickets_init(struct dvt_tickets *t)
{
	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < DVT_TICKET_N; i++)
		dvt_buf_init(&t->of[i].der, DVT_TICKET_BYTES);
}

static void
forget(struct dvt_tickets *t, size_t i)
{
	t->of[i].leaf[0] = '\0';
	dvt_buf_cleanse(&t->of[i].der);
	dvt_buf_reset(&t->of[i].der);
}

void
dvt_tickets_fini(struct dvt_tickets *t)
{
	for (size_t i = 0; i < DVT_TICKET_N; i++) {
		dvt_buf_cleanse(&t->of[i].der);
		dvt_buf_fini(&t->of[i].der);
	}
}

/* --- the file --- */

static enum dvt_code
parse_one(struct dvt_tickets *t, size_t i, const json_t *obj, const char *leaf,
    struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc = dvt_json_opt_str(
	    obj, names[i], 2 * DVT_TICKET_BYTES, "", &text, err);

	if (rc != DVT_OK || text[0] == '\0')
		return rc;
	rc = dvt_base64_decode(dvt_span_str(text), &t->of[i].der, err);
	if (rc == DVT_OK)
		(void)dvt_copy_str(t->of[i].leaf, DVT_DIGEST_HEX, leaf);
	return rc;
}

enum dvt_code
dvt_tickets_parse(
    struct dvt_tickets *t, struct dvt_span text, struct dvt_err *err)
{
	json_t *obj = NULL;
	const char *leaf;
	enum dvt_code rc = dvt_json_parse(text, DVT_TICKETS_BYTES, &obj, err);

	if (rc == DVT_OK)
		rc = dvt_json_get_str(
		    obj, "certificate", DVT_DIGEST_HEX - 1, &leaf, err);
	if (rc == DVT_OK)
		rc = dvt_json_get_i64(obj, "at", 0, INT64_MAX, &t->at, err);
	for (size_t i = 0; rc == DVT_OK && i < DVT_TICKET_N; i++)
		rc = parse_one(t, i, obj, leaf, err);
	for (size_t i = 0; rc != DVT_OK && i < DVT_TICKET_N; i++)
		forget(t, i);
	json_decref(obj);
	return rc;
}

void
dvt_tickets_format(
    const struct dvt_tickets *t, const char *leaf, struct dvt_buf *out)
{
	json_t *obj = json_pack(
	    "{s:s, s:I}", "certificate", leaf, "at", (json_int_t)t->at);
	struct dvt_buf text;
	size_t n = 0;

	dvt_buf_init(&text, 2 * DVT_TICKET_BYTES);
	for (size_t i = 0; i < DVT_TICKET_N; i++) {
		if (t->of[i].leaf[0] == '\0' ||
		    strcmp(t->of[i].leaf, leaf) != 0)
			continue;
		dvt_buf_reset(&text);
		dvt_base64_encode(&text, dvt_buf_span(&t->of[i].der), 0);
		(void)json_object_set_new(
		    obj, names[i], json_string(dvt_buf_str(&text)));
		n++;
	}
	if (n > 0)
		dvt_json_put(out, obj);
	json_decref(obj);
	dvt_buf_cleanse(&text);
	dvt_buf_fini(&text);
}

/* --- the agent's --- */

static void
fingerprint(const struct dvt_agent_credential *c, char out[DVT_DIGEST_HEX])
{
	out[0] = '\0';
	if (c != NULL && c->key != NULL)
		dvt_x509_fingerprint(c->chain.cert[0], out);
}

/* Not again before its time, also in a program that runs once and ends. */
static void
write_later(struct dvt_agent *a)
{
	int64_t wait_s = a->tickets.at + WRITE_EVERY_S - dvt_agent_now_s(a);

	if (wait_s < 0 || a->tickets.at == 0)
		wait_s = 0;
	if (wait_s > WRITE_EVERY_S) /* the clock was put back */
		wait_s = WRITE_EVERY_S;
	a->tickets.write_ms = a->now.mono_ms + wait_s * 1000;
}

void
dvt_agent_tickets_open(struct dvt_agent *a)
{
	char leaf[DVT_DIGEST_HEX];
	struct dvt_buf text;

	dvt_tickets_init(&a->tickets);
	dvt_buf_init(&text, DVT_TICKETS_BYTES);
	if (a->env.fs->read(a->env.fs_ctx, DVT_TICKETS_FILE, &text, NULL) ==
	    DVT_OK)
		(void)!dvt_tickets_parse(
		    &a->tickets, dvt_buf_span(&text), NULL);
	dvt_buf_cleanse(&text);
	dvt_buf_fini(&text);
	fingerprint(&a->cred, leaf);
	if (leaf[0] != '\0' &&
	    (strcmp(a->tickets.of[DVT_TICKET_EDGE].leaf, leaf) == 0 ||
		strcmp(a->tickets.of[DVT_TICKET_CONTROL].leaf, leaf) == 0))
		write_later(a);
}

struct dvt_span
dvt_agent_ticket(const struct dvt_agent *a, enum dvt_ticket_of of,
    const struct dvt_agent_credential *with)
{
	char leaf[DVT_DIGEST_HEX];

	fingerprint(with, leaf);
	if (leaf[0] == '\0' || strcmp(a->tickets.of[of].leaf, leaf) != 0)
		return (struct dvt_span){NULL, 0};
	return dvt_buf_span(&a->tickets.of[of].der);
}

void
dvt_agent_ticket_put(struct dvt_agent *a, enum dvt_ticket_of of,
    const struct dvt_agent_credential *with, struct dvt_span der)
{
	struct dvt_tickets *t = &a->tickets;

	if (with == NULL || with->key == NULL || der.n == 0 ||
	    der.n > DVT_TICKET_BYTES)
		return;
	forget(t, of);
	fingerprint(with, t->of[of].leaf);
	dvt_buf_put_span(&t->of[of].der, der);
	t->dirty = true;
}

void
dvt_agent_ticket_drop(struct dvt_agent *a, enum dvt_ticket_of of)
{
	forget(&a->tickets, of);
	a->tickets.dirty = true;
}

void
dvt_agent_tickets_switched(struct dvt_agent *a)
{
	char leaf[DVT_DIGEST_HEX];

	fingerprint(&a->cred, leaf);
	for (size_t i = 0; i < DVT_TICKET_N; i++)
		if (strcmp(a->tickets.of[i].leaf, leaf) != 0)
			forget(&a->tickets, i);
	a->tickets.dirty = true;
	a->tickets.write_ms = a->now.mono_ms;
}

bool
dvt_agent_tickets_due(const struct dvt_agent *a)
{
	return a->tickets.dirty && a->update.phase == UP_NONE &&
	       a->cred.key != NULL && a->now.mono_ms >= a->tickets.write_ms;
}

/* A disk that refuses is no matter: later, or never. */
enum dvt_did
dvt_agent_run_tickets(struct dvt_agent *a)
{
	char leaf[DVT_DIGEST_HEX];
	struct dvt_buf text;

	if (!dvt_agent_tickets_due(a))
		return DVT_DID_NOTHING;
	dvt_agent_commit(a);
	a->tickets.dirty = false;
	a->tickets.at = dvt_agent_now_s(a);
	write_later(a);
	fingerprint(&a->cred, leaf);
	dvt_buf_init(&text, DVT_TICKETS_BYTES);
	dvt_tickets_format(&a->tickets, leaf, &text);
	if (text.n > 0 && !text.full)
		(void)!dvt_atomic_replace(a->env.fs, a->env.fs_ctx, "",
		    DVT_TICKETS_FILE, dvt_buf_span(&text), 0600, NULL);
	else
		(void)!a->env.fs->unlink(a->env.fs_ctx, DVT_TICKETS_FILE, NULL);
	dvt_buf_cleanse(&text);
	dvt_buf_fini(&text);
	return DVT_DID_WORK;
}
