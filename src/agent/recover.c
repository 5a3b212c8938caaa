/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust bundles by other ways: a file, a folder (the state directory's own, a
 * removable medium), a plain URL. All of it is untrusted: names are flat,
 * links are not followed, sizes are bounded, and what is read is only handed
 * to the agent, which judges it by its signatures.
 */
#include "agent/program.h"

#include "base/log.h"
#include "device/recovery.h"
#include "http/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 64    /* looked at in one folder */
#define NAMES_MAX 10000 /* entries read of one folder */
#define URL_MS    15000
#define FILE_END  ".jsonl"
#define NAME_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* One look at all sources. */
struct search {
	struct program *p;
	bool taken;
	bool any;           /* something was read */
	enum dvt_code code; /* of the last refusal that says something */
	struct dvt_err why;
};

/* "Nothing newer" says less than a refusal. */
static void
note(struct search *s, const char *source, const struct dvt_err *err)
{
	log_event(err->code == DVT_E_CONFLICT ? LOG_INFO : LOG_WARNING,
	    "agent.recover.refused", LS("source", source), LE(err));
	if (s->code != DVT_OK && err->code == DVT_E_CONFLICT)
		return;
	s->code = err->code;
	s->why = *err;
	dvt_err_prefix(&s->why, "%.80s", source);
}

/* Of a file: whatever is wrong with it, it is refused; too large or no JSON as
 * well. Other failures are no judgement of it. */
static void
note_file(struct search *s, const char *source, const struct dvt_err *err)
{
	note(s, source, err);
	if (s->code == DVT_E_INPUT || s->code == DVT_E_LIMIT)
		s->code = DVT_E_DENIED;
}

static void
offer(struct search *s, const char *source, struct dvt_span lines)
{
	struct dvt_command c = {.kind = DVT_COMMAND_RECOVER,
	    .bundle_lines = lines,
	    .renew = s->p->o.renew};
	struct dvt_err err = {0};

	s->any = true;
	if (dvt_agent_command(s->p->agent, &c, &err) == DVT_OK) {
		s->taken = true;
		log_event(
		    LOG_NOTICE, "agent.recover.taken", LS("source", source));
	} else {
		note_file(s, source, &err);
	}
}

/* --- files --- */

/* A regular file and nothing else, whole or not at all. */
static enum dvt_code
read_plain(int dir, const char *name, struct dvt_buf *out, struct dvt_err *err)
{
	int fd = openat(dir, name,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	uint8_t part[4096];
	struct stat st;
	ssize_t n = 0;
	enum dvt_code rc = DVT_OK;

	if (fd < 0 && errno == ENOENT)
		return dvt_fail(err, DVT_E_ABSENT, "no such file");
	if (fd < 0)
		return errno == ELOOP
			   ? dvt_fail(err, DVT_E_DENIED, "it is a link")
			   : dvt_fail_errno(err, "open");
	if (fstat(fd, &st) != 0)
		rc = dvt_fail_errno(err, "stat");
	else if (!S_ISREG(st.st_mode))
		rc = dvt_fail(err, DVT_E_DENIED, "it is no regular file");
	else if (st.st_size > DVT_RECOVERY_MAX)
		rc = dvt_fail(err, DVT_E_LIMIT,
		    "over-limit: %lld bytes, at most %d", (long long)st.st_size,
		    DVT_RECOVERY_MAX);
	while (rc == DVT_OK && (n = read(fd, part, sizeof(part))) > 0)
		dvt_buf_put(out, part, (size_t)n);
	if (rc == DVT_OK)
		rc = n < 0 ? dvt_fail_errno(err, "read")
			   : dvt_buf_ok(out, "recovery file", err);
	(void)close(fd);
	return rc;
}

static void
try_file(struct search *s, int dir, const char *folder, const char *name)
{
	char source[512];
	struct dvt_buf text;
	struct dvt_err err = {0};

	(void)snprintf(source, sizeof(source), "%.300s%s%.200s", folder,
	    folder[0] != '\0' ? "/" : "", name);
	dvt_buf_init(&text, DVT_RECOVERY_MAX);
	if (read_plain(dir, name, &text, &err) == DVT_OK)
		offer(s, source, dvt_buf_span(&text));
	else
		note_file(s, source, &err);
	dvt_buf_fini(&text);
}

/* Letters, digits, ".", "_", "-", not hidden, ending in ".jsonl". */
static bool
is_ours(const char *name)
{
	size_t n = strlen(name), end = strlen(FILE_END);

	return n > end && n <= DVT_FS_NAME_MAX && name[0] != '.' &&
	       name[strspn(name, NAME_CHARS)] == '\0' &&
	       strcmp(name + n - end, FILE_END) == 0;
}

struct names {
	char name[FILES_MAX][DVT_FS_NAME_MAX + 1];
	size_t n;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* In byte order, without this device's own, which was looked for by name: of
 * a medium with very many files not all names are read. */
static void
list_names(DIR *d, const char *own, struct names *out)
{
	const struct dirent *e;

	for (size_t i = 0;
	     i < NAMES_MAX && out->n < FILES_MAX && (e = readdir(d)) != NULL;
	     i++) {
		if (is_ours(e->d_name) && strcmp(e->d_name, own) != 0)
			(void)dvt_copy_str(out->name[out->n++],
			    sizeof(out->name[0]), e->d_name);
	}
	qsort(out->name, out->n, sizeof(out->name[0]), by_name);
}

static void
own_name(const struct program *p, char out[DVT_FS_NAME_MAX + 1])
{
	char id[DVT_DEVICE_ID_MAX + 1];

	(void)snprintf(out, DVT_FS_NAME_MAX + 1, "%.50s" FILE_END,
	    dvt_agent_device_id(p->agent, id));
	if (!is_ours(out))
		out[0] = '\0';
}

static void
try_folder(struct search *s, const char *folder)
{
	char own[DVT_FS_NAME_MAX + 1];
	struct dvt_err err = {0};
	struct names *names;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct stat st;

	if (d == NULL) {
		if (errno != ENOENT) {
			(void)dvt_fail_errno(&err, "open");
			note(s, folder, &err);
		}
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	names = dvt_alloc(sizeof(*names));
	own_name(s->p, own);
	if (own[0] != '\0' && fstatat(fd, own, &st, AT_SYMLINK_NOFOLLOW) == 0)
		try_file(s, fd, folder, own);
	if (!s->taken)
		list_names(d, own, names);
	for (size_t i = 0; i < names->n && !s->taken; i++)
		try_file(s, fd, folder, names->name[i]);
	free(names);
	(void)closedir(d);
}

/* --- URLs --- */

struct url {
	bool tls;
	char authority[DVT_HOST_MAX + 8]; /* host:port */
	char host[DVT_HOST_MAX + 1];
	char target[DVT_URI_MAX];
};

static enum dvt_code
parse_url(const struct program *p, const char *text, struct url *u,
    struct dvt_err *err)
{
	const char *at = strstr(text, "://"), *path;
	char own[DVT_FS_NAME_MAX + 1];
	size_t n;
	unsigned port;

	memset(u, 0, sizeof(*u));
	u->tls = strncmp(text, "https://", 8) == 0;
	if (at == NULL || (!u->tls && strncmp(text, "http://", 7) != 0))
		return dvt_fail(err, DVT_E_INPUT, "%.100s: no URL", text);
	at += 3;
	path = at + strcspn(at, "/");
	n = (size_t)(path - at);
	if (n == 0 || n >= sizeof(u->authority) - 6 ||
	    strlen(path) > DVT_URI_MAX - 80)
		return dvt_fail(err, DVT_E_INPUT, "%.100s: no URL", text);
	memcpy(u->authority, at, n);
	if (strchr(u->authority, ':') == NULL)
		memcpy(u->authority + n, u->tls ? ":443" : ":80", 5);
	own_name(p, own);
	n = strlen(path);
	(void)snprintf(u->target, sizeof(u->target), "%s%s",
	    n == 0 ? "/" : path, n < 2 || path[n - 1] == '/' ? own : "");
	return dvt_addr_split(
	    u->authority, u->host, sizeof(u->host), &port, err);
}

struct fetch {
	struct search *s;
	const char *source;
};

static void
fetched(void *user, const struct dvt_http_answer *a)
{
	struct fetch *f = user;
	struct dvt_err err = {0};

	if (a->end == DVT_HTTP_ANSWERED && a->status == 200) {
		offer(f->s, f->source, a->body);
		return;
	}
	if (a->end == DVT_HTTP_ANSWERED)
		(void)dvt_fail(&err, DVT_E_LATER, "HTTP status %d", a->status);
	else
		(void)dvt_fail(&err, DVT_E_LATER, "%s", a->text);
	note(f->s, f->source, &err);
}

/* https: is a way like any other here: what comes proves itself. */
static void
try_url(struct search *s, const char *text)
{
	struct dvt_addr to[DVT_IO_ADDRS];
	struct dvt_tls_conn_config peer = {.addrs = to, .unverified = true};
	struct url *u = dvt_alloc(sizeof(*u));
	struct dvt_http_ask ask = {.method = "GET",
	    .deadline_ms = URL_MS,
	    .max_body = DVT_RECOVERY_MAX};
	struct fetch f = {s, text};
	struct dvt_err err = {0};
	enum dvt_code rc;

	if ((rc = parse_url(s->p, text, u, &err)) == DVT_OK)
		rc = dvt_addr_resolve(
		    u->authority, to, DVT_IO_ADDRS, &peer.addrs_n, &err);
	if (rc == DVT_OK && u->tls)
		rc = dvt_agent_tls(NULL, NULL, &peer.ctx, &err);
	if (rc == DVT_OK) {
		ask.target = u->target;
		ask.host = u->authority;
		peer.server_name = u->tls ? u->host : NULL;
		/* how it went is told to fetched() */
		(void)!dvt_http_once(&peer, &ask, fetched, &f, &err);
	} else {
		note(s, text, &err);
	}
	SSL_CTX_free(peer.ctx);
	free(u);
}

/* --- all of them --- */

static void
try_one(struct search *s, const char *from)
{
	struct stat st;

	if (strstr(from, "://") != NULL)
		try_url(s, from);
	else if (lstat(from, &st) == 0 && S_ISDIR(st.st_mode))
		try_folder(s, from);
	else
		try_file(s, AT_FDCWD, "", from);
}

static void
try_list(struct search *s, const char *setting)
{
	const char *from;

	for (size_t i = 0; !s->taken && (from = dvt_config_item(
					     s->p->config, setting, i)) != NULL;
	     i++)
		try_one(s, from);
}

enum dvt_code
agent_recover_look(struct program *p, const char *from, struct dvt_err *err)
{
	struct search s = {.p = p};
	char own[512];

	if (from != NULL) {
		try_one(&s, from);
	} else {
		(void)snprintf(own, sizeof(own), "%.490s/recovery", p->o.state);
		try_folder(&s, own);
		try_list(&s, "agent.recovery-media");
		try_list(&s, "agent.recovery-url");
	}
	if (s.taken)
		return DVT_OK;
	if (s.code == DVT_OK)
		return dvt_fail(
		    err, DVT_E_ABSENT, "no recovery bundle was found");
	if (err != NULL)
		*err = s.why;
	return s.code;
}
