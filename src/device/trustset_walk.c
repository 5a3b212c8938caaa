/* SPDX-License-Identifier: Apache-2.0 */
/* How a set of anchors comes about: given, or walked to by signed bundles. */
#include "device/trustset.h"

#include "base/mem.h"
#include "pki/x509.h"

#include <stdlib.h>

enum dvt_code
dvt_trustset_from_pem(struct dvt_span anchors, struct dvt_span trust_keys,
    const char *device_id, struct dvt_trustset **out, struct dvt_err *err)
{
	struct dvt_trustset *t = dvt_alloc(sizeof(*t));
	enum dvt_code rc;

	*out = NULL;
	rc = dvt_trust_from_pem(anchors, DVT_TRUST_LAX, &t->trust, err);
	if (rc == DVT_OK && dvt_trust_count(t->trust) == 0)
		rc = dvt_fail(err, DVT_E_INPUT, "no certificate in it");
	for (size_t i = 0; rc == DVT_OK && i < dvt_trust_count(t->trust); i++) {
		if (!dvt_x509_is_ca(dvt_trust_get(t->trust, i)))
			rc = dvt_fail(err, DVT_E_INPUT,
			    "not a CA (RFC 5280 section 4.2.1.9)");
	}
	if (rc != DVT_OK)
		dvt_err_prefix(err, "anchor");
	else if (trust_keys.n > 0)
		rc = dvt_bundle_keys_from_pem(trust_keys, &t->held.keys, err);
	if (rc == DVT_OK && device_id != NULL &&
	    dvt_copy_str(
		t->held.device_id, sizeof(t->held.device_id), device_id) != 0)
		rc = dvt_fail(err, DVT_E_LIMIT, "device id of over %d bytes",
		    DVT_DEVICE_ID_MAX);
	if (rc != DVT_OK) {
		dvt_trustset_free(t);
		return rc;
	}
	*out = t;
	return DVT_OK;
}

/* What the newest bundle taken says, as a set. */
static enum dvt_code
to_set(const struct dvt_bundle *b, const struct dvt_bundle_held *held,
    bool pinned, struct dvt_trustset **out, struct dvt_err *err)
{
	struct dvt_trustset *t = dvt_alloc(sizeof(*t));
	X509 *issuing[DVT_BUNDLE_ISSUERS] = {0};
	enum dvt_code rc;

	t->version = b->version;
	t->held = *held;
	t->pinned = pinned;
	rc = dvt_bundle_trust(b, DVT_TRUST_LAX, &t->trust, err);
	for (size_t i = 0; i < b->issuer_n && rc == DVT_OK; i++)
		rc = dvt_x509_from_der(
		    dvt_buf_span(&b->issuer[i].der), &issuing[i], err);
	if (rc == DVT_OK && b->issuer_n > 0)
		rc = dvt_trust_new(
		    issuing, b->issuer_n, DVT_TRUST_LAX, &t->issuing, err);
	for (size_t i = 0; i < b->issuer_n; i++)
		X509_free(issuing[i]);
	if (rc != DVT_OK) {
		dvt_trustset_free(t);
		return rc;
	}
	*out = t;
	return DVT_OK;
}

struct walk {
	struct dvt_bundle_held held;
	struct dvt_bundle newest;
	bool pinned;
	size_t taken;
};

static enum dvt_code
take_line(struct walk *w, struct dvt_span line, struct dvt_err *err)
{
	struct dvt_bundle_held next;
	struct dvt_bundle b;
	enum dvt_bundle_reason why;
	bool pin = w->held.keys.n == 0;
	enum dvt_code rc;

	if (pin)
		rc = dvt_bundle_pin(&w->held, line, &b, &next, &why, err);
	else
		rc = dvt_bundle_accept(&w->held, line, &b, &next, &why, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "%s", dvt_bundle_reason_name(why));
		return why == DVT_BUNDLE_OLD ? DVT_E_ABSENT : rc;
	}
	w->pinned = w->pinned || pin;
	w->held = next;
	dvt_bundle_fini(&w->newest);
	w->newest = b;
	w->taken++;
	return DVT_OK;
}

enum dvt_code
dvt_trustset_walk(const struct dvt_trustset *from, struct dvt_span lines,
    struct dvt_trustset **out, struct dvt_buf *kept, struct dvt_err *err)
{
	struct walk *w = dvt_alloc(sizeof(*w));
	enum dvt_code rc = DVT_OK;

	*out = NULL;
	if (err != NULL)
		err->text[0] = '\0';
	w->held = from->held;
	w->pinned = from->pinned;
	while (lines.n > 0 && rc == DVT_OK) {
		const uint8_t *feed = memchr(lines.p, '\n', lines.n);
		size_t n = feed == NULL ? lines.n : (size_t)(feed - lines.p);
		struct dvt_span line = {lines.p, n};

		lines = dvt_span_from(lines, feed == NULL ? n : n + 1);
		if (n == 0)
			continue;
		rc = take_line(w, line, err);
		if (rc == DVT_OK) {
			dvt_buf_put_span(kept, line);
			dvt_buf_putc(kept, '\n');
		} else if (rc == DVT_E_ABSENT) { /* not newer */
			rc = DVT_OK;
			if (err != NULL)
				err->text[0] = '\0';
		}
	}
	if (w->taken > 0) /* what was refused after it is only told */
		rc = to_set(&w->newest, &w->held, w->pinned, out, err);
	else if (rc == DVT_OK)
		rc = dvt_fail(
		    err, DVT_E_CONFLICT, "no bundle newer than the one held");
	dvt_bundle_fini(&w->newest);
	free(w);
	return rc;
}
