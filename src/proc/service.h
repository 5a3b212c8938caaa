/* SPDX-License-Identifier: Apache-2.0 */
/* What a service manager wants to know: ready, stopping, status; pid file. */
#ifndef DVT_PROC_SERVICE_H
#define DVT_PROC_SERVICE_H

#include "base/err.h"

void dvt_service_ready(const char *status);
void dvt_service_stopping(void);
void dvt_service_status(const char *status);

/**
 * dvt_pidfile_take() - write our pid and hold a lock as long as we live
 * Return: DVT_OK; DVT_E_CONFLICT (another one runs); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_pidfile_take(
    const char *path, struct dvt_err *err);

/* As many descriptors as the hard limit allows. Returns the limit. */
unsigned long dvt_files_max(void);

#endif
