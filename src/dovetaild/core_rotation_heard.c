/* SPDX-License-Identifier: Apache-2.0 */
/* What devices and edges did, as events of rotations. */
#include "dovetaild/core_rotation_priv.h"

#include "proto/feed_record.h"
#include "store/credential.h"
#include "store/edge.h"
#include "store/gate.h"
#include "store/rotation.h"
#include "store/trust.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- devices --- */

enum dvt_code
core_rotation_checkin(struct core *c, const char *device,
    const char *certificate, struct dvt_err *err)
{
	struct core_asg_event e = {
	    .event = DVT_EV_CHECKIN, .certificate = certificate};
	const char *anchors; /* found out, and kept with its digest */
	enum dvt_code rc = core_trust_of(c, device, &anchors, err);

	if (rc == DVT_OK)
		core_rotation_wake(c);
	return rc == DVT_OK ? core_asg_event(c, device, &e, err) : rc;
}

enum dvt_code
core_rotation_done(struct core *c, const char *device, const char *id, bool ok,
    const char *detail, struct dvt_err *err)
{
	struct core_asg_event e = {.event = DVT_EV_FAILED, .reason = detail};
	struct dvt_assignment row;
	struct core_rot r;
	int64_t rotation;
	char *end;
	enum dvt_code rc;

	/* done well is what handshakes and check-ins show, not its word */
	if (ok || id[0] != 'r')
		return DVT_OK;
	rotation = strtoll(id + 1, &end, 10);
	if (*end != '-')
		return DVT_OK;
	rc = dvt_store_assignment_get(core_tx(c), device, rotation, &row, err);
	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	if (rc != DVT_OK)
		return rc;
	rc = core_rot_get(c, rotation, &r, err);
	if (rc == DVT_OK &&
	    (r.row.state == DVT_ROT_RUNNING || r.row.state == DVT_ROT_PAUSED))
		rc = core_asg_step(c, &r, &row, &e, err);
	core_rot_fini(&r);
	return rc;
}

enum dvt_code
core_rotation_csr(struct core *c, const char *device, struct dvt_err *err)
{
	static const struct core_asg_event e = {.event = DVT_EV_CSR};

	return core_asg_event(c, device, &e, err);
}

/* Only a certificate of the new authority is this rotation's. */
enum dvt_code
core_rotation_issued(struct core *c, const char *device,
    const char *fingerprint, struct dvt_err *err)
{
	struct core_asg_event e = {
	    .event = DVT_EV_ISSUED, .fingerprint = fingerprint};
	struct dvt_row_credential cred;
	struct dvt_rotation *open;
	size_t n;
	enum dvt_code rc;

	if ((rc = dvt_store_credential_by_fingerprint(core_tx(c), core_arena(c),
		 fingerprint, &cred, err)) != DVT_OK ||
	    (rc = dvt_store_rotation_open(
		 core_tx(c), core_arena(c), &open, &n, err)) != DVT_OK)
		return rc;
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct dvt_assignment row;
		struct core_rot r;

		rc = core_rot_load(c, &open[i], &r, err);
		if (rc == DVT_OK && !dvt_phase_is_server(r.row.kind) &&
		    (r.row.kind == DVT_ROT_RENEWAL ||
			strcmp(cred.root, r.to.fingerprint) == 0)) {
			rc = dvt_store_assignment_get(
			    core_tx(c), device, r.row.id, &row, err);
			if (rc == DVT_OK)
				rc = core_asg_step(c, &r, &row, &e, err);
		}
		if (rc == DVT_E_ABSENT)
			rc = DVT_OK;
		core_rot_fini(&r);
	}
	return rc;
}

enum dvt_code
core_rotation_parked(struct core *c, const char *device, struct dvt_err *err)
{
	static const struct core_asg_event e = {.event = DVT_EV_PARK};

	return core_asg_event(c, device, &e, err);
}

enum dvt_code
core_rotation_returned(struct core *c, const char *device, struct dvt_err *err)
{
	static const struct core_asg_event e = {.event = DVT_EV_RETURN};

	return core_asg_event(c, device, &e, err);
}

/* --- handshakes --- */

/* What this handshake says to one rotation; DVT_EV_N: nothing. */
static enum dvt_asg_event
meaning(const struct core_rot *r, const struct dvt_assignment *row,
    const struct dvt_handshake *h, bool main,
    const struct dvt_row_credential *cred)
{
	if (dvt_phase_is_server(r->row.kind))
		return strcmp(h->root, r->to.fingerprint) == 0 &&
			       strcmp(h->form,
				   dvt_chain_form_name(DVT_FORM_PURE)) == 0
			   ? DVT_EV_PROOF
			   : DVT_EV_N;
	if (!core_asg_is_new(r, row, cred))
		return DVT_EV_N;
	return main ? DVT_EV_SEEN : DVT_EV_TRIED;
}

static enum dvt_code
proven_handshake(struct core *c, const struct dvt_handshake *h, bool main,
    struct dvt_err *err)
{
	struct core_asg_event e = {.certificate = h->certificate};
	struct dvt_row_credential cred;
	struct dvt_rotation *open;
	size_t n;
	enum dvt_code rc;

	if ((rc = dvt_store_rotation_open(
		 core_tx(c), core_arena(c), &open, &n, err)) != DVT_OK ||
	    n == 0)
		return rc;
	rc = dvt_store_credential_by_fingerprint(
	    core_tx(c), core_arena(c), h->certificate, &cred, err);
	if (rc == DVT_E_ABSENT ||
	    (rc == DVT_OK && (cred.owner_kind != DVT_OWNER_DEVICE ||
				 strcmp(cred.owner, h->device) != 0)))
		return DVT_OK; /* a name in a record proves nothing */
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct dvt_assignment row;
		struct core_rot r;

		rc = core_rot_load(c, &open[i], &r, err);
		if (rc == DVT_OK)
			rc = dvt_store_assignment_get(
			    core_tx(c), h->device, r.row.id, &row, err);
		if (rc == DVT_OK)
			e.event = meaning(&r, &row, h, main, &cred);
		if (rc == DVT_OK && e.event != DVT_EV_N) {
			rc = core_asg_step(c, &r, &row, &e, err);
			core_rotation_wake(c);
		}
		if (rc == DVT_E_ABSENT)
			rc = DVT_OK;
		core_rot_fini(&r);
	}
	return rc;
}

/*
 * A client that did not prove who it is refused a chain of the new root: it
 * counts, but only towards a pause (an override: its end).
 */
static enum dvt_code
stranger_refused(
    struct core *c, const struct dvt_handshake *h, struct dvt_err *err)
{
	struct dvt_rotation *open;
	size_t n;
	enum dvt_code rc = dvt_store_rotation_open(
	    core_tx(c), core_arena(c), &open, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		struct core_rot r;

		if (!dvt_phase_is_server(open[i].kind) ||
		    open[i].switched_at == 0 ||
		    h->at < open[i].switched_at - ROTATION_CLOCK_S)
			continue;
		rc = core_rot_load(c, &open[i], &r, err);
		if (rc == DVT_OK && strcmp(h->root, r.to.fingerprint) == 0) {
			rc = dvt_store_tally_add(
			    core_tx(c), r.row.id, 0, "strangers", 0, h->n, err);
			core_rotation_wake(c);
		}
		core_rot_fini(&r);
	}
	return rc;
}

enum dvt_code
core_rotation_handshake(struct core *c, const struct dvt_handshake *h,
    bool main, struct dvt_err *err)
{
	bool proven = strcmp(h->confidence,
			  dvt_confidence_name(DVT_CONF_CERTIFICATE)) == 0;

	if (h->root[0] == '\0')
		return DVT_OK;
	if (proven && h->device[0] != '\0' && h->certificate[0] != '\0')
		return h->outcome != DVT_HS_OK
			   ? DVT_OK
			   : proven_handshake(c, h, main, err);
	if (!proven && main && h->outcome == DVT_HS_DEVICE_REFUSED)
		return stranger_refused(c, h, err);
	return DVT_OK;
}

/* --- edges --- */

enum dvt_code
core_rot_position(struct core *c, int64_t rotation, struct dvt_err *err)
{
	int64_t position;
	enum dvt_code rc = dvt_store_feed_position(core_tx(c), &position, err);

	if (rc == DVT_OK && rotation != 0)
		rc = dvt_store_rotation_position(
		    core_tx(c), rotation, position, err);
	return rc;
}

enum dvt_code
core_rotation_ordered(
    struct core *c, const char *gateway, const char *id, struct dvt_err *err)
{
	struct dvt_row_gateway_credential row;
	enum dvt_code rc = dvt_store_gateway_credential_get(
	    core_tx(c), core_arena(c), gateway, id, &row, err);

	if (rc != DVT_OK || row.rotation_id == 0)
		return rc;
	core_rotation_wake(c);
	return core_rot_position(c, row.rotation_id, err);
}
