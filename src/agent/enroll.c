/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the state directory, and the first credential in it. */
#include "agent/program.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum dvt_code
agent_read_file(const char *path, struct dvt_buf *out, struct dvt_err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	enum dvt_code rc;

	if (fd < 0 && errno == ENOENT)
		return dvt_fail(err, DVT_E_ABSENT, "%s: no such file", path);
	if (fd < 0)
		return dvt_fail_errno(err, "%s", path);
	rc = dvt_read_fd(fd, path, out, err);
	if (!is_stdin)
		(void)close(fd);
	return rc;
}

enum dvt_code
agent_open(struct program *p, struct dvt_err *err)
{
	const char *hook = dvt_config_text(p->config, "agent.hook");
	struct dvt_agent_config c = {
	    .device_id = dvt_config_text(p->config, "agent.device-id"),
	    .label = dvt_config_text(p->config, "agent.label"),
	    .edge_name = dvt_config_text(p->config, "agent.edge-name"),
	    .retry_first_s = dvt_config_int(p->config, "agent.retry-first"),
	    .trial_wait_ms = dvt_config_int(p->config, "agent.trial-wait"),
	    .hold_s = dvt_config_int(p->config, "agent.hold"),
	    .hook_limit_ms = dvt_config_int(p->config, "agent.hook-limit"),
	    .hook_switch = hook != NULL,
	    .hook_trust = hook != NULL,
	    .hook_config = hook != NULL};
	enum dvt_code rc;

	if (p->o.device != NULL)
		c.device_id = p->o.device;
	if (mkdir(p->o.state, 0700) != 0 && errno != EEXIST)
		return dvt_fail_errno(err, "%s", p->o.state);
	rc = dvt_fs_posix_open(p->o.state, true, &p->fs, err);
	if (rc != DVT_OK)
		return rc;
	p->keyfile = (struct dvt_keyfile){.fs = &dvt_fs_posix, .fs_ctx = p->fs};
	p->env = (struct dvt_agent_env){.fs = &dvt_fs_posix,
	    .fs_ctx = p->fs,
	    .keys = &dvt_keyfile_table,
	    .keys_ctx = &p->keyfile,
	    .random = dvt_agent_random};
	return dvt_agent_open(&p->env, &c, dvt_time_now(), &p->agent, err);
}

const char *
agent_state_env(struct program *p)
{
	char whole[PATH_MAX];

	if (p->state_env[0] == '\0')
		(void)snprintf(p->state_env, sizeof(p->state_env),
		    "DOVETAIL_STATE=%s",
		    realpath(p->o.state, whole) != NULL ? whole : p->o.state);
	return p->state_env;
}

void
agent_close(struct program *p)
{
	dvt_agent_io_free(p->io);
	dvt_agent_free(p->agent);
	dvt_fs_posix_free(p->fs);
	dvt_config_free(p->config);
	if (p->loop == NULL)
		return;
	dvt_timer_free(p->start);
	dvt_timer_free(p->limit);
	dvt_timer_free(p->recover);
	agent_event_hook_free(p->event_hook);
	agent_ocsp_free(p->ocsp);
	dvt_loop_free(p->loop);
}

/* The secret without the line feed people leave at its end. */
static enum dvt_code
read_secret(const struct options *o, struct dvt_buf *out, struct dvt_err *err)
{
	const char *env = getenv("DOVETAIL_SECRET");
	enum dvt_code rc = DVT_OK;

	if (o->secret_file != NULL)
		rc = agent_read_file(o->secret_file, out, err);
	else if (env != NULL)
		dvt_buf_puts(out, env);
	else
		rc = dvt_fail(err, DVT_E_INPUT,
		    "enroll takes --secret-file FILE (- for standard input), "
		    "or --import KEY CERT");
	while (out->n > 0 &&
	       (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
		out->n--;
	return rc;
}

static enum dvt_code
read_opt(const char *path, struct dvt_buf *out, struct dvt_span *span,
    struct dvt_err *err)
{
	enum dvt_code rc;

	if (path == NULL)
		return DVT_OK;
	rc = agent_read_file(path, out, err);
	*span = dvt_buf_span(out);
	return rc;
}

enum dvt_code
agent_enroll(struct program *p, struct dvt_err *err)
{
	const struct options *o = &p->o;
	bool import = o->import_key != NULL;
	struct dvt_command c = {
	    .kind = import ? DVT_COMMAND_IMPORT : DVT_COMMAND_ENROLL,
	    .fingerprint = o->fingerprint,
	    .subject = o->subject,
	    .label = o->label};
	struct dvt_buf file[5];
	enum dvt_code rc;

	for (size_t i = 0; i < DVT_COUNT(file); i++)
		dvt_buf_init(&file[i], DVT_CHAIN_PEM_MAX);
	if (import && o->anchor == NULL) {
		rc = dvt_fail(err, DVT_E_INPUT,
		    "enroll --import also needs --anchor FILE: what the "
		    "control plane and the edges are verified with");
		goto out;
	}
	if ((rc = read_opt(o->anchor, &file[0], &c.anchor_pem, err)) !=
		DVT_OK ||
	    (rc = read_opt(o->trust_key, &file[1], &c.trust_key_pem, err)) !=
		DVT_OK ||
	    (rc = read_opt(o->import_key, &file[2], &c.key_pem, err)) !=
		DVT_OK ||
	    (rc = read_opt(o->import_cert, &file[3], &c.chain_pem, err)) !=
		DVT_OK)
		goto out;
	if (!import) {
		if ((rc = read_secret(o, &file[4], err)) != DVT_OK)
			goto out;
		c.secret = dvt_buf_str(&file[4]);
	}
	rc = dvt_agent_command(p->agent, &c, err);
out:
	for (size_t i = 0; i < DVT_COUNT(file); i++)
		dvt_buf_cleanse(&file[i]);
	return rc;
}
