/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/policy.h"

#include "base/hex.h"
#include "base/mem.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define HEX_CHARS "0123456789abcdef"

/* 64 hex digits, with or without a colon after each pair. */
static bool
fingerprint_of(const char *text, char out[DVT_DIGEST_HEX])
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		char c = *text;

		if (c == ':' && n > 0 && n % 2 == 0 && text[1] != '\0')
			continue;
		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (c == '\0' || strchr(HEX_CHARS, c) == NULL ||
		    n == DVT_DIGEST_HEX - 1)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return n == DVT_DIGEST_HEX - 1;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum dvt_code
read_items(const json_t *list, char (*item)[DVT_DIGEST_HEX], size_t *n,
    struct dvt_err *err)
{
	const json_t *e;
	size_t i;

	if (!json_is_array(list))
		return dvt_fail(err, DVT_E_INPUT,
		    POLICY_TRUST_LIST ": no JSON array of fingerprints");
	if (json_array_size(list) > DVT_TRUST_LIST_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    POLICY_TRUST_LIST ": more than %d fingerprints",
		    DVT_TRUST_LIST_MAX);
	json_array_foreach(list, i, e)
	{
		const char *text = json_string_value(e);

		if (text == NULL || !fingerprint_of(text, item[(*n)++]))
			return dvt_fail(err, DVT_E_INPUT,
			    POLICY_TRUST_LIST
			    ": entry %zu, \"%.80s\", is no SHA-256 "
			    "fingerprint of 64 hex digits",
			    i + 1, text == NULL ? "" : text);
	}
	return DVT_OK;
}

enum dvt_code
policy_trust_list(const char *text, struct dvt_buf *out, struct dvt_err *err)
{
	char(*item)[DVT_DIGEST_HEX];
	json_t *list;
	size_t n = 0;
	enum dvt_code rc;

	if (text == NULL || text[0] == '\0')
		return DVT_OK;
	rc = dvt_json_parse(
	    dvt_span_str(text), DVT_TRUST_LIST_BYTES, &list, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, POLICY_TRUST_LIST);
		return rc;
	}
	item = dvt_alloc_array(DVT_TRUST_LIST_MAX, sizeof(*item));
	rc = read_items(list, item, &n, err);
	if (rc == DVT_OK)
		qsort(item, n, sizeof(*item), by_text);
	for (size_t i = 0; rc == DVT_OK && i < n; i++) {
		if (i == 0 || strcmp(item[i], item[i - 1]) != 0)
			dvt_buf_printf(out, "%s\n", item[i]);
	}
	free(item);
	json_decref(list);
	return rc;
}

bool
policy_trust_has(const char *list, const char *fingerprint)
{
	return list[0] == '\0' || strstr(list, fingerprint) != NULL;
}

enum dvt_code
policy_check(const struct dvt_config *config, struct dvt_err *err)
{
	struct dvt_buf list;
	enum dvt_code rc;

	if (!dvt_config_bool(config, POLICY_REVOCATION))
		return dvt_fail(err, DVT_E_INPUT,
		    POLICY_REVOCATION
		    ": it cannot be switched off: what is denied is refused "
		    "by every edge and by the control plane; take the line "
		    "out, or unblock the device in question");
	dvt_buf_init(&list, DVT_TRUST_LIST_BYTES);
	rc = policy_trust_list(
	    dvt_config_text(config, POLICY_TRUST_LIST), &list, err);
	dvt_buf_fini(&list);
	return rc;
}

bool
policy_secret_allowed(const struct dvt_config *config)
{
	return strcmp(dvt_config_text(config, POLICY_AUTH_METHOD),
		   "certificate") != 0;
}

bool
policy_certificate_allowed(const struct dvt_config *config)
{
	return strcmp(dvt_config_text(config, POLICY_AUTH_METHOD), "secret") !=
	       0;
}
