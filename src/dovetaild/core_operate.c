/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask for: the table, second persons, trust. */
#include "dovetaild/core_operate_priv.h"

#include "fleet/interlock.h"
#include "pki/key.h"
#include "pki/x509.h"
#include "store/authority.h"
#include "store/device.h"
#include "store/edge.h"
#include "store/gate.h"
#include "store/people.h"
#include "store/rotation.h"
#include "store/trust.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *what;
	core_op_fn *run;
} operations[] = {
    {"rotation.plan",     core_op_plan            },
    {"rotation.start",    core_op_change          },
    {"rotation.pause",    core_op_change          },
    {"rotation.resume",   core_op_change          },
    {"rotation.abort",    core_op_change          },
    {"rotation.rollback", core_op_change          },
    {"gateway.rotate",    core_op_gateway_rotate  },
    {"gateway.rollback",  core_op_gateway_rollback},
    {"truststore.update", core_op_trust_update    },
    {"recovery.initiate", core_op_recovery        },
};

enum dvt_code
core_operate(struct core *c, const char *actor, const char *what,
    const json_t *args, json_t **out, json_t **extra, struct dvt_err *err)
{
	struct core_op op = {
	    .c = c, .actor = actor, .what = what, .args = args};
	enum dvt_code rc = DVT_E_ABSENT;

	*out = *extra = NULL;
	for (size_t i = 0; i < DVT_COUNT(operations); i++)
		if (strcmp(operations[i].what, what) == 0) {
			rc = operations[i].run(&op, err);
			if (rc == DVT_OK)
				*out = op.out;
			else
				json_decref(op.out);
			*extra = op.extra;
			return rc;
		}
	return dvt_fail(err, rc, "nothing is called '%s'", what);
}

const char *
core_op_text(const struct core_op *op, const char *key, const char *dflt)
{
	const char *text = json_string_value(json_object_get(op->args, key));

	return text == NULL ? dflt : text;
}

/* --- a second person --- */

enum dvt_code
core_op_approval(struct core_op *op, const char *action, const char *object,
    const char *text, struct dvt_err *err)
{
	char digest[DVT_DIGEST_HEX];
	struct dvt_row_approval row = {0};
	enum dvt_code rc;

	dvt_sha256_hex(dvt_span_str(text), digest);
	rc = core_approval(op->c, op->actor, action, object, digest, &row, err);
	if (rc == DVT_E_APPROVAL)
		op->extra = json_pack("{s:I, s:s, s:I}", "approval",
		    (json_int_t)row.id, "digest", digest, "expires_at",
		    (json_int_t)row.expires_at);
	return rc;
}

/* --- what devices trust --- */

/* The authority whose certificate this is. */
static enum dvt_code
get_anchor(
    struct core_op *op, struct dvt_row_authority *out, struct dvt_err *err)
{
	char hex[DVT_DIGEST_HEX];
	X509 *cert;
	enum dvt_code rc = dvt_x509_from_pem(
	    dvt_span_str(core_op_text(op, "certificate", "")), &cert, err);

	if (rc != DVT_OK)
		return rc;
	if (!dvt_x509_is_ca(cert)) {
		X509_free(cert);
		return dvt_fail(err, DVT_E_INPUT,
		    "certificate: it is no CA (RFC 5280 section 4.2.1.9)");
	}
	rc = dvt_x509_check_time(cert, core_now(op->c).wall_s, err);
	dvt_x509_fingerprint(cert, hex);
	X509_free(cert);
	if (rc != DVT_OK)
		return rc;
	rc = dvt_store_authority_by_fingerprint(
	    core_tx(op->c), core_arena(op->c), hex, out, err);
	if (rc == DVT_E_ABSENT)
		rc = dvt_fail(err, rc,
		    "certificate: no authority has it; import it first");
	return rc;
}

static bool
has_other(const char *anchors, const char *fingerprint)
{
	json_t *list = anchors == NULL ? NULL : json_loads(anchors, 0, NULL);
	const json_t *item;
	bool other = false;
	size_t i;

	json_array_foreach(list, i, item)
	    other |= json_is_string(item) &&
		     strcmp(json_string_value(item), fingerprint) != 0;
	json_decref(list);
	return other;
}

static void
refuse_device(
    struct core_op *op, const char *device, const char *why, int64_t *total)
{
	json_t *list;

	if (op->extra == NULL)
		op->extra = json_pack("{s:[], s:i}", "devices", "total", 0);
	list = json_object_get(op->extra, "devices");
	if (json_array_size(list) < ROTATION_BLOCKED)
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:s}", "device", device, "reason", why));
	(void)json_object_set_new(
	    op->extra, "total", json_integer((json_int_t)++ * total));
}

/* Promise 2: each active device can do without it. */
static enum dvt_code
check_devices(struct core_op *op, const struct dvt_row_authority *anchor,
    struct dvt_err *err)
{
	struct dvt_row_anchor_user *rows;
	char room[DVT_REASON_MAX];
	const char *after = "", *why;
	int64_t total = 0;
	size_t n = 0;
	enum dvt_code rc;

	do {
		rc = dvt_store_anchor_users(core_tx(op->c), core_arena(op->c),
		    anchor->fingerprint, after, DVT_LIST_MAX, &rows, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			struct dvt_anchor_user u = {.device = rows[i].device_id,
			    .state = DVT_DEVICE_ACTIVE,
			    .trust_known = rows[i].anchors != NULL,
			    .knows_other = has_other(
				rows[i].anchors, anchor->fingerprint),
			    .proven_other = rows[i].proven};

			after = rows[i].device_id;
			why = dvt_interlock_anchor(&u, anchor->name, room);
			if (why != NULL)
				refuse_device(op, u.device, why, &total);
		}
	} while (rc == DVT_OK && n == DVT_LIST_MAX);
	if (rc == DVT_OK && total > 0)
		rc = dvt_fail(err, DVT_E_UNSAFE,
		    "%s cannot be removed: %" PRId64 " device%s it",
		    anchor->name, total, total == 1 ? " needs" : "s need");
	return rc;
}

/* And every edge is heard, and shows another root. */
static enum dvt_code
check_edges(struct core_op *op, const struct dvt_row_authority *anchor,
    struct dvt_err *err)
{
	int64_t unheard = core_now(op->c).wall_s -
			  dvt_config_int(
			      core_config(op->c), "gateway.unheardAfter");
	struct dvt_row_gateway *rows;
	size_t n;
	enum dvt_code rc = dvt_store_gateway_list(core_tx(op->c),
	    core_arena(op->c), "", DVT_LIST_MAX, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		if (strcmp(rows[i].default_root, anchor->fingerprint) == 0)
			return dvt_fail(err, DVT_E_UNSAFE,
			    "%s cannot be removed: %s shows it by default",
			    anchor->name, rows[i].name);
		if (rows[i].heard_at < unheard)
			return dvt_fail(err, DVT_E_UNSAFE,
			    "%s cannot be removed: %s is not heard",
			    anchor->name, rows[i].name);
	}
	return rc;
}

static enum dvt_code
check_rotations(struct core_op *op, const struct dvt_row_authority *anchor,
    struct dvt_err *err)
{
	struct dvt_rotation *open;
	size_t n;
	enum dvt_code rc = dvt_store_rotation_standing(
	    core_tx(op->c), core_arena(op->c), &open, &n, err);

	if (rc == DVT_OK)
		rc = dvt_interlock_second(
		    open, n, DVT_ROT_KIND_N, anchor->id, 0, err);
	return rc;
}

enum dvt_code
core_op_trust_update(struct core_op *op, struct dvt_err *err)
{
	const char *operation = core_op_text(op, "operation", "");
	const char *priority = core_op_text(op, "priority", "secondary");
	bool remove = strcmp(operation, "REMOVE") == 0;
	char object[DVT_NAME_MAX + 64], text[512], key[DVT_ROT_KEY_MAX];
	struct dvt_row_authority anchor;
	struct dvt_row_bundle newest;
	json_t *body;
	enum dvt_code rc;

	if (!remove && strcmp(operation, "ADD") != 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "operation: none of ADD, REMOVE");
	if ((rc = get_anchor(op, &anchor, err)) != DVT_OK ||
	    (rc = dvt_store_bundle_newest(
		 core_tx(op->c), core_arena(op->c), &newest, err)) != DVT_OK ||
	    (rc = check_rotations(op, &anchor, err)) != DVT_OK)
		return rc;
	if (remove && !core_trust_has(newest.anchors, anchor.fingerprint))
		return dvt_fail(err, DVT_E_ABSENT,
		    "no device is told to trust %s", anchor.name);
	if (remove && ((rc = check_devices(op, &anchor, err)) != DVT_OK ||
			  (rc = check_edges(op, &anchor, err)) != DVT_OK))
		return rc;
	snprintf(object, sizeof(object), "%s %s as an anchor", operation,
	    anchor.name);
	snprintf(text, sizeof(text), "truststore.update %s %s %s %" PRId64,
	    operation, anchor.fingerprint, priority, newest.version);
	rc = core_op_approval(op, "truststore.update", object, text, err);
	if (rc != DVT_OK)
		return rc;
	snprintf(key, sizeof(key), "t%" PRId64 "/bundle/%.16s/%s",
	    newest.version, anchor.fingerprint, operation);
	body = remove ? json_pack("{s:s}", "remove", anchor.fingerprint)
		      : json_pack("{s:s, s:s}", "add", anchor.fingerprint,
			    "priority", priority);
	rc = core_outbox_put(op->c, key, 0, "bundle", body, err);
	if (rc == DVT_OK)
		rc = core_audit(
		    op->c, op->actor, "truststore.update", object, body, err);
	json_decref(body);
	op->out = json_pack("{s:s, s:s, s:I}", "operation", operation, "anchor",
	    anchor.fingerprint, "bundle", (json_int_t)newest.version + 1);
	return rc;
}
