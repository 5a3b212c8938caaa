/* SPDX-License-Identifier: Apache-2.0 */
/* Object identifiers as DER contents octets, for comparing and writing. */
#ifndef DVT_WIRE_OID_H
#define DVT_WIRE_OID_H

#include "base/span.h"

/* keys and signatures: RFC 5480, RFC 4055, RFC 8410 */
#define DVT_OID_EC_KEY       DVT_SPAN_LIT("\x2a\x86\x48\xce\x3d\x02\x01")
#define DVT_OID_P256         DVT_SPAN_LIT("\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define DVT_OID_P384         DVT_SPAN_LIT("\x2b\x81\x04\x00\x22")
#define DVT_OID_RSA_KEY      DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define DVT_OID_ED25519      DVT_SPAN_LIT("\x2b\x65\x70")
#define DVT_OID_ECDSA_SHA256 DVT_SPAN_LIT("\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define DVT_OID_ECDSA_SHA384 DVT_SPAN_LIT("\x2a\x86\x48\xce\x3d\x04\x03\x03")
#define DVT_OID_ECDSA_SHA512 DVT_SPAN_LIT("\x2a\x86\x48\xce\x3d\x04\x03\x04")
#define DVT_OID_RSA_SHA256   DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")
#define DVT_OID_RSA_SHA384   DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c")
#define DVT_OID_RSA_SHA512   DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d")
#define DVT_OID_RSA_PSS      DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")

/* attributes of a request: RFC 2985, RFC 7894 */
#define DVT_OID_CHALLENGE_PASSWORD                                             \
	DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07")
#define DVT_OID_EXTENSION_REQUEST                                              \
	DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")
#define DVT_OID_OTP_CHALLENGE                                                  \
	DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x38")
#define DVT_OID_EST_IDENTITY_LINKING                                           \
	DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3a")

/* extensions: RFC 5280 section 4.2 */
#define DVT_OID_SUBJECT_KEY_ID       DVT_SPAN_LIT("\x55\x1d\x0e")
#define DVT_OID_KEY_USAGE            DVT_SPAN_LIT("\x55\x1d\x0f")
#define DVT_OID_SUBJECT_ALT_NAME     DVT_SPAN_LIT("\x55\x1d\x11")
#define DVT_OID_BASIC_CONSTRAINTS    DVT_SPAN_LIT("\x55\x1d\x13")
#define DVT_OID_NAME_CONSTRAINTS     DVT_SPAN_LIT("\x55\x1d\x1e")
#define DVT_OID_CRL_POINTS           DVT_SPAN_LIT("\x55\x1d\x1f")
#define DVT_OID_CERTIFICATE_POLICIES DVT_SPAN_LIT("\x55\x1d\x20")
#define DVT_OID_AUTHORITY_KEY_ID     DVT_SPAN_LIT("\x55\x1d\x23")
#define DVT_OID_EXT_KEY_USAGE        DVT_SPAN_LIT("\x55\x1d\x25")
#define DVT_OID_AUTHORITY_INFO_ACCESS                                          \
	DVT_SPAN_LIT("\x2b\x06\x01\x05\x05\x07\x01\x01")
#define DVT_OID_SERVER_AUTH       DVT_SPAN_LIT("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define DVT_OID_CLIENT_AUTH       DVT_SPAN_LIT("\x2b\x06\x01\x05\x05\x07\x03\x02")
#define DVT_OID_ANY_EXT_KEY_USAGE DVT_SPAN_LIT("\x55\x1d\x25\x00")

/* names: RFC 5280 appendix A.1, RFC 4519 */
#define DVT_OID_COMMON_NAME   DVT_SPAN_LIT("\x55\x04\x03")
#define DVT_OID_SERIAL_NUMBER DVT_SPAN_LIT("\x55\x04\x05")
#define DVT_OID_COUNTRY       DVT_SPAN_LIT("\x55\x04\x06")
#define DVT_OID_LOCALITY      DVT_SPAN_LIT("\x55\x04\x07")
#define DVT_OID_STATE         DVT_SPAN_LIT("\x55\x04\x08")
#define DVT_OID_ORGANIZATION  DVT_SPAN_LIT("\x55\x04\x0a")
#define DVT_OID_ORG_UNIT      DVT_SPAN_LIT("\x55\x04\x0b")
#define DVT_OID_EMAIL         DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")
#define DVT_OID_DOMAIN_COMPONENT                                               \
	DVT_SPAN_LIT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19")

/* containers: RFC 5652 */
#define DVT_OID_PKCS7_DATA DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
#define DVT_OID_PKCS7_SIGNED                                                   \
	DVT_SPAN_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")

#endif
