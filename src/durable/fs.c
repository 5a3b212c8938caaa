/* SPDX-License-Identifier: Apache-2.0 */
/* The rule for paths: see fs.h. */
#include "durable/fs.h"

#include "base/limits.h"

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool
is_name(const char *p, size_t n)
{
	if (n == 0 || n > DVT_FS_NAME_MAX ||
	    (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'))))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_name_char(p[i]))
			return false;
	}
	return true;
}

enum dvt_code
dvt_fs_path_check(const char *path, struct dvt_err *err)
{
	const char *p = path;

	if (strlen(path) > DVT_FS_PATH_MAX)
		return dvt_fail(
		    err, DVT_E_INPUT, "path of over %d bytes", DVT_FS_PATH_MAX);
	if (*p == '\0')
		return DVT_OK;
	for (;;) {
		size_t n = strcspn(p, "/");

		if (!is_name(p, n))
			return dvt_fail(err, DVT_E_INPUT,
			    "path \"%.64s\": no such name allowed", path);
		if (p[n] == '\0')
			return DVT_OK;
		p += n + 1;
	}
}
