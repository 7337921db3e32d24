/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/server.h"

#include "base/log.h"
#include "hand/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum {
	POLL_SIGNAL,
	POLL_HEAD,
	POLL_LISTEN,
	POLL_WATCH,
	POLL_CHILDREN
};
#define POLLS (POLL_CHILDREN + 2 * LIMIT_HAND_PROCESSES)

/* Poll ignores an entry whose descriptor is -1. */
static void fill(const struct server *s, struct pollfd *fds)
{
	bool full = s->reply_count >= LIMIT_HAND_REPLIES;
	short head = 0;

	if (!full && s->table.waiting < LIMIT_HAND_QUEUE)
		head |= POLLIN;
	if (!STAILQ_EMPTY(&s->replies))
		head |= POLLOUT;
	fds[POLL_SIGNAL] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
	fds[POLL_HEAD] = (struct pollfd){.fd = s->head_fd, .events = head};
	fds[POLL_LISTEN] =
	    (struct pollfd){.fd = s->stopping ? -1 : s->options->listen_fd, .events = POLLIN};
	fds[POLL_WATCH] =
	    (struct pollfd){.fd = s->watch ? volume_watch_fd(s->watch) : -1, .events = POLLIN};
	for (size_t i = 0; i < s->child_count; i++) {
		const struct child *c = &s->children[i];
		bool wait = full && c->kind == CHILD_LIST;

		fds[POLL_CHILDREN + 2 * i] =
		    (struct pollfd){.fd = wait ? -1 : c->sock, .events = POLLIN};
		fds[POLL_CHILDREN + 2 * i + 1] =
		    (struct pollfd){.fd = wait ? -1 : c->pidfd, .events = POLLIN};
	}
}

static void sooner(int64_t *due_ms, int64_t at_ms)
{
	if (at_ms < *due_ms)
		*due_ms = at_ms;
}

static int wait_ms(const struct server *s, int64_t now_ms)
{
	int64_t due_ms = now_ms + INT_MAX;

	for (size_t i = 0; i < s->child_count; i++) {
		const struct child *c = &s->children[i];

		if (!c->killed)
			sooner(&due_ms, c->deadline_ms);
		if (s->table.waiting && c->start_ms + LIMIT_HAND_SLOW_MS > now_ms)
			sooner(&due_ms, c->start_ms + LIMIT_HAND_SLOW_MS);
	}
	if (s->sync_due_ms && !s->syncing)
		sooner(&due_ms, s->sync_due_ms);
	if (s->rearm_due_ms)
		sooner(&due_ms, s->rearm_due_ms);
	if (s->stopping)
		sooner(&due_ms, s->stop_due_ms);
	return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

static void stop(struct server *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->stop_due_ms = server_now() + LIMIT_HAND_GRACE_MS;
	dispatch_cancel_all(s);
}

static void take_signal(struct server *s)
{
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	log_info("hand.stopping", L_INT(LOG_SIGNAL, info.ssi_signo),
		 L_INT(LOG_COUNT, s->child_count));
	stop(s);
}

static void take_connection(struct server *s)
{
	int fd = accept4(s->options->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		head_take(s, fd);
}

/* Backwards, because an ended child's place is taken by the last one. */
static void serve_children(struct server *s, const struct pollfd *fds)
{
	for (size_t i = s->child_count; i-- > 0;) {
		if (fds[POLL_CHILDREN + 2 * i].revents)
			child_readable(s, &s->children[i]);
		if (fds[POLL_CHILDREN + 2 * i + 1].revents)
			child_ended(s, &s->children[i]);
	}
}

static void sync_if_due(struct server *s, int64_t now_ms)
{
	struct err e;

	if (s->sync_due_ms == 0 || s->syncing || (s->sync_due_ms > now_ms && !s->stopping))
		return;
	s->sync_due_ms = 0;
	if (child_start(s, CHILD_SYNC, NULL, NULL, &e) == 0)
		s->syncing = true;
	else
		s->sync_due_ms = now_ms + LIMIT_HAND_FSYNC_MS;
}

static void turn(struct server *s, const struct pollfd *fds)
{
	int64_t now_ms;

	if (fds[POLL_SIGNAL].revents)
		take_signal(s);
	if (fds[POLL_WATCH].revents)
		watching_take(s, server_now());
	serve_children(s, fds);
	if (fds[POLL_HEAD].revents & (POLLIN | POLLHUP | POLLERR))
		head_readable(s);
	if (fds[POLL_LISTEN].revents)
		take_connection(s);
	now_ms = server_now();
	child_check_deadlines(s, now_ms);
	watching_rearm(s, now_ms);
	dispatch_run(s, now_ms);
	sync_if_due(s, now_ms);
	head_writable(s);
	if (s->failed) {
		struct err e;

		err_set(&e, ERR_EXHAUSTED, "no memory for a reply");
		head_drop(s, &e);
	}
	if (s->options->socket_fd >= 0 && s->head_fd < 0)
		stop(s);
}

static bool idle(const struct server *s)
{
	for (size_t i = 0; i < s->child_count; i++)
		if (!s->children[i].killed)
			return false;
	return true;
}

static int serve(struct server *s, struct err *e)
{
	struct pollfd fds[POLLS];

	while (!s->stopping || (!idle(s) && server_now() < s->stop_due_ms)) {
		fill(s, fds);
		if (poll(fds, POLL_CHILDREN + 2 * s->child_count, wait_ms(s, server_now())) < 0) {
			if (errno != EINTR)
				return err_sys(e, "poll");
			continue;
		}
		turn(s, fds);
	}
	head_writable(s);
	log_info("hand.stopped", L_INT(LOG_COUNT, s->child_count));
	return 0;
}

static int prepare(struct server *s, sigset_t *ret_old, struct err *e)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, ret_old);
	signal(SIGPIPE, SIG_IGN); /* a log that nobody reads any more */
	s->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return err_sys(e, "signalfd");
	/* Without inotify damage is found by the head's own looks. */
	if ((s->options->ops & 1u << HAND_WATCH) && volume_watch_new(&s->watch, e) < 0)
		log_warn("inotify.missing", L_ERR(e));
	if (s->options->socket_fd >= 0)
		head_take(s, fcntl(s->options->socket_fd, F_DUPFD_CLOEXEC, 0));
	return 0;
}

int hand_serve(const struct hand_options *options, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));
	sigset_t old;
	int r;

	if (!s)
		return err_sys(e, "hand");
	s->options = options;
	s->head_fd = s->signal_fd = -1;
	STAILQ_INIT(&s->replies);
	table_init(&s->table, options->budget_namespace, options->budget_node);
	r = prepare(s, &old, e);
	if (r == 0)
		r = serve(s, e);
	child_kill_all(s);
	head_drop(s, NULL);
	table_done(&s->table);
	s->watch = volume_watch_free(s->watch);
	closep(&s->signal_fd);
	free(s);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
