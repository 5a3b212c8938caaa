/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/outbound.h"

#include "ipc/fields.h"

void
outbound_put(struct dvt_buf *out, const struct outbound *o)
{
	dvt_put_str(out, o->key);
	dvt_put_str(out, o->kind);
	dvt_put_bytes(out, o->body);
}

enum dvt_code
outbound_get(struct dvt_span msg, struct outbound *out, struct dvt_err *err)
{
	struct dvt_fields f = dvt_fields_of(msg);

	dvt_get_str(&f, out->key, sizeof(out->key));
	dvt_get_str(&f, out->kind, sizeof(out->kind));
	out->body = dvt_get_bytes(&f, OUTBOUND_BODY_MAX);
	return dvt_fields_end(&f, "outbound", err);
}

void
outbound_done_put(struct dvt_buf *out, const struct outbound_done *d)
{
	dvt_put_str(out, d->key);
	dvt_put_u64(out, (uint64_t)d->code);
	dvt_put_str(out, d->why);
}

enum dvt_code
outbound_done_get(
    struct dvt_span msg, struct outbound_done *out, struct dvt_err *err)
{
	struct dvt_fields f = dvt_fields_of(msg);

	dvt_get_str(&f, out->key, sizeof(out->key));
	out->code = (enum dvt_code)dvt_get_u64(&f, DVT_E_SYSTEM);
	dvt_get_str(&f, out->why, sizeof(out->why));
	return dvt_fields_end(&f, "outbound answer", err);
}
