/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/channel.h"

#include "base/limits.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* One end and what it heard. */
struct side {
	struct dvt_channel *ch;
	struct dvt_msg last;
	uint8_t *body; /* copy of the last one's */
	int fd;
	unsigned count;
	unsigned drained;
	bool free_in_call;
	bool ended;
	struct dvt_err why;
};

static struct dvt_loop *loop;
static struct side core, front;

static void
on_received(void *user, struct dvt_channel *c, struct dvt_msg *m)
{
	struct side *s = user;

	s->count++;
	s->last = *m;
	free(s->body);
	s->body = dvt_alloc(m->body.n + 1);
	if (m->body.n > 0)
		memcpy(s->body, m->body.p, m->body.n);
	if (m->fd >= 0)
		s->fd = m->fd;
	m->fd = -1;
	if (s->free_in_call) {
		dvt_channel_free(c);
		s->ch = NULL;
	}
}

static void
on_ended(void *user, struct dvt_channel *c, const struct dvt_err *why)
{
	struct side *s = user;

	s->ended = true;
	s->why = *why;
	dvt_channel_free(c);
	s->ch = NULL;
}

static void
on_drained(void *user, struct dvt_channel *c)
{
	struct side *s = user;

	assert_false(dvt_channel_full(c));
	s->drained++;
}

static void
side_new(struct side *s, int fd, enum dvt_role self, enum dvt_role peer,
    size_t queue_max)
{
	struct dvt_channel_config cfg = {.self = self,
	    .peer = peer,
	    .queue_max = queue_max,
	    .batch = 8,
	    .received = on_received,
	    .ended = on_ended,
	    .drained = on_drained,
	    .user = s};

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->ch = dvt_channel_new(loop, fd, &cfg);
}

static void
side_free(struct side *s)
{
	dvt_channel_free(s->ch);
	free(s->body);
	if (s->fd >= 0)
		close(s->fd);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

static int
setup(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(dvt_loop_new(&loop, NULL), DVT_OK);
	assert_int_equal(dvt_channel_pair(fd, NULL), DVT_OK);
	side_new(&core, fd[0], DVT_ROLE_CORE, DVT_ROLE_FRONT, 0);
	side_new(&front, fd[1], DVT_ROLE_FRONT, DVT_ROLE_CORE, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	side_free(&core);
	side_free(&front);
	dvt_loop_free(loop);
	return 0;
}

static void
turns(int n)
{
	while (n-- > 0)
		(void)dvt_loop_turn(loop, false);
}

static enum dvt_code
say(struct side *s, enum dvt_msg_type type, struct dvt_span body, int fd)
{
	struct dvt_msg m = {.type = type,
	    .slot = 7,
	    .generation = 1ULL << 40,
	    .body = body,
	    .fd = fd};

	return dvt_channel_send(s->ch, &m, NULL);
}

static void
messages_of_any_size_arrive_whole(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 2048, DVT_IPC_MSG_MAX, DVT_IPC_MSG_MAX + 1, 3000000};
	uint8_t *body = dvt_alloc(3000000);

	(void)state;
	memset(body, 0x5a, 3000000);
	for (unsigned i = 0; i < DVT_COUNT(sizes); i++) {
		assert_int_equal(say(&front, DVT_MSG_REQUEST,
				     (struct dvt_span){body, sizes[i]}, -1),
		    DVT_OK);
		turns(1);
		assert_int_equal(core.count, i + 1);
		assert_int_equal(core.last.type, DVT_MSG_REQUEST);
		assert_int_equal(core.last.slot, 7);
		assert_true(core.last.generation == 1ULL << 40);
		assert_int_equal(core.last.body.n, sizes[i]);
		assert_memory_equal(core.body, body, sizes[i]);
		assert_int_equal(core.fd, -1);
	}
	free(body);
}

static void
a_descriptor_goes_along_with_small_and_large(void **state)
{
	static const size_t sizes[] = {10, 100000};
	uint8_t *body = dvt_alloc(100000);

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(sizes); i++) {
		int p[2];

		assert_int_equal(pipe(p), 0);
		assert_int_equal(say(&core, DVT_MSG_FEED,
				     (struct dvt_span){body, sizes[i]}, p[1]),
		    DVT_OK);
		close(p[1]);
		turns(1);
		assert_true(front.fd >= 0);
		assert_true(fcntl(front.fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(write(front.fd, "x", 1), 1);
		assert_int_equal(read(p[0], body, 1), 1);
		close(front.fd);
		front.fd = -1;
		assert_int_equal(read(p[0], body, 1), 0); /* no copy left */
		close(p[0]);
	}
	free(body);
}

static void
the_sender_is_told_what_it_may_not_say(void **state)
{
	uint8_t body[5000] = {0};

	(void)state;
	assert_int_equal(
	    say(&front, DVT_MSG_REPLY, DVT_SPAN_LIT("x"), -1), DVT_E_INPUT);
	assert_int_equal(
	    say(&front, DVT_MSG_SIGN_REQUEST, DVT_SPAN_LIT("x"), -1),
	    DVT_E_INPUT);
	assert_int_equal(
	    say(&front, DVT_MSG_NONE, DVT_SPAN_LIT("x"), -1), DVT_E_INPUT);
	assert_int_equal(
	    say(&front, DVT_MSG_COUNT, DVT_SPAN_LIT("x"), -1), DVT_E_INPUT);
	assert_int_equal(say(&front, DVT_MSG_CANCEL,
			     (struct dvt_span){body, sizeof(body)}, -1),
	    DVT_E_LIMIT);
	turns(1);
	assert_int_equal(core.count, 0);
	assert_false(core.ended);
}

static void
a_message_from_the_wrong_side_ends_the_channel(void **state)
{
	struct side liar;
	int fd[2];

	(void)state;
	assert_int_equal(dvt_channel_pair(fd, NULL), DVT_OK);
	side_free(&core);
	side_new(&core, fd[0], DVT_ROLE_CORE, DVT_ROLE_FRONT, 0);
	side_new(&liar, fd[1], DVT_ROLE_SIGNER, DVT_ROLE_CORE, 0);
	assert_int_equal(
	    say(&liar, DVT_MSG_SIGN_REPLY, DVT_SPAN_LIT("x"), -1), DVT_OK);
	turns(3);
	assert_true(core.ended);
	assert_int_equal(core.why.code, DVT_E_INPUT);
	assert_non_null(strstr(core.why.text, "SIGN_REPLY"));
	assert_true(liar.ended); /* and it notices */
	assert_int_equal(core.count, 0);
	side_free(&liar);
}

/* The head as channel.c writes it. */
struct raw {
	uint16_t type, flags;
	uint32_t slot;
	uint64_t generation, length;
	uint8_t body[8];
};

static void
broken_messages_end_the_channel(void **state)
{
	static const struct {
		const char *why;
		struct raw raw;
		size_t n;
	} bad[] = {
	    {"cut head",           {0},					     10},
	    {"no type",            {0},					     24},
	    {"unknown type",       {.type = 999},                                   24},
	    {"length says more",   {.type = DVT_MSG_REQUEST, .length = 9},          32},
	    {"length says less",   {.type = DVT_MSG_REQUEST, .length = 7},          32},
	    {"over its size",      {.type = DVT_MSG_CANCEL, .length = 65},          32},
	    {"huge length",        {.type = DVT_MSG_REQUEST, .length = UINT64_MAX},
             24								       },
	    {"says it has a file", {DVT_MSG_REQUEST, 1, 0, 0, 70000, {0}},          24},
	    {"unknown flag",       {DVT_MSG_REQUEST, 4, 0, 0, 8, {0}},              32},
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(bad); i++) {
		struct side one;
		int fd[2];

		assert_int_equal(dvt_channel_pair(fd, NULL), DVT_OK);
		side_new(&one, fd[0], DVT_ROLE_CORE, DVT_ROLE_FRONT, 0);
		assert_int_equal(
		    send(fd[1], &bad[i].raw, bad[i].n, 0), bad[i].n);
		turns(2);
		if (!one.ended || one.count != 0)
			fail_msg("taken: %s", bad[i].why);
		close(fd[1]);
		side_free(&one);
	}
}

/* A large message whose memory file is @size bytes with @seals. */
static void
send_memfd(int to, size_t length, size_t size, int seals)
{
	struct raw raw = {
	    .type = DVT_MSG_REQUEST, .flags = 1, .length = length};
	struct iovec iov = {&raw, 24};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr cm;
	} ctl = {0};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = ctl.space,
	    .msg_controllen = sizeof(ctl.space)};
	int fd = memfd_create("t", MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	ctl.cm.cmsg_level = SOL_SOCKET;
	ctl.cm.cmsg_type = SCM_RIGHTS;
	ctl.cm.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&ctl.cm), &fd, sizeof(int));
	assert_int_equal(sendmsg(to, &m, 0), 24);
	close(fd);
}

static void
a_memory_file_must_be_sealed_and_of_its_size(void **state)
{
	static const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
			       F_SEAL_WRITE;
	static const struct {
		size_t length, size;
		int seals;
		bool good;
	} cases[] = {
	    {70000, 70000, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW,  false},
	    {70000, 70000, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE, false},
	    {70000, 69999, all,					false},
	    {70000, 70000, all,					true },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(cases); i++) {
		struct side one;
		int fd[2];

		assert_int_equal(dvt_channel_pair(fd, NULL), DVT_OK);
		side_new(&one, fd[0], DVT_ROLE_CORE, DVT_ROLE_FRONT, 0);
		send_memfd(
		    fd[1], cases[i].length, cases[i].size, cases[i].seals);
		turns(2);
		assert_int_equal(one.count, cases[i].good);
		assert_int_equal(one.ended, !cases[i].good);
		close(fd[1]);
		side_free(&one);
	}
}

static void
a_full_queue_refuses_and_tells_when_it_has_drained(void **state)
{
	uint8_t body[30000] = {0};
	struct side out;
	unsigned sent = 0;
	int fd[2];

	(void)state;
	assert_int_equal(dvt_channel_pair(fd, NULL), DVT_OK);
	side_free(&core);
	side_new(&core, fd[0], DVT_ROLE_CORE, DVT_ROLE_FRONT, 0);
	side_new(&out, fd[1], DVT_ROLE_FRONT, DVT_ROLE_CORE, 200000);
	while (say(&out, DVT_MSG_REQUEST, (struct dvt_span){body, sizeof(body)},
		   -1) == DVT_OK)
		sent++;
	assert_true(sent > 6 && sent < 1000);
	assert_true(dvt_channel_full(out.ch));
	assert_true(dvt_channel_queued(out.ch) <= 200000);
	assert_int_equal(out.drained, 0);
	for (int i = 0; i < 1000 && core.count < sent; i++)
		turns(1);
	assert_int_equal(core.count, sent); /* none lost */
	assert_int_equal(out.drained, 1);
	assert_int_equal(dvt_channel_queued(out.ch), 0);
	side_free(&out);
}

static void
reading_can_pause_and_is_bounded_per_turn(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(
		    say(&front, DVT_MSG_REQUEST, DVT_SPAN_LIT("x"), -1),
		    DVT_OK);
	dvt_channel_read_enable(core.ch, false);
	turns(2);
	assert_int_equal(core.count, 0);
	dvt_channel_read_enable(core.ch, true);
	turns(1);
	assert_int_equal(core.count, 8);
	turns(2);
	assert_int_equal(core.count, 20);
}

static void
a_channel_may_be_freed_in_its_own_callback(void **state)
{
	(void)state;
	core.free_in_call = true;
	assert_int_equal(
	    say(&front, DVT_MSG_REQUEST, DVT_SPAN_LIT("x"), -1), DVT_OK);
	assert_int_equal(
	    say(&front, DVT_MSG_REQUEST, DVT_SPAN_LIT("y"), -1), DVT_OK);
	turns(3);
	assert_int_equal(core.count, 1);
	assert_true(front.ended);
	assert_int_equal(front.why.code, DVT_E_LATER);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(messages_of_any_size_arrive_whole),
	    T(a_descriptor_goes_along_with_small_and_large),
	    T(the_sender_is_told_what_it_may_not_say),
	    T(a_message_from_the_wrong_side_ends_the_channel),
	    T(broken_messages_end_the_channel),
	    T(a_memory_file_must_be_sealed_and_of_its_size),
	    T(a_full_queue_refuses_and_tells_when_it_has_drained),
	    T(reading_can_pause_and_is_bounded_per_turn),
	    T(a_channel_may_be_freed_in_its_own_callback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
