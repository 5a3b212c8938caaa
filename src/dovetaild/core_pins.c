/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/core_pins.h"

#include "base/log.h"
#include "dovetaild/core_priv.h"
#include "fleet/pins.h"
#include "pki/chain.h"
#include "store/authority.h"
#include "store/edge.h"
#include "store/trust.h"

#include <jansson.h>

#include <string.h>

/* Does the default root's chain lead to @root too, by a cross-certificate? */
static enum dvt_code
is_crossed(struct core *c, const char *from, const char *root, bool *yes,
    struct dvt_err *err)
{
	struct dvt_row_authority a, by;
	enum dvt_code rc = dvt_store_authority_by_fingerprint(
	    core_tx(c), core_arena(c), from, &a, err);

	*yes = false;
	if (rc == DVT_OK && a.cross_der.p != NULL) {
		rc = dvt_store_authority_get(
		    core_tx(c), core_arena(c), a.cross_by, &by, err);
		*yes = rc == DVT_OK && strcmp(by.fingerprint, root) == 0;
	}
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

/* Does the edge hold another leaf of @root, which it shows first? */
static enum dvt_code
is_other_leaf(struct core *c, const char *gateway, const char *root,
    const char *credential, bool *yes, struct dvt_err *err)
{
	struct dvt_row_gateway_credential *rows;
	size_t n;
	enum dvt_code rc = dvt_store_gateway_credential_list(
	    core_tx(c), core_arena(c), gateway, &rows, &n, err);

	*yes = false;
	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		*yes |= rows[i].slot == DVT_GWSLOT_CURRENT &&
			strcmp(rows[i].root, root) == 0 &&
			strcmp(rows[i].id, credential) != 0;
	return rc;
}

/*
 * The edge shows its default root first. When memory made it show another
 * chain, the client had refused that one; this says something of pins when
 * the refused leaf was another one, and led to the root of this chain as well.
 */
static enum dvt_code
is_after_refusal(struct core *c, const struct dvt_row_gateway *g,
    const struct dvt_handshake *h, bool *yes, struct dvt_err *err)
{
	*yes = false;
	if ((strcmp(h->why, dvt_chain_why_name(DVT_WHY_MEMORY)) != 0 &&
		strcmp(h->why, dvt_chain_why_name(DVT_WHY_TURN)) != 0) ||
	    h->root[0] == '\0' || g->default_root[0] == '\0')
		return DVT_OK;
	if (strcmp(h->root, g->default_root) == 0)
		return is_other_leaf(
		    c, g->name, h->root, h->credential, yes, err);
	return is_crossed(c, g->default_root, h->root, yes, err);
}

/* "" when the edge shows another leaf under that name by now. */
static enum dvt_code
find_issuer(struct core *c, const struct dvt_row_gateway *g,
    const struct dvt_handshake *h, char out[DVT_ISSUER_ID], struct dvt_err *err)
{
	struct dvt_row_gateway_credential row;
	struct dvt_chain chain = {.n = 0};
	char serial[DVT_SERIAL_HEX];
	enum dvt_code rc;

	out[0] = '\0';
	rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), g->name, h->credential, &row, err);
	if (rc == DVT_OK && dvt_chain_from_pem(dvt_span_str(row.chain_pem),
				&chain, NULL) == DVT_OK) {
		dvt_x509_serial(chain.cert[0], serial);
		if (strcmp(serial, h->serial) == 0)
			dvt_x509_issuer_id(chain.cert[0], out);
	}
	dvt_chain_fini(&chain);
	return rc == DVT_E_ABSENT ? DVT_OK : rc;
}

static enum dvt_code
add(struct core *c, const struct dvt_row_gateway *g,
    const struct dvt_handshake *h, bool after, struct dvt_err *err)
{
	char issuer[DVT_ISSUER_ID];
	struct dvt_row_chain_taken row = {.device_id = h->device,
	    .serial = h->serial,
	    .form = dvt_chain_form_from_name(h->form),
	    .root = h->root,
	    .issuer = issuer,
	    .taken = 1,
	    .after_refusal = after ? 1 : 0,
	    .first_at = h->at,
	    .last_at = h->at};
	enum dvt_code rc = find_issuer(c, g, h, issuer, err);

	/* its credential is told soon; then it can be judged */
	if (rc != DVT_OK || issuer[0] == '\0')
		return rc;
	return dvt_store_chain_taken_add(core_tx(c), &row, err);
}

static enum dvt_code
classify(struct core *c, const char *device, enum dvt_pins was, int64_t at,
    struct dvt_err *err)
{
	struct dvt_pin_seen *seen;
	struct dvt_row_chain_taken *rows;
	enum dvt_pins pins;
	json_t *body;
	size_t n;
	enum dvt_code rc = dvt_store_chain_taken_list(
	    core_tx(c), core_arena(c), device, &rows, &n, err);

	if (rc != DVT_OK)
		return rc;
	seen = dvt_arena_alloc(core_arena(c), (n + 1) * sizeof(*seen));
	for (size_t i = 0; i < n; i++)
		seen[i] = (struct dvt_pin_seen){rows[i].serial, rows[i].issuer,
		    rows[i].root, rows[i].taken, rows[i].after_refusal};
	pins = dvt_pins_of(seen, n);
	if (pins == was || pins == DVT_PINS_UNKNOWN)
		return DVT_OK;
	rc = dvt_store_device_pins_set(core_tx(c), device, pins, at, err);
	if (rc != DVT_OK || (pins == DVT_PINS_ROOT && was == DVT_PINS_UNKNOWN))
		return rc; /* as it should be */
	if (pins != DVT_PINS_ROOT)
		log_event(LOG_NOTICE, "device.pins", LS("device", device),
		    LS("pins", dvt_pins_name(pins)));
	body = json_pack("{s:s, s:s}", "pins", dvt_pins_name(pins), "was",
	    dvt_pins_name(was));
	rc = core_event(c, "DEVICE_PINS", device, "", body, err);
	json_decref(body);
	return rc;
}

enum dvt_code
core_pins_learn(struct core *c, const struct dvt_row_gateway *g,
    const struct dvt_handshake *h, struct dvt_err *err)
{
	enum dvt_chain_form form = dvt_chain_form_from_name(h->form);
	enum dvt_pins was;
	bool after, known;
	enum dvt_code rc;

	if (h->serial[0] == '\0' || form == DVT_FORM_N)
		return DVT_OK;
	rc = dvt_store_device_pins(
	    core_tx(c), core_arena(c), h->device, &was, err);
	if (rc != DVT_OK || was == DVT_PINS_ROOT)
		return rc;
	if ((rc = is_after_refusal(c, g, h, &after, err)) != DVT_OK ||
	    (rc = dvt_store_chain_taken(core_tx(c), h->device, h->serial, form,
		 after, h->at, &known, err)) != DVT_OK)
		return rc;
	if (!known)
		rc = add(c, g, h, after, err);
	if (rc == DVT_OK && (!known || after))
		rc = classify(c, h->device, was, h->at, err);
	return rc;
}
