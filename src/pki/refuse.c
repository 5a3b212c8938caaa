/* SPDX-License-Identifier: Apache-2.0 */
/* What an edge refuses beyond OpenSSL's path validation: see verify.h. */
#include "pki/verify.h"

#include "pki/issue.h"
#include "pki/key.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <strings.h>

#define VERSION_3 2 /* as it is encoded; RFC 5280 section 4.1.2.1 */

static const char *
serial_refuse(const X509 *cert)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	int n = ASN1_STRING_length(serial);

	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		return "serial is negative";
	if (n == 0 || (n == 1 && ASN1_STRING_get0_data(serial)[0] == 0))
		return "serial is zero";
	/* a leading octet of 0x00 is written when the highest bit is set */
	if (n > DVT_SERIAL_BYTES ||
	    (n == DVT_SERIAL_BYTES && ASN1_STRING_get0_data(serial)[0] > 0x7f))
		return "serial is over 20 octets";
	return NULL;
}

static const char *
usage_refuse(X509 *leaf, enum dvt_purpose purpose)
{
	uint32_t flags = X509_get_extension_flags(leaf);
	uint32_t eku = X509_get_extended_key_usage(leaf);

	if (flags & EXFLAG_INVALID)
		return "leaf has a broken extension";
	if (flags & EXFLAG_CA)
		return "leaf is a CA";
	if ((flags & EXFLAG_KUSAGE) &&
	    (X509_get_key_usage(leaf) & X509v3_KU_KEY_CERT_SIGN))
		return "leaf may sign certificates";
	if (!(flags & EXFLAG_XKUSAGE))
		return "leaf names no extended key usage";
	if (purpose == DVT_FOR_CLIENT && !(eku & XKU_SSL_CLIENT))
		return "leaf is not for client authentication";
	if (purpose == DVT_FOR_SERVER && !(eku & XKU_SSL_SERVER))
		return "leaf is not for server authentication";
	return NULL;
}

const char *
dvt_leaf_key_refuse(const X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	bool taken = key != NULL && dvt_key_check(key, NULL) == DVT_OK;

	ERR_clear_error();
	if (!taken)
		return "key is of a kind or size that is not taken";
	if (dvt_key_kind(key) == DVT_KEY_RSA && EVP_PKEY_get_bits(key) % 8 != 0)
		return "RSA modulus is not of whole octets";
	return NULL;
}

/* An extension that is there and does not decode. */
static bool
aia_is_broken(const X509 *cert)
{
	int critical = -1;
	AUTHORITY_INFO_ACCESS *aia = X509_get_ext_d2i(
	    cert, NID_info_access, &critical, NULL);
	bool broken = critical != -1 &&
		      (aia == NULL || sk_ACCESS_DESCRIPTION_num(aia) == 0);

	AUTHORITY_INFO_ACCESS_free(aia);
	ERR_clear_error();
	return broken;
}

const char *
dvt_leaf_refuse(X509 *leaf, enum dvt_purpose purpose)
{
	const char *why;

	if (X509_get_version(leaf) != VERSION_3)
		return "leaf is not of version 3";
	if ((why = usage_refuse(leaf, purpose)) != NULL)
		return why;
	if ((why = serial_refuse(leaf)) != NULL)
		return why;
	if ((why = dvt_leaf_key_refuse(leaf)) != NULL)
		return why;
	if (X509_get_ext_by_NID(leaf, NID_name_constraints, -1) >= 0)
		return "leaf has name constraints";
	if (aia_is_broken(leaf))
		return "leaf has a broken authorityInfoAccess";
	return NULL;
}

/* Could "*.suffix" stand for something in the excluded subtree @name? */
static bool
wildcard_reaches(const ASN1_STRING *san, const ASN1_STRING *name)
{
	const char *wild = (const char *)ASN1_STRING_get0_data(san);
	const char *tree = (const char *)ASN1_STRING_get0_data(name);
	int wild_n = ASN1_STRING_length(san) - 1; /* ".suffix" */
	int tree_n = ASN1_STRING_length(name);

	if (wild_n < 2 || wild[0] != '*' || wild[1] != '.' || tree_n <= wild_n)
		return false;
	return strncasecmp(tree + tree_n - wild_n, wild + 1, (size_t)wild_n) ==
	       0;
}

static bool
excluded_by_wildcard(const GENERAL_NAMES *sans, const NAME_CONSTRAINTS *nc)
{
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(nc->excludedSubtrees); i++) {
		const GENERAL_NAME *tree = sk_GENERAL_SUBTREE_value(
		    nc->excludedSubtrees, i)
					       ->base;

		if (tree->type != GEN_DNS)
			continue;
		for (int k = 0; k < sk_GENERAL_NAME_num(sans); k++) {
			const GENERAL_NAME *san = sk_GENERAL_NAME_value(
			    sans, k);

			if (san->type == GEN_DNS &&
			    wildcard_reaches(san->d.dNSName, tree->d.dNSName))
				return true;
		}
	}
	return false;
}

static const char *
constraint_refuse(const X509 *leaf, const X509 *ca)
{
	GENERAL_NAMES *sans = NULL;
	NAME_CONSTRAINTS *nc;
	bool hit = false;

	if (X509_get_ext_by_NID(ca, NID_name_constraints, -1) < 0)
		return NULL;
	nc = X509_get_ext_d2i(ca, NID_name_constraints, NULL, NULL);
	sans = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	if (nc != NULL && sans != NULL)
		hit = excluded_by_wildcard(sans, nc);
	GENERAL_NAMES_free(sans);
	NAME_CONSTRAINTS_free(nc);
	ERR_clear_error();
	return hit ? "wildcard reaches into an excluded subtree" : NULL;
}

const char *
dvt_path_refuse(const STACK_OF(X509) * path, enum dvt_purpose purpose)
{
	const char *why;

	if (sk_X509_num(path) <= 0)
		return "no certificate shown";
	why = dvt_leaf_refuse(sk_X509_value(path, 0), purpose);
	for (int i = 1; i < sk_X509_num(path) && why == NULL; i++) {
		const X509 *ca = sk_X509_value(path, i);

		if ((why = dvt_leaf_key_refuse(ca)) == NULL)
			why = constraint_refuse(sk_X509_value(path, 0), ca);
	}
	return why;
}
