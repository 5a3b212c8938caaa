/* SPDX-License-Identifier: Apache-2.0 */
/* A shelf of any bytes: refused, or read without harm and to an end; what a
 * feed makes of its records is whole entries. */
#include "fuzz.h"
#include "proto/feed.h"
#include "proto/shelf.h"

#include <string.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static void
read_all(struct dvt_feed *f)
{
	struct dvt_buf b;
	size_t n = 0;

	dvt_buf_init(&b, 1 << 24);
	for (int k = DVT_FEED_DEVICE; k <= DVT_FEED_DENY; k++) {
		const struct dvt_feed_entry *e = NULL;

		while (
		    (e = dvt_feed_next(f, (enum dvt_feed_kind)k, e)) != NULL &&
		    ++n < 100000)
			dvt_feed_entry_format(e, &b);
	}
	(void)dvt_feed_get(f, DVT_FEED_DENY,
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	(void)dvt_feed_device_by_certificate(f,
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	dvt_buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct dvt_feed *f = dvt_feed_new();

	if (fd >= 0 && write(fd, p, n) == (ssize_t)n &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0 &&
	    dvt_feed_attach(f, fd, NULL) == DVT_OK)
		read_all(f);
	dvt_feed_free(f);
	if (fd >= 0)
		close(fd);
	return 0;
}
