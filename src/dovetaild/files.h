/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of the data folder, written durably. */
#ifndef DVT_DOVETAILD_FILES_H
#define DVT_DOVETAILD_FILES_H

#include "base/span.h"

#include <sys/types.h>

/**
 * file_write() - make @bytes the content of @path
 *
 * Written beside it, synced, renamed, the folder synced: whole or as before.
 */
DVT_MUST_USE enum dvt_code file_write(
    const char *path, struct dvt_span bytes, mode_t mode, struct dvt_err *err);

/* A folder that is there afterwards; DVT_E_SYSTEM. */
DVT_MUST_USE enum dvt_code folder_make(
    const char *path, mode_t mode, struct dvt_err *err);
/* DVT_E_CONFLICT when it holds anything. Absent is empty. */
DVT_MUST_USE enum dvt_code folder_empty(const char *path, struct dvt_err *err);

#endif
