/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CRL whose entries lie elsewhere.
 *
 * OpenSSL keeps a million entries as a million objects, 300 MB in each process
 * that asks, and hashes all of the list again whenever it verifies a path. Of
 * a list only three things are asked: what its issuer says of it (dates,
 * extensions), whether the issuer signed it, and whether it names a serial
 * number. So it is split once: into a head (the same list without entries,
 * with the digest that was signed) and its serial numbers, for a table that
 * processes share. What is made of a head is an X509_CRL that answers as the
 * whole list would.
 */
#ifndef DVT_PKI_CRL_LEAN_H
#define DVT_PKI_CRL_LEAN_H

#include "base/span.h"

#include <openssl/x509.h>

#define DVT_CRL_HEAD_MAX 65536 /* bytes of a list without its entries */

struct dvt_crl_head {
	struct dvt_buf der;              /* the list without entries */
	uint8_t digest[EVP_MAX_MD_SIZE]; /* of the whole TBSCertList */
	size_t digest_n;
};

/**
 * dvt_crl_split() - a list's head, and each of its serial numbers
 * @der:  a CertificateList
 * @head: out: the caller's, for dvt_crl_head_fini(); empty on failure
 * @each: told each serial number, as the contents octets of its INTEGER
 *
 * Return: DVT_OK; DVT_E_ABSENT: OpenSSL must judge it whole. So are lists with
 *         anything out of the ordinary: an entry that is taken back
 *         (removeFromCRL), of another issuer, or with a critical extension; a
 *         signature other than ECDSA or RSA PKCS #1 with SHA-2; and whatever
 *         is malformed, so that who reads it whole tells what is wrong. @each
 *         was told nothing then.
 * Source: RFC 5280 section 5.1.
 */
DVT_MUST_USE enum dvt_code dvt_crl_split(struct dvt_span der,
    struct dvt_crl_head *head, void (*each)(void *arg, struct dvt_span serial),
    void *arg);
void dvt_crl_head_fini(struct dvt_crl_head *head); /* more than once is fine */

/* Who knows the entries. */
struct dvt_crl_entries {
	bool (*has)(void *arg, struct dvt_span serial);
	void (*done)(void *arg); /* the last reference to the list went */
	void *arg;
};

/**
 * dvt_crl_lean() - the list, by its head
 * @entries: taken over, also on failure
 * @out:     out: one reference, the caller's
 *
 * X509_CRL_get0_by_cert() and X509_CRL_verify() answer as for the whole list;
 * of an entry no date and no reason are known, and X509_CRL_get_REVOKED() is
 * empty. Not for a process with threads: OpenSSL has one default method.
 * Return: DVT_OK; DVT_E_INPUT (no head).
 */
DVT_MUST_USE enum dvt_code dvt_crl_lean(const struct dvt_crl_head *head,
    const struct dvt_crl_entries *entries, X509_CRL **out, struct dvt_err *err);

#endif
