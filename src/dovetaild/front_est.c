/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EST at a front: bodies and CSRs are read here, the key's possession is
 * proven here, and core hears typed fields (RFC 7030, RFC 8951).
 */
#include "dovetaild/front_priv.h"
#include "pki/key.h"
#include "wire/csr.h"

#include <stdlib.h>

void
front_est_certificate(
    struct dvt_span cert, enum dvt_est_form form, struct dvt_buf *out)
{
	struct dvt_buf message;

	dvt_buf_init(&message, DVT_CERT_DER_MAX + 4096);
	dvt_est_certs_put(&message, &cert, 1);
	dvt_est_body_put(out, dvt_buf_span(&message), form);
	dvt_buf_fini(&message);
}

/*
 * A GET has no body to mirror. strongSwan reads one line only and libest lines
 * of 64 only; the former tells neither User-Agent nor Accept.
 */
static enum dvt_est_form
form_of_get(struct front *f, const struct dvt_http_req *req)
{
	const char *how = dvt_config_text(f->program->config, "est.lines");

	if (strcmp(how, "auto") != 0)
		return strcmp(how, "wrapped") == 0 ? DVT_EST_WRAPPED
						   : DVT_EST_ONE_LINE;
	return dvt_http_req_header(req, "User-Agent") == NULL &&
		       dvt_http_req_header(req, "Accept") == NULL
		   ? DVT_EST_ONE_LINE
		   : DVT_EST_WRAPPED;
}

static void
cacerts(struct front *f, const struct dvt_http_req *req)
{
	struct dvt_http_reply r = {
	    .status = 200, .content_type = DVT_EST_TYPE_CERTS};
	struct dvt_err err = {0};
	struct dvt_buf body;

	if (f->cacerts.n == 0) {
		(void)dvt_fail(&err, DVT_E_LATER, "starting");
		front_reply_error(f, req->ticket, &err, 1, true);
		return;
	}
	dvt_buf_init(&body, 1 << 20);
	dvt_est_body_put(&body, dvt_buf_span(&f->cacerts), form_of_get(f, req));
	r.body = dvt_buf_span(&body);
	(void)dvt_http_reply(f->http, req->ticket, &r);
	dvt_buf_fini(&body);
}

/* HTTP Basic into user and the digest of the password (RFC 7617). */
static enum dvt_code
take_basic(
    const struct dvt_http_req *req, struct est_request *q, struct dvt_err *err)
{
	const char *value = dvt_http_req_header(req, "Authorization");
	struct dvt_secret secret = {NULL, 0};
	enum dvt_code rc;

	if (value == NULL)
		return DVT_OK;
	rc = dvt_est_basic_parse(
	    dvt_span_str(value), q->user, sizeof(q->user), &secret, err);
	if (rc == DVT_OK && secret.n > REQUEST_SECRET_MAX)
		rc = dvt_fail(err, DVT_E_AUTH, "the secret is too long");
	if (rc == DVT_OK)
		dvt_sha256_hex(
		    (struct dvt_span){secret.p, secret.n}, q->secret_hash);
	dvt_secret_free(&secret);
	return rc;
}

/* The CSR as typed fields; its signature is checked. */
static enum dvt_code
take_csr(struct dvt_span der, struct est_request *q, struct dvt_err *err)
{
	struct dvt_csr *csr = dvt_alloc(sizeof(*csr));
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	if ((rc = dvt_csr_parse(der, csr, err)) != DVT_OK ||
	    (rc = dvt_key_from_csr(csr, &key, err)) != DVT_OK)
		goto out;
	q->subject = csr->subject;
	q->san = csr->san;
	q->spki = csr->spki.der;
	q->asks_ca = csr->asks_ca;
	dvt_sha256_hex(q->spki, q->key_digest);
out:
	EVP_PKEY_free(key);
	free(csr);
	return rc;
}

enum dvt_code
front_check_report(struct dvt_span body, struct dvt_err *err)
{
	struct est_request ignored;
	struct dvt_report r;
	enum dvt_code rc = dvt_report_parse(body, &r, err);

	for (size_t i = 0; rc == DVT_OK && i < r.csrs_n; i++) {
		rc = take_csr((struct dvt_span){r.csrs[i].der, r.csrs[i].der_n},
		    &ignored, err);
		if (rc != DVT_OK)
			dvt_err_prefix(err, "csrs[%zu]", i);
	}
	dvt_report_fini(&r);
	return rc;
}

/* Core looks it up; what cannot be one is told at once. */
static enum dvt_code
take_grant(
    const struct dvt_http_req *req, struct est_request *q, struct dvt_err *err)
{
	const char *value = dvt_http_req_header(req, DVT_GRANT_HEADER);

	if (value == NULL)
		return DVT_OK;
	if (strlen(value) != sizeof(q->grant) - 1 ||
	    strspn(value, "0123456789abcdef") != sizeof(q->grant) - 1)
		return dvt_fail(err, DVT_E_INPUT,
		    DVT_GRANT_HEADER ": 32 hexadecimal digits");
	memcpy(q->grant, value, sizeof(q->grant));
	return DVT_OK;
}

static enum dvt_code
take_request(struct front *f, const struct dvt_http_req *req,
    const struct dvt_est_path *path, struct dvt_buf *der,
    struct dvt_buf *client, struct est_request *q, enum dvt_est_form *form,
    struct dvt_err *err)
{
	char text[DVT_ADDR_TEXT];
	enum dvt_code rc;

	(void)f;
	q->reenroll = path->op == DVT_EST_REENROLL;
	(void)dvt_copy_str(q->label, sizeof(q->label), path->label);
	(void)dvt_copy_str(
	    q->address, sizeof(q->address), dvt_addr_host(&req->peer, text));
	front_tls_peer(req->ssl, q->fingerprint, client);
	q->client = dvt_buf_span(client);
	if ((rc = take_basic(req, q, err)) != DVT_OK ||
	    (rc = take_grant(req, q, err)) != DVT_OK)
		return rc;
	if (q->fingerprint[0] == '\0' && q->user[0] == '\0')
		return dvt_fail(err, DVT_E_AUTH,
		    "%s: show a client certificate, or a device id and its "
		    "one-time secret",
		    dvt_est_op_name(path->op));
	rc = dvt_est_body_decode(req->body, der, form, err);
	if (rc == DVT_OK)
		rc = take_csr(dvt_buf_span(der), q, err);
	return rc;
}

static void
enroll(struct front *f, const struct dvt_http_req *req,
    const struct dvt_est_path *path)
{
	enum dvt_est_form form = DVT_EST_WRAPPED;
	struct est_request q = {0};
	struct dvt_buf der, client, msg;
	struct dvt_err err = {0};

	dvt_buf_init(&der, DVT_CSR_DER_MAX);
	dvt_buf_init(&client, DVT_CERT_DER_MAX);
	dvt_buf_init(&msg, 65536);
	if (take_request(f, req, path, &der, &client, &q, &form, &err) !=
	    DVT_OK) {
		front_reply_error(f, req->ticket, &err, 0, true);
	} else {
		est_request_put(&msg, &q);
		front_ask(f, req->ticket, DVT_ROLE_CORE, DVT_MSG_EST_REQUEST,
		    dvt_buf_span(&msg), true, form);
	}
	dvt_buf_fini(&der);
	dvt_buf_fini(&client);
	dvt_buf_fini(&msg);
}

void
front_est(struct front *f, const struct dvt_http_req *req,
    const struct dvt_est_path *path)
{
	const char *wants = dvt_est_op_method(path->op);
	struct dvt_err err = {0};

	if (strcmp(wants, dvt_http_method_name(req->method)) != 0)
		(void)dvt_fail(&err, DVT_E_ABSENT, "%s is asked by %s",
		    dvt_est_op_name(path->op), wants);
	else if (req->body.n > DVT_EST_BODY_MAX)
		(void)dvt_fail(&err, DVT_E_LIMIT,
		    "%zu bytes, at most %d for EST", req->body.n,
		    DVT_EST_BODY_MAX);
	else if (path->op == DVT_EST_CACERTS)
		cacerts(f, req);
	else if (path->op == DVT_EST_ENROLL || path->op == DVT_EST_REENROLL)
		enroll(f, req, path);
	else
		(void)dvt_fail(&err, DVT_E_ABSENT, "%s is not offered here",
		    dvt_est_op_name(path->op));
	if (err.code != DVT_OK)
		front_reply_error(f, req->ticket, &err, 0, true);
}
