/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/files.h"

#include "base/mem.h"
#include "gateway/denied.h"
#include "ipc/fields.h"
#include "pki/key.h"
#include "pki/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
gw_files_fini(struct gw_files *f)
{
	if (f == NULL)
		return;
	dvt_chain_fini(&f->chain);
	EVP_PKEY_free(f->key);
	dvt_feed_list_fini(&f->names);
	for (size_t i = 0; i < f->anchor_n; i++)
		X509_free(f->anchor[i]);
	dvt_shelf_free(f->denied);
	*f = (struct gw_files){0};
}

enum dvt_code
gw_file_read(const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char part[16384];
	ssize_t n;

	if (fd < 0)
		return dvt_fail_errno(err, "%s", path);
	while ((n = read(fd, part, sizeof(part))) > 0)
		dvt_buf_put(out, part, (size_t)n);
	dvt_cleanse(part, sizeof(part)); /* it may have been a key */
	if (n < 0) {
		(void)dvt_fail_errno(err, "%s", path);
		close(fd);
		return DVT_E_SYSTEM;
	}
	close(fd);
	return dvt_buf_ok(out, path, err);
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

static enum dvt_code
chain_read(
    struct gw_files *f, struct dvt_span pem, int64_t now, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_chain_from_pem(pem, &f->chain, err)) != DVT_OK ||
	    (rc = dvt_chain_check(&f->chain, err)) != DVT_OK)
		return rc;
	if (now != 0 &&
	    (rc = dvt_chain_check_time(&f->chain, now, err)) != DVT_OK)
		return rc;
	return names_of(f->chain.cert[0], &f->names, err);
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

/* Read @path (NULL: nothing) and hand its bytes to one of the above. */
enum what { CHAIN, KEY, ANCHORS };

static enum dvt_code
load_one(struct gw_files *f, enum what what, const char *path, int64_t now,
    struct dvt_err *err)
{
	struct dvt_buf b;
	enum dvt_code rc;

	if (path == NULL)
		return DVT_OK;
	dvt_buf_init(&b, GW_CLIENT_CA * DVT_CERT_PEM_MAX);
	if ((rc = gw_file_read(path, &b, err)) != DVT_OK)
		goto out;
	switch (what) {
	case CHAIN:
		rc = chain_read(f, dvt_buf_span(&b), now, err);
		break;
	case KEY:
		rc = dvt_key_from_pem(dvt_buf_span(&b), &f->key, err);
		break;
	case ANCHORS:
		rc = anchors_read(f, dvt_buf_span(&b), err);
		break;
	}
	if (rc != DVT_OK)
		dvt_err_prefix(err, "%s", path);
out:
	dvt_buf_cleanse(&b);
	return rc;
}

enum dvt_code
gw_files_load(const struct gw_settings *s, int64_t now, struct gw_files *out,
    struct dvt_err *err)
{
	enum dvt_code rc;

	*out = (struct gw_files){0};
	if ((rc = load_one(out, CHAIN, s->certificate, now, err)) == DVT_OK &&
	    (rc = load_one(out, KEY, s->key, now, err)) == DVT_OK &&
	    (rc = load_one(out, ANCHORS, s->client_ca, now, err)) == DVT_OK &&
	    (rc = gw_denied_load(s->deny, &out->denied, err)) == DVT_OK &&
	    out->chain.n > 0)
		rc = dvt_key_matches(out->key, out->chain.cert[0], err);
	if (rc != DVT_OK)
		gw_files_fini(out);
	return rc;
}

/* --- to workers --- */

static void
chain_put(const struct gw_files *f, struct dvt_buf *out)
{
	struct dvt_secret key = {0};
	struct dvt_buf pem;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	if (dvt_chain_to_pem(&f->chain, &pem, NULL) == DVT_OK &&
	    dvt_key_to_pkcs8(f->key, &key, NULL) == DVT_OK) {
		dvt_put_bytes(out, dvt_buf_span(&pem));
		dvt_put_bytes(out, (struct dvt_span){key.p, key.n});
	}
	dvt_buf_fini(&pem);
	dvt_secret_free(&key);
}

void
gw_files_put(const struct gw_files *f, struct dvt_buf *out)
{
	dvt_put_bool(out, f->chain.n > 0);
	if (f->chain.n > 0)
		chain_put(f, out);
	dvt_put_count(out, f->anchor_n);
	for (size_t i = 0; i < f->anchor_n; i++) {
		struct dvt_buf der;

		dvt_buf_init(&der, DVT_CERT_DER_MAX);
		if (dvt_x509_to_der(f->anchor[i], &der, NULL) == DVT_OK)
			dvt_put_bytes(out, dvt_buf_span(&der));
		dvt_buf_fini(&der);
	}
}

static enum dvt_code
chain_get(struct dvt_fields *in, struct gw_files *out, struct dvt_err *err)
{
	struct dvt_span pem, key;
	enum dvt_code rc;

	if (!dvt_get_bool(in))
		return DVT_OK;
	pem = dvt_get_bytes(in, DVT_CHAIN_PEM_MAX);
	key = dvt_get_bytes(in, DVT_KEY_PEM_MAX);
	if ((rc = chain_read(out, pem, 0, err)) != DVT_OK)
		return rc;
	return dvt_key_from_pkcs8(key, &out->key, err);
}

enum dvt_code
gw_files_get(struct dvt_fields *in, int denied, struct gw_files *out,
    struct dvt_err *err)
{
	enum dvt_code rc;
	size_t n;

	*out = (struct gw_files){0};
	rc = chain_get(in, out, err);
	n = dvt_get_count(in, GW_CLIENT_CA);
	for (; rc == DVT_OK && out->anchor_n < n; out->anchor_n++)
		rc = dvt_x509_from_der(dvt_get_bytes(in, DVT_CERT_DER_MAX),
		    &out->anchor[out->anchor_n], err);
	if (rc == DVT_OK)
		rc = dvt_fields_end(in, "files", err);
	if (rc == DVT_OK)
		rc = dvt_shelf_attach(denied, &out->denied, err);
	if (rc != DVT_OK)
		gw_files_fini(out);
	return rc;
}

enum dvt_code
gw_files_report(const struct gw_files *f, struct dvt_report_credential *out,
    struct dvt_err *err)
{
	struct dvt_buf pem;
	X509 *top;
	enum dvt_code rc;

	dvt_buf_init(&pem, DVT_CHAIN_PEM_MAX);
	if ((rc = dvt_chain_to_pem(&f->chain, &pem, err)) != DVT_OK) {
		dvt_buf_fini(&pem);
		return rc;
	}
	strcpy(out->id, GW_FILE_ID);
	out->chain_pem = dvt_buf_take_str(&pem);
	dvt_x509_key_digest(f->chain.cert[0], out->key_digest);
	for (size_t i = 0; i < f->names.n; i++)
		dvt_feed_list_add(&out->names, f->names.v[i]);
	top = f->chain.cert[f->chain.n - 1];
	if (dvt_x509_is_self_signed(top))
		dvt_x509_fingerprint(top, out->root);
	for (size_t i = 0; out->root[0] == '\0' && i < f->anchor_n; i++)
		if (dvt_x509_is_issued_by(top, f->anchor[i]))
			dvt_x509_fingerprint(f->anchor[i], out->root);
	return DVT_OK;
}
