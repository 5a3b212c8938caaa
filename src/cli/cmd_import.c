/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dovetail device import: a folder as "openssl ca" keeps it (index.txt and
 * newcerts/), streamed in slices, with a report of each refused row. Safe to
 * repeat: what is there already is counted as such.
 */
#include "base/file.h"
#include "cli/cli.h"
#include "cli/inventory.h"
#include "pki/chain.h"
#include "pki/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_ROWS  200    /* rows in one request */
#define SLICE_BYTES 900000 /* bytes in one request */
#define ROWS_SHOWN  20     /* refused rows listed; --json lists all */
#define LINE_TEXT   8192   /* bytes of one line of index.txt */

struct import {
	struct cli *c;
	const char *folder;
	const char *id_from; /* cn, san or serial */
	json_t *inventory;   /* of inventory_read(), or NULL; "seen" is added */
	struct dvt_buf slice;
	json_t *rows; /* where each line of the slice comes from; place_new() */
	json_t *refused;
	size_t in_slice;
	size_t row, total, fresh, same, changed;
	bool tty;
};

/* A stream of a regular file; the caller's. */
static enum dvt_code
open_stream(const char *path, FILE **out, struct dvt_err *err)
{
	int fd;
	enum dvt_code rc = dvt_open_regular(path, &fd, err);

	*out = NULL;
	if (rc == DVT_OK && (*out = fdopen(fd, "r")) == NULL) {
		rc = dvt_fail_errno(err, "%s", path);
		close(fd);
	}
	return rc;
}

/* Read whole before the first row is sent: a slip changes nothing. */
static enum dvt_code
read_inventory(const char *path, json_t **out, struct dvt_err *err)
{
	FILE *f;
	enum dvt_code rc = open_stream(path, &f, err);

	if (rc != DVT_OK) {
		dvt_err_prefix(err, "inventory");
		return rc;
	}
	if ((rc = inventory_read(f, out, err)) != DVT_OK)
		dvt_err_prefix(err, "inventory %s", path);
	fclose(f);
	return rc;
}

/* --- sending slices --- */

/*
 * Where a row comes from: "row" of index.txt, its "serial", and the device and
 * "inventory_line" that go with it; null what there is none of.
 */
static json_t *
place_new(
    size_t row, const char *serial, const char *device, const json_t *inventory)
{
	return json_pack("{s:o, s:s, s:s?, s:O?}", "row",
	    row == 0 ? json_null() : json_integer((json_int_t)row), "serial",
	    serial, "device", device, "inventory_line",
	    json_object_get(inventory, "line"));
}

/* Takes @place. */
static void
refuse(struct import *m, json_t *place, const char *why)
{
	json_t *text = json_string(why);

	if (text == NULL)
		text = json_string("refused, for a reason that is not UTF-8");
	json_object_set_new(place, "reason", text);
	json_array_append_new(m->refused, place);
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
		json_t *place = json_array_get(m->rows, i);

		if (how != NULL && strcmp(how, "new") == 0)
			m->fresh++;
		else if (how != NULL && strcmp(how, "same") == 0)
			m->same++;
		else if (how != NULL && strcmp(how, "changed") == 0)
			m->changed++;
		else
			refuse(m, json_incref(place),
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
	struct dvt_buf text, out[2];
	struct dvt_chain chain = {0};
	enum dvt_code rc;

	*leaf = *rest = NULL;
	dvt_buf_init(&text, DVT_CHAIN_PEM_MAX);
	dvt_buf_init(&out[0], DVT_CHAIN_PEM_MAX);
	dvt_buf_init(&out[1], DVT_CHAIN_PEM_MAX);
	if ((rc = dvt_read_regular(path, &text, err)) == DVT_OK)
		rc = dvt_chain_from_pem(dvt_buf_span(&text), &chain, err);
	for (size_t i = 0; rc == DVT_OK && i < chain.n; i++)
		rc = dvt_x509_to_pem(chain.cert[i], &out[i > 0], err);
	if (rc == DVT_OK) {
		*leaf = dvt_buf_take_str(&out[0]);
		*rest = dvt_buf_take_str(&out[1]);
	}
	dvt_chain_fini(&chain);
	dvt_buf_fini(&text);
	dvt_buf_fini(&out[0]);
	dvt_buf_fini(&out[1]);
	return rc;
}

/* The device id as the control plane takes it from the certificate. */
static void
device_id(const char *from, const char *leaf, char id[DVT_DN_TEXT])
{
	struct dvt_san sans[DVT_SANS_MAX];
	char serial[DVT_SERIAL_HEX];
	X509 *cert = NULL;
	size_t n = 0;

	id[0] = '\0';
	if (dvt_x509_from_pem(dvt_span_str(leaf), &cert, NULL) != DVT_OK)
		return;
	if (strcmp(from, "san") == 0) {
		if (dvt_x509_sans(cert, sans, &n, NULL) == DVT_OK && n > 0)
			(void)dvt_copy_str(id, DVT_DN_TEXT, sans[0].text);
	} else if (strcmp(from, "serial") == 0) {
		dvt_x509_serial(cert, serial);
		(void)dvt_copy_str(id, DVT_DN_TEXT, serial);
	} else {
		(void)dvt_x509_common_name(cert, id);
	}
	X509_free(cert);
}

/* One certificate as a line of the slice. */
static void
add_line(struct import *m, char *field[INDEX_FIELDS], const char *leaf,
    const char *rest)
{
	char id[DVT_DN_TEXT];
	json_t *known, *row;

	device_id(m->id_from, leaf, id);
	known = json_object_get(m->inventory, id);
	row = known == NULL ? json_object()
			    : json_copy(json_object_get(known, "fields"));
	if (known != NULL)
		json_object_set_new(known, "seen", json_true());
	json_object_set_new(row, "certificate_pem", json_string(leaf));
	if (*rest != '\0')
		json_object_set_new(row, "chain_pem", json_string(rest));
	json_object_set_new(row, "status", json_string(field[0]));
	json_object_set_new(row, "id_from", json_string(m->id_from));
	dvt_json_put(&m->slice, row);
	dvt_buf_putc(&m->slice, '\n');
	json_array_append_new(m->rows,
	    place_new(m->row, field[3], known == NULL ? NULL : id, known));
	m->in_slice++;
	json_decref(row);
}

static enum dvt_code
take_row(struct import *m, char *line, struct dvt_err *err)
{
	char *field[INDEX_FIELDS], fault[INDEX_FAULT];
	char *leaf, *rest, *path;
	struct dvt_err why;
	enum dvt_code rc;

	if (!index_line(line, field, fault)) {
		refuse(m, place_new(m->row, "", NULL, NULL), fault);
		return DVT_OK;
	}
	path = dvt_asprintf("%s/newcerts/%s.pem", m->folder, field[3]);
	rc = read_certificates(path, &leaf, &rest, &why);
	free(path);
	if (rc != DVT_OK) {
		refuse(m, place_new(m->row, field[3], NULL, NULL), why.text);
		return DVT_OK;
	}
	add_line(m, field, leaf, rest);
	free(leaf);
	free(rest);
	if (m->in_slice == SLICE_ROWS || m->slice.n > SLICE_BYTES)
		return send_slice(m, err);
	return DVT_OK;
}

/* Lines of the inventory that went with no certificate. */
static void
tell_unseen(struct import *m)
{
	const char *id;
	json_t *known;

	json_object_foreach(m->inventory, id, known)
	{
		if (json_object_get(known, "seen") == NULL)
			refuse(m, place_new(0, "", id, known),
			    "no certificate that can be read is its own in "
			    "this folder");
	}
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

/* "row 3, serial 0A, inventory line 5, device dev-5: why" */
static void
print_refused(const json_t *r)
{
	static const struct {
		const char *field, *name;
	} parts[] = {
	    {"row",            "row"           },
	    {"serial",         "serial"        },
	    {"inventory_line", "inventory line"},
	    {"device",         "device"        },
	};
	char text[512];
	const char *between = "  ";

	for (size_t i = 0; i < DVT_COUNT(parts); i++) {
		(void)cli_cell(r, parts[i].field, CLI_TEXT, text, sizeof(text));
		if (*text == '\0')
			continue;
		printf("%s%s %s", between, parts[i].name, text);
		between = ", ";
	}
	printf(": %s\n", cli_cell(r, "reason", CLI_TEXT, text, sizeof(text)));
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
		if (i == ROWS_SHOWN) {
			printf("  ... and %zu more (--json lists all)\n",
			    json_array_size(m->refused) - i);
			break;
		}
		print_refused(r);
	}
}

/* Every row of index.txt, and what the inventory has beside them. */
static enum dvt_code
run(struct import *m, FILE *f, struct dvt_err *err)
{
	char line[LINE_TEXT];
	enum dvt_code rc = DVT_OK;

	m->total = count_lines(f);
	while (rc == DVT_OK && fgets(line, sizeof(line), f) != NULL) {
		m->row++;
		line[strcspn(line, "\r\n")] = '\0';
		rc = take_row(m, line, err);
	}
	if (rc == DVT_OK)
		rc = send_slice(m, err);
	if (rc == DVT_OK)
		tell_unseen(m);
	return rc;
}

static enum dvt_code
check_words(struct import *m, struct dvt_err *err)
{
	const char *from = cli_opt(m->c, "id");

	m->id_from = from == NULL ? "cn" : from;
	if (strcmp(m->id_from, "cn") != 0 && strcmp(m->id_from, "san") != 0 &&
	    strcmp(m->id_from, "serial") != 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "--id %.40s: it is cn, san or serial", m->id_from);
	return DVT_OK;
}

enum dvt_code
cmd_device_import(struct cli *c, struct dvt_err *err)
{
	struct import m = {
	    .c = c, .folder = c->arg[0], .tty = isatty(STDERR_FILENO) == 1};
	char *path = dvt_asprintf("%s/index.txt", m.folder);
	FILE *f = NULL;
	enum dvt_code rc = check_words(&m, err);

	if (rc == DVT_OK && (rc = open_stream(path, &f, err)) != DVT_OK)
		dvt_err_prefix(err, "a folder of \"openssl ca\"");
	free(path);
	if (rc == DVT_OK && cli_opt(c, "inventory") != NULL)
		rc = read_inventory(cli_opt(c, "inventory"), &m.inventory, err);
	dvt_buf_init(&m.slice, DVT_BODY_MAX);
	m.rows = json_array();
	m.refused = json_array();
	if (rc == DVT_OK)
		rc = run(&m, f, err);
	if (rc == DVT_OK)
		report(&m);
	if (rc == DVT_OK && m.fresh + m.same + m.changed == 0 &&
	    json_array_size(m.refused) > 0)
		rc = dvt_fail(err, DVT_E_INPUT, "no row was taken");
	if (f != NULL)
		fclose(f);
	json_decref(m.inventory);
	json_decref(m.rows);
	json_decref(m.refused);
	dvt_buf_fini(&m.slice);
	return rc;
}
