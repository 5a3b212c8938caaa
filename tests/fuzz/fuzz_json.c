/* SPDX-License-Identifier: Apache-2.0 */
/* What is read can be written, and reads as the same value. */
#include "base/limits.h"
#include "fuzz.h"
#include "wire/json.h"

static void
check_fields(const json_t *v)
{
	static const char *const allowed[] = {"a", "operation"};
	const char *text;
	int64_t n;
	bool flag;

	if (!json_is_object(v))
		return;
	(void)!dvt_json_only(v, allowed, DVT_COUNT(allowed), NULL);
	(void)!dvt_json_get_str(v, "a", 10, &text, NULL);
	(void)!dvt_json_get_i64(v, "a", 0, 10, &n, NULL);
	(void)!dvt_json_opt_bool(v, "a", true, &flag, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_span text = {p, n};
	json_t *v, *again;
	struct dvt_buf out;

	if (dvt_json_parse(text, DVT_BUNDLE_MAX, &v, NULL) != DVT_OK) {
		FUZZ_ASSERT(v == NULL);
		return 0;
	}
	check_fields(v);
	dvt_buf_init(&out, 1048576);
	dvt_json_put(&out, v);
	FUZZ_ASSERT(dvt_buf_ok(&out, "out", NULL) == DVT_OK);
	FUZZ_ASSERT(dvt_json_parse(dvt_buf_span(&out), 1048576, &again, NULL) ==
		    DVT_OK);
	FUZZ_ASSERT(json_equal(v, again));
	json_decref(v);
	json_decref(again);
	dvt_buf_fini(&out);
	return 0;
}
