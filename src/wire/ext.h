/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 extensions (RFC 5280 section 4.2) read as spans. */
#ifndef DVT_WIRE_EXT_H
#define DVT_WIRE_EXT_H

#include "base/limits.h"
#include "base/span.h"

struct dvt_ext {
	struct dvt_span oid;   /* contents octets */
	struct dvt_span value; /* DER inside the OCTET STRING */
	bool critical;
};

struct dvt_exts {
	struct dvt_ext at[DVT_EXTS_MAX];
	size_t n;
};

/**
 * dvt_exts_parse() - contents of the SEQUENCE OF Extension
 * Return: DVT_OK; DVT_E_INPUT (also the same extension twice, section 4.2);
 *         DVT_E_LIMIT (more than DVT_EXTS_MAX).
 */
DVT_MUST_USE enum dvt_code dvt_exts_parse(
    struct dvt_span body, struct dvt_exts *out, struct dvt_err *err);

/* The extension, or NULL. */
const struct dvt_ext *dvt_exts_get(
    const struct dvt_exts *exts, struct dvt_span oid);

/* basicConstraints; @path_len -1 when absent (section 4.2.1.9). */
DVT_MUST_USE enum dvt_code dvt_ext_basic_constraints(
    struct dvt_span value, bool *ca, int64_t *path_len, struct dvt_err *err);

/* keyUsage: bit 0 (digitalSignature) is 0x8000 (section 4.2.1.3). */
#define DVT_KU_DIGITAL_SIGNATURE 0x8000
#define DVT_KU_KEY_ENCIPHERMENT  0x2000
#define DVT_KU_KEY_AGREEMENT     0x0800
#define DVT_KU_KEY_CERT_SIGN     0x0400
#define DVT_KU_CRL_SIGN          0x0200
DVT_MUST_USE enum dvt_code dvt_ext_key_usage(
    struct dvt_span value, uint16_t *bits, struct dvt_err *err);

/* extKeyUsage: is @purpose (OID contents octets) in it (section 4.2.1.12)? */
DVT_MUST_USE enum dvt_code dvt_ext_eku_has(struct dvt_span value,
    struct dvt_span purpose, bool *has, struct dvt_err *err);

/* subjectKeyIdentifier, and the keyIdentifier of authorityKeyIdentifier
 * ({NULL, 0} when it has none). */
DVT_MUST_USE enum dvt_code dvt_ext_subject_key_id(
    struct dvt_span value, struct dvt_span *id, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_ext_authority_key_id(
    struct dvt_span value, struct dvt_span *id, struct dvt_err *err);

/* Tags of a GeneralName (section 4.2.1.6). */
#define DVT_SAN_EMAIL 0x81
#define DVT_SAN_DNS   0x82
#define DVT_SAN_URI   0x86
#define DVT_SAN_IP    0x87

/*
 * subjectAltName: open the list once, then take names until @names is
 * empty. Names of other kinds come with their tag as well.
 */
DVT_MUST_USE enum dvt_code dvt_ext_san_open(
    struct dvt_span value, struct dvt_span *names, struct dvt_err *err);
DVT_MUST_USE enum dvt_code dvt_ext_san_take(struct dvt_span *names,
    uint8_t *tag, struct dvt_span *name, struct dvt_err *err);

#define DVT_IP_BYTES 16
/* Bytes of the address that @s is: 4, 16, or 0 for none (RFC 5280 section
 * 4.2.1.6, iPAddress). */
size_t dvt_ip_parse(const char *s, uint8_t out[DVT_IP_BYTES]);
/*
 * What @s is as the name of a host: DVT_SAN_IP, DVT_SAN_DNS (as
 * dvt_is_dns_name(), at most DVT_HOST_MAX characters), or 0 for neither.
 */
uint8_t dvt_host_kind(const char *s);

/* Letters, digits, hyphens, "_", dots; one "*." in front; no empty label
 * (RFC 1123 section 2.1, RFC 6125 section 6.4.3). */
bool dvt_is_dns_name(const char *s);

/* Write one Extension; @critical false is left out (DEFAULT). */
void dvt_ext_put(struct dvt_buf *b, struct dvt_span oid, bool critical,
    struct dvt_span value);

#endif
