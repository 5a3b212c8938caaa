/* SPDX-License-Identifier: Apache-2.0 */
/* When a bundle replaces what a device holds: see bundle.h. */
#include "pki/bundle.h"

#include "pki/key.h"
#include "wire/pem.h"

#include <inttypes.h>

const char *
dvt_bundle_reason_name(enum dvt_bundle_reason reason)
{
#define REASON_NAME(reason, name) [reason] = name,
	static const char *const names[] = {DVT_BUNDLE_REASONS(REASON_NAME)};

	return (size_t)reason < DVT_COUNT(names) ? names[reason] : "broken";
}

/* Distinct keys of one role that signed. */
static size_t
count_signers(const struct dvt_dsse *d, const struct dvt_bundle_keys *keys,
    enum dvt_key_role role)
{
	struct dvt_dsse_key list[DVT_BUNDLE_KEYS] = {0};
	size_t n = 0, count;

	for (size_t i = 0; i < keys->n; i++) {
		const struct dvt_bundle_key *k = &keys->key[i];

		if (k->role != role ||
		    dvt_key_from_spki((struct dvt_span){k->spki, k->spki_n},
			&list[n].key, NULL) != DVT_OK)
			continue;
		memcpy(list[n].keyid, k->keyid, sizeof(k->keyid));
		n++;
	}
	count = dvt_dsse_count(d, DVT_BUNDLE_TYPE, list, n);
	for (size_t i = 0; i < n; i++)
		EVP_PKEY_free(list[i].key);
	return count;
}

static bool
signed_by_root(const struct dvt_dsse *d, const struct dvt_bundle_keys *keys)
{
	return keys->threshold > 0 &&
	       count_signers(d, keys, DVT_ROLE_ROOT) >= keys->threshold;
}

/* What a bundle needs that leaves the keys alone; root keys may do it too. */
static bool
signed_by_any(const struct dvt_dsse *d, const struct dvt_bundle_keys *keys)
{
	if (keys->online_threshold > 0 &&
	    count_signers(d, keys, DVT_ROLE_ONLINE) >= keys->online_threshold)
		return true;
	return signed_by_root(d, keys);
}

static bool
has_key(const struct dvt_bundle_keys *keys, const struct dvt_bundle_key *k)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (strcmp(keys->key[i].keyid, k->keyid) == 0 &&
		    keys->key[i].role == k->role)
			return true;
	}
	return false;
}

static bool
same_keys(const struct dvt_bundle_keys *a, const struct dvt_bundle_keys *b)
{
	if (a->version != b->version || a->threshold != b->threshold ||
	    a->online_threshold != b->online_threshold || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!has_key(b, &a->key[i]))
			return false;
	}
	return true;
}

/* Failed, with a reason by name. */
#define refuse(why, reason, err, code, ...)                                    \
	(*(why) = (reason), dvt_fail((err), (code), "bundle: " __VA_ARGS__))

static enum dvt_code
check_keys(const struct dvt_bundle_held *held, const struct dvt_dsse *d,
    const struct dvt_bundle *b, enum dvt_bundle_reason *why,
    struct dvt_err *err)
{
	if (same_keys(&held->keys, &b->keys))
		return DVT_OK;
	if (b->keys.version <= held->keys.version)
		return refuse(why, DVT_BUNDLE_KEY_CHANGE, err, DVT_E_AUTH,
		    "other keys under keys_version %" PRId64 ", %" PRId64
		    " is held",
		    b->keys.version, held->keys.version);
	if (!signed_by_root(d, &held->keys))
		return refuse(why, DVT_BUNDLE_KEY_CHANGE, err, DVT_E_AUTH,
		    "keys change without %zu of the root keys held",
		    held->keys.threshold);
	if (!signed_by_root(d, &b->keys))
		return refuse(why, DVT_BUNDLE_KEY_CHANGE, err, DVT_E_AUTH,
		    "keys change without %zu of the new root keys",
		    b->keys.threshold);
	return DVT_OK;
}

static enum dvt_code
check_content(const struct dvt_bundle_held *held, const struct dvt_bundle *b,
    enum dvt_bundle_reason *why, struct dvt_err *err)
{
	/* keys were given without a name: the first bundle they sign has it */
	if (held->fleet[0] != '\0' && strcmp(b->fleet, held->fleet) != 0)
		return refuse(why, DVT_BUNDLE_FLEET, err, DVT_E_DENIED,
		    "is for fleet \"%s\", this is \"%s\"", b->fleet,
		    held->fleet);
	if (strcmp(b->audience, "all") != 0 &&
	    (held->device_id[0] == '\0' ||
		strcmp(b->audience, held->device_id) != 0))
		return refuse(why, DVT_BUNDLE_AUDIENCE, err, DVT_E_DENIED,
		    "is for \"%s\"", b->audience);
	if (b->version <= held->version)
		return refuse(why, DVT_BUNDLE_OLD, err, DVT_E_CONFLICT,
		    "version %" PRId64 ", %" PRId64 " is held", b->version,
		    held->version);
	if (b->anchor_n == 0)
		return refuse(
		    why, DVT_BUNDLE_EMPTY, err, DVT_E_INPUT, "has no anchors");
	return DVT_OK;
}

static void
fill_next(const struct dvt_bundle_held *held, const struct dvt_dsse *d,
    const struct dvt_bundle *b, struct dvt_bundle_held *next)
{
	struct dvt_bundle_held n = *held;

	memcpy(n.fleet, b->fleet, sizeof(n.fleet));
	n.version = b->version;
	n.keys = b->keys;
	dvt_sha256_hex(dvt_buf_span(&d->payload), n.digest);
	*next = n;
}

/* Payload to bundle; its failures get their names. */
static enum dvt_code
parse_payload(const struct dvt_dsse *d, struct dvt_bundle *b,
    enum dvt_bundle_reason *why, struct dvt_err *err)
{
	enum dvt_code rc = dvt_bundle_parse(dvt_buf_span(&d->payload), b, err);

	if (rc != DVT_OK)
		*why = rc == DVT_E_LIMIT ? DVT_BUNDLE_LIMIT : DVT_BUNDLE_BROKEN;
	/* an anchor twice: a conflict in it, but not with what is held */
	if (rc == DVT_E_CONFLICT)
		rc = DVT_E_INPUT;
	if (rc != DVT_OK && err != NULL)
		err->code = rc;
	return rc;
}

static enum dvt_code
accept_opened(const struct dvt_bundle_held *held, const struct dvt_dsse *d,
    struct dvt_bundle *b, enum dvt_bundle_reason *why, struct dvt_err *err)
{
	enum dvt_code rc;

	if (held->keys.n == 0)
		return refuse(why, DVT_BUNDLE_NO_KEYS, err, DVT_E_AUTH,
		    "no keys are held to judge it by");
	if (!signed_by_any(d, &held->keys))
		return refuse(why, DVT_BUNDLE_SIGNATURES, err, DVT_E_AUTH,
		    "not signed by enough of the keys held");
	if ((rc = parse_payload(d, b, why, err)) != DVT_OK ||
	    (rc = check_content(held, b, why, err)) != DVT_OK)
		return rc;
	return check_keys(held, d, b, why, err);
}

static enum dvt_code
pin_opened(const struct dvt_bundle_held *held, const struct dvt_dsse *d,
    struct dvt_bundle *b, enum dvt_bundle_reason *why, struct dvt_err *err)
{
	struct dvt_bundle_held as = *held;
	enum dvt_code rc;

	if (held->keys.n != 0)
		return refuse(why, DVT_BUNDLE_KEY_CHANGE, err, DVT_E_CONFLICT,
		    "keys are held already and are not pinned again");
	if ((rc = parse_payload(d, b, why, err)) != DVT_OK)
		return rc;
	if (!signed_by_any(d, &b->keys))
		return refuse(why, DVT_BUNDLE_SIGNATURES, err, DVT_E_AUTH,
		    "not signed by enough of the keys it names");
	if (as.fleet[0] == '\0')
		memcpy(as.fleet, b->fleet, sizeof(as.fleet));
	return check_content(&as, b, why, err);
}

/* Open the envelope, ask @judge, fill the outputs or clear them. */
static enum dvt_code
take_line(const struct dvt_bundle_held *held, struct dvt_span line,
    enum dvt_code (*judge)(const struct dvt_bundle_held *,
	const struct dvt_dsse *, struct dvt_bundle *, enum dvt_bundle_reason *,
	struct dvt_err *),
    struct dvt_bundle *bundle, struct dvt_bundle_held *next,
    enum dvt_bundle_reason *why, struct dvt_err *err)
{
	struct dvt_dsse d;
	enum dvt_code rc;

	memset(bundle, 0, sizeof(*bundle));
	*why = DVT_BUNDLE_TAKEN;
	if ((rc = dvt_dsse_parse(line, &d, err)) != DVT_OK) {
		*why = rc == DVT_E_LIMIT ? DVT_BUNDLE_LIMIT : DVT_BUNDLE_BROKEN;
		return rc;
	}
	if ((rc = judge(held, &d, bundle, why, err)) == DVT_OK)
		fill_next(held, &d, bundle, next);
	else
		dvt_bundle_fini(bundle);
	dvt_dsse_fini(&d);
	return rc;
}

enum dvt_code
dvt_bundle_accept(const struct dvt_bundle_held *held, struct dvt_span line,
    struct dvt_bundle *bundle, struct dvt_bundle_held *next,
    enum dvt_bundle_reason *why, struct dvt_err *err)
{
	return take_line(held, line, accept_opened, bundle, next, why, err);
}

enum dvt_code
dvt_bundle_pin(const struct dvt_bundle_held *held, struct dvt_span line,
    struct dvt_bundle *bundle, struct dvt_bundle_held *next,
    enum dvt_bundle_reason *why, struct dvt_err *err)
{
	return take_line(held, line, pin_opened, bundle, next, why, err);
}

static enum dvt_code
judge_grant(const struct dvt_bundle_held *held, const struct dvt_dsse *d,
    struct dvt_bundle *b, enum dvt_bundle_reason *why, struct dvt_err *err)
{
	struct dvt_bundle_held any = *held;
	enum dvt_code rc;

	if (held->keys.n == 0)
		return refuse(why, DVT_BUNDLE_NO_KEYS, err, DVT_E_AUTH,
		    "no keys are held to judge it by");
	if (!signed_by_any(d, &held->keys))
		return refuse(why, DVT_BUNDLE_SIGNATURES, err, DVT_E_AUTH,
		    "not signed by enough of the keys held");
	any.version = 0;
	if ((rc = parse_payload(d, b, why, err)) != DVT_OK ||
	    (rc = check_content(&any, b, why, err)) != DVT_OK)
		return rc;
	if (b->grant.id[0] == '\0')
		return dvt_fail(err, DVT_E_ABSENT, "bundle: carries no grant");
	return DVT_OK;
}

enum dvt_code
dvt_bundle_grant_get(const struct dvt_bundle_held *held, struct dvt_span line,
    struct dvt_bundle_grant *out, enum dvt_bundle_reason *why,
    struct dvt_err *err)
{
	struct dvt_bundle_held next;
	struct dvt_bundle b;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	rc = take_line(held, line, judge_grant, &b, &next, why, err);
	if (rc == DVT_OK)
		*out = b.grant;
	dvt_bundle_fini(&b);
	return rc;
}

enum dvt_code
dvt_bundle_keys_from_pem(
    struct dvt_span pem, struct dvt_bundle_keys *out, struct dvt_err *err)
{
	struct dvt_bundle_keys keys = {.online_threshold = 1};
	struct dvt_buf der;
	enum dvt_code rc;

	memset(out, 0, sizeof(*out));
	dvt_buf_init(&der, DVT_BUNDLE_SPKI);
	while ((rc = dvt_pem_take(&pem, DVT_PEM_SPKI, &der, err)) == DVT_OK) {
		EVP_PKEY *key;

		rc = dvt_key_from_spki(dvt_buf_span(&der), &key, err);
		if (rc != DVT_OK)
			break;
		rc = dvt_bundle_add_key(&keys, key, DVT_ROLE_ROOT, err);
		EVP_PKEY_free(key);
		if (rc != DVT_OK)
			break;
	}
	dvt_buf_fini(&der);
	if (rc != DVT_E_ABSENT)
		return rc;
	if (keys.n == 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "trust key: no \"BEGIN PUBLIC KEY\" in it");
	keys.threshold = keys.n > 1 ? 2 : 1;
	*out = keys;
	return DVT_OK;
}
