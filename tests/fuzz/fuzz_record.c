/* SPDX-License-Identifier: Apache-2.0 */
/* One handshake as a line: what is read by hand is what JSON says it is, and
 * a record that was read is written and read again as the same. */
#include "fuzz.h"
#include "proto/feed_record_priv.h"
#include "wire/json.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span line = {p, n};
	struct dvt_handshake by_hand, h, again;
	struct dvt_buf text;
	json_t *o = NULL;
	bool scanned = dvt_handshake_scan(line, &by_hand);
	enum dvt_code rc = dvt_json_parse(line, DVT_RECORD_MAX, &o, NULL);

	if (rc == DVT_OK)
		rc = dvt_handshake_from_json(o, &h, NULL);
	json_decref(o);
	FUZZ_ASSERT(!scanned || rc == DVT_OK);
	if (rc != DVT_OK)
		return 0;
	FUZZ_ASSERT(!scanned || memcmp(&by_hand, &h, sizeof(h)) == 0);
	dvt_buf_init(&text, 4 * DVT_RECORD_MAX);
	dvt_handshake_format(&h, &text);
	if (text.n <= DVT_RECORD_MAX) {
		FUZZ_ASSERT(dvt_handshake_parse(
				dvt_buf_span(&text), &again, NULL) == DVT_OK);
		FUZZ_ASSERT(strcmp(h.device, again.device) == 0);
		FUZZ_ASSERT(h.n == again.n && h.alert == again.alert);
	}
	dvt_buf_fini(&text);
	return 0;
}
