/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "dovetail device import" reads beside the certificates: the inventory
 * (CSV with a header line) and the lines of index.txt.
 */
#ifndef DVT_CLI_INVENTORY_H
#define DVT_CLI_INVENTORY_H

#include "base/limits.h"
#include "wire/json.h"

#include <stdio.h>

#define INDEX_FIELDS     6   /* of a line of index.txt */
#define INDEX_FAULT      200 /* bytes of what is wrong with one */
#define INDEX_FAULT_LINE 60  /* characters of the line in it */

/* Columns of the CSV, device_id first; ends with NULL. */
extern const char *const inventory_columns[];

/**
 * inventory_read() - the whole CSV; a slip in any line is told by its number
 * @f:   read to its end; the caller's
 * @out: device id -> {"line": number of it in the file, from 1, "fields": what
 *       it says of the device}, in the order of the file; the caller's, also
 *       after a failure; never NULL
 *
 * An empty cell says nothing. Quoted cells are not read. Lines that are empty
 * are skipped.
 *
 * Return: DVT_OK; DVT_E_INPUT (no header, a column nobody knows or that is
 *         there twice, a number of cells other than the header's, no device
 *         id, no number); DVT_E_CONFLICT (a device twice); DVT_E_LIMIT (a line
 *         of more than DVT_INVENTORY_LINE bytes); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code inventory_read(
    FILE *f, json_t **out, struct dvt_err *err);

/**
 * index_line() - a line of index.txt into its fields
 * @line:  without its line feed; is cut up
 * @field: out: status (V, R or E), expiry, revocation, serial (hexadecimal),
 *         file, subject; in @line
 * @fault: out: what is wrong with it, printable ASCII
 *
 * Return: true; false with @fault.
 */
DVT_MUST_USE bool index_line(
    char *line, char *field[INDEX_FIELDS], char fault[INDEX_FAULT]);

#endif
