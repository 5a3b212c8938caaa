/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/program.h"

#include "base/log.h"

#include <stdio.h>

const char *
program_path(const struct program *p, const char *path, char *out, size_t size)
{
	snprintf(out, size, "%s/%s", p->dir, path);
	return out;
}

const char *
program_user(const struct program *p)
{
	return dvt_config_text(p->config, "user");
}

enum dvt_code
program_sandbox(const struct program *p, unsigned groups,
    const struct dvt_sandbox_path *paths, size_t paths_n, struct dvt_err *err)
{
	struct dvt_sandbox_plan plan = {
	    .groups = groups,
	    .paths = paths,
	    .paths_n = paths_n,
	    .landlock = dvt_config_bool(p->config, "sandbox.landlock"),
	    .seccomp = dvt_config_bool(p->config, "sandbox.seccomp"),
	    .explain = true,
	};

	return dvt_sandbox(&plan, err);
}

void
program_log(const struct program *p, const char *name)
{
	dvt_log_init(name,
	    dvt_log_level_from_name(dvt_config_text(p->config, "log.level")),
	    dvt_config_bool(p->config, "log.json"));
}
