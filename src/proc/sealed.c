/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in a memory file that cannot be changed: see children.h. */
#include "proc/children.h"

#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

enum dvt_code
dvt_sealed_new(const void *p, size_t n, int *fd, struct dvt_err *err)
{
	*fd = -1;
	if (n > DVT_SEALED_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "secret of %zu bytes", n);
	*fd = memfd_create("dovetail-sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return dvt_fail_errno(err, "secret: memory file");
	if (write_all(*fd, p, n) == 0 && fcntl(*fd, F_ADD_SEALS, SEALS) == 0)
		return DVT_OK;
	(void)dvt_fail_errno(err, "secret: memory file");
	close(*fd);
	*fd = -1;
	return DVT_E_SYSTEM;
}

enum dvt_code
dvt_sealed_read(int fd, struct dvt_secret *out, struct dvt_err *err)
{
	uint8_t buf[DVT_SEALED_MAX];
	struct stat st;
	size_t n = 0;

	*out = (struct dvt_secret){NULL, 0};
	if ((fcntl(fd, F_GET_SEALS) & SEALS) != SEALS)
		return dvt_fail(err, DVT_E_INPUT, "secret: not sealed");
	if (fstat(fd, &st) != 0)
		return dvt_fail_errno(err, "secret");
	if (st.st_size > (off_t)sizeof(buf))
		return dvt_fail(err, DVT_E_LIMIT, "secret of %lld bytes",
		    (long long)st.st_size);
	while (n < (size_t)st.st_size) { /* each reader has its own place */
		ssize_t got = pread(
		    fd, buf + n, (size_t)st.st_size - n, (off_t)n);

		if (got <= 0)
			return dvt_fail_errno(err, "secret");
		n += (size_t)got;
	}
	dvt_secret_set(out, buf, n);
	dvt_cleanse(buf, sizeof(buf));
	return DVT_OK;
}
