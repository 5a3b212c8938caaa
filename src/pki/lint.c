/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of every certificate that leaves here: see issue.h. */
#include "pki/issue.h"

#include "wire/cert.h"
#include "wire/oid.h"

/* A rule gives NULL, or what is wrong and the section that says so. */
struct subject_matter {
	const struct dvt_cert *cert;
	X509 *issuer; /* NULL: self-signed */
	uint16_t key_usage;
	bool has_key_usage;
};

static const char *
lint_version(const struct subject_matter *m)
{
	return m->cert->version == 3 ? NULL : "not version 3 (4.1.2.1)";
}

static const char *
lint_serial(const struct subject_matter *m)
{
	struct dvt_span s = m->cert->serial;

	if (s.n == 0 || s.n > DVT_SERIAL_BYTES)
		return "serial is not of 1 to 20 octets (4.1.2.2)";
	if (s.p[0] > 0x7f || (s.n == 1 && s.p[0] == 0))
		return "serial is not positive (4.1.2.2)";
	return NULL;
}

static const char *
lint_algorithm(const struct subject_matter *m)
{
	static const struct dvt_span known[] = {
	    DVT_OID_ECDSA_SHA256, DVT_OID_ECDSA_SHA384, DVT_OID_RSA_SHA256};

	for (size_t i = 0; i < DVT_COUNT(known); i++) {
		if (dvt_span_eq(m->cert->sig_alg, known[i]))
			return NULL;
	}
	return "signature algorithm is not one of ours (4.1.1.2)";
}

static const char *
lint_names(const struct subject_matter *m)
{
	struct dvt_span want = m->issuer == NULL
				   ? m->cert->subject
				   : dvt_x509_subject_der(m->issuer);

	if (m->cert->subject.n <= 2)
		return "subject is empty (4.1.2.6)";
	if (!dvt_span_eq(m->cert->issuer, want))
		return "issuer is not the issuer's subject (4.1.2.4)";
	return NULL;
}

static const char *
lint_validity(const struct subject_matter *m)
{
	if (m->cert->not_after <= m->cert->not_before)
		return "ends before it starts (4.1.2.5)";
	if (m->issuer == NULL)
		return NULL;
	if (m->cert->not_before < dvt_x509_not_before(m->issuer))
		return "starts before its issuer";
	if (m->cert->not_after > dvt_x509_not_after(m->issuer))
		return "ends after its issuer";
	return NULL;
}

static const char *
lint_key(const struct subject_matter *m)
{
	const struct dvt_spki *k = &m->cert->spki;

	if (k->kind == DVT_KEY_OTHER)
		return "key is of a kind that is not taken";
	if (k->kind == DVT_KEY_RSA && (k->key_bits < 2048 || k->key_bits % 8))
		return "RSA key is too short or not of whole octets";
	return NULL;
}

static const char *
lint_ca(const struct subject_matter *m)
{
	const struct dvt_ext *bc = dvt_exts_get(
	    &m->cert->exts, DVT_OID_BASIC_CONSTRAINTS);

	if (!m->cert->ca)
		return m->cert->path_len >= 0
			   ? "pathlen without CA:TRUE (4.2.1.9)"
			   : NULL;
	if (bc == NULL || !bc->critical)
		return "basicConstraints of a CA is not critical (4.2.1.9)";
	if (m->issuer != NULL && dvt_x509_pathlen(m->issuer) == 0)
		return "CA under pathlen:0 (4.2.1.9)";
	return NULL;
}

static const char *
lint_key_usage(const struct subject_matter *m)
{
	bool signs = (m->key_usage & DVT_KU_KEY_CERT_SIGN) != 0;

	if (!m->has_key_usage || m->key_usage == 0)
		return "no keyUsage (4.2.1.3)";
	if (signs != m->cert->ca)
		return "keyCertSign and CA:TRUE do not go together (4.2.1.3)";
	return NULL;
}

static const char *
lint_eku(const struct subject_matter *m)
{
	const struct dvt_ext *eku = dvt_exts_get(
	    &m->cert->exts, DVT_OID_EXT_KEY_USAGE);
	bool any = false;

	if (eku == NULL)
		return m->cert->ca ? NULL
				   : "leaf without extendedKeyUsage (4.2.1.12)";
	if (dvt_ext_eku_has(
		eku->value, DVT_OID_ANY_EXT_KEY_USAGE, &any, NULL) != DVT_OK)
		return "extendedKeyUsage is broken (4.2.1.12)";
	return any ? "anyExtendedKeyUsage (4.2.1.12)" : NULL;
}

static const char *
lint_key_ids(const struct subject_matter *m)
{
	const struct dvt_ext *ski = dvt_exts_get(
	    &m->cert->exts, DVT_OID_SUBJECT_KEY_ID);
	const struct dvt_ext *aki = dvt_exts_get(
	    &m->cert->exts, DVT_OID_AUTHORITY_KEY_ID);
	struct dvt_span id, want;

	if (ski == NULL || ski->critical)
		return "no subjectKeyIdentifier, or critical (4.2.1.2)";
	if (m->issuer == NULL)
		return NULL;
	if (aki == NULL || aki->critical ||
	    dvt_ext_authority_key_id(aki->value, &id, NULL) != DVT_OK)
		return "no authorityKeyIdentifier, or critical (4.2.1.1)";
	want = dvt_x509_ski(m->issuer);
	if (want.n != 0 && !dvt_span_eq(id, want))
		return "authorityKeyIdentifier is not the issuer's (4.2.1.1)";
	return NULL;
}

static const char *
lint_sans(const struct subject_matter *m)
{
	struct dvt_span names, name;
	uint8_t tag;

	if (m->cert->san.n == 0)
		return NULL;
	if (dvt_ext_san_open(m->cert->san, &names, NULL) != DVT_OK ||
	    names.n == 0)
		return "subjectAltName is empty or broken (4.2.1.6)";
	while (names.n > 0) {
		if (dvt_ext_san_take(&names, &tag, &name, NULL) != DVT_OK ||
		    name.n == 0)
			return "subjectAltName is broken (4.2.1.6)";
	}
	return NULL;
}

static const char *
lint_extensions(const struct subject_matter *m)
{
	static const struct dvt_span critical[] = {
	    DVT_OID_BASIC_CONSTRAINTS, DVT_OID_KEY_USAGE};

	for (size_t i = 0; i < m->cert->exts.n; i++) {
		const struct dvt_ext *e = &m->cert->exts.at[i];
		size_t k;

		for (k = 0; k < DVT_COUNT(critical); k++) {
			if (dvt_span_eq(e->oid, critical[k]))
				break;
		}
		if (e->critical != (k < DVT_COUNT(critical)))
			return "criticality of an extension (4.2)";
		if (dvt_span_eq(e->oid, DVT_OID_NAME_CONSTRAINTS))
			return "name constraints are not ours to issue";
	}
	return NULL;
}

enum dvt_code
dvt_lint(struct dvt_span der, X509 *issuer, struct dvt_err *err)
{
	static const char *(*const rules[])(const struct subject_matter *) = {
	    lint_version, lint_serial, lint_algorithm, lint_names,
	    lint_validity, lint_key, lint_ca, lint_key_usage, lint_eku,
	    lint_key_ids, lint_sans, lint_extensions};
	struct subject_matter m = {.issuer = issuer};
	const struct dvt_ext *usage;
	struct dvt_cert cert;
	enum dvt_code rc;

	if ((rc = dvt_cert_parse(der, &cert, err)) != DVT_OK)
		return rc;
	m.cert = &cert;
	usage = dvt_exts_get(&cert.exts, DVT_OID_KEY_USAGE);
	m.has_key_usage = usage != NULL && dvt_ext_key_usage(usage->value,
					       &m.key_usage, NULL) == DVT_OK;
	for (size_t i = 0; i < DVT_COUNT(rules); i++) {
		const char *wrong = rules[i](&m);

		if (wrong != NULL)
			return dvt_fail(
			    err, DVT_E_INPUT, "lint: %s; RFC 5280", wrong);
	}
	return DVT_OK;
}
