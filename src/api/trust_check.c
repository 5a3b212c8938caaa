/* SPDX-License-Identifier: Apache-2.0 */
#include "api/trust_check.h"

#include "fleet/pins.h"
#include "pki/verify.h"
#include "pki/x509.h"
#include "store/authority.h"
#include "store/device.h"
#include "store/trust.h"
#include "wire/json.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>

#define GROUPS_MAX 1000
#define PAGE       500

/* What one verification needs. */
struct check {
	struct dvt_tx *tx;
	struct dvt_arena *arena;
	const struct dvt_candidate *chain;
	X509 *issuer; /* of a chain that is not issued yet; NULL none */
	int64_t now;
	char serial[DVT_SERIAL_HEX]; /* of the leaf */
	char issuer_id[DVT_ISSUER_ID];
};

/* --- verifying as a device would --- */

static struct dvt_trust *
trust_of(struct check *k, const char *const *anchors, size_t n)
{
	struct dvt_trust *trust = NULL;
	X509 **certs = dvt_alloc_array(n + 1, sizeof(X509 *));
	size_t have = 0;

	for (size_t i = 0; i < n; i++) {
		struct dvt_row_authority row;

		if (dvt_store_authority_by_fingerprint(
			k->tx, k->arena, anchors[i], &row, NULL) == DVT_OK &&
		    dvt_x509_from_der(row.der, &certs[have], NULL) == DVT_OK)
			have++;
	}
	/* a stock client: partial chains are not its default */
	if (dvt_trust_new(certs, have, DVT_TRUST_LAX, &trust, NULL) != DVT_OK)
		trust = NULL;
	for (size_t i = 0; i < have; i++)
		X509_free(certs[i]);
	free(certs);
	return trust;
}

/*
 * No leaf yet: the CA that will issue it is verified instead, without a
 * purpose. A root that issues by itself is trusted or is not.
 */
static bool
issuer_verifies(struct check *k, struct dvt_trust *trust, char *why)
{
	X509_STORE_CTX *ctx;
	int error = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
	bool ok = false;

	if (k->issuer == NULL || dvt_x509_is_self_signed(k->issuer)) {
		for (size_t i = 0; i < dvt_trust_count(trust); i++) {
			char hex[DVT_DIGEST_HEX];

			dvt_x509_fingerprint(dvt_trust_get(trust, i), hex);
			ok |= strcmp(hex, k->chain->root) == 0;
		}
	} else if ((ctx = X509_STORE_CTX_new()) != NULL) {
		if (X509_STORE_CTX_init(
			ctx, dvt_trust_store(trust), k->issuer, NULL) == 1) {
			X509_STORE_CTX_set_time(ctx, 0, (time_t)k->now);
			X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_ANY);
			ok = X509_verify_cert(ctx) == 1;
			error = X509_STORE_CTX_get_error(ctx);
		}
		X509_STORE_CTX_free(ctx);
		ERR_clear_error();
	}
	if (!ok)
		snprintf(why, DVT_REASON_MAX, "%s", dvt_verdict_reason(error));
	return ok;
}

static bool
accepts(void *ctx, const char *const *anchors, size_t n, char *why)
{
	struct check *k = ctx;
	struct dvt_verify how = {.purpose = DVT_FOR_SERVER, .now = k->now};
	struct dvt_trust *trust = trust_of(k, anchors, n);
	struct dvt_verdict verdict;
	bool ok;

	if (trust == NULL) {
		snprintf(why, DVT_REASON_MAX, "its anchors cannot be read");
		return false;
	}
	if (k->chain->chain == NULL) {
		ok = issuer_verifies(k, trust, why);
	} else {
		ok = dvt_trust_verify(trust, k->chain->chain, &how, &verdict,
			 NULL) == DVT_OK;
		if (!ok)
			snprintf(why, DVT_REASON_MAX, "%s",
			    dvt_verdict_reason(verdict.error));
	}
	dvt_trust_free(trust);
	return ok;
}

static void
check_init(struct check *k)
{
	k->issuer = NULL;
	if (k->chain->chain == NULL && k->chain->issuer.n > 0 &&
	    dvt_x509_from_der(k->chain->issuer, &k->issuer, NULL) != DVT_OK)
		k->issuer = NULL;
	if (k->chain->chain != NULL) {
		dvt_x509_serial(k->chain->chain->cert[0], k->serial);
		dvt_x509_issuer_id(k->chain->chain->cert[0], k->issuer_id);
	} else if (k->issuer != NULL) {
		dvt_x509_issuer_id_of_ca(k->issuer, k->issuer_id);
	}
}

static struct dvt_gate_shown
shown_of(const struct check *k)
{
	return (struct dvt_gate_shown){k->chain->root, k->serial, k->issuer_id};
}

/* --- groups --- */

/* Texts of a JSON list, in the arena. */
static void
take_anchors(
    struct dvt_arena *arena, const char *json, struct dvt_trust_group *g)
{
	json_t *list;
	const json_t *item;
	const char **texts;
	size_t i;

	if (json == NULL || dvt_json_parse(dvt_span_str(json), DVT_BODY_MAX,
				&list, NULL) != DVT_OK)
		return;
	texts = dvt_arena_alloc(
	    arena, (json_array_size(list) + 1) * sizeof(*texts));
	json_array_foreach(list, i, item) if (json_is_string(item))
	    texts[g->anchors_n++] = dvt_arena_strdup(
		arena, json_string_value(item));
	json_decref(list);
	g->anchors = texts;
	g->known = true;
}

static void
take_group(struct dvt_arena *arena, const struct dvt_row_trust_group *row,
    struct dvt_trust_group *g)
{
	*g = (struct dvt_trust_group){.management = row->management,
	    .seen_ok = strcmp(row->seen, "ok") == 0,
	    .seen_bad = strcmp(row->seen, "bad") == 0,
	    .pins = row->pins,
	    .devices.n = row->n};
	(void)dvt_copy_str(
	    g->devices.sample[0], sizeof(g->devices.sample[0]), row->first);
	take_anchors(arena, row->anchors, g);
}

static void
sum_up(struct dvt_trust_report *out)
{
	for (size_t i = 0; i < out->n; i++) {
		const struct dvt_trust_group *g = &out->groups[i];

		if (g->management == DVT_MANAGED_NONE) {
			if (out->unmanaged.n == 0)
				(void)dvt_copy_str(out->unmanaged.sample[0],
				    sizeof(out->unmanaged.sample[0]),
				    g->devices.sample[0]);
			out->unmanaged.n += g->devices.n;
		}
		if (g->verdict == DVT_WOULD_REFUSE &&
		    out->first_reason[0] == '\0')
			(void)dvt_copy_str(out->first_reason,
			    sizeof(out->first_reason), g->reason);
	}
}

enum dvt_code
dvt_trust_check(struct dvt_tx *tx, struct dvt_arena *arena, int64_t rotation_id,
    const struct dvt_candidate *chain, bool after_overlap, int64_t now,
    struct dvt_trust_report *out, struct dvt_err *err)
{
	struct check k = {.tx = tx, .arena = arena, .chain = chain, .now = now};
	struct dvt_dry_run how = {accepts, &k, chain->root, after_overlap};
	struct dvt_gate_shown shown;
	enum dvt_code rc;

	*out = (struct dvt_trust_report){0};
	check_init(&k);
	shown = shown_of(&k);
	rc = dvt_store_trust_groups(tx, arena, rotation_id, &shown, GROUPS_MAX,
	    &out->rows, &out->n, err);
	if (rc != DVT_OK) {
		X509_free(k.issuer);
		return rc;
	}
	out->groups = dvt_arena_alloc(
	    arena, (out->n + 1) * sizeof(struct dvt_trust_group));
	for (size_t i = 0; i < out->n; i++)
		take_group(arena, &out->rows[i], &out->groups[i]);
	dvt_dry_run(&how, out->groups, out->n, &out->sum);
	X509_free(k.issuer);
	sum_up(out);
	return DVT_OK;
}

/* --- devices one by one --- */

static enum dvt_code
list_group(struct dvt_tx *tx, struct dvt_arena *arena, int64_t rotation_id,
    const struct dvt_gate_shown *shown, const struct dvt_row_trust_group *row,
    const struct dvt_trust_group *g, size_t most, json_t *list,
    struct dvt_err *err)
{
	const char *after = "";
	const char *const *ids;
	size_t n = 0;
	enum dvt_code rc;

	do {
		rc = dvt_store_trust_group_devices(tx, arena, rotation_id,
		    shown, row, after, PAGE, &ids, &n, err);
		for (size_t i = 0; rc == DVT_OK && i < n; i++) {
			after = ids[i];
			if (json_array_size(list) >= most)
				return DVT_OK;
			(void)json_array_append_new(list,
			    json_pack("{s:s, s:s, s:s}", "device", ids[i],
				"verdict", dvt_dry_verdict_name(g->verdict),
				"reason", g->reason));
		}
	} while (rc == DVT_OK && n == PAGE);
	return rc;
}

enum dvt_code
dvt_trust_check_devices(struct dvt_tx *tx, struct dvt_arena *arena,
    int64_t rotation_id, const struct dvt_candidate *chain,
    const struct dvt_trust_report *report, enum dvt_dry_verdict verdict,
    size_t most, json_t *list, struct dvt_err *err)
{
	struct check k = {.tx = tx, .arena = arena, .chain = chain};
	struct dvt_gate_shown shown;
	enum dvt_code rc = DVT_OK;

	check_init(&k);
	shown = shown_of(&k);
	X509_free(k.issuer);
	for (size_t i = 0; rc == DVT_OK && i < report->n; i++)
		if (report->groups[i].verdict == verdict)
			rc = list_group(tx, arena, rotation_id, &shown,
			    &report->rows[i], &report->groups[i], most, list,
			    err);
	return rc;
}

/* Its last word on this root alone. */
static enum dvt_code
take_seen(struct dvt_tx *tx, struct dvt_arena *arena, const char *device_id,
    const char *root, struct dvt_trust_group *g, struct dvt_err *err)
{
	struct dvt_row_chain_seen *rows;
	size_t n;
	enum dvt_code rc = dvt_store_chain_seen(
	    tx, arena, device_id, &rows, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		if (rows[i].form != DVT_FORM_PURE ||
		    strcmp(rows[i].root, root) != 0)
			continue;
		g->seen_ok = rows[i].last_ok_at >= rows[i].last_bad_at;
		g->seen_bad = !g->seen_ok;
	}
	return rc;
}

/* What it pins, unless this chain has just that. */
static enum dvt_code
take_pins(struct check *k, const char *device_id, enum dvt_pins *out,
    struct dvt_err *err)
{
	struct dvt_row_chain_taken *rows;
	size_t n;
	enum dvt_code rc = dvt_store_device_pins(
	    k->tx, k->arena, device_id, out, err);

	if (rc != DVT_OK || dvt_pins_reason(*out)[0] == '\0')
		return rc;
	rc = dvt_store_chain_taken_list(
	    k->tx, k->arena, device_id, &rows, &n, err);
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (strcmp(rows[i].serial, k->serial) == 0 ||
		    (*out == DVT_PINS_INTERMEDIATE &&
			rows[i].issuer[0] != '\0' &&
			strcmp(rows[i].issuer, k->issuer_id) == 0)) {
			*out = DVT_PINS_ROOT;
			break;
		}
	return rc;
}

enum dvt_code
dvt_trust_check_one(struct dvt_tx *tx, struct dvt_arena *arena,
    const char *device_id, const struct dvt_candidate *chain, int64_t now,
    struct dvt_trust_group *out, struct dvt_err *err)
{
	struct check k = {.tx = tx, .arena = arena, .chain = chain, .now = now};
	struct dvt_dry_run how = {accepts, &k, chain->root, false};
	struct dvt_row_trust_state state = {.digest = ""};
	struct dvt_row_device device;
	struct dvt_dry_sum sum;
	const char *anchors = NULL;
	enum dvt_code rc;

	*out = (struct dvt_trust_group){0};
	if ((rc = dvt_store_device_get(tx, arena, device_id, &device, err)) !=
	    DVT_OK)
		return rc;
	out->management = device.management;
	out->devices.n = 1;
	(void)dvt_copy_str(
	    out->devices.sample[0], sizeof(out->devices.sample[0]), device_id);
	rc = dvt_store_trust_state_get(tx, arena, device_id, &state, err);
	if (rc == DVT_OK && state.digest[0] != '\0')
		rc = dvt_store_trust_store_get(
		    tx, arena, state.digest, &anchors, err);
	if (rc != DVT_OK && rc != DVT_E_ABSENT)
		return rc;
	take_anchors(arena, anchors, out);
	check_init(&k);
	rc = take_pins(&k, device_id, &out->pins, err);
	if (rc == DVT_OK)
		rc = take_seen(tx, arena, device_id, chain->root, out, err);
	if (rc != DVT_OK) {
		X509_free(k.issuer);
		return rc;
	}
	dvt_dry_run(&how, out, 1, &sum);
	X509_free(k.issuer);
	return DVT_OK;
}

/* --- where a chain leads --- */

static bool
leads_to(const struct dvt_chain *chain, X509 *root)
{
	X509 *top = chain->cert[chain->n - 1];

	return X509_cmp(top, root) == 0 || dvt_x509_is_issued_by(top, root);
}

enum dvt_code
dvt_candidate_root(struct dvt_tx *tx, struct dvt_arena *arena,
    const struct dvt_chain *chain, const char **fingerprint, int64_t *id,
    struct dvt_err *err)
{
	struct dvt_row_authority *rows;
	size_t n;
	enum dvt_code rc = dvt_store_authority_list(
	    tx, arena, 0, DVT_LIST_MAX, &rows, &n, err);

	*fingerprint = "";
	if (id != NULL)
		*id = 0;
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		X509 *root;

		if (!rows[i].is_root ||
		    dvt_x509_from_der(rows[i].der, &root, NULL) != DVT_OK)
			continue;
		if (leads_to(chain, root)) {
			*fingerprint = rows[i].fingerprint;
			if (id != NULL)
				*id = rows[i].id;
		}
		X509_free(root);
		if ((*fingerprint)[0] != '\0')
			break;
	}
	return rc;
}
