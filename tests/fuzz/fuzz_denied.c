/* SPDX-License-Identifier: Apache-2.0 */
/* A deny file: refused with its line, or each entry is found again. */
#include "fuzz.h"
#include "gateway/denied.h"
#include "proto/feed.h"

#include <string.h>

static void
is_digest(void *arg, const char *digest)
{
	FUZZ_ASSERT(strlen(digest) == DVT_DIGEST_HEX - 1);
	++*(size_t *)arg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	FILE *in = fmemopen((void *)(uintptr_t)p, n > 0 ? n : 1, "r");
	struct dvt_feed *f = dvt_feed_new();
	const struct dvt_feed_entry *e = NULL;
	struct dvt_shelf *s;
	struct dvt_err err = {0};
	size_t keys = 0;

	if (n > 0 && gw_denied_read(in, "fuzz", &s, &err) == DVT_OK) {
		gw_denied_keys(s, is_digest, &keys);
		FUZZ_ASSERT(keys <= GW_DENIED_KEYS);
		dvt_feed_denied_too(f, s);
		FUZZ_ASSERT(dvt_feed_next(f, DVT_FEED_DENY, e) == NULL);
		/* a text that begins with a digest has it in */
		if (n >= 65 && p[64] == '\n' &&
		    dvt_feed_shelved(s, DVT_FEED_DENY) > 0) {
			char text[DVT_DIGEST_HEX], plain[DVT_DIGEST_HEX];

			memcpy(text, p, 64);
			text[64] = '\0';
			if (strlen(text) == 64 &&
			    dvt_hex_normal(text, plain, sizeof(plain)) == 0 &&
			    strlen(plain) == 64)
				FUZZ_ASSERT(dvt_feed_get(f, DVT_FEED_DENY,
						plain) != NULL);
		}
		dvt_shelf_free(s);
	} else if (n > 0) {
		FUZZ_ASSERT(err.text[0] != '\0');
	}
	dvt_feed_free(f);
	if (in != NULL)
		fclose(in);
	return 0;
}
