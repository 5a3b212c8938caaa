/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail-agent: its arguments, its settings, and what its parts share. */
#ifndef DVT_AGENT_PROGRAM_H
#define DVT_AGENT_PROGRAM_H

#include "device/io.h"
#include "device/keyfile.h"
#include "durable/fs_posix.h"
#include "proc/config.h"

struct event_hook;
struct ocsp_work;

struct options {
	const char *state, *config;
	const char *command;
	bool once, json;
	/* enroll */
	const char *import_key, *import_cert;
	const char *secret_file; /* "-": standard input */
	const char *anchor, *fingerprint, *trust_key;
	const char *device, *label, *subject;
	const char *from; /* recover: FILE, DIR or URL; NULL: as set */
	bool renew;       /* recover: also a certificate that stands */
};

struct program {
	struct options o;
	struct dvt_config *config;
	struct dvt_fs_posix *fs;
	struct dvt_keyfile keyfile;
	struct dvt_agent_env env;
	struct dvt_agent *agent;
	struct dvt_loop *loop;
	struct dvt_agent_io *io;
	char state_env[4096 + 32]; /* "DOVETAIL_STATE=/...", once asked for */
	struct dvt_timer *start, *limit, *recover;
	int64_t recover_at_ms;         /* not before: a look for other ways */
	struct event_hook *event_hook; /* NULL: none */
	struct ocsp_work *ocsp;        /* NULL: not wanted */
	struct dvt_agent_event failed; /* last step that failed, if any */
	bool has_failed;
	bool renew_first;  /* renew: a check-in may order it, and is first */
	bool update_begun; /* since this program started */
	bool ended;        /* once: nothing is left to do */
	bool out_of_time;
};

extern const struct dvt_setting agent_settings[];
extern const size_t agent_settings_count;

/* State directory and agent, locked; --device over the settings. */
DVT_MUST_USE enum dvt_code agent_open(struct program *p, struct dvt_err *err);
void agent_close(struct program *p);

/* For hooks: where the state directory is, as an absolute path. */
const char *agent_state_env(struct program *p);

/* A whole file into @out. */
DVT_MUST_USE enum dvt_code agent_read_file(
    const char *path, struct dvt_buf *out, struct dvt_err *err);

/* enroll: hand the command to the agent. */
DVT_MUST_USE enum dvt_code agent_enroll(struct program *p, struct dvt_err *err);

/* Drive it on the network: until a signal, or until nothing is left to do. */
DVT_MUST_USE enum dvt_code agent_drive(struct program *p, struct dvt_err *err);
/* A step of a renewal or first enrolment, not of trust or configuration. */
bool agent_is_of_update(const struct dvt_agent_event *e);
/* Drive what needs no network: adopting. */
DVT_MUST_USE enum dvt_code agent_settle(struct program *p, struct dvt_err *err);

/**
 * agent_recover_look() - bundles by other ways, to the agent
 * @from: FILE, DIR or URL; NULL: recovery/ of the state directory, then what
 *        is set as agent.recovery-media and agent.recovery-url
 *
 * Ends with the first that is taken. Return: DVT_OK; DVT_E_ABSENT (there is
 * none); else why the last one was refused.
 */
DVT_MUST_USE enum dvt_code agent_recover_look(
    struct program *p, const char *from, struct dvt_err *err);

/* NULL when no hook is set. Needs the loop. */
struct event_hook *agent_event_hook_new(struct program *p);
void agent_event_hook_free(struct event_hook *h); /* NULL-safe, as all here */
/* Queue one for it; a loop that has ended (p->ended) stops after the last. */
void agent_event_hook_tell(
    struct event_hook *h, const struct dvt_agent_event *e);
bool agent_event_hook_busy(const struct event_hook *h);

/* NULL when it is not wanted (agent.ocsp). Needs the loop. */
struct ocsp_work *agent_ocsp_new(struct program *p);
void agent_ocsp_free(struct ocsp_work *w); /* NULL-safe, as all here */
/* Another certificate may be in use: its response is asked for. */
void agent_ocsp_look(struct ocsp_work *w);
/* A loop that has ended (p->ended) stops when it no longer is. */
bool agent_ocsp_busy(const struct ocsp_work *w);

/* selftest: does all that an update needs work here, without doing one? */
DVT_MUST_USE enum dvt_code agent_selftest(
    struct program *p, struct dvt_err *err);

/* status: read only, also beside a running agent. */
DVT_MUST_USE enum dvt_code agent_show(struct program *p, struct dvt_err *err);

#endif
