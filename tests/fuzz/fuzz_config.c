/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is taken dumps as a file that is taken, and as the same. */
#include "base/limits.h"
#include "fuzz.h"
#include "proc/config.h"

/* key, type, unit, least, most, default, help */
static const struct dvt_setting table[] = {
    {"a.bool",       DVT_SET_BOOL,    NULL,     0, 0, "no", "x"},
    {"a.int",        DVT_SET_INT,     NULL,     1, 9, "2",  "x"},
    {"a.time",       DVT_SET_SECONDS, "s",      0, 0, "1h", "x"},
    {"a.size",       DVT_SET_BYTES,   "bytes",  0, 0, "1k", "x"},
    {"a.text",       DVT_SET_TEXT,    NULL,     0, 0, "",   "x"},
    {"a.path",       DVT_SET_PATH,    NULL,     0, 0, "p",  "x"},
    {"a.list",       DVT_SET_LIST,    NULL,     0, 0, "",   "x"},
    {"a.word",       DVT_SET_CHOICE,  "on|off", 0, 0, "on", "x"},
    {"a.paths",      DVT_SET_PATHS,   NULL,     0, 0, "",   "x"},
    {"pair *.file",  DVT_SET_PATH,    NULL,     0, 0, NULL, "x"},
    {"pair *.names", DVT_SET_LIST,    NULL,     0, 0, "",   "x"},
};

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_config *c, *again;
	struct dvt_buf one, two;
	struct dvt_err err = {0};

	if (dvt_config_parse(table, DVT_COUNT(table), (struct dvt_span){p, n},
		"/f", &c, &err) != DVT_OK) {
		FUZZ_ASSERT(c == NULL && err.text[0] != '\0');
		return 0;
	}
	FUZZ_ASSERT(
	    dvt_config_int(c, "a.int") >= 1 && dvt_config_int(c, "a.int") <= 9);
	dvt_buf_init(&one, (size_t)2 * DVT_CONFIG_MAX);
	dvt_buf_init(&two, (size_t)2 * DVT_CONFIG_MAX);
	dvt_config_dump(c, &one);
	if (one.n < DVT_CONFIG_MAX) {
		FUZZ_ASSERT(
		    dvt_config_parse(table, DVT_COUNT(table),
			dvt_buf_span(&one), "/f", &again, &err) == DVT_OK);
		dvt_config_dump(again, &two);
		FUZZ_ASSERT(
		    dvt_span_eq(dvt_buf_span(&one), dvt_buf_span(&two)));
		dvt_config_free(again);
	}
	dvt_config_free(c);
	dvt_buf_fini(&one);
	dvt_buf_fini(&two);
	return 0;
}
