/* SPDX-License-Identifier: Apache-2.0 */
/* Changing devices, for more than one handler. */
#ifndef DVT_API_DO_DEVICE_H
#define DVT_API_DO_DEVICE_H

#include "api/router.h"
#include "store/rows.h"

/* A new row with what holds for every device; texts are borrowed. */
void dvt_do_device_init(
    struct dvt_app *app, const char *id, struct dvt_row_device *d);

/* hw_serial, model ... labels as far as @from has them; borrowed from it.
 * DVT_E_INPUT; DVT_E_LIMIT. */
DVT_MUST_USE enum dvt_code dvt_do_describe(struct dvt_app *app,
    const json_t *from, struct dvt_row_device *d, struct dvt_err *err);

/* Refused at edges from now on; a device that is blocked stays as it is.
 * DVT_E_CONFLICT: retired. */
DVT_MUST_USE enum dvt_code dvt_do_block(struct dvt_app *app,
    const struct dvt_row_device *d, const char *why, struct dvt_err *err);

#endif
