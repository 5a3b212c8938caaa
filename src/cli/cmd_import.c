/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dovetail device import: a folder as "openssl ca" keeps it (index.txt and
 * newcerts/), streamed in slices, with a report of each refused row. Safe to
 * repeat: what is there already is counted as such.
 */
#include "cli/cli.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_ROWS  200    /* rows in one request */
#define SLICE_BYTES 900000 /* bytes in one request */
#define FILE_MAX    65536  /* bytes of one certificate file */
#define ROWS_SHOWN  20     /* refused rows listed; --json lists all */
#define LINE_TEXT   8192   /* bytes of one line of index.txt or of the CSV */
#define CSV_FIELDS  16

struct import {
	struct cli *c;
	const char *folder;
	json_t *inventory; /* device id -> object of further fields, or NULL */
	struct dvt_buf slice;
	json_t *rows; /* file row of each line in the slice */
	json_t *refused;
	size_t in_slice;
	size_t row, total, fresh, same, changed;
	bool tty;
};

/* --- the inventory: CSV with a header line --- */

/* Fields of one line in place; quotes are not part of this simple form. */
static size_t
split_csv(char *line, char *field[CSV_FIELDS])
{
	size_t n = 0;
	char *at = line;

	line[strcspn(line, "\r\n")] = '\0';
	while (n < CSV_FIELDS) {
		field[n++] = at;
		at = strchr(at, ',');
		if (at == NULL)
			break;
		*at++ = '\0';
	}
	return n;
}

/* One field of a device; a number is one, or it is told. */
static enum dvt_code
take_field(json_t *row, const char *name, const char *text, struct dvt_err *err)
{
	char *end;
	long long n;

	if (strcmp(name, "period_s") != 0) {
		json_object_set_new(row, name, json_string(text));
		return DVT_OK;
	}
	n = strtoll(text, &end, 10);
	if (*end != '\0' || n < 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "period_s: \"%.40s\" is no number of seconds", text);
	json_object_set_new(row, name, json_integer(n));
	return DVT_OK;
}

static enum dvt_code
take_inventory_row(json_t *all, char **names, size_t names_n, char **field,
    size_t n, struct dvt_err *err)
{
	json_t *row = json_object();
	const char *id = "";
	enum dvt_code rc = DVT_OK;

	for (size_t i = 0; rc == DVT_OK && i < n && i < names_n; i++) {
		if (strcmp(names[i], "device_id") == 0)
			id = field[i];
		else
			rc = take_field(row, names[i], field[i], err);
	}
	if (rc == DVT_OK && n > names_n)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "%zu fields, and the header names %zu", n, names_n);
	if (rc == DVT_OK && *id != '\0' && json_object_get(all, id) != NULL)
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "device %.80s is in a line before already", id);
	if (rc == DVT_OK && *id != '\0')
		json_object_set(all, id, row);
	json_decref(row);
	return rc;
}

static enum dvt_code
check_header(char **names, size_t n, struct dvt_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], "device_id") == 0)
			return DVT_OK;
	return dvt_fail(err, DVT_E_INPUT,
	    "the header line has no device_id (device_id,model,...)");
}

/* Read whole before the first row is sent: a slip changes nothing. */
static enum dvt_code
read_inventory(const char *path, json_t **out, struct dvt_err *err)
{
	FILE *f = fopen(path, "re");
	char head[LINE_TEXT] = "", line[LINE_TEXT];
	char *names[CSV_FIELDS], *field[CSV_FIELDS];
	size_t names_n = 0, n, number = 1;
	enum dvt_code rc;

	if (f == NULL)
		return dvt_fail_errno(err, "inventory %s", path);
	*out = json_object();
	if (fgets(head, sizeof(head), f) != NULL)
		names_n = split_csv(head, names);
	rc = check_header(names, names_n, err);
	while (rc == DVT_OK && fgets(line, sizeof(line), f) != NULL) {
		number++;
		n = split_csv(line, field);
		rc = take_inventory_row(*out, names, names_n, field, n, err);
	}
	if (rc != DVT_OK)
		dvt_err_prefix(err, "inventory %s, line %zu", path, number);
	fclose(f);
	return rc;
}

/* --- sending slices --- */

static void
refuse(struct import *m, size_t row, const char *serial, const char *why)
{
	json_array_append_new(
	    m->refused, json_pack("{s:I, s:s, s:s}", "row", (json_int_t)row,
			    "serial", serial, "reason", why));
}

static void
progress(struct import *m, bool last)
{
	size_t width = 40, done;

	if (m->c->json || (!m->tty && !last))
		return;
	if (!m->tty) {
		fprintf(stderr, "%zu rows read\n", m->row);
		return;
	}
	done = m->total == 0 ? width : width * m->row / m->total;
	fprintf(stderr, "\r[%.*s%*s] %zu/%zu rows%s", (int)done,
	    "########################################", (int)(width - done), "",
	    m->row, m->total, last ? "\n" : "");
}

static void
take_results(struct import *m, const json_t *answer)
{
	const json_t *r;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, r)
	{
		const char *how = json_string_value(
		    json_object_get(r, "result"));
		const char *why = json_string_value(
		    json_object_get(r, "reason"));
		const json_t *place = json_array_get(m->rows, i);

		if (how != NULL && strcmp(how, "new") == 0)
			m->fresh++;
		else if (how != NULL && strcmp(how, "same") == 0)
			m->same++;
		else if (how != NULL && strcmp(how, "changed") == 0)
			m->changed++;
		else
			refuse(m,
			    (size_t)json_integer_value(
				json_object_get(place, "row")),
			    json_string_value(json_object_get(place, "serial")),
			    why == NULL ? "refused" : why);
	}
}

static enum dvt_code
send_slice(struct import *m, struct dvt_err *err)
{
	json_t *answer = NULL;
	enum dvt_code rc;

	if (m->in_slice == 0)
		return DVT_OK;
	rc = cli_send(m->c, "POST", "/v1/devices/import",
	    "application/x-ndjson", dvt_buf_span(&m->slice), &answer, err);
	if (rc == DVT_OK)
		take_results(m, answer);
	json_decref(answer);
	dvt_buf_reset(&m->slice);
	json_array_clear(m->rows);
	m->in_slice = 0;
	progress(m, false);
	return rc;
}

/* --- one row --- */

/* Leaf and the rest of a PEM file as text without the words around. */
static enum dvt_code
read_certificates(
    const char *path, char **leaf, char **rest, struct dvt_err *err)
{
	struct dvt_buf text;
	BIO *in = NULL, *out[2] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
	X509 *cert;
	size_t n = 0;
	enum dvt_code rc;

	*leaf = *rest = NULL;
	dvt_buf_init(&text, FILE_MAX);
	if ((rc = cli_read_file(path, FILE_MAX, &text, err)) != DVT_OK)
		goto out;
	in = BIO_new_mem_buf(text.p, (int)text.n);
	while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		PEM_write_bio_X509(out[n > 0], cert);
		X509_free(cert);
		n++;
	}
	if (n == 0) {
		rc = dvt_fail(err, DVT_E_INPUT, "no PEM certificate in it");
		goto out;
	}
	for (size_t i = 0; i < 2; i++) {
		char *p;
		long len = BIO_get_mem_data(out[i], &p);

		*(i == 0 ? leaf : rest) = dvt_strndup(p, (size_t)len);
	}
out:
	BIO_free(in);
	BIO_free(out[0]);
	BIO_free(out[1]);
	dvt_buf_fini(&text);
	return rc;
}

static json_t *
device_fields(struct import *m, const char *leaf)
{
	BIO *in = BIO_new_mem_buf(leaf, -1);
	X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);
	char id[DVT_NAME_MAX + 1] = "";
	json_t *fields = NULL;

	if (cert != NULL &&
	    X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
		NID_commonName, id, sizeof(id)) > 0)
		fields = json_object_get(m->inventory, id);
	X509_free(cert);
	BIO_free(in);
	return fields == NULL ? json_object() : json_copy(fields);
}

/* A line of index.txt: status, expiry, revocation, serial, file, subject. */
static enum dvt_code
take_row(struct import *m, char *line, struct dvt_err *err)
{
	char *part[6] = {NULL}, *leaf, *rest, *path;
	const char *id = cli_opt(m->c, "id");
	struct dvt_err why;
	json_t *row;
	enum dvt_code rc;
	size_t n = 0;

	for (char *at = line; n < 6 && at != NULL; n++)
		part[n] = strsep(&at, "\t");
	if (n < 6 || strchr("VRE", part[0][0]) == NULL) {
		refuse(m, m->row, "", "not a line of index.txt");
		return DVT_OK;
	}
	if (strspn(part[3], "0123456789abcdefABCDEF") != strlen(part[3])) {
		refuse(m, m->row, "", "the serial is no hexadecimal number");
		return DVT_OK;
	}
	path = dvt_asprintf("%s/newcerts/%s.pem", m->folder, part[3]);
	rc = read_certificates(path, &leaf, &rest, &why);
	free(path);
	if (rc != DVT_OK) {
		refuse(m, m->row, part[3], why.text);
		return DVT_OK;
	}
	row = device_fields(m, leaf);
	json_object_set_new(row, "certificate_pem", json_string(leaf));
	if (*rest != '\0')
		json_object_set_new(row, "chain_pem", json_string(rest));
	part[0][1] = '\0';
	json_object_set_new(row, "status", json_string(part[0]));
	if (id != NULL)
		json_object_set_new(row, "id_from", json_string(id));
	dvt_json_put(&m->slice, row);
	dvt_buf_putc(&m->slice, '\n');
	json_array_append_new(
	    m->rows, json_pack("{s:I, s:s}", "row", (json_int_t)m->row,
			 "serial", part[3]));
	m->in_slice++;
	json_decref(row);
	free(leaf);
	free(rest);
	if (m->in_slice == SLICE_ROWS || m->slice.n > SLICE_BYTES)
		return send_slice(m, err);
	return DVT_OK;
}

static size_t
count_lines(FILE *f)
{
	size_t n = 0;
	int ch;

	while ((ch = getc(f)) != EOF)
		n += ch == '\n';
	rewind(f);
	return n;
}

static void
report(struct import *m)
{
	const json_t *r;
	size_t i;

	progress(m, true);
	if (m->c->json) {
		json_t *all = json_pack("{s:I, s:I, s:I, s:O}", "new",
		    (json_int_t)m->fresh, "same", (json_int_t)m->same,
		    "changed", (json_int_t)m->changed, "refused", m->refused);

		cli_print_json(all);
		json_decref(all);
		return;
	}
	printf("%zu certificates new, %zu there already, %zu changed, "
	       "%zu rows refused\n",
	    m->fresh, m->same, m->changed, json_array_size(m->refused));
	json_array_foreach(m->refused, i, r)
	{
		char row[32], serial[80], why[256];

		if (i == ROWS_SHOWN) {
			printf("  ... and %zu more (--json lists all)\n",
			    json_array_size(m->refused) - i);
			break;
		}
		printf("  row %s, serial %s: %s\n",
		    cli_cell(r, "row", CLI_TEXT, row, sizeof(row)),
		    cli_cell(r, "serial", CLI_TEXT, serial, sizeof(serial)),
		    cli_cell(r, "reason", CLI_TEXT, why, sizeof(why)));
	}
}

enum dvt_code
cmd_device_import(struct cli *c, struct dvt_err *err)
{
	struct import m = {
	    .c = c, .folder = c->arg[0], .tty = isatty(STDERR_FILENO) == 1};
	char *path = dvt_asprintf("%s/index.txt", m.folder);
	FILE *f = fopen(path, "re");
	char line[LINE_TEXT];
	enum dvt_code rc = DVT_OK;

	if (f == NULL)
		rc = dvt_fail_errno(
		    err, "%s (a folder of \"openssl ca\")", path);
	free(path);
	if (rc == DVT_OK && cli_opt(c, "inventory") != NULL)
		rc = read_inventory(cli_opt(c, "inventory"), &m.inventory, err);
	dvt_buf_init(&m.slice, DVT_BODY_MAX);
	m.rows = json_array();
	m.refused = json_array();
	if (rc == DVT_OK)
		m.total = count_lines(f);
	while (rc == DVT_OK && fgets(line, sizeof(line), f) != NULL) {
		m.row++;
		line[strcspn(line, "\n")] = '\0';
		rc = take_row(&m, line, err);
	}
	if (rc == DVT_OK)
		rc = send_slice(&m, err);
	if (rc == DVT_OK)
		report(&m);
	if (f != NULL)
		fclose(f);
	json_decref(m.inventory);
	json_decref(m.rows);
	json_decref(m.refused);
	dvt_buf_fini(&m.slice);
	return rc;
}
