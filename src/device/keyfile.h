/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys as files ("file:generations/7/key.pem"), PKCS#8 PEM with mode 0600,
 * below the root of a struct dvt_fs.
 */
#ifndef DVT_DEVICE_KEYFILE_H
#define DVT_DEVICE_KEYFILE_H

#include "durable/fs.h"
#include "keys/keys.h"

struct dvt_keyfile {
	const struct dvt_fs *fs;
	void *fs_ctx;
	/* Where fresh keys come from; NULL: dvt_key_new(). Tests hand out
	 * ready-made ones. */
	enum dvt_code (*fresh)(void *ctx, enum dvt_key_kind kind,
	    EVP_PKEY **out, struct dvt_err *err);
	void *fresh_ctx;
};

/*
 * ctx: struct dvt_keyfile. make() also makes the directory of the file. A
 * wiped file is unlinked; what a flash chip keeps of it is not in our hands.
 */
extern const struct dvt_keys dvt_keyfile_table;

#endif
