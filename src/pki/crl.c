/* SPDX-License-Identifier: Apache-2.0 */
/* CRLs as a stream of bytes: see crl.h. RFC 5280 section 5. */
#include "pki/crl.h"

#include "base/mem.h"
#include "pki/key.h"
#include "pki/ssl_err.h"
#include "pki/tbs.h"
#include "wire/der.h"
#include "wire/oid.h"

#include <openssl/x509v3.h>

#include <stdlib.h>

#define SERIAL_MAX 33 /* bytes: the longest read, pki/x509.c */

#define OID_CRL_NUMBER DVT_SPAN_LIT("\x55\x1d\x14")
#define OID_CRL_REASON DVT_SPAN_LIT("\x55\x1d\x15")

struct dvt_crl {
	X509 *issuer;
	int64_t number, this_update, next_update;
	struct dvt_buf entries; /* revokedCertificates, without its head */
	enum dvt_code failed;
	struct dvt_err why;
};

enum dvt_code
dvt_crl_new(X509 *issuer, int64_t number, int64_t this_update,
    int64_t next_update, struct dvt_crl **out, struct dvt_err *err)
{
	char name[DVT_DN_TEXT];
	struct dvt_crl *c;

	*out = NULL;
	if (!dvt_x509_is_ca(issuer) ||
	    ((X509_get_extension_flags(issuer) & EXFLAG_KUSAGE) &&
		!(X509_get_key_usage(issuer) & X509v3_KU_CRL_SIGN)))
		return dvt_fail(err, DVT_E_CONFLICT,
		    "CRL: %.128s may not sign one (RFC 5280 section 4.2.1.3)",
		    dvt_x509_subject(issuer, name));
	if (number < 0 || next_update <= this_update)
		return dvt_fail(err, DVT_E_INPUT, "CRL: number or dates");
	c = dvt_alloc(sizeof(*c));
	(void)X509_up_ref(issuer);
	c->issuer = issuer;
	c->number = number;
	c->this_update = this_update;
	c->next_update = next_update;
	dvt_buf_init(&c->entries, DVT_CRL_DER_MAX);
	*out = c;
	return DVT_OK;
}

void
dvt_crl_free(struct dvt_crl *c)
{
	if (c == NULL)
		return;
	X509_free(c->issuer);
	dvt_buf_fini(&c->entries);
	free(c);
}

static void
put_reason(struct dvt_buf *b, enum dvt_crl_reason reason)
{
	uint8_t value[] = {DVT_DER_ENUM, 1, (uint8_t)reason};
	size_t seq;

	if (reason == DVT_CRL_UNSPECIFIED)
		return; /* left out rather than said, section 5.3.1 */
	seq = dvt_der_open(b, DVT_DER_SEQ);
	dvt_ext_put(
	    b, OID_CRL_REASON, false, (struct dvt_span){value, sizeof(value)});
	dvt_der_close(b, seq);
}

void
dvt_crl_add(struct dvt_crl *c, struct dvt_span serial, int64_t revoked_at,
    enum dvt_crl_reason reason)
{
	size_t seq;

	if (c->failed != DVT_OK)
		return;
	if (serial.n == 0 || serial.n > SERIAL_MAX) {
		c->failed = dvt_fail(
		    &c->why, DVT_E_INPUT, "CRL: serial of %zu bytes", serial.n);
		return;
	}
	seq = dvt_der_open(&c->entries, DVT_DER_SEQ);
	dvt_der_put_uint(&c->entries, serial);
	dvt_der_put_time(&c->entries, revoked_at);
	put_reason(&c->entries, reason);
	dvt_der_close(&c->entries, seq);
}

static void
put_extensions(struct dvt_buf *b, const struct dvt_crl *c)
{
	size_t tagged = dvt_der_open(b, DVT_DER_CTXC(0));
	size_t seq = dvt_der_open(b, DVT_DER_SEQ);
	struct dvt_buf v;

	dvt_tbs_put_aki(b, c->issuer);
	dvt_buf_init(&v, 16);
	dvt_der_put_i64(&v, c->number);
	dvt_ext_put(b, OID_CRL_NUMBER, false, dvt_buf_span(&v));
	dvt_buf_fini(&v);
	dvt_der_close(b, seq);
	dvt_der_close(b, tagged);
}

/* What comes before and after the entries; both are small. */
static void
put_ends(const struct dvt_crl *c, EVP_PKEY *key, struct dvt_buf *front,
    struct dvt_buf *back)
{
	dvt_der_put_i64(front, 1); /* v2 */
	dvt_tbs_put_algorithm(front, key);
	dvt_buf_put_span(front, dvt_x509_subject_der(c->issuer));
	dvt_der_put_time(front, c->this_update);
	dvt_der_put_time(front, c->next_update);
	put_extensions(back, c);
}

/* Tag and length of a body of @n bytes. */
static void
put_head(struct dvt_buf *b, uint8_t tag, size_t n)
{
	size_t width = 0;

	dvt_buf_be(b, tag, 1);
	while (n >= 0x80 && n >> 8 * width != 0)
		width++;
	if (width > 0)
		dvt_buf_be(b, 0x80 | width, 1);
	dvt_buf_be(b, n, width > 0 ? width : 1);
}

/* TBSCertList; the entries are copied once, here. */
static void
put_tbs(const struct dvt_crl *c, EVP_PKEY *key, struct dvt_buf *tbs)
{
	struct dvt_buf front, back, head;

	dvt_buf_init(&front, DVT_CERT_DER_MAX);
	dvt_buf_init(&back, DVT_CERT_DER_MAX);
	dvt_buf_init(&head, 16);
	put_ends(c, key, &front, &back);
	if (c->entries.n > 0) /* an empty list is left out, section 5.1.2.6 */
		put_head(&head, DVT_DER_SEQ, c->entries.n);
	put_head(tbs, DVT_DER_SEQ, front.n + head.n + c->entries.n + back.n);
	dvt_buf_put_span(tbs, dvt_buf_span(&front));
	dvt_buf_put_span(tbs, dvt_buf_span(&head));
	dvt_buf_put_span(tbs, dvt_buf_span(&c->entries));
	dvt_buf_put_span(tbs, dvt_buf_span(&back));
	dvt_buf_fini(&front);
	dvt_buf_fini(&back);
	dvt_buf_fini(&head);
}

static enum dvt_code
put_signature(struct dvt_span tbs, EVP_PKEY *key, struct dvt_buf *out,
    struct dvt_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[1024]; /* RSA-8192 */
	size_t n = sizeof(sig);
	int ok;

	ok = ctx != NULL &&
	     EVP_DigestSignInit(ctx, NULL, dvt_tbs_digest(key), NULL, key) ==
		 1 &&
	     EVP_DigestSign(ctx, sig, &n, tbs.p, tbs.n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "CRL: cannot sign");
	dvt_tbs_put_algorithm(out, key);
	dvt_der_put_bits(out, (struct dvt_span){sig, n});
	return DVT_OK;
}

enum dvt_code
dvt_crl_finish(
    struct dvt_crl *c, EVP_PKEY *key, struct dvt_buf *der, struct dvt_err *err)
{
	struct dvt_span tbs;
	size_t seq;
	enum dvt_code rc;

	if (c->failed != DVT_OK)
		return dvt_fail(err, c->failed, "%s", c->why.text);
	if ((rc = dvt_key_matches(key, c->issuer, err)) != DVT_OK ||
	    (rc = dvt_buf_ok(&c->entries, "CRL", err)) != DVT_OK)
		return rc;
	seq = dvt_der_open(der, DVT_DER_SEQ);
	put_tbs(c, key, der);
	if ((rc = dvt_buf_ok(der, "CRL", err)) != DVT_OK)
		return rc;
	tbs = dvt_span_from(dvt_buf_span(der), seq);
	if ((rc = put_signature(tbs, key, der, err)) != DVT_OK)
		return rc;
	dvt_der_close(der, seq);
	return dvt_buf_ok(der, "CRL", err);
}
