/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as lower-case hexadecimal and back. */
#ifndef DVT_BASE_HEX_H
#define DVT_BASE_HEX_H

#include "base/span.h"

/* A SHA-256 digest, as text with its NUL. */
#define DVT_DIGEST_HEX 65

/* @out gets 2 * n digits and a NUL; @size is at least 2 * n + 1. */
void dvt_hex(const void *p, size_t n, char *out, size_t size);

/**
 * dvt_unhex() - digits to bytes; upper and lower case, no separators
 * @n: out: bytes written
 * Return: DVT_OK; DVT_E_INPUT (odd length, no digit); DVT_E_LIMIT (@size).
 */
DVT_MUST_USE enum dvt_code dvt_unhex(
    const char *hex, uint8_t *out, size_t size, size_t *n, struct dvt_err *err);

/*
 * A fingerprint or serial as people write it ("SHA256:AB:CD...", blanks, any
 * case) to plain lower-case digits. 0, or -1 when it is none or too long.
 */
int dvt_hex_normal(const char *text, char *out, size_t size);

#endif
