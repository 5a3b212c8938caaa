/* SPDX-License-Identifier: Apache-2.0 */
/* Trust-signing keys, and the first bundle, which names them. */
#include "dovetaild/init_priv.h"
#include "pki/key.h"

#include <stdio.h>
#include <string.h>

#define BUNDLE_LIFE_S INIT_YEAR_S

static enum dvt_code
make_keys(struct init *i, struct dvt_err *err)
{
	char bound[DVT_DIGEST_HEX + 16], keyid[DVT_DIGEST_HEX];
	struct dvt_bundle_keys *keys = &i->bundle.keys;
	enum dvt_code rc = DVT_OK;

	keys->version = 1;
	keys->threshold = INIT_THRESHOLD;
	keys->online_threshold = 1;
	for (int k = 0; rc == DVT_OK && k < INIT_ROOT_KEYS; k++) {
		rc = dvt_key_new(DVT_KEY_P256, 0, &i->root_key[k], err);
		if (rc == DVT_OK)
			rc = dvt_bundle_add_key(
			    keys, i->root_key[k], DVT_ROLE_ROOT, err);
	}
	if (rc != DVT_OK ||
	    (rc = dvt_key_new(DVT_KEY_P256, 0, &i->online_key, err)) !=
		DVT_OK ||
	    (rc = dvt_bundle_add_key(
		 keys, i->online_key, DVT_ROLE_ONLINE, err)) != DVT_OK ||
	    (rc = dvt_key_digest(i->online_key, keyid, err)) != DVT_OK)
		return rc;
	snprintf(bound, sizeof(bound), "trust-key:%s", keyid);
	dvt_buf_init(&i->online_wrapped, SIGN_WRAPPED_MAX);
	return signer_wrap_key(
	    i->signer, bound, i->online_key, &i->online_wrapped, err);
}

static enum dvt_code
add_names(struct init *i, struct dvt_err *err)
{
	struct dvt_bundle *b = &i->bundle;
	const struct init_options *o = &i->options;

	for (size_t k = 0; k < o->front_n && k < DVT_BUNDLE_NAMES; k++) {
		if (dvt_copy_str(b->est[b->est_n++], sizeof(b->est[0]),
			o->front_name[k]) != 0)
			return dvt_fail(err, DVT_E_LIMIT, "--front-name %s",
			    o->front_name[k]);
	}
	for (size_t k = 0; k < o->edge_n && k < DVT_BUNDLE_NAMES; k++) {
		if (dvt_copy_str(b->edge[b->edge_n++], sizeof(b->edge[0]),
			o->edge_name[k]) != 0)
			return dvt_fail(err, DVT_E_LIMIT, "--edge-name %s",
			    o->edge_name[k]);
	}
	return DVT_OK;
}

enum dvt_code
init_trust(struct init *i, struct dvt_err *err)
{
	struct dvt_bundle *b = &i->bundle;
	EVP_PKEY *signers[INIT_THRESHOLD + 1];
	enum dvt_code rc;

	if ((rc = make_keys(i, err)) != DVT_OK)
		return rc;
	(void)dvt_copy_str(b->fleet, sizeof(b->fleet), i->options.fleet);
	(void)dvt_copy_str(b->audience, sizeof(b->audience), "all");
	b->version = 1;
	b->issued_at = i->now;
	b->expires_at = i->now + BUNDLE_LIFE_S;
	if ((rc = dvt_bundle_add_anchor(
		 b, i->authority[0].cert, DVT_PRIMARY, err)) != DVT_OK ||
	    (rc = dvt_bundle_add_issuer(
		 b, i->authority[INIT_DEVICE_CA_ID - 1].cert, err)) != DVT_OK ||
	    (rc = add_names(i, err)) != DVT_OK)
		return rc;
	for (int k = 0; k < INIT_THRESHOLD; k++)
		signers[k] = i->root_key[k];
	signers[INIT_THRESHOLD] = i->online_key;
	dvt_buf_init(&i->bundle_line, DVT_BUNDLE_MAX);
	return dvt_bundle_sign(
	    b, signers, DVT_COUNT(signers), &i->bundle_line, err);
}
