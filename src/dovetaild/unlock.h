/* SPDX-License-Identifier: Apache-2.0 */
/* The unlocking secret, from where the settings say it is. */
#ifndef DVT_DOVETAILD_UNLOCK_H
#define DVT_DOVETAILD_UNLOCK_H

#include "base/err.h"
#include "base/mem.h"

#define UNLOCK_KDF_FILE "keys/kdf" /* how a passphrase becomes the secret */

/**
 * unlock_read() - the 32 secret bytes
 * @where: "file:PATH" (relative to @dir; 64 hex digits), "credential:NAME"
 *         (of systemd, the same form), "terminal" (a passphrase is asked for)
 * @out:   dvt_secret_free() it
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code unlock_read(const char *dir, const char *where,
    struct dvt_secret *out, struct dvt_err *err);

/**
 * unlock_make() - for a new data folder
 *
 * "file:": random bytes, written with mode 0600. "terminal": a passphrase is
 * asked for twice and its parameters are written to UNLOCK_KDF_FILE.
 * "credential:": as unlock_read().
 */
DVT_MUST_USE enum dvt_code unlock_make(const char *dir, const char *where,
    struct dvt_secret *out, struct dvt_err *err);

#endif
