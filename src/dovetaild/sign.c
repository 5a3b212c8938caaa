/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/sign.h"

#include "ipc/fields.h"
#include "pki/key.h"

#include <inttypes.h>

const char *
sign_kind_name(enum sign_kind kind)
{
#define SIGN_KIND_NAME(k, name) [k] = name,
	static const char *const names[] = {SIGN_KINDS(SIGN_KIND_NAME)};

	return kind < SIGN_KIND_N ? names[kind] : "?";
}

void
sign_profile_digest(const struct sign_profile *p, char out[DVT_DIGEST_HEX])
{
	struct dvt_buf b;

	dvt_buf_init(&b, 4096);
	dvt_buf_printf(&b,
	    "%s\n%" PRId64 "\n%" PRId64 "\n%" PRId64 "\n%" PRId64 "\n%" PRId64
	    "\n%d\n%d\n",
	    p->name, p->issuer_id, p->validity_s, p->jitter_s, p->backdate_s,
	    p->renew_before_s, p->use_server, p->use_client);
	dvt_sha256_hex(dvt_buf_span(&b), out);
	dvt_buf_fini(&b);
}

static void
put_profile(struct dvt_buf *out, const struct sign_profile *p)
{
	dvt_put_str(out, p->name);
	dvt_put_i64(out, p->issuer_id);
	dvt_put_i64(out, p->validity_s);
	dvt_put_i64(out, p->jitter_s);
	dvt_put_i64(out, p->backdate_s);
	dvt_put_i64(out, p->renew_before_s);
	dvt_put_bool(out, p->use_server);
	dvt_put_bool(out, p->use_client);
	dvt_put_str(out, p->digest);
}

static void
get_profile(struct dvt_fields *f, struct sign_profile *p)
{
	dvt_get_str(f, p->name, sizeof(p->name));
	p->issuer_id = dvt_get_i64(f);
	p->validity_s = dvt_get_i64(f);
	p->jitter_s = dvt_get_i64(f);
	p->backdate_s = dvt_get_i64(f);
	p->renew_before_s = dvt_get_i64(f);
	p->use_server = dvt_get_bool(f);
	p->use_client = dvt_get_bool(f);
	dvt_get_str(f, p->digest, sizeof(p->digest));
}

static void
put_sans(struct dvt_buf *out, const struct dvt_san *sans, size_t n)
{
	dvt_put_count(out, n);
	for (size_t i = 0; i < n; i++) {
		dvt_put_u64(out, (uint64_t)sans[i].kind);
		dvt_put_str(out, sans[i].text);
	}
}

static void
put_entries(struct dvt_buf *out, const struct sign_crl_entry *e, size_t n)
{
	dvt_put_count(out, n);
	for (size_t i = 0; i < n; i++) {
		dvt_put_bytes(
		    out, (struct dvt_span){e[i].serial, e[i].serial_n});
		dvt_put_i64(out, e[i].revoked_at);
		dvt_put_u64(out, (uint64_t)e[i].reason);
	}
}

void
sign_request_put(struct dvt_buf *out, const struct sign_request *q)
{
	dvt_put_u64(out, (uint64_t)q->kind);
	dvt_put_i64(out, q->authority);
	dvt_put_i64(out, q->authority2);
	dvt_put_str(out, q->name);
	dvt_put_str(out, q->profile_digest);
	dvt_put_bytes(out, (struct dvt_span){q->serial, sizeof(q->serial)});
	dvt_put_bytes(out, q->subject);
	dvt_put_bytes(out, q->spki);
	put_sans(out, q->sans, q->sans_n);
	dvt_put_bytes(out, q->san_der);
	dvt_put_i64(out, q->not_before);
	dvt_put_i64(out, q->not_after);
	dvt_put_i64(out, q->pathlen);
	dvt_put_bytes(out, q->der);
	dvt_put_bytes(out, q->wrapped);
	if (q->kind == SIGN_LOAD_PROFILE)
		put_profile(out, &q->profile);
	if (q->kind == SIGN_CRL) {
		dvt_put_i64(out, q->crl_number);
		put_entries(out, q->entries, q->entries_n);
	}
}

static void
get_sans(struct dvt_fields *f, struct sign_request_room *room,
    struct sign_request *out)
{
	out->sans = room->sans;
	out->sans_n = dvt_get_count(f, DVT_SANS_MAX);
	for (size_t i = 0; i < out->sans_n; i++) {
		room->sans[i].kind = (uint8_t)dvt_get_u64(f, UINT8_MAX);
		dvt_get_str(f, room->sans[i].text, sizeof(room->sans[i].text));
	}
}

static void
get_entries(struct dvt_fields *f, struct sign_request_room *room,
    struct sign_request *out)
{
	out->entries = room->entries;
	out->entries_n = dvt_get_count(f, SIGN_CRL_ENTRIES);
	for (size_t i = 0; i < out->entries_n; i++) {
		struct sign_crl_entry *e = &room->entries[i];
		struct dvt_span serial = dvt_get_bytes(f, sizeof(e->serial));

		if (serial.n > 0)
			memcpy(e->serial, serial.p, serial.n);
		e->serial_n = serial.n;
		e->revoked_at = dvt_get_i64(f);
		e->reason = (enum dvt_crl_reason)dvt_get_u64(f, 10);
	}
}

enum dvt_code
sign_request_get(struct dvt_span body, struct sign_request_room *room,
    struct sign_request *out, struct dvt_err *err)
{
	struct dvt_fields f = dvt_fields_of(body);
	struct dvt_span serial;

	memset(out, 0, sizeof(*out));
	out->kind = (enum sign_kind)dvt_get_u64(&f, SIGN_KIND_N - 1);
	out->authority = dvt_get_i64(&f);
	out->authority2 = dvt_get_i64(&f);
	dvt_get_str(&f, room->name, sizeof(room->name));
	dvt_get_str(&f, room->profile_digest, sizeof(room->profile_digest));
	out->name = room->name;
	out->profile_digest = room->profile_digest;
	serial = dvt_get_bytes(&f, sizeof(out->serial));
	if (serial.n == sizeof(out->serial))
		memcpy(out->serial, serial.p, serial.n);
	out->subject = dvt_get_bytes(&f, SIGN_DER_MAX);
	out->spki = dvt_get_bytes(&f, SIGN_DER_MAX);
	get_sans(&f, room, out);
	out->san_der = dvt_get_bytes(&f, SIGN_DER_MAX);
	out->not_before = dvt_get_i64(&f);
	out->not_after = dvt_get_i64(&f);
	out->pathlen = (int)dvt_get_i64(&f);
	out->der = dvt_get_bytes(&f, SIGN_PAYLOAD_MAX);
	out->wrapped = dvt_get_bytes(&f, SIGN_WRAPPED_MAX);
	if (out->kind == SIGN_LOAD_PROFILE)
		get_profile(&f, &out->profile);
	if (out->kind == SIGN_CRL) {
		out->crl_number = dvt_get_i64(&f);
		get_entries(&f, room, out);
	}
	return dvt_fields_end(&f, "sign request", err);
}

void
sign_reply_put(struct dvt_buf *out, const struct sign_reply *r)
{
	dvt_put_u64(out, (uint64_t)r->code);
	dvt_put_str(out, r->why);
	dvt_put_bytes(out, r->der);
	dvt_put_bytes(out, r->wrapped);
	dvt_put_bytes(out, r->line);
}

enum dvt_code
sign_reply_get(
    struct dvt_span body, struct sign_reply *out, struct dvt_err *err)
{
	struct dvt_fields f = dvt_fields_of(body);

	memset(out, 0, sizeof(*out));
	out->code = (enum dvt_code)dvt_get_u64(&f, DVT_E_SYSTEM);
	dvt_get_str(&f, out->why, sizeof(out->why));
	out->der = dvt_get_bytes(&f, SIGN_CRL_MAX);
	out->wrapped = dvt_get_bytes(&f, SIGN_WRAPPED_MAX);
	out->line = dvt_get_bytes(&f, SIGN_LINE_MAX);
	return dvt_fields_end(&f, "sign reply", err);
}
