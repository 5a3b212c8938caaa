/* SPDX-License-Identifier: Apache-2.0 */
/* Control plane and edge of a test's world, for testworld.c. */
#ifndef DVT_DEVICE_TESTSERVER_H
#define DVT_DEVICE_TESTSERVER_H

#include "device/testworld.h"

#include <jansson.h>

/* End the program with the reason when something is not DVT_OK. */
void testworld_must(
    enum dvt_code rc, const struct dvt_err *err, const char *what);

/* @answer has its ticket; @body gets the body. */
void testserver_answer(struct testworld *w, const struct dvt_want *want,
    struct dvt_answer *answer, struct dvt_buf *body);

/* testserver_config.c: /v1/device/lock and /v1/device/config, and what
 * check-ins say of values. */
void testserver_config(struct testworld *w, const struct dvt_http_want *want,
    struct dvt_answer *answer, struct dvt_buf *body);
void testserver_tell_config(const struct testworld *w, json_t *answer);
void testserver_hear_config(struct testworld *w, const json_t *report);

/* The control plane issued this certificate and takes it. */
bool testserver_knows(const struct testworld *w, X509 *leaf);
/* An edge takes it: it is not superseded either. */
bool testserver_admits(const struct testworld *w, X509 *leaf);

/* Would who trusts @t take what the edge shows (@next: at its next name)? */
enum dvt_code testserver_shown(const struct testworld *w,
    const struct dvt_trust *t, bool next, struct dvt_err *err);

#endif
