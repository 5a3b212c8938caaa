/* SPDX-License-Identifier: Apache-2.0 */
/* Lives with configuration values: see values.h. */
#include "values.h"

#include "device/confval.h"
#include "lives.h"

#include <inttypes.h>
#include <stdio.h>

#define MARK "in clear: "

static const char *const names[] = {"mqtt.conf", "wifi.psk"};

typedef char value_text[100];

static const char *
text_of(value_text out, const char *name, int64_t version)
{
	(void)snprintf(out, sizeof(value_text), MARK "%s, version %" PRId64,
	    name, version);
	return out;
}

static void
give(struct testworld *w, const char *name)
{
	value_text text;
	int64_t version = 1;

	for (size_t i = 0; i < w->value_n; i++)
		if (strcmp(w->value[i].name, name) == 0)
			version = w->value[i].version + 1;
	testworld_set_value(w, name, text_of(text, name, version));
}

static bool
is_on_disk(const struct testworld *w, const char *name, int64_t version)
{
	char path[DVT_FS_PATH_MAX + 1];
	value_text text;
	struct dvt_buf b;
	bool is;

	(void)snprintf(path, sizeof(path), DVT_CONFVAL_DIR "/%s", name);
	dvt_buf_init(&b, DVT_CONFIG_VALUE);
	is = dvt_memfs.read(w->disk, path, &b, NULL) == DVT_OK &&
	     dvt_span_eq_str(dvt_buf_span(&b), text_of(text, name, version));
	dvt_buf_cleanse(&b);
	return is;
}

/* The newest of each is here, and the server's opens with the key in use. */
static bool
are_whole(const struct testworld *w)
{
	value_text text;

	for (size_t i = 0; i < w->value_n; i++) {
		const struct testvalue *v = &w->value[i];

		if (!is_on_disk(w, v->name, v->version) ||
		    !testworld_value_opens(
			w, v->name, text_of(text, v->name, v->version)))
			return false;
	}
	return w->value_n > 0;
}

bool
values_are_taken(const struct testworld *w)
{
	for (size_t i = 0; i < w->value_n; i++)
		if (w->value[i].applied != w->value[i].version)
			return false;
	return are_whole(w);
}

bool
values_are_sealed_anew(const struct testworld *w)
{
	return testworld_is_renewed(w) && are_whole(w);
}

bool
values_are_back(const struct testworld *w)
{
	return life_is_back(w) && are_whole(w);
}

void
values_prepare(struct testworld *w)
{
	life_prepare_renewal(w);
	w->renew[0] = '\0';
	for (size_t i = 0; i < DVT_COUNT(names); i++)
		give(w, names[i]);
	testworld_on(w);
	if (!testworld_run(w, HOUR_S, values_are_taken))
		life_failed("preparing", "the values are not taken");
	(void)testworld_run(w, 200, NULL);
	testworld_off(w);
	testworld_ask_renew(w, "r2-renew");
}

void
values_prepare_bad_hook(struct testworld *w)
{
	values_prepare(w);
	w->hook_exit = 1;
}

void
values_prepare_new(struct testworld *w)
{
	values_prepare(w);
	w->renew[0] = '\0';
	w->config.hook_config = true;
	give(w, names[0]);
}

void
values_check(const struct testworld *w, const char *when)
{
	for (size_t i = 0; i < w->value_n; i++) {
		const struct testvalue *v = &w->value[i];
		int64_t version = v->version;

		while (version > 0 && !is_on_disk(w, v->name, version))
			version--;
		if (version == 0)
			life_failed(when, "%s is not on the disk", v->name);
	}
}

bool
values_are_in(struct dvt_span bytes)
{
	return bytes.n > 0 &&
	       memmem(bytes.p, bytes.n, MARK, sizeof(MARK) - 1) != NULL;
}
