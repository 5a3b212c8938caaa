/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/revoked.h"

#include "base/mem.h"
#include "proto/feed_shelf.h"

#include <stdlib.h>
#include <string.h>

/* The number of a list before a serial number. */
struct key {
	uint8_t p[DVT_SHELF_KEY_MAX];
	size_t n;
};

static bool
key_of(uint8_t list, struct dvt_span serial, struct key *out)
{
	out->n = 1 + serial.n;
	if (out->n > sizeof(out->p))
		return false;
	out->p[0] = list;
	memcpy(out->p + 1, serial.p, serial.n);
	return true;
}

struct filling {
	struct dvt_shelf *shelf;
	uint8_t list;
	bool full; /* a number was too long for a key */
};

static void
on_entry(void *arg, struct dvt_span serial)
{
	struct filling *f = arg;
	struct key k;

	if (!key_of(f->list, serial, &k) ||
	    !dvt_shelf_put(f->shelf, DVT_SHELF_REVOKED,
		(struct dvt_span){k.p, k.n}, (struct dvt_span){NULL, 0}))
		f->full = true;
}

enum dvt_code
gw_revoked_put(struct dvt_shelf *s, uint8_t list, struct dvt_span der,
    struct dvt_crl_head *head)
{
	struct filling f = {.shelf = s, .list = list};
	enum dvt_code rc = dvt_crl_split(der, head, on_entry, &f);

	if (rc == DVT_OK && f.full) {
		dvt_crl_head_fini(head);
		return DVT_E_ABSENT;
	}
	return rc;
}

struct reader {
	struct dvt_shelf *shelf;
	uint8_t list;
};

static bool
has(void *arg, struct dvt_span serial)
{
	const struct reader *r = arg;
	struct key k;

	return key_of(r->list, serial, &k) &&
	       dvt_shelf_get(r->shelf, DVT_SHELF_REVOKED,
		   (struct dvt_span){k.p, k.n}, NULL);
}

static void
done(void *arg)
{
	struct reader *r = arg;

	dvt_shelf_free(r->shelf);
	free(r);
}

enum dvt_code
gw_revoked_list(int shelf, uint8_t list, const struct dvt_crl_head *head,
    X509_CRL **out, struct dvt_err *err)
{
	struct reader *r = dvt_alloc(sizeof(*r));
	struct dvt_crl_entries entries = {.has = has, .done = done, .arg = r};
	enum dvt_code rc;

	*out = NULL;
	r->list = list;
	if ((rc = dvt_shelf_attach(shelf, &r->shelf, err)) != DVT_OK) {
		free(r);
		return rc;
	}
	return dvt_crl_lean(head, &entries, out, err);
}
