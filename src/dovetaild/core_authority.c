/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_authority.h"

#include "api/router.h"
#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "dovetaild/core_rotation_priv.h"
#include "dovetaild/est_rules.h"
#include "pki/key.h"
#include "store/authority.h"
#include "store/edge.h"
#include "store/people.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_S     86400
#define YEAR_S    (365 * (int64_t)DAY_S)
#define ROOT_S    (25 * YEAR_S)
#define ISSUING_S (10 * YEAR_S)
#define NAME_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* One authority on its way through the signer. */
struct making {
	struct core_asker to;
	char actor[DVT_NAME_MAX + 1];
	char name[DVT_NAME_MAX + 1];
	bool use_server, use_device, imported;
	struct dvt_buf der;          /* import: the certificate */
	char digest[DVT_DIGEST_HEX]; /* import: of all of it */
	int64_t cross_of, cross_by;
};

static struct making *
making_new(const struct core_asker *to, const char *actor, const char *name)
{
	struct making *m = dvt_alloc(sizeof(*m));

	m->to = *to;
	(void)dvt_copy_str(m->actor, sizeof(m->actor), actor);
	(void)dvt_copy_str(m->name, sizeof(m->name), name);
	dvt_buf_init(&m->der, DVT_CERT_DER_MAX);
	return m;
}

static void
making_free(void *ctx)
{
	struct making *m = ctx;

	dvt_buf_fini(&m->der);
	free(m);
}

/* --- rows --- */

/* Longest that an authority of this use will be asked to issue for. */
static enum dvt_code
last_issue(struct core *c, bool use_device, int64_t not_after, int64_t *out,
    struct dvt_err *err)
{
	struct dvt_row_profile p;
	enum dvt_code rc = dvt_store_profile_by_name(core_tx(c), core_arena(c),
	    use_device ? "device" : "gateway", &p, err);

	if (rc == DVT_OK)
		*out = est_last_issue(not_after, p.validity_s, p.jitter_s);
	return rc;
}

/* The authority that signed it, by name and signature; 0: not known. */
static enum dvt_code
find_parent(struct core *c, X509 *cert, struct dvt_row_authority *row,
    struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	size_t n;
	enum dvt_code rc = dvt_store_authority_list(
	    core_tx(c), core_arena(c), 0, DVT_LIST_MAX, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		X509 *ca;

		if (dvt_x509_from_der(rows[i].der, &ca, NULL) != DVT_OK)
			continue;
		if (dvt_x509_is_issued_by(cert, ca)) {
			row->parent_id = rows[i].id;
			row->root_id = rows[i].root_id;
		}
		X509_free(ca);
	}
	return rc;
}

static enum dvt_code
describe(struct core *c, X509 *cert, struct dvt_row_authority *row,
    struct dvt_err *err)
{
	char text[DVT_DN_TEXT], hex[DVT_DIGEST_HEX];
	struct dvt_arena *a = core_arena(c);

	row->subject = dvt_arena_strdup(a, dvt_x509_subject(cert, text));
	dvt_x509_fingerprint(cert, hex);
	row->fingerprint = dvt_arena_strdup(a, hex);
	dvt_x509_key_digest(cert, hex);
	row->key_digest = dvt_arena_strdup(a, hex);
	row->not_before = dvt_x509_not_before(cert);
	row->not_after = dvt_x509_not_after(cert);
	row->is_root = dvt_x509_is_self_signed(cert);
	if (!row->is_root) {
		enum dvt_code rc = find_parent(c, cert, row, err);

		if (rc != DVT_OK)
			return rc;
	}
	return last_issue(
	    c, row->use_device, row->not_after, &row->last_issue_at, err);
}

/* A root is the top of its own chain; its number is known only now. */
static enum dvt_code
add_row(struct core *c, struct dvt_row_authority *row, struct dvt_err *err)
{
	struct dvt_row_authority *last;
	int64_t id = 0, after = 0;
	size_t n = 0;
	enum dvt_code rc = DVT_OK;

	do {
		rc = dvt_store_authority_list(core_tx(c), core_arena(c), after,
		    DVT_LIST_MAX, &last, &n, err);
		if (rc == DVT_OK && n > 0)
			after = last[n - 1].id;
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	if (rc != DVT_OK)
		return rc;
	row->id = after + 1;
	if (row->is_root)
		row->root_id = row->id;
	return dvt_store_authority_add(core_tx(c), row, &id, err);
}

static enum dvt_code
tell(struct core *c, const struct making *m, const char *action,
    const struct dvt_row_authority *row, struct dvt_err *err)
{
	json_t *detail = json_pack("{s:s, s:s, s:b, s:b, s:b, s:I, s:I}",
	    "fingerprint", row->fingerprint, "subject", row->subject,
	    "key_held", row->key_wrapped.p != NULL, "use_server",
	    row->use_server, "use_device", row->use_device, "not_after",
	    (json_int_t)row->not_after, "last_issue_at",
	    (json_int_t)row->last_issue_at);
	enum dvt_code rc = core_audit(
	    c, m->actor, action, m->name, detail, err);

	if (rc == DVT_OK)
		rc = core_event(
		    c, "AUTHORITY_CHANGE", "", m->name, detail, err);
	json_decref(detail);
	return rc;
}

static void
answer(struct core *c, const struct making *m, int status,
    const struct dvt_row_authority *row)
{
	json_t *body = json_pack(
	    "{s:I, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:I, s:I, s:I}",
	    "id", (json_int_t)row->id, "name", m->name, "state",
	    dvt_authority_state_name(row->state), "subject", row->subject,
	    "fingerprint", row->fingerprint, "root", row->is_root, "use_server",
	    row->use_server, "use_device", row->use_device, "key_held",
	    row->key_wrapped.p != NULL, "not_before",
	    (json_int_t)row->not_before, "not_after",
	    (json_int_t)row->not_after, "last_issue_at",
	    (json_int_t)row->last_issue_at);

	core_answer_json(c, &m->to, status, body);
	json_decref(body);
}

/* --- create and import: the row, once the signer has done its part --- */

struct made {
	struct making *m;
	struct dvt_span der, wrapped;
};

/* The root the fleet stands on goes into the next bundle before any device
 * is asked to load one. */
static enum dvt_code
bundle_first(
    struct core *c, const struct dvt_row_authority *row, struct dvt_err *err)
{
	json_t *body = json_pack("{s:s}", "first", row->fingerprint);
	char key[64];
	enum dvt_code rc;

	snprintf(key, sizeof(key), "import/%" PRId64 "/bundle", row->id);
	rc = core_outbox_put(c, key, 0, "bundle", body, err);
	json_decref(body);
	return rc;
}

static enum dvt_code
record(struct core *c, void *ctx, struct dvt_err *err)
{
	struct made *made = ctx;
	struct making *m = made->m;
	struct dvt_row_authority row = {.name = m->name,
	    .state = DVT_AUTHORITY_ACTIVE,
	    .use_server = m->use_server,
	    .use_device = m->use_device,
	    .der = made->der,
	    .key_wrapped = made->wrapped,
	    .imported = m->imported,
	    .created_at = core_now(c).wall_s};
	X509 *cert;
	enum dvt_code rc;

	if (row.key_wrapped.n == 0)
		row.key_wrapped.p = NULL;
	if ((rc = dvt_x509_from_der(made->der, &cert, err)) != DVT_OK)
		return rc;
	rc = describe(c, cert, &row, err);
	X509_free(cert);
	if (rc != DVT_OK || (rc = add_row(c, &row, err)) != DVT_OK ||
	    (rc = tell(c, m,
		 m->imported ? "authority.import" : "authority.create", &row,
		 err)) != DVT_OK ||
	    (rc = core_feed_anchor(c, row.id, err)) != DVT_OK)
		return rc;
	if (m->imported && row.use_server && row.is_root &&
	    (rc = bundle_first(c, &row, err)) != DVT_OK)
		return rc;
	core_signer_load(c, row.id);
	core_publish(c);
	answer(c, m, 201, &row);
	return DVT_OK;
}

static enum dvt_code
signed_new(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	struct making *m = ctx;
	struct made made = {.m = m, .der = r->der, .wrapped = r->wrapped};

	(void)err;
	return core_signed(c, &m->to, r, record, &made);
}

static enum dvt_code
check_name(struct core *c, const char *name, struct dvt_err *err)
{
	struct dvt_row_authority row;
	enum dvt_code rc;

	if (name[0] == '\0' || strlen(name) > DVT_NAME_MAX ||
	    name[strspn(name, NAME_CHARS)] != '\0')
		return dvt_fail(err, DVT_E_INPUT,
		    "name: \"%.64s\": letters, digits, \".\", \"_\", \"-\"",
		    name);
	rc = dvt_store_authority_by_name(
	    core_tx(c), core_arena(c), name, &row, err);
	if (rc == DVT_OK)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "there is an authority %s already", name);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

/* --- import --- */

static enum dvt_code
read_certificate(
    struct core *c, const char *pem, X509 **out, struct dvt_err *err)
{
	char text[DVT_DN_TEXT];
	enum dvt_code rc;

	rc = dvt_x509_from_pem(dvt_span_str(pem), out, err);
	if (rc != DVT_OK)
		return rc;
	if (!dvt_x509_is_ca(*out))
		rc = dvt_fail(err, DVT_E_INPUT,
		    "%.200s is no CA: it lacks basicConstraints CA:TRUE or "
		    "keyCertSign (RFC 5280 section 4.2.1.9)",
		    dvt_x509_subject(*out, text));
	else
		rc = dvt_x509_check_time(*out, core_now(c).wall_s, err);
	if (rc != DVT_OK) {
		X509_free(*out);
		*out = NULL;
	}
	return rc;
}

enum dvt_code
core_authority_check(struct core *c, const struct core_authority_new *want,
    char digest[DVT_DIGEST_HEX], struct dvt_err *err)
{
	char fingerprint[DVT_DIGEST_HEX];
	struct dvt_row_authority row;
	struct dvt_buf b;
	X509 *cert;
	enum dvt_code rc;

	if ((rc = check_name(c, want->name, err)) != DVT_OK ||
	    (rc = read_certificate(c, want->certificate_pem, &cert, err)) !=
		DVT_OK)
		return rc;
	dvt_x509_fingerprint(cert, fingerprint);
	X509_free(cert);
	if ((rc = core_policy_import(c, fingerprint, err)) != DVT_OK)
		return rc;
	rc = dvt_store_authority_by_fingerprint(
	    core_tx(c), core_arena(c), fingerprint, &row, err);
	if (rc == DVT_OK)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "this certificate is here as authority %s", row.name);
	if (rc != DVT_E_ABSENT)
		return rc;
	dvt_buf_init(&b, 1024);
	dvt_buf_printf(&b, "%s\n%s\n%d\n%d\n%d\n", want->name, fingerprint,
	    want->use_server, want->use_device, want->sealed_key.n > 0);
	dvt_sha256_hex(dvt_buf_span(&b), digest);
	dvt_buf_fini(&b);
	return DVT_OK;
}

static void
answer_approval(struct core *c, const struct making *m,
    const struct dvt_row_approval *row, const struct dvt_err *why)
{
	struct dvt_reply r;
	struct dvt_buf b;

	dvt_reply_init(&r);
	r.extra = json_pack("{s:I, s:s, s:I}", "approval", (json_int_t)row->id,
	    "digest", m->digest, "expires_at", (json_int_t)row->expires_at);
	dvt_reply_problem(&r, why);
	dvt_buf_init(&b, 65536);
	core_answer(
	    c, &m->to, r.status, dvt_reply_type(&r), dvt_reply_body(&r, &b), 0);
	dvt_buf_fini(&b);
	dvt_reply_fini(&r);
}

/* The signer has seen that the key is the certificate's: only now a second
 * person is asked, and what that one agreed to is recorded. */
static enum dvt_code
agree_and_record(struct core *c, void *ctx, struct dvt_err *err)
{
	struct made *made = ctx;
	struct making *m = made->m;
	struct dvt_row_approval row = {0};
	struct dvt_err why = {0};
	enum dvt_code rc = core_approval(
	    c, m->actor, AUTHORITY_IMPORT, m->name, m->digest, &row, &why);

	if (rc == DVT_OK)
		return record(c, made, err);
	if (rc != DVT_E_APPROVAL) {
		*err = why;
		return rc;
	}
	answer_approval(c, m, &row, &why); /* the request is kept */
	return DVT_OK;
}

static enum dvt_code
signed_import(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	struct making *m = ctx;
	struct made made = {
	    .m = m, .der = dvt_buf_span(&m->der), .wrapped = r->wrapped};

	(void)err;
	return core_signed(c, &m->to, r, agree_and_record, &made);
}

enum dvt_code
core_authority_import(struct core *c, const struct core_asker *to,
    const char *actor, const struct core_authority_new *want,
    const char *digest, struct dvt_err *err)
{
	struct making *m = making_new(to, actor, want->name);
	struct sign_request q = {.kind = SIGN_IMPORT};
	struct made made = {.m = m};
	X509 *cert = NULL;
	enum dvt_code rc;

	m->imported = true;
	(void)dvt_copy_str(m->digest, sizeof(m->digest), digest);
	m->use_server = want->use_server;
	m->use_device = want->use_device;
	if ((rc = read_certificate(c, want->certificate_pem, &cert, err)) !=
		DVT_OK ||
	    (rc = dvt_x509_to_der(cert, &m->der, err)) != DVT_OK)
		goto out;
	q.der = dvt_buf_span(&m->der);
	q.wrapped = want->sealed_key;
	if (want->sealed_key.n > 0) {
		rc = core_sign(c, &q, signed_import, making_free, m, err);
		if (rc == DVT_OK)
			m = NULL;
	} else {
		made.der = q.der;
		rc = record(c, &made, err);
	}
out:
	X509_free(cert);
	if (m != NULL)
		making_free(m);
	return rc;
}

/* --- create --- */

static enum dvt_code
new_subject(struct core *c, const struct core_authority_new *want,
    struct dvt_buf *out, struct dvt_err *err)
{
	char text[2 * DVT_NAME_MAX + 16];

	if (want->subject != NULL && want->subject[0] != '\0')
		return dvt_name_from_text(want->subject, out, err);
	snprintf(text, sizeof(text), "CN=%s,O=%s", want->name, core_fleet(c));
	return dvt_name_from_text(text, out, err);
}

static enum dvt_code
under_parent(struct core *c, const char *parent, struct sign_request *q,
    struct dvt_err *err)
{
	struct dvt_row_authority row;
	enum dvt_code rc = dvt_store_authority_by_name(
	    core_tx(c), core_arena(c), parent, &row, err);

	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc, "there is no authority %s", parent);
	if (rc != DVT_OK)
		return rc;
	q->authority = row.id;
	q->pathlen = 0;
	q->not_after = core_now(c).wall_s + ISSUING_S;
	if (q->not_before < row.not_before)
		q->not_before = row.not_before;
	return DVT_OK;
}

enum dvt_code
core_authority_create(struct core *c, const struct core_asker *to,
    const char *actor, const struct core_authority_new *want,
    struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_AUTHORITY,
	    .not_before = core_now(c).wall_s - DAY_S,
	    .not_after = core_now(c).wall_s + ROOT_S,
	    .pathlen = -1};
	struct making *m;
	struct dvt_buf subject;
	enum dvt_code rc;

	dvt_buf_init(&subject, 4096);
	if ((rc = check_name(c, want->name, err)) != DVT_OK ||
	    (rc = new_subject(c, want, &subject, err)) != DVT_OK ||
	    (rc = dvt_serial_make(q.serial, err)) != DVT_OK)
		goto out;
	q.subject = dvt_buf_span(&subject);
	if (want->parent != NULL && want->parent[0] != '\0' &&
	    (rc = under_parent(c, want->parent, &q, err)) != DVT_OK)
		goto out;
	m = making_new(to, actor, want->name);
	m->use_server = want->use_server;
	m->use_device = want->use_device;
	rc = core_sign(c, &q, signed_new, making_free, m, err);
	if (rc != DVT_OK)
		making_free(m);
out:
	dvt_buf_fini(&subject);
	return rc;
}

/* --- cross-certificates --- */

/* Every chain shown under this root may now be shown with it. */
static enum dvt_code
refresh_credentials(struct core *c, const char *root, struct dvt_err *err)
{
	struct dvt_row_gateway_credential *rows;
	const char *gateway = "", *id = "";
	size_t n;
	enum dvt_code rc;

	do {
		rc = dvt_store_gateway_credential_all(core_tx(c), core_arena(c),
		    gateway, id, DVT_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			gateway = rows[i].gateway;
			id = rows[i].id;
			if (strcmp(rows[i].root, root) == 0)
				rc = core_feed_credential(
				    c, gateway, id, NULL, err);
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	return rc;
}

static enum dvt_code
record_cross(struct core *c, void *ctx, struct dvt_err *err)
{
	struct made *made = ctx;
	struct making *m = made->m;
	struct dvt_row_authority row;
	enum dvt_code rc;

	if ((rc = dvt_store_authority_cross_set(core_tx(c), m->cross_of,
		 made->der, m->cross_by, err)) != DVT_OK ||
	    (rc = dvt_store_authority_get(core_tx(c), core_arena(c),
		 m->cross_of, &row, err)) != DVT_OK ||
	    (rc = tell(c, m, "authority.cross-sign", &row, err)) != DVT_OK ||
	    (rc = refresh_credentials(c, row.fingerprint, err)) != DVT_OK)
		return rc;
	core_publish(c);
	answer(c, m, 200, &row);
	return DVT_OK;
}

static enum dvt_code
signed_cross(
    struct core *c, void *ctx, const struct sign_reply *r, struct dvt_err *err)
{
	struct made made = {.m = ctx, .der = r->der};

	(void)err;
	return core_signed(c, &made.m->to, r, record_cross, &made);
}

static enum dvt_code
root_by_name(struct core *c, const char *name, struct dvt_row_authority *row,
    struct dvt_err *err)
{
	enum dvt_code rc = dvt_store_authority_by_name(
	    core_tx(c), core_arena(c), name, row, err);

	if (rc == DVT_E_ABSENT)
		return dvt_fail(err, rc, "there is no authority %s", name);
	if (rc == DVT_OK && !row->is_root)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "authority %s is no root; cross-certificates join roots",
		    name);
	return rc;
}

enum dvt_code
core_authority_cross(struct core *c, const struct core_asker *to,
    const char *actor, const char *name, const char *by, struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_CROSS};
	struct dvt_row_authority fresh, old;
	struct making *m;
	enum dvt_code rc;

	if ((rc = root_by_name(c, name, &fresh, err)) != DVT_OK ||
	    (rc = root_by_name(c, by, &old, err)) != DVT_OK)
		return rc;
	if (old.key_wrapped.p == NULL)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "the key of authority %s is not held here", by);
	if (old.state != DVT_AUTHORITY_ACTIVE)
		return dvt_fail(err, DVT_E_CONFLICT, "authority %s is %s", by,
		    dvt_authority_state_name(old.state));
	m = making_new(to, actor, name);
	m->cross_of = fresh.id;
	m->cross_by = old.id;
	q.authority = old.id;
	q.authority2 = fresh.id;
	q.not_after = old.not_after < fresh.not_after ? old.not_after
						      : fresh.not_after;
	rc = core_sign(c, &q, signed_cross, making_free, m, err);
	if (rc != DVT_OK)
		making_free(m);
	return rc;
}
