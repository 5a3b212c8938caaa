/* SPDX-License-Identifier: Apache-2.0 */
/* Channel between two processes: see channel.h. */
#include "ipc/channel.h"

#include "base/limits.h"
#include "base/mem.h"
#include "loop/pair.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH     64
#define ITEM_COST 256 /* bytes a queued message costs beside its body */
#define FDS_MAX   2
#define SEALS     (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum { HEAD_MEMFD = 1, HEAD_FD = 2 };

/* In front of each message; both ends are one program on one host. */
struct head {
	uint16_t type;
	uint16_t flags;
	uint32_t slot;
	uint64_t generation;
	uint64_t length; /* of the body, wherever it is */
};

struct item {
	struct head head;
	uint8_t *body; /* inline part */
	size_t body_n;
	int fds[FDS_MAX];
	size_t fds_n;
	STAILQ_ENTRY(item) next;
};

struct dvt_channel {
	struct dvt_channel_config cfg;
	int fd;
	struct dvt_watch *watch;
	struct dvt_defer *fail; /* ended() from the loop, not from send() */
	STAILQ_HEAD(, item) queue;
	size_t queued;
	bool was_full;
	bool read_on;
	bool dead;
	bool busy, freed;
	struct dvt_err why;
};

enum dvt_code
dvt_channel_pair(int fd[2], struct dvt_err *err)
{
	return dvt_pair_new(fd, err);
}

static void
close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static void
item_free(struct item *it)
{
	close_all(it->fds, it->fds_n);
	free(it->body);
	free(it);
}

static void
destroy(struct dvt_channel *c)
{
	struct item *it;

	while ((it = STAILQ_FIRST(&c->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->queue, next);
		item_free(it);
	}
	dvt_watch_free(c->watch);
	dvt_defer_free(c->fail);
	close(c->fd);
	free(c);
}

static void
interest(struct dvt_channel *c)
{
	unsigned want = 0;

	if (c->dead || c->freed)
		return;
	if (c->read_on)
		want |= DVT_READ;
	if (!STAILQ_EMPTY(&c->queue))
		want |= DVT_WRITE;
	dvt_watch_want(c->watch, want);
}

/* The first reason stays; ended() comes at the end of the turn. */
static void
die(struct dvt_channel *c)
{
	if (c->dead)
		return;
	c->dead = true;
	dvt_err_prefix(&c->why, "channel to %s-%u", dvt_role_name(c->cfg.peer),
	    c->cfg.peer_index + 1);
	dvt_watch_want(c->watch, 0);
	dvt_defer_arm(c->fail);
}

/* An end of the other side reads the same however it shows. */
static void
die_errno(struct dvt_channel *c, const char *what)
{
	if (errno == EPIPE || errno == ECONNRESET)
		(void)dvt_fail(&c->why, DVT_E_LATER, "peer gone");
	else
		(void)dvt_fail_errno(&c->why, "%s", what);
	die(c);
}

static void
on_fail(void *arg)
{
	struct dvt_channel *c = arg;

	c->busy = true;
	c->cfg.ended(c->cfg.user, c, &c->why);
	c->busy = false;
	if (c->freed)
		destroy(c);
}

/* --- sending --- */

/* 1: sent; 0: the socket is full; -1: dead. */
static int
send_one(struct dvt_channel *c, const struct head *head, struct dvt_span body,
    const int *fds, size_t fds_n)
{
	struct iovec iov[2] = {
	    {(void *)(uintptr_t)head,   sizeof(*head)},
	    {(void *)(uintptr_t)body.p, body.n       }
        };
	union {
		char raw[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} ctl = {0};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = body.n > 0 ? 2 : 1};

	if (fds_n > 0) {
		struct cmsghdr *cm = &ctl.align;

		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(fds_n * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, fds_n * sizeof(int));
		m.msg_control = ctl.raw;
		m.msg_controllen = CMSG_SPACE(fds_n * sizeof(int));
	}
	if (sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 1;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		return 0;
	die_errno(c, "send");
	return -1;
}

static enum dvt_code
body_to_memfd(struct dvt_span body, int *fd, struct dvt_err *err)
{
	size_t done = 0;

	*fd = memfd_create("dovetail-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return dvt_fail_errno(err, "message: memory file");
	while (done < body.n) {
		ssize_t n = write(*fd, body.p + done, body.n - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			goto fail;
		done += (size_t)n;
	}
	if (fcntl(*fd, F_ADD_SEALS, SEALS) == 0)
		return DVT_OK;
fail:
	(void)dvt_fail_errno(err, "message: memory file");
	close(*fd);
	*fd = -1;
	return DVT_E_SYSTEM;
}

static void
enqueue(struct dvt_channel *c, const struct head *head, struct dvt_span body,
    const int *fds, size_t fds_n)
{
	struct item *it = dvt_alloc(sizeof(*it));

	it->head = *head;
	if (body.n > 0) {
		it->body = dvt_alloc(body.n);
		memcpy(it->body, body.p, body.n);
		it->body_n = body.n;
	}
	for (size_t i = 0; i < fds_n; i++)
		it->fds[i] = fds[i];
	it->fds_n = fds_n;
	STAILQ_INSERT_TAIL(&c->queue, it, next);
	c->queued += (size_t)head->length + ITEM_COST;
	if (dvt_channel_full(c))
		c->was_full = true;
	interest(c);
}

/* Send or queue; the descriptors are ours and gone afterwards. */
static enum dvt_code
pass(struct dvt_channel *c, const struct head *head, struct dvt_span body,
    int *fds, size_t fds_n, struct dvt_err *err)
{
	int sent = 0;

	if (STAILQ_EMPTY(&c->queue))
		sent = send_one(c, head, body, fds, fds_n);
	if (sent == 0) {
		enqueue(c, head, body, fds, fds_n);
		return DVT_OK;
	}
	close_all(fds, fds_n);
	if (sent < 0)
		return dvt_fail(err, DVT_E_CONFLICT, "%s", c->why.text);
	return DVT_OK;
}

enum dvt_code
dvt_channel_send(
    struct dvt_channel *c, const struct dvt_msg *m, struct dvt_err *err)
{
	struct head head = {.type = (uint16_t)m->type,
	    .slot = m->slot,
	    .generation = m->generation,
	    .length = m->body.n};
	struct dvt_span body = m->body;
	int fds[FDS_MAX];
	size_t fds_n = 0;
	enum dvt_code rc;

	if (c->dead)
		return dvt_fail(err, DVT_E_CONFLICT, "%s", c->why.text);
	rc = dvt_msg_check(m->type, c->cfg.self, c->cfg.peer, body.n, err);
	if (rc != DVT_OK)
		return rc;
	if (c->queued + body.n + ITEM_COST > c->cfg.queue_max)
		return dvt_fail(err, DVT_E_BUSY, "%s is behind: %zu bytes wait",
		    dvt_role_name(c->cfg.peer), c->queued);
	if (body.n > DVT_IPC_MSG_MAX) {
		if ((rc = body_to_memfd(body, &fds[0], err)) != DVT_OK)
			return rc;
		fds_n = 1;
		head.flags |= HEAD_MEMFD;
		body = (struct dvt_span){NULL, 0};
	}
	if (m->fd >= 0) {
		fds[fds_n] = fcntl(m->fd, F_DUPFD_CLOEXEC, 3);
		if (fds[fds_n] < 0) {
			rc = dvt_fail_errno(err, "message: descriptor");
			close_all(fds, fds_n);
			return rc;
		}
		fds_n++;
		head.flags |= HEAD_FD;
	}
	return pass(c, &head, body, fds, fds_n, err);
}

static void
flush(struct dvt_channel *c)
{
	struct item *it;

	while ((it = STAILQ_FIRST(&c->queue)) != NULL) {
		if (send_one(c, &it->head,
			(struct dvt_span){it->body, it->body_n}, it->fds,
			it->fds_n) <= 0)
			break;
		STAILQ_REMOVE_HEAD(&c->queue, next);
		c->queued -= (size_t)it->head.length + ITEM_COST;
		item_free(it);
	}
	if (c->was_full && !c->dead && c->queued <= c->cfg.queue_max / 4) {
		c->was_full = false;
		if (c->cfg.drained != NULL)
			c->cfg.drained(c->cfg.user, c);
	}
}

/* --- receiving --- */

static size_t
take_fds(struct msghdr *m, int fds[FDS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(m); cm != NULL;
	     cm = CMSG_NXTHDR(m, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n > FDS_MAX)
			n = FDS_MAX; /* there was no room for more */
		memcpy(fds, CMSG_DATA(cm), n * sizeof(int));
	}
	return n;
}

static enum dvt_code
memfd_map(int fd, uint64_t length, struct dvt_span *out, struct dvt_err *err)
{
	struct stat st;
	void *p;

	if ((fcntl(fd, F_GET_SEALS) & SEALS) != SEALS)
		return dvt_fail(err, DVT_E_INPUT, "memory file not sealed");
	if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != length)
		return dvt_fail(
		    err, DVT_E_INPUT, "memory file of another size");
	p = mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return dvt_fail_errno(err, "memory file");
	*out = (struct dvt_span){p, (size_t)length};
	return DVT_OK;
}

/* What arrived against the rules; @n bytes in all. */
static enum dvt_code
head_check(const struct dvt_channel *c, const struct head *head, size_t n,
    size_t fds_n, struct dvt_err *err)
{
	size_t expect = (head->flags & HEAD_MEMFD) != 0 ? 1 : 0;
	enum dvt_code rc;

	if (n < sizeof(*head))
		return dvt_fail(err, DVT_E_INPUT, "message of %zu bytes", n);
	rc = dvt_msg_check(
	    head->type, c->cfg.peer, c->cfg.self, head->length, err);
	if (rc != DVT_OK)
		return rc;
	if ((head->flags & HEAD_FD) != 0)
		expect++;
	if (fds_n != expect || (head->flags & ~(HEAD_MEMFD | HEAD_FD)) != 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "message %s: %zu descriptors, flags %x",
		    dvt_msg_name((enum dvt_msg_type)head->type), fds_n,
		    head->flags);
	if ((head->flags & HEAD_MEMFD) != 0
		? n != sizeof(*head) || head->length <= DVT_IPC_MSG_MAX
		: n - sizeof(*head) != head->length)
		return dvt_fail(err, DVT_E_INPUT, "message %s: length",
		    dvt_msg_name((enum dvt_msg_type)head->type));
	return DVT_OK;
}

/* Hand one checked message to the user; @fds are closed unless taken. */
static enum dvt_code
deliver(struct dvt_channel *c, const struct head *head, uint8_t *body,
    int fds[FDS_MAX], struct dvt_err *err)
{
	bool mapped = (head->flags & HEAD_MEMFD) != 0;
	struct dvt_msg m = {
	    .type = (enum dvt_msg_type)head->type,
	    .slot = head->slot,
	    .generation = head->generation,
	    .body = {body, (size_t)head->length},
	    .fd = -1
        };
	enum dvt_code rc;

	if (mapped) {
		rc = memfd_map(fds[0], head->length, &m.body, err);
		if (rc != DVT_OK)
			return rc;
	}
	if ((head->flags & HEAD_FD) != 0) {
		m.fd = fds[mapped];
		fds[mapped] = -1;
	}
	c->cfg.received(c->cfg.user, c, &m);
	if (m.fd >= 0)
		close(m.fd);
	if (mapped)
		(void)munmap((void *)(uintptr_t)m.body.p, m.body.n);
	return DVT_OK;
}

/* One message; false when there is none (more). */
static bool
receive_one(struct dvt_channel *c)
{
	static uint8_t body[DVT_IPC_MSG_MAX]; /* of one message at a time */
	struct head head = {0};
	struct iovec iov[2] = {
	    {&head, sizeof(head)},
            {body,  sizeof(body)}
        };
	union {
		char raw[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} ctl;
	struct msghdr m = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = ctl.raw,
	    .msg_controllen = sizeof(ctl.raw)};
	int fds[FDS_MAX] = {-1, -1};
	ssize_t n;
	size_t fds_n;
	enum dvt_code rc;

	n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		if (n == 0)
			errno = EPIPE;
		die_errno(c, "receive");
		return false;
	}
	fds_n = take_fds(&m, fds);
	if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		rc = dvt_fail(&c->why, DVT_E_LIMIT, "message over its size");
	else
		rc = head_check(c, &head, (size_t)n, fds_n, &c->why);
	if (rc == DVT_OK)
		rc = deliver(c, &head, body, fds, &c->why);
	close_all(fds, FDS_MAX);
	if (rc != DVT_OK)
		die(c);
	return rc == DVT_OK;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct dvt_channel *c = arg;

	assert(!c->busy);
	c->busy = true;
	if (ready == DVT_WRITE)
		flush(c);
	for (unsigned i = 0; ready == DVT_READ && i < c->cfg.batch; i++) {
		if (c->dead || c->freed || !c->read_on || !receive_one(c))
			break;
	}
	c->busy = false;
	if (c->freed)
		destroy(c);
	else
		interest(c);
}

/* --- the rest --- */

struct dvt_channel *
dvt_channel_new(
    struct dvt_loop *loop, int fd, const struct dvt_channel_config *config)
{
	struct dvt_channel *c = dvt_alloc(sizeof(*c));

	c->cfg = *config;
	if (c->cfg.queue_max == 0)
		c->cfg.queue_max = DVT_IPC_QUEUE_MAX;
	if (c->cfg.batch == 0)
		c->cfg.batch = BATCH;
	c->fd = fd;
	c->read_on = true;
	STAILQ_INIT(&c->queue);
	c->watch = dvt_watch_new(loop, fd, DVT_READ, on_ready, c);
	c->fail = dvt_defer_new(loop, on_fail, c);
	return c;
}

void
dvt_channel_free(struct dvt_channel *c)
{
	if (c == NULL)
		return;
	c->freed = true;
	if (!c->busy)
		destroy(c);
}

bool
dvt_channel_full(const struct dvt_channel *c)
{
	return c->queued > c->cfg.queue_max / 2;
}

size_t
dvt_channel_queued(const struct dvt_channel *c)
{
	return c->queued;
}

void
dvt_channel_read_enable(struct dvt_channel *c, bool on)
{
	c->read_on = on;
	interest(c);
}

enum dvt_role
dvt_channel_peer(const struct dvt_channel *c)
{
	return c->cfg.peer;
}

unsigned
dvt_channel_peer_index(const struct dvt_channel *c)
{
	return c->cfg.peer_index;
}
