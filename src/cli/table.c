/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and cells for people, within 100 columns (libsmartcols). */
#include "cli/cli.h"

#include "base/clock.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const json_t *
at_path(const json_t *object, const char *field)
{
	while (object != NULL && field != NULL && *field != '\0') {
		size_t n = strcspn(field, ".");
		char key[64];

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, field, n);
		key[n] = '\0';
		object = json_object_get(object, key);
		field += n + (field[n] == '.');
	}
	return object;
}

static void
put_ago(int64_t at, char *out, size_t size)
{
	int64_t s = dvt_time_now().wall_s - at;
	const char *tail = s < 0 ? "ahead" : "ago";

	if (at == 0) {
		(void)snprintf(out, size, "never");
		return;
	}
	s = s < 0 ? -s : s;
	if (s < 120)
		(void)snprintf(out, size, "%" PRId64 " s %s", s, tail);
	else if (s < 7200)
		(void)snprintf(out, size, "%" PRId64 " min %s", s / 60, tail);
	else if (s < 172800)
		(void)snprintf(out, size, "%" PRId64 " h %s", s / 3600, tail);
	else
		(void)snprintf(
		    out, size, "%" PRId64 " days %s", s / 86400, tail);
}

static void
put_plain(const json_t *v, char *out, size_t size)
{
	if (json_is_string(v))
		(void)snprintf(out, size, "%s", json_string_value(v));
	else if (json_is_integer(v))
		(void)snprintf(
		    out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_boolean(v))
		(void)snprintf(out, size, "%s", json_is_true(v) ? "yes" : "no");
	else
		(void)snprintf(out, size, "%s", "");
}

static void
put_list(const json_t *v, char *out, size_t size)
{
	struct dvt_buf b;
	const json_t *item;
	size_t i;

	dvt_buf_init(&b, size - 1);
	json_array_foreach(v, i, item)
	{
		char cell[256];

		put_plain(item, cell, sizeof(cell));
		dvt_buf_printf(&b, "%s%s", i > 0 ? " " : "", cell);
	}
	(void)snprintf(out, size, "%s", dvt_buf_str(&b));
	dvt_buf_fini(&b);
}

const char *
cli_cell(const json_t *object, const char *field, enum cli_form form, char *out,
    size_t size)
{
	const json_t *v = at_path(object, field);
	int64_t n = json_integer_value(v);

	out[0] = '\0';
	switch (form) {
	case CLI_TEXT:
	case CLI_NUMBER:
		put_plain(v, out, size);
		break;
	case CLI_DATE:
		if (n != 0)
			(void)snprintf(out, size < 11 ? size : 11, "%s",
			    dvt_time_format(n, (char[32]){0}, 32));
		break;
	case CLI_TIME:
		if (n != 0)
			(void)dvt_time_format(n, out, size);
		break;
	case CLI_AGO:
		put_ago(n, out, size);
		break;
	case CLI_YES:
		(void)snprintf(
		    out, size, "%s", json_is_true(v) || n != 0 ? "yes" : "");
		break;
	case CLI_SHORT:
		put_plain(v, out, size < 13 ? size : 13);
		break;
	case CLI_LIST:
		put_list(v, out, size);
		break;
	}
	for (char *c = out; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?'; /* nothing of a device's reaches the terminal
				   */
	}
	return out;
}

enum dvt_code
cli_ask(struct cli *c, const char *target, json_t **answer, struct dvt_err *err)
{
	enum dvt_code rc = cli_call(c, "GET", target, NULL, answer, err);

	if (rc != DVT_OK || !c->json)
		return rc;
	cli_print_json(*answer);
	json_decref(*answer);
	*answer = NULL;
	return DVT_OK;
}

enum dvt_code
cli_show(struct cli *c, const char *target, const char *field,
    const struct cli_column *columns, size_t n, const char *nothing,
    struct dvt_err *err)
{
	json_t *answer;
	enum dvt_code rc = cli_ask(c, target, &answer, err);

	if (rc != DVT_OK || answer == NULL)
		return rc;
	cli_table(json_object_get(answer, field), columns, n, nothing);
	json_decref(answer);
	return DVT_OK;
}

const char *
cli_none(const struct cli *c, const char *what, const char *const *keys,
    size_t n, const char *otherwise, char out[CLI_NONE])
{
	struct dvt_buf b;
	const char *between = " for";

	dvt_buf_init(&b, CLI_NONE - 2);
	dvt_buf_puts(&b, what);
	if (c->args > 0) {
		dvt_buf_printf(&b, "%s \"%.100s\"", between, c->arg[0]);
		between = ",";
	}
	for (size_t i = 0; i < n; i++) {
		const char *value = cli_opt(c, keys[i]);

		if (value == NULL)
			continue;
		dvt_buf_printf(&b, "%s --%s %.40s", between, keys[i], value);
		between = ",";
	}
	(void)snprintf(out, CLI_NONE, "%s.", dvt_buf_str(&b));
	dvt_buf_fini(&b);
	return *between == ',' ? out : otherwise;
}

void
cli_table(const json_t *items, const struct cli_column *columns, size_t n,
    const char *nothing)
{
	struct libscols_table *t;
	const json_t *item;
	char cell[512];
	size_t i;

	if (json_array_size(items) == 0) {
		printf("%s\n", nothing);
		return;
	}
	if ((t = scols_new_table()) == NULL)
		return;
	scols_table_set_termwidth(t, CLI_WIDTH);
	scols_table_set_termforce(t, SCOLS_TERMFORCE_ALWAYS);
	for (size_t k = 0; k < n; k++) {
		int flags = k + 1 == n ? SCOLS_FL_WRAP : 0;

		if (columns[k].form == CLI_NUMBER)
			flags |= SCOLS_FL_RIGHT;
		(void)scols_table_new_column(t, columns[k].title, 0.0, flags);
	}
	json_array_foreach(items, i, item)
	{
		struct libscols_line *line = scols_table_new_line(t, NULL);

		for (size_t k = 0; line != NULL && k < n; k++)
			(void)scols_line_set_data(line, k,
			    cli_cell(item, columns[k].field, columns[k].form,
				cell, sizeof(cell)));
	}
	(void)scols_print_table(t);
	scols_unref_table(t);
}

void
cli_fields(const json_t *object, const struct cli_column *rows, size_t n)
{
	char cell[512];

	for (size_t i = 0; i < n; i++)
		printf("%-18s %s\n", rows[i].title,
		    cli_cell(object, rows[i].field, rows[i].form, cell,
			sizeof(cell)));
}

void
cli_print_wrapped(const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		if (n > CLI_WIDTH) {
			for (n = CLI_WIDTH; n > 0 && text[n] != ' ';)
				n--;
			if (n == 0)
				n = CLI_WIDTH;
		}
		printf("%.*s\n", (int)n, text);
		text += n;
		text += *text == ' ' || *text == '\n';
	}
}

void
cli_print_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);

	printf("%s\n", text == NULL ? "null" : text);
	free(text);
}

void
cli_print_refused(const json_t *problem)
{
	const json_t *devices = json_object_get(problem, "devices");
	size_t shown = json_array_size(devices), i;
	int64_t total = json_integer_value(json_object_get(problem, "total"));
	const json_t *d;

	if (shown == 0)
		return;
	if (shown > 50)
		shown = 50;
	fprintf(stderr, "\n  %-28s %s\n", "DEVICE", "REASON");
	json_array_foreach(devices, i, d)
	{
		char name[80], reason[256];

		if (i == shown)
			break;
		fprintf(stderr, "  %-28s %.68s\n",
		    cli_cell(d, "device", CLI_TEXT, name, sizeof(name)),
		    cli_cell(d, "reason", CLI_TEXT, reason, sizeof(reason)));
	}
	if (total > (int64_t)shown)
		fprintf(stderr, "  ... %" PRId64 " in all (--json lists 500)\n",
		    total);
}
