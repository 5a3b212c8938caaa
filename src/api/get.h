/* SPDX-License-Identifier: Apache-2.0 */
/* Reading that more than one handler needs. */
#ifndef DVT_API_GET_H
#define DVT_API_GET_H

#include "api/router.h"

/* The shape `rotation_detail`; @out is the caller's. DVT_E_ABSENT. */
DVT_MUST_USE enum dvt_code dvt_api_rotation(struct dvt_app *app,
    const struct dvt_req *req, int64_t id, json_t **out, struct dvt_err *err);

#endif
