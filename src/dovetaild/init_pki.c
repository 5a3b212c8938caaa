/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities, profiles and the fronts' first credentials. */
#include "dovetaild/init_priv.h"
#include "pki/key.h"
#include "wire/pem.h"

#include <stdio.h>
#include <string.h>

static enum dvt_code
load(struct init *i, struct init_authority *a, struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_LOAD_AUTHORITY,
	    .authority = a->id,
	    .name = a->name,
	    .der = dvt_buf_span(&a->out.der),
	    .wrapped = dvt_buf_span(&a->out.wrapped)};

	return signer_do(i->signer, &q, i->now, NULL, err);
}

static enum dvt_code
make(struct init *i, struct init_authority *a, int64_t life_s,
    struct dvt_err *err)
{
	struct sign_request q = {.kind = SIGN_AUTHORITY,
	    .authority = a->parent,
	    .not_before = i->now - INIT_DAY_S,
	    .not_after = i->now + life_s,
	    .pathlen = a->parent == 0 ? -1 : 0};
	struct dvt_buf name;
	enum dvt_code rc;

	dvt_buf_init(&name, 1024);
	signer_out_init(&a->out);
	if ((rc = dvt_serial_make(q.serial, err)) != DVT_OK ||
	    (rc = dvt_name_from_text(a->subject, &name, err)) != DVT_OK)
		goto out;
	q.subject = dvt_buf_span(&name);
	if ((rc = signer_do(i->signer, &q, i->now, &a->out, err)) != DVT_OK ||
	    (rc = dvt_x509_from_der(
		 dvt_buf_span(&a->out.der), &a->cert, err)) != DVT_OK)
		goto out;
	rc = load(i, a, err);
out:
	dvt_buf_fini(&name);
	return rc;
}

enum dvt_code
init_authorities(struct init *i, struct dvt_err *err)
{
	static const struct init_authority plan[INIT_AUTHORITIES] = {
	    {.id = INIT_ROOT_ID,
             .name = "root",
             .use_server = true,
             .use_device = true},
	    {.id = INIT_SERVER_CA_ID,
             .name = "server-ca",
             .parent = INIT_ROOT_ID,
             .use_server = true},
	    {.id = INIT_DEVICE_CA_ID,
             .name = "device-ca",
             .parent = INIT_ROOT_ID,
             .use_device = true},
	};
	static const char *const words[] = {
	    "Root CA", "Server CA 1", "Device CA 1"};
	enum dvt_code rc = DVT_OK;

	for (int k = 0; rc == DVT_OK && k < INIT_AUTHORITIES; k++) {
		struct init_authority *a = &i->authority[k];

		*a = plan[k];
		a->key_offline = k == 0 && i->options.root_offline;
		snprintf(a->subject, sizeof(a->subject), "CN=%s %s,O=%s",
		    i->options.fleet, words[k], i->options.fleet);
		rc = make(i, a, (k == 0 ? 25 : 10) * INIT_YEAR_S, err);
	}
	return rc;
}

enum dvt_code
init_profiles(struct init *i, struct dvt_err *err)
{
	bool industrial = strcmp(i->options.industry, "industrial") == 0;
	struct sign_profile device = {.name = "device",
	    .issuer_id = INIT_DEVICE_CA_ID,
	    .validity_s = (industrial ? 3 : 2) * INIT_YEAR_S,
	    .jitter_s = 30 * INIT_DAY_S,
	    .backdate_s = INIT_DAY_S,
	    .renew_before_s = (industrial ? 90 : 30) * INIT_DAY_S,
	    .use_client = true};
	struct sign_profile edge = {.name = "gateway",
	    .issuer_id = INIT_SERVER_CA_ID,
	    .validity_s = 60 * INIT_DAY_S,
	    .backdate_s = INIT_DAY_S,
	    .renew_before_s = 30 * INIT_DAY_S,
	    .use_server = true,
	    .use_client = true};
	enum dvt_code rc = DVT_OK;

	i->profile[0] = device;
	i->profile[1] = i->profile[2] = edge;
	(void)dvt_copy_str(
	    i->profile[2].name, sizeof(i->profile[2].name), "front");
	i->profile[2].use_client = false;
	for (int k = 0; rc == DVT_OK && k < 3; k++) {
		struct sign_request q = {.kind = SIGN_LOAD_PROFILE};

		sign_profile_digest(&i->profile[k], i->profile[k].digest);
		q.profile = i->profile[k];
		rc = signer_do(i->signer, &q, i->now, NULL, err);
	}
	return rc;
}

/* A host name or an address, as it goes into a certificate. */
static void
to_san(const char *text, struct dvt_san *san)
{
	uint8_t raw[DVT_IP_BYTES];

	san->kind = dvt_ip_parse(text, raw) > 0 ? DVT_SAN_IP : DVT_SAN_DNS;
	(void)dvt_copy_str(san->text, sizeof(san->text), text);
}

static enum dvt_code
chain_of(struct init *i, struct init_front *f, struct dvt_err *err)
{
	dvt_pem_put(&f->chain_pem, DVT_PEM_CERT, dvt_buf_span(&f->der));
	dvt_pem_put(&f->chain_pem, DVT_PEM_CERT,
	    dvt_buf_span(&i->authority[INIT_SERVER_CA_ID - 1].out.der));
	return dvt_buf_ok(&f->chain_pem, "chain", err);
}

static enum dvt_code
make_front(struct init *i, struct init_front *f, struct dvt_err *err)
{
	struct dvt_san sans[INIT_NAMES_MAX];
	struct sign_request q = {.kind = SIGN_LEAF,
	    .authority = INIT_SERVER_CA_ID,
	    .profile_digest = i->profile[2].digest,
	    .sans = sans,
	    .sans_n = i->options.front_n,
	    .not_before = i->now - INIT_DAY_S + 60,
	    .not_after = i->now + i->profile[2].validity_s};
	struct signer_out out;
	struct dvt_buf name, spki;
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	dvt_buf_init(&name, 1024);
	dvt_buf_init(&spki, 1024);
	signer_out_init(&out);
	for (size_t k = 0; k < i->options.front_n; k++)
		to_san(i->options.front_name[k], &sans[k]);
	if ((rc = dvt_key_new(DVT_KEY_P256, 0, &key, err)) != DVT_OK ||
	    (rc = dvt_key_to_pem(key, &f->key_pem, err)) != DVT_OK ||
	    (rc = dvt_key_to_spki(key, &spki, err)) != DVT_OK ||
	    (rc = dvt_name_from_cn(f->name, &name, err)) != DVT_OK ||
	    (rc = dvt_serial_make(q.serial, err)) != DVT_OK)
		goto out;
	q.subject = dvt_buf_span(&name);
	q.spki = dvt_buf_span(&spki);
	if ((rc = signer_do(i->signer, &q, i->now, &out, err)) != DVT_OK)
		goto out;
	dvt_buf_put_span(&f->der, dvt_buf_span(&out.der));
	rc = chain_of(i, f, err);
out:
	EVP_PKEY_free(key);
	signer_out_fini(&out);
	dvt_buf_fini(&name);
	dvt_buf_fini(&spki);
	return rc;
}

enum dvt_code
init_fronts(struct init *i, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (int64_t k = 0; rc == DVT_OK && k < i->options.fronts; k++) {
		struct init_front *f = &i->front[k];

		snprintf(f->name, sizeof(f->name), "front-%d", (int)k + 1);
		dvt_buf_init(&f->key_pem, DVT_KEY_PEM_MAX);
		dvt_buf_init(&f->der, DVT_CERT_DER_MAX);
		dvt_buf_init(&f->chain_pem, DVT_CHAIN_PEM_MAX);
		rc = make_front(i, f, err);
	}
	return rc;
}
