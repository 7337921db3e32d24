/* SPDX-License-Identifier: Apache-2.0 */
#include "node/link.h"

#include "base/backoff.h"
#include "base/log.h"
#include "hand/connect.h"

#include <limits.h>
#include <sys/wait.h>

struct link {
	struct loop *loop;
	struct link_options options;
	struct link_callbacks callbacks;
	void *arg;
	struct hand_child child; /* fd -1 after it was handed on */
	struct hand_client *client;
	struct hand_client *lost; /* to be freed outside its own callback */
	struct hand_call *hello;
	struct loop_io *io;
	struct loop_timer *timer;
	struct backoff backoff;
	struct err why;
	bool up;
};

static void on_ready(void *arg, int events _unused_)
{
	struct link *l = arg;

	hand_client_ready(l->client);
}

static void on_interest(void *arg, bool writing)
{
	struct link *l = arg;
	struct err e;

	if (l->io && loop_io_set(l->io, LOOP_READ | (writing ? LOOP_WRITE : 0), &e) < 0)
		log_error("hand.unwatched", L_ERR(&e));
}

static void on_damaged(void *arg, const struct volume_ref *ref)
{
	struct link *l = arg;

	l->callbacks.on_damaged(l->arg, ref);
}

/* What it was comes with the timer: the client may not be freed in its own callback. */
static void on_lost(void *arg, const struct err *e)
{
	struct link *l = arg;

	l->up = false;
	l->hello = NULL;
	l->why = *e;
	l->io = loop_io_free(l->io);
	l->lost = l->client;
	l->client = NULL;
	loop_timer_set(l->timer, 0);
}

static void on_hello(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct link *l = arg;

	l->hello = NULL;
	if (reply->err.kind != ERR_NONE) {
		log_error("hand.refused", L_ERR(&reply->err));
		return;
	}
	l->up = true;
	backoff_good(&l->backoff, loop_now(l->loop));
	l->callbacks.on_up(l->arg, reply);
}

static int attach(struct link *l, int fd, uint32_t peer_uid, struct err *e)
{
	static const struct hand_client_events events = {
	    .on_damaged = on_damaged, .on_lost = on_lost, .on_interest = on_interest};
	struct hand_request hello = {.op = HAND_HELLO, .protocol = HAND_PROTOCOL};

	if (hand_client_new(fd, peer_uid, &events, l, &l->client, e) < 0)
		return -1;
	if (loop_io_new(l->loop, hand_client_fd(l->client), LOOP_READ, on_ready, l, &l->io, e) <
		0 ||
	    hand_client_send(l->client, &hello, -1, on_hello, l, &l->hello, e) < 0) {
		l->io = loop_io_free(l->io);
		l->client = hand_client_free(l->client);
		return -1;
	}
	return 0;
}

static void try_later(struct link *l)
{
	int64_t now = loop_now(l->loop);

	loop_timer_set(l->timer, backoff_fail(&l->backoff, now, backoff_random()));
}

static void try_socket(struct link *l)
{
	struct err e;
	int fd;

	if (hand_connect(l->options.socket, &fd, &e) == 0 &&
	    attach(l, fd, l->options.peer_uid, &e) == 0)
		return;
	log_warn("hand.away", L_ERR(&e));
	try_later(l);
}

static void child_ended(struct link *l)
{
	int status = 0;
	struct err e;

	if (hand_child_wait(l->child.pid, LIMIT_CHILD_END_MS, &status, &e) == 0)
		err_tail(&l->why, "certhup-hand %s %d: its last log line says why",
			 WIFSIGNALED(status) ? "was ended by signal" : "ended with exit code",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	l->child.pid = 0;
	l->callbacks.on_lost(l->arg, &l->why, true);
}

static void on_timer(void *arg)
{
	struct link *l = arg;
	bool was_lost = l->lost != NULL;

	l->lost = hand_client_free(l->lost);
	if (!l->options.socket) {
		child_ended(l);
		return;
	}
	if (was_lost) {
		l->callbacks.on_lost(l->arg, &l->why, false);
		try_later(l);
		return;
	}
	try_socket(l);
}

static int start_child(struct link *l, struct err *e)
{
	char path[PATH_MAX];
	static const char *const none[] = {NULL};
	const char *program = l->options.program;

	if (!program) {
		if (hand_program(path, sizeof(path), e) < 0)
			return -1;
		program = path;
	}
	return hand_spawn(program, l->options.args ? l->options.args : none, &l->child, e);
}

int link_new(struct loop *loop, const struct link_options *options,
	     const struct link_callbacks *callbacks, void *arg, struct link **ret, struct err *e)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return err_sys(e, "link to the hand");
	*l = (struct link){.loop = loop,
			   .options = *options,
			   .callbacks = *callbacks,
			   .arg = arg,
			   .child = {.fd = -1}};
	backoff_init(&l->backoff, LIMIT_HAND_CONNECT_MIN_MS, LIMIT_HAND_CONNECT_MAX_MS / 2,
		     SECOND_MS);
	if (loop_timer_new(loop, on_timer, l, &l->timer, e) < 0 ||
	    (!options->socket && start_child(l, e) < 0)) {
		link_free(l);
		return -1;
	}
	*ret = l;
	return 0;
}

void link_start(struct link *l)
{
	struct err e;

	if (l->options.socket) {
		try_socket(l);
		return;
	}
	if (attach(l, TAKE_FD(l->child.fd), (uint32_t)-1, &e) < 0) {
		l->why = e;
		loop_timer_set(l->timer, 0);
	}
}

struct link *link_free(struct link *l)
{
	int status;
	struct err e;

	if (!l)
		return NULL;
	loop_io_free(l->io);
	loop_timer_free(l->timer);
	hand_client_free(l->client);
	hand_client_free(l->lost);
	closep(&l->child.fd);
	/* Its socket is closed: it finishes what it does and ends. */
	if (l->child.pid > 0)
		(void)!hand_child_wait(l->child.pid, LIMIT_HAND_OPERATION_MS, &status, &e);
	free(l);
	return NULL;
}

bool link_is_up(const struct link *l)
{
	return l->up;
}

int link_send(struct link *l, const struct hand_request *request, int memfd, hand_done_fn done,
	      void *arg, struct hand_call **ret, struct err *e)
{
	if (!l->client) {
		closep(&memfd);
		return err_set(e, ERR_UNAVAILABLE, "the hand is away");
	}
	return hand_client_send(l->client, request, memfd, done, arg, ret, e);
}
