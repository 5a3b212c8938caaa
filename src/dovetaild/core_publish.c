/* SPDX-License-Identifier: Apache-2.0 */
/* What fronts answer without asking: CA certificates and trust bundles. */
#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "proto/est.h"
#include "store/authority.h"
#include "store/trust.h"

#include <inttypes.h>

#define CERTS_MAX   128
#define BUNDLES_MAX 512
#define BODY_MAX    (4 * 1024 * 1024)

/* Every CA that stands: roots, issuing CAs, and cross-certificates last. */
static enum dvt_code
cacerts(struct core *c, struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	struct dvt_span certs[CERTS_MAX];
	size_t n, k = 0;
	enum dvt_code rc = dvt_store_authority_list(
	    core_tx(c), core_arena(c), 0, DVT_LIST_MAX, &rows, &n, err);

	if (rc != DVT_OK)
		return rc;
	for (size_t i = 0; i < n && k < CERTS_MAX; i++) {
		if (rows[i].state == DVT_AUTHORITY_ACTIVE ||
		    rows[i].state == DVT_AUTHORITY_RETIRING)
			certs[k++] = rows[i].der;
	}
	for (size_t i = 0; i < n && k < CERTS_MAX; i++) {
		if (rows[i].state == DVT_AUTHORITY_ACTIVE &&
		    rows[i].cross_der.p != NULL)
			certs[k++] = rows[i].cross_der;
	}
	dvt_est_certs_put(out, certs, k);
	return dvt_buf_ok(out, "cacerts", err);
}

/* "VERSION BRIDGE LINE": a bridge names other keys than the one before it. */
static enum dvt_code
bundles(struct core *c, struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_row_bundle *rows;
	int64_t after = 0, keys = 0;
	size_t n;
	enum dvt_code rc;

	do {
		rc = dvt_store_bundle_list(core_tx(c), core_arena(c), after,
		    BUNDLES_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			dvt_buf_printf(out, "%" PRId64 " %d %s\n",
			    rows[i].version, rows[i].keys_version != keys,
			    rows[i].envelope);
			keys = rows[i].keys_version;
			after = rows[i].version;
		}
	} while (rc == DVT_OK && n == BUNDLES_MAX);
	return rc == DVT_OK ? dvt_buf_ok(out, "bundles", err) : rc;
}

struct publishing {
	struct dvt_buf cacerts, bundles;
};

static enum dvt_code
collect(struct core *c, void *ctx, struct dvt_err *err)
{
	struct publishing *p = ctx;
	enum dvt_code rc = cacerts(c, &p->cacerts, err);

	return rc == DVT_OK ? bundles(c, &p->bundles, err) : rc;
}

static void
send_to(struct core *c, unsigned front, const char *what,
    const struct dvt_buf *body)
{
	struct dvt_msg m = {.type = DVT_MSG_PUBLISH, .fd = -1};
	struct publish p = {.body = dvt_buf_span(body)};
	struct dvt_err err;
	struct dvt_buf b;

	(void)dvt_copy_str(p.what, sizeof(p.what), what);
	dvt_buf_init(&b, BODY_MAX + 4096);
	publish_put(&b, &p);
	m.body = dvt_buf_span(&b);
	if (peers_send(c->peers, DVT_ROLE_FRONT, front, &m, &err) != DVT_OK)
		log_event(LOG_WARNING, "core.publish.lost",
		    LI("front", front + 1), LE(&err));
	dvt_buf_fini(&b);
}

static void
publish(struct core *c, unsigned first, unsigned end)
{
	struct publishing p;
	struct dvt_err err = {0};

	core_settle(c);
	dvt_buf_init(&p.cacerts, BODY_MAX);
	dvt_buf_init(&p.bundles, BODY_MAX);
	if (core_within(c, collect, &p, &err) != DVT_OK)
		log_event(LOG_ERR, "core.publish.failed", LE(&err));
	for (unsigned i = first; err.code == DVT_OK && i < end; i++) {
		if (!c->front[i].up)
			continue;
		send_to(c, i, PUBLISH_CACERTS, &p.cacerts);
		send_to(c, i, PUBLISH_BUNDLES, &p.bundles);
	}
	dvt_buf_fini(&p.cacerts);
	dvt_buf_fini(&p.bundles);
}

void
core_publish_now(struct core *c)
{
	publish(c, 0, DVT_FRONTS_MAX);
}

void
core_publish_to(struct core *c, unsigned front)
{
	publish(c, front, front + 1);
}
