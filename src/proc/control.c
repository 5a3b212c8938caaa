/* SPDX-License-Identifier: Apache-2.0 */
/* A child's line to its parent: see control.h. */
#include "proc/control.h"

#include "base/log.h"
#include "base/mem.h"
#include "proc/control_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct dvt_control {
	struct dvt_control_config cfg;
	struct dvt_loop *loop;
	struct dvt_watch *watch;
	int fd;
};

union passing {
	char raw[CMSG_SPACE(sizeof(int))];
	struct cmsghdr head;
};

int
dvt_ctl_send(int fd, const struct dvt_ctl *m, int pass)
{
	struct iovec iov = {(void *)(uintptr_t)m, sizeof(*m)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union passing ctl = {0};

	if (pass >= 0) {
		ctl.head.cmsg_level = SOL_SOCKET;
		ctl.head.cmsg_type = SCM_RIGHTS;
		ctl.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&ctl.head), &pass, sizeof(int));
		msg.msg_control = ctl.raw;
		msg.msg_controllen = sizeof(ctl.raw);
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

int
dvt_ctl_receive(int fd, struct dvt_ctl *m, int *passed)
{
	struct iovec iov = {m, sizeof(*m)};
	union passing ctl = {0};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = ctl.raw,
	    .msg_controllen = sizeof(ctl.raw)};
	struct cmsghdr *cm;
	ssize_t n;

	*passed = -1;
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	cm = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (cm != NULL && cm->cmsg_level == SOL_SOCKET &&
	    cm->cmsg_type == SCM_RIGHTS)
		memcpy(passed, CMSG_DATA(cm), sizeof(int));
	if (n == (ssize_t)sizeof(*m))
		return 1;
	if (*passed >= 0)
		close(*passed);
	*passed = -1;
	return -1;
}

static void
act(struct dvt_control *c, const struct dvt_ctl *m, int fd)
{
	static const struct dvt_ctl answer = {.type = DVT_CTL_ANSWER};

	switch ((enum dvt_control_type)m->type) {
	case DVT_CTL_PEER:
		if (fd >= 0)
			c->cfg.peer(c->cfg.user, m->role, m->index, fd);
		return;
	case DVT_CTL_RELOAD:
		if (c->cfg.reload != NULL)
			c->cfg.reload(c->cfg.user);
		break;
	case DVT_CTL_STOP:
		if (c->cfg.stop != NULL)
			c->cfg.stop(c->cfg.user);
		else
			dvt_loop_stop(c->loop);
		break;
	case DVT_CTL_ASK:
		(void)dvt_ctl_send(c->fd, &answer, -1);
		break;
	case DVT_CTL_ANSWER: /* never to a child */
	case DVT_CTL_BUSY:
	case DVT_CTL_READY:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void
on_parent(void *arg, unsigned ready)
{
	struct dvt_control *c = arg;
	struct dvt_ctl m;
	int fd, got = dvt_ctl_receive(c->fd, &m, &fd);

	(void)ready;
	if (got < 0) {
		log_event(LOG_CRIT, "proc.parent-gone");
		_exit(EXIT_FAILURE);
	}
	if (got > 0)
		act(c, &m, fd); /* one a turn: it may free this */
}

struct dvt_control *
dvt_control_new(struct dvt_loop *loop, struct dvt_child *me,
    const struct dvt_control_config *config)
{
	struct dvt_control *c = dvt_alloc(sizeof(*c));

	c->cfg = *config;
	c->loop = loop;
	c->fd = me->control;
	c->watch = dvt_watch_new(loop, c->fd, DVT_READ, on_parent, c);
	return c;
}

void
dvt_control_ready(struct dvt_control *c)
{
	struct dvt_ctl m = {.type = DVT_CTL_READY};

	if (dvt_ctl_send(c->fd, &m, -1) != 0)
		log_event(LOG_ERR, "proc.parent-deaf", LI("errno", errno));
}

void
dvt_control_busy(struct dvt_control *c, bool on)
{
	struct dvt_ctl m = {.type = on ? DVT_CTL_BUSY : DVT_CTL_ANSWER};

	if (c != NULL)
		(void)dvt_ctl_send(c->fd, &m, -1);
}

void
dvt_control_free(struct dvt_control *c)
{
	if (c == NULL)
		return;
	dvt_watch_free(c->watch);
	free(c);
}
