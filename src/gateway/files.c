/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/files.h"

#include "base/file.h"
#include "base/mem.h"
#include "gateway/denied.h"
#include "pki/crl_read.h"
#include "pki/key.h"
#include "pki/staple.h"
#include "pki/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void
pair_fini(struct gw_pair *p)
{
	dvt_chain_fini(&p->chain);
	EVP_PKEY_free(p->key);
	dvt_feed_list_fini(&p->names);
	X509_free(p->cross);
	X509_free(p->root);
	free(p->staple);
}

void
gw_files_fini(struct gw_files *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->pairs_n; i++)
		pair_fini(&f->pair[i]);
	for (size_t i = 0; i < f->anchor_n; i++)
		X509_free(f->anchor[i]);
	for (size_t i = 0; i < f->crl_n; i++) {
		X509_CRL_free(f->crl[i]);
		dvt_crl_head_fini(&f->crl_head[i]);
	}
	dvt_shelf_free(f->denied);
	*f = (struct gw_files){0};
}

/* --- one by one --- */

/* DNS names of the leaf: which server names it may be shown for. */
static enum dvt_code
names_of(X509 *leaf, struct dvt_feed_list *out, struct dvt_err *err)
{
	struct dvt_san *sans = dvt_alloc_array(DVT_SANS_MAX, sizeof(*sans));
	size_t n = 0;
	enum dvt_code rc = dvt_x509_sans(leaf, sans, &n, err);

	for (size_t i = 0; rc == DVT_OK && i < n; i++)
		if (sans[i].kind == DVT_SAN_DNS)
			dvt_feed_list_add(out, sans[i].text);
	free(sans);
	return rc;
}

/* Over, or not begun: then it may be our clock that is wrong. */
static bool
is_out_of_time(const struct gw_pair *p, int64_t now)
{
	return dvt_chain_check_time(&p->chain, now, NULL) != DVT_OK;
}

static enum dvt_code
chain_read(struct gw_pair *p, struct dvt_span pem, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_chain_from_pem(pem, &p->chain, err)) != DVT_OK ||
	    (rc = dvt_chain_check(&p->chain, err)) != DVT_OK)
		return rc;
	return p->names.n > 0 ? DVT_OK
			      : names_of(p->chain.cert[0], &p->names, err);
}

static enum dvt_code
anchors_read(struct gw_files *f, struct dvt_span pem, struct dvt_err *err)
{
	/* a list, not a chain: certificate by certificate */
	static const char end[] = "-----END CERTIFICATE-----";
	const uint8_t *at;

	while ((at = memmem(pem.p, pem.n, end, sizeof(end) - 1)) != NULL) {
		size_t n = (size_t)(at - pem.p) + sizeof(end) - 1;
		enum dvt_code rc;

		if (f->anchor_n == GW_CLIENT_CA)
			return dvt_fail(err, DVT_E_LIMIT,
			    "over %d certificates", GW_CLIENT_CA);
		rc = dvt_x509_from_pem(
		    (struct dvt_span){pem.p, n}, &f->anchor[f->anchor_n], err);
		if (rc != DVT_OK)
			return rc;
		f->anchor_n++;
		pem = dvt_span_from(pem, n);
	}
	if (f->anchor_n == 0)
		return dvt_fail(err, DVT_E_INPUT, "no certificate");
	return DVT_OK;
}

/* A list of which only the head is read; its entries are asked later. */
static enum dvt_code
head_check(
    const struct gw_files *f, const struct dvt_crl_head *h, struct dvt_err *err)
{
	struct dvt_crl_entries none = {0};
	X509_CRL *crl;
	enum dvt_code rc = dvt_crl_lean(h, &none, &crl, err);

	if (rc == DVT_OK)
		rc = dvt_crl_check(crl, f->anchor, f->anchor_n, err);
	X509_CRL_free(crl);
	return rc;
}

static enum dvt_code
crl_read(void *files, struct dvt_span der, struct dvt_err *err)
{
	struct gw_files *f = files;
	size_t i = f->crl_n++, n;
	enum dvt_code rc;

	if (gw_revoked_put(f->denied, (uint8_t)i, der, &f->crl_head[i]) ==
	    DVT_OK)
		return head_check(f, &f->crl_head[i], err);
	if ((rc = dvt_crls_read(der, 1, &f->crl[i], &n, err)) != DVT_OK)
		return rc;
	return dvt_crl_check(f->crl[i], f->anchor, f->anchor_n, err);
}

/* The shelf has all it will have, and moves no more. */
static enum dvt_code
crls_attach(struct gw_files *f, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < f->crl_n; i++)
		if (f->crl_head[i].der.n > 0)
			rc = gw_revoked_list(dvt_shelf_fd(f->denied),
			    (uint8_t)i, &f->crl_head[i], &f->crl[i], err);
	return rc;
}

/* Judged when the anchors are known. */
static enum dvt_code
staple_read(struct gw_pair *p, struct dvt_span der)
{
	p->staple = dvt_alloc(der.n + 1);
	if (der.n > 0)
		memcpy(p->staple, der.p, der.n);
	p->staple_n = der.n;
	return DVT_OK;
}

/* What a file is, and the most bytes it may have. */
enum what { CHAIN, KEY, CROSS, ROOT, STAPLE, ANCHORS, CRLS };
static const size_t most[] = {
    [CHAIN] = DVT_CHAIN_PEM_MAX,
    [KEY] = DVT_KEY_PEM_MAX,
    [CROSS] = DVT_CERT_PEM_MAX,
    [ROOT] = DVT_CERT_PEM_MAX,
    [STAPLE] = DVT_STAPLE_MAX,
    [ANCHORS] = GW_CLIENT_CA * DVT_CERT_PEM_MAX,
    [CRLS] = DVT_CRL_DER_MAX,
};

static enum dvt_code
take(struct gw_files *f, struct gw_pair *p, enum what what,
    struct dvt_span text, struct dvt_err *err)
{
	switch (what) {
	case CHAIN:
		return chain_read(p, text, err);
	case KEY:
		return dvt_key_from_pem(text, &p->key, err);
	case CROSS:
		return dvt_x509_from_pem(text, &p->cross, err);
	case ROOT:
		return dvt_x509_from_pem(text, &p->root, err);
	case STAPLE:
		return staple_read(p, text);
	case ANCHORS:
		return anchors_read(f, text, err);
	case CRLS:
		break;
	}
	return dvt_crls_each(text, GW_CRLS_MAX - f->crl_n, crl_read, f, err);
}

/* Read @path (NULL: nothing) and hand its bytes to one of the above. */
static enum dvt_code
load_one(struct gw_files *f, struct gw_pair *p, enum what what,
    const char *path, struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	if (path == NULL)
		return DVT_OK;
	dvt_buf_init(&b, most[what]);
	if ((rc = dvt_read_regular(path, &b, err)) == DVT_OK) {
		rc = take(f, p, what, dvt_buf_span(&b), err);
		if (rc != DVT_OK)
			dvt_err_prefix(err, "%s", path);
	}
	dvt_buf_cleanse(&b);
	return rc;
}

/* --- a certificate of ours --- */

static X509 *
issuer_of(const struct gw_files *f, const struct gw_pair *p)
{
	X509 *leaf = p->chain.cert[0];

	if (p->chain.n > 1)
		return p->chain.cert[1];
	if (p->root != NULL && dvt_x509_is_issued_by(leaf, p->root))
		return p->root;
	for (size_t i = 0; i < f->anchor_n; i++)
		if (dvt_x509_is_issued_by(leaf, f->anchor[i]))
			return f->anchor[i];
	return NULL;
}

static void
staple_judge(const struct gw_files *f, struct gw_pair *p, int64_t now)
{
	X509 *issuer = issuer_of(f, p);
	struct dvt_err err = {0};

	if (p->staple == NULL)
		return;
	if (issuer == NULL)
		(void)dvt_fail(&err, DVT_E_ABSENT,
		    "OCSP response: the issuer's certificate is in no file");
	else if (dvt_staple_check((struct dvt_span){p->staple, p->staple_n},
		     p->chain.cert[0], issuer, now, &p->staple_until,
		     &err) == DVT_OK)
		return;
	(void)snprintf(
	    p->staple_why, sizeof(p->staple_why), "%.150s", err.text);
}

static enum dvt_code
pair_load(
    struct gw_files *f, const struct gw_pair_setting *s, struct dvt_err *err)
{
	struct gw_pair *p = &f->pair[f->pairs_n++];
	enum dvt_code rc;

	(void)dvt_copy_str(p->id, sizeof(p->id), s->id);
	for (size_t i = 0; i < s->names_n; i++)
		dvt_feed_list_add(&p->names, s->names[i]);
	if ((rc = load_one(f, p, CHAIN, s->certificate, err)) == DVT_OK &&
	    (rc = load_one(f, p, KEY, s->key, err)) == DVT_OK &&
	    (rc = load_one(f, p, CROSS, s->cross, err)) == DVT_OK &&
	    (rc = load_one(f, p, ROOT, s->root, err)) == DVT_OK &&
	    (rc = load_one(f, p, STAPLE, s->staple, err)) == DVT_OK &&
	    (rc = dvt_key_matches(p->key, p->chain.cert[0], err)) != DVT_OK)
		dvt_err_prefix(err, "%s", s->key);
	return rc;
}

enum dvt_code
gw_files_load(const struct gw_settings *s, int64_t now, struct gw_files *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	*out = (struct gw_files){.max_depth = s->max_depth};
	rc = load_one(out, NULL, ANCHORS, s->client_ca, err);
	for (size_t i = 0; rc == DVT_OK && i < s->pairs_n; i++)
		rc = pair_load(out, &s->pair[i], err);
	if (rc == DVT_OK)
		rc = gw_denied_load(s->deny, &out->denied, err);
	for (size_t i = 0; rc == DVT_OK && i < s->crl_n; i++)
		rc = load_one(out, NULL, CRLS, s->crl[i], err);
	if (rc == DVT_OK)
		rc = crls_attach(out, err);
	for (size_t i = 0; rc == DVT_OK && i < out->pairs_n; i++)
		staple_judge(out, &out->pair[i], now);
	if (rc != DVT_OK)
		gw_files_fini(out);
	return rc;
}

static bool
holds(const struct gw_files *f, X509 *leaf)
{
	for (size_t i = 0; f != NULL && i < f->pairs_n; i++)
		if (X509_cmp(f->pair[i].chain.cert[0], leaf) == 0)
			return true;
	return false;
}

enum dvt_code
gw_files_check_dates(const struct gw_settings *s, const struct gw_files *f,
    const struct gw_files *before, int64_t now, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < f->pairs_n; i++) {
		const struct gw_pair *p = &f->pair[i];

		if (!is_out_of_time(p, now) || holds(before, p->chain.cert[0]))
			continue;
		rc = dvt_chain_check_time(&p->chain, now, err);
		dvt_err_prefix(err, "%s", s->pair[i].certificate);
	}
	return rc;
}

bool
gw_files_out_of_time(const struct gw_files *f, int64_t now)
{
	for (size_t i = 0; i < f->pairs_n; i++)
		if (!is_out_of_time(&f->pair[i], now))
			return false;
	return true;
}

/* --- doubts --- */

#define DATE_TEXT 24

static const char *
date_text(int64_t at_s, char out[DATE_TEXT])
{
	time_t t = (time_t)at_s;
	struct tm tm;

	(void)strftime(out, DATE_TEXT, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	return out;
}

static const char *
anchor_doubt(
    X509 *anchor, int64_t now, const char **event, char text[DVT_DOUBT_MAX])
{
	int64_t end = dvt_x509_not_after(anchor);
	char name[DVT_DN_TEXT], since[DATE_TEXT];

	*event = dvt_x509_is_ca(anchor) ? "gateway.anchor.ended"
					: "gateway.anchor.useless";
	if (!dvt_x509_is_ca(anchor))
		(void)snprintf(text, DVT_DOUBT_MAX,
		    "client-ca: %.200s is no CA: no device's certificate can "
		    "be issued by it",
		    dvt_x509_subject(anchor, name));
	else if (end < now)
		(void)snprintf(text, DVT_DOUBT_MAX,
		    "client-ca: %.200s ended at %s: nobody comes in by it",
		    dvt_x509_subject(anchor, name), date_text(end, since));
	else
		return NULL;
	return text;
}

static const char *
crl_doubt(const struct gw_files *f, X509_CRL *crl, int64_t now,
    const char **event, char text[DVT_DOUBT_MAX])
{
	const char *why = dvt_crl_unusable(crl, f->anchor, f->anchor_n);
	int64_t end = dvt_crl_next_update(crl);
	char name[DVT_DN_TEXT], since[DATE_TEXT];

	*event = why != NULL ? "gateway.crl.unusable" : "gateway.crl.stale";
	if (why != NULL) {
		(void)snprintf(text, DVT_DOUBT_MAX,
		    "CRL of %.150s: %s; all certificates of this issuer are "
		    "refused by it",
		    dvt_crl_issuer(crl, name), why);
		return text;
	}
	if (end >= now)
		return NULL;
	(void)snprintf(text, DVT_DOUBT_MAX,
	    "CRL of %.200s: out of date since %s; what it names stays refused",
	    dvt_crl_issuer(crl, name), date_text(end, since));
	return text;
}

static const char *
date_doubt(const struct gw_pair *p, int64_t now, const char **event,
    char text[DVT_DOUBT_MAX])
{
	int64_t end = dvt_chain_not_after(&p->chain);
	char when[DATE_TEXT];

	if (!is_out_of_time(p, now))
		return NULL;
	*event = end < now ? "gateway.certificate.ended"
			   : "gateway.certificate.early";
	if (end < now)
		(void)snprintf(text, DVT_DOUBT_MAX,
		    "credential %s: ended at %s: put another in its place, or "
		    "take it out of the settings",
		    p->id, date_text(end, when));
	else
		(void)snprintf(text, DVT_DOUBT_MAX,
		    "credential %s: begins at %s: is this host's clock right?",
		    p->id,
		    date_text(dvt_x509_not_before(p->chain.cert[0]), when));
	return text;
}

static const char *
staple_doubt(const struct gw_pair *p, int64_t now, char text[DVT_DOUBT_MAX])
{
	const char *why = p->staple_why;

	if (p->staple == NULL || p->staple_until > now)
		return NULL;
	if (p->staple_until > 0)
		why = "OCSP response: is over";
	(void)snprintf(text, DVT_DOUBT_MAX, "credential %s: %s", p->id, why);
	return text;
}

const char *
gw_files_doubt(const struct gw_files *f, int64_t now, size_t i,
    const char **event, char text[DVT_DOUBT_MAX])
{
	for (size_t k = 0; k < f->anchor_n; k++)
		if (anchor_doubt(f->anchor[k], now, event, text) != NULL &&
		    i-- == 0)
			return text;
	for (size_t k = 0; k < f->crl_n; k++)
		if (crl_doubt(f, f->crl[k], now, event, text) != NULL &&
		    i-- == 0)
			return text;
	for (size_t k = 0; k < f->pairs_n; k++)
		if (date_doubt(&f->pair[k], now, event, text) != NULL &&
		    i-- == 0)
			return text;
	*event = "gateway.staple.refused";
	for (size_t k = 0; k < f->pairs_n; k++)
		if (staple_doubt(&f->pair[k], now, text) != NULL && i-- == 0)
			return text;
	return NULL;
}
