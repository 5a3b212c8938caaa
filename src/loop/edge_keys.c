/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/edge_keys.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void
dvt_denied_keys_fini(struct dvt_denied_keys *k)
{
	for (size_t i = 0; i < k->bearers; i++)
		X509_free(k->bearer[i]);
	free(k->bearer);
	free(k->digest);
	*k = (struct dvt_denied_keys){0};
}

void
dvt_denied_keys_add(struct dvt_denied_keys *k, const char *digest)
{
	k->digest = dvt_realloc(k->digest, (k->n + 1) * sizeof(*k->digest));
	if (dvt_copy_str(k->digest[k->n], DVT_DIGEST_HEX, digest) == 0)
		k->n++;
}

static bool
is_denied(const struct dvt_denied_keys *k, X509 *cert)
{
	char digest[DVT_DIGEST_HEX];

	dvt_x509_key_digest(cert, digest);
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->digest[i], digest) == 0)
			return true;
	return false;
}

bool
dvt_denied_keys_bears(struct dvt_denied_keys *k, X509 *ca)
{
	if (k->n == 0 || !is_denied(k, ca))
		return false;
	k->bearer = dvt_realloc(
	    k->bearer, (k->bearers + 1) * sizeof(*k->bearer));
	X509_up_ref(ca);
	k->bearer[k->bearers++] = ca;
	return true;
}

static bool
is_issued(const struct dvt_denied_keys *k, X509 *cert)
{
	for (size_t i = 0; i < k->bearers; i++)
		if (dvt_x509_is_issued_by(cert, k->bearer[i]))
			return true;
	return false;
}

bool
dvt_denied_keys_hit(
    const struct dvt_denied_keys *k, X509 *const *certs, size_t n)
{
	for (size_t i = 0; k->n > 0 && i < n; i++)
		if (is_denied(k, certs[i]) || is_issued(k, certs[i]))
			return true;
	return false;
}
