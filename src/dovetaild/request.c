/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/request.h"

#include "ipc/fields.h"

#define BODY_MAX (8 * 1024 * 1024)

void
request_put(struct dvt_buf *out, const struct request *r)
{
	dvt_put_u64(out, (uint64_t)r->from);
	dvt_put_str(out, r->method);
	dvt_put_str(out, r->path);
	dvt_put_str(out, r->query);
	dvt_put_str(out, r->token);
	dvt_put_str(out, r->fingerprint);
	dvt_put_str(out, r->address);
	dvt_put_str(out, r->accept);
	dvt_put_bytes(out, r->body);
}

enum dvt_code
request_get(struct dvt_span msg, struct request *out, struct dvt_err *err)
{
	struct dvt_fields f = dvt_fields_of(msg);

	out->from = (enum request_from)dvt_get_u64(&f, FROM_SOCKET);
	dvt_get_str(&f, out->method, sizeof(out->method));
	dvt_get_str(&f, out->path, sizeof(out->path));
	dvt_get_str(&f, out->query, sizeof(out->query));
	dvt_get_str(&f, out->token, sizeof(out->token));
	dvt_get_str(&f, out->fingerprint, sizeof(out->fingerprint));
	dvt_get_str(&f, out->address, sizeof(out->address));
	dvt_get_str(&f, out->accept, sizeof(out->accept));
	out->body = dvt_get_bytes(&f, BODY_MAX);
	return dvt_fields_end(&f, "request", err);
}

void
est_request_put(struct dvt_buf *out, const struct est_request *r)
{
	dvt_put_bool(out, r->reenroll);
	dvt_put_str(out, r->label);
	dvt_put_str(out, r->fingerprint);
	dvt_put_str(out, r->address);
	dvt_put_str(out, r->user);
	dvt_put_str(out, r->secret_hash);
	dvt_put_bytes(out, r->client);
	dvt_put_bytes(out, r->subject);
	dvt_put_bytes(out, r->san);
	dvt_put_bytes(out, r->spki);
	dvt_put_str(out, r->key_digest);
	dvt_put_bool(out, r->asks_ca);
	dvt_put_str(out, r->grant);
}

enum dvt_code
est_request_get(
    struct dvt_span msg, struct est_request *out, struct dvt_err *err)
{
	struct dvt_fields f = dvt_fields_of(msg);

	out->reenroll = dvt_get_bool(&f);
	dvt_get_str(&f, out->label, sizeof(out->label));
	dvt_get_str(&f, out->fingerprint, sizeof(out->fingerprint));
	dvt_get_str(&f, out->address, sizeof(out->address));
	dvt_get_str(&f, out->user, sizeof(out->user));
	dvt_get_str(&f, out->secret_hash, sizeof(out->secret_hash));
	out->client = dvt_get_bytes(&f, DVT_CERT_DER_MAX);
	out->subject = dvt_get_bytes(&f, DVT_CSR_DER_MAX);
	out->san = dvt_get_bytes(&f, DVT_CSR_DER_MAX);
	out->spki = dvt_get_bytes(&f, DVT_CSR_DER_MAX);
	dvt_get_str(&f, out->key_digest, sizeof(out->key_digest));
	out->asks_ca = dvt_get_bool(&f);
	dvt_get_str(&f, out->grant, sizeof(out->grant));
	return dvt_fields_end(&f, "EST request", err);
}

void
reply_put(struct dvt_buf *out, const struct reply *r)
{
	dvt_put_i64(out, r->status);
	dvt_put_str(out, r->type);
	dvt_put_i64(out, r->retry_after_s);
	dvt_put_bytes(out, r->body);
}

enum dvt_code
reply_get(struct dvt_span msg, struct reply *out, struct dvt_err *err)
{
	struct dvt_fields f = dvt_fields_of(msg);

	out->status = (int)dvt_get_i64(&f);
	dvt_get_str(&f, out->type, sizeof(out->type));
	out->retry_after_s = dvt_get_i64(&f);
	out->body = dvt_get_bytes(&f, BODY_MAX);
	return dvt_fields_end(&f, "reply", err);
}

void
publish_put(struct dvt_buf *out, const struct publish *p)
{
	dvt_put_str(out, p->what);
	dvt_put_bytes(out, p->body);
}

enum dvt_code
publish_get(struct dvt_span msg, struct publish *out, struct dvt_err *err)
{
	struct dvt_fields f = dvt_fields_of(msg);

	dvt_get_str(&f, out->what, sizeof(out->what));
	out->body = dvt_get_bytes(&f, BODY_MAX);
	return dvt_fields_end(&f, "publication", err);
}
