/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/secret.h"

#include "base/file.h"
#include "gateway/keyring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTING "gateway.secret"

enum dvt_code
gw_secret_read(
    const struct gw_settings *s, struct dvt_secret *out, struct dvt_err *err)
{
	bool is_file;
	struct dvt_buf b;
	enum dvt_code rc = DVT_OK;

	*out = (struct dvt_secret){0};
	if (s->secret == NULL)
		return dvt_fail(err, DVT_E_ABSENT,
		    "not enrolled, and no " SETTING " given");
	is_file = strncmp(s->secret, "file:", 5) == 0;
	dvt_buf_init(&b, GW_SECRET_MAX);
	if (is_file)
		rc = dvt_read_regular(s->secret + 5, &b, err);
	else
		dvt_buf_puts(&b, s->secret);
	while (b.n > 0 && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
		b.n--;
	if (rc == DVT_OK)
		rc = dvt_buf_ok(&b, is_file ? s->secret + 5 : "secret", err);
	if (rc == DVT_OK && b.n == 0)
		rc = dvt_fail(err, DVT_E_INPUT, "%s: empty",
		    is_file ? s->secret + 5 : "secret");
	if (rc == DVT_OK)
		dvt_secret_set(out, b.p, b.n);
	else
		dvt_err_prefix(err, SETTING);
	dvt_buf_cleanse(&b);
	return rc;
}

static bool
has_identity(const char *state)
{
	char *path = dvt_asprintf("%s/" GW_IDENTITY_FILE, state);
	/* in a folder closed to who asks there may be one */
	bool is = access(path, F_OK) == 0 || errno == EACCES;

	free(path);
	return is;
}

enum dvt_code
gw_secret_check(const struct gw_settings *s, struct dvt_err *err)
{
	struct dvt_secret secret;
	enum dvt_code rc;

	if (s->control_n == 0 || has_identity(s->state))
		return DVT_OK;
	rc = gw_secret_read(s, &secret, err);
	dvt_secret_free(&secret);
	return rc;
}
