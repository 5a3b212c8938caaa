/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory.h"

#include "base/mem.h"

#include <stdlib.h>

#define CELLS_MAX 16 /* cells of a line that are looked at */

const char *const inventory_columns[] = {"device_id", "hw_serial", "model",
    "firmware", "batch", "type", "profile", "environment", "management",
    "oob_address", "period_s", NULL};

/* Cells of the header, or of a line. */
struct cells {
	char *text[CELLS_MAX];
	size_t n; /* may be more than CELLS_MAX */
};

static char *
trimmed(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	for (n = strlen(text); n > 0 && strchr(" \t\r\n", text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

static void
split(char *line, struct cells *out)
{
	out->n = 0;
	while (line != NULL) {
		char *cell = strsep(&line, ",");

		if (out->n < CELLS_MAX)
			out->text[out->n] = trimmed(cell);
		out->n++;
	}
}

/* A line of @f into @line; *any: there was one. */
static enum dvt_code
next_line(
    FILE *f, char line[DVT_INVENTORY_LINE], bool *any, struct dvt_err *err)
{
	*any = fgets(line, DVT_INVENTORY_LINE, f) != NULL;
	if (!*any)
		return ferror(f) ? dvt_fail_errno(err, "reading") : DVT_OK;
	if (strchr(line, '\n') == NULL && !feof(f))
		return dvt_fail(err, DVT_E_LIMIT,
		    "longer than %d bytes, or it has a NUL",
		    DVT_INVENTORY_LINE - 2);
	return DVT_OK;
}

/* --- the header --- */

static bool
is_column(const char *name)
{
	for (size_t i = 0; inventory_columns[i] != NULL; i++) {
		if (strcmp(inventory_columns[i], name) == 0)
			return true;
	}
	return false;
}

static enum dvt_code
fail_columns(struct dvt_err *err, const char *what, const char *name)
{
	struct dvt_buf all;
	enum dvt_code rc;

	dvt_buf_init(&all, 1024);
	for (size_t i = 0; inventory_columns[i] != NULL; i++)
		dvt_buf_printf(
		    &all, "%s%s", i > 0 ? ", " : "", inventory_columns[i]);
	rc = dvt_fail(err, DVT_E_INPUT, "column \"%.40s\" %s; columns are %s",
	    name, what, dvt_buf_str(&all));
	dvt_buf_fini(&all);
	return rc;
}

static enum dvt_code
check_header(const struct cells *head, struct dvt_err *err)
{
	bool id = false;

	if (head->n == 1 && *head->text[0] == '\0')
		return fail_columns(err, "is missing", "device_id");
	for (size_t i = 0; i < head->n && i < CELLS_MAX; i++) {
		if (!is_column(head->text[i]))
			return fail_columns(err, "is not known", head->text[i]);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(head->text[i], head->text[k]) == 0)
				return fail_columns(
				    err, "is there twice", head->text[i]);
		}
		id = id || strcmp(head->text[i], "device_id") == 0;
	}
	return id ? DVT_OK : fail_columns(err, "is missing", "device_id");
}

static enum dvt_code
read_header(FILE *f, char line[DVT_INVENTORY_LINE], struct cells *head,
    struct dvt_err *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8 */
	bool any;
	enum dvt_code rc = next_line(f, line, &any, err);

	if (rc != DVT_OK)
		return rc;
	if (!any)
		line[0] = '\0';
	if (strncmp(line, mark, sizeof(mark) - 1) == 0)
		line += sizeof(mark) - 1;
	split(line, head);
	return check_header(head, err);
}

/* --- a line --- */

/* One cell; a number is one, or it is told. */
static enum dvt_code
take_cell(
    json_t *fields, const char *name, const char *text, struct dvt_err *err)
{
	json_t *value;
	char *end;
	long long n;

	if (*text == '"')
		return dvt_fail(err, DVT_E_INPUT,
		    "%s begins with a quote: quoted cells are not read", name);
	if (*text == '\0')
		return DVT_OK;
	if (strcmp(name, "period_s") != 0) {
		value = json_string(text);
		if (value == NULL)
			return dvt_fail(
			    err, DVT_E_INPUT, "%s is not UTF-8", name);
		json_object_set_new(fields, name, value);
		return DVT_OK;
	}
	n = strtoll(text, &end, 10);
	if (*end != '\0' || n < 1)
		return dvt_fail(err, DVT_E_INPUT,
		    "period_s: \"%.40s\" is no number of seconds", text);
	json_object_set_new(fields, name, json_integer(n));
	return DVT_OK;
}

/* Take "device_id" out of @fields, and the rest into @all under it. */
static enum dvt_code
put_device(json_t *all, json_t *fields, size_t line, struct dvt_err *err)
{
	const json_t *name = json_object_get(fields, "device_id");
	const char *id = json_string_value(name);

	if (id == NULL)
		return dvt_fail(err, DVT_E_INPUT, "no device_id");
	if (json_object_get(all, id) != NULL)
		return dvt_fail(err, DVT_E_CONFLICT,
		    "device %.80s is in a line before already", id);
	json_object_set_new(all, id,
	    json_pack(
		"{s:I, s:O}", "line", (json_int_t)line, "fields", fields));
	(void)json_object_del(fields, "device_id");
	return DVT_OK;
}

static enum dvt_code
take_line(json_t *all, const struct cells *head, char *line, size_t number,
    struct dvt_err *err)
{
	json_t *fields;
	struct cells c;
	enum dvt_code rc = DVT_OK;

	split(line, &c);
	if (c.n == 1 && *c.text[0] == '\0')
		return DVT_OK;
	if (c.n != head->n)
		return dvt_fail(err, DVT_E_INPUT,
		    "%zu cells, and the header has %zu", c.n, head->n);
	fields = json_object();
	for (size_t i = 0; rc == DVT_OK && i < c.n; i++)
		rc = take_cell(fields, head->text[i], c.text[i], err);
	if (rc == DVT_OK)
		rc = put_device(all, fields, number, err);
	json_decref(fields);
	return rc;
}

enum dvt_code
inventory_read(FILE *f, json_t **out, struct dvt_err *err)
{
	char head_line[DVT_INVENTORY_LINE], line[DVT_INVENTORY_LINE];
	struct cells head;
	size_t number = 1;
	bool any = true;
	enum dvt_code rc;

	*out = json_object();
	rc = read_header(f, head_line, &head, err);
	while (rc == DVT_OK) {
		number++;
		rc = next_line(f, line, &any, err);
		if (rc != DVT_OK || !any)
			break;
		rc = take_line(*out, &head, line, number, err);
	}
	if (rc != DVT_OK)
		dvt_err_prefix(err, "line %zu", number);
	return rc;
}

/* --- index.txt --- */

/* The beginning of a line, for people: printable ASCII alone. */
static void
put_start(char out[INDEX_FAULT_LINE + 4], const char *line)
{
	size_t n = strlen(line);

	for (size_t i = 0; i < n && i < INDEX_FAULT_LINE; i++)
		out[i] = line[i] < ' ' || line[i] > '~' ? '?' : line[i];
	out[n < INDEX_FAULT_LINE ? n : INDEX_FAULT_LINE] = '\0';
	if (n > INDEX_FAULT_LINE)
		strcpy(out + INDEX_FAULT_LINE, "...");
}

static size_t
count_fields(const char *line)
{
	size_t n = 1;

	for (; *line != '\0'; line++)
		n += *line == '\t';
	return n;
}

bool
index_line(char *line, char *field[INDEX_FIELDS], char fault[INDEX_FAULT])
{
	char start[INDEX_FAULT_LINE + 4];
	size_t n = count_fields(line);

	put_start(start, line);
	fault[0] = '\0';
	if (*line == '\0') {
		(void)snprintf(fault, INDEX_FAULT, "an empty line");
		return false;
	}
	if (n != INDEX_FIELDS) {
		(void)snprintf(fault, INDEX_FAULT,
		    "%zu field%s between tabs, and a line of index.txt has %d: "
		    "\"%s\"",
		    n, n == 1 ? "" : "s", INDEX_FIELDS, start);
		return false;
	}
	for (size_t i = 0; i < INDEX_FIELDS; i++)
		field[i] = strsep(&line, "\t");
	if (strlen(field[0]) != 1 || strchr("VRE", field[0][0]) == NULL)
		(void)snprintf(fault, INDEX_FAULT,
		    "field 1 (status) is not V, R or E: \"%s\"", start);
	else if (field[3][0] == '\0' ||
		 field[3][strspn(field[3], "0123456789abcdefABCDEF")] != '\0')
		(void)snprintf(fault, INDEX_FAULT,
		    "field 4 (serial) is no hexadecimal number: \"%s\"", start);
	return fault[0] == '\0';
}
