/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/probe.h"

#include "base/limits.h"
#include "prove/handshake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK (16 * KIB)

struct probe {
	struct loop *loop; /* borrowed */
	struct loop_io *io;
	struct loop_timer *deadline;
	struct handshake *handshake;
	int fd;
	bool connected;
	struct sockaddr_storage other;
	socklen_t other_len; /* 0: none, or tried */
	int64_t started_ms;
	struct err e; /* why there is no connection, when that was known at the start */
	probe_done_fn done;
	void *arg;
};

static int parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret,
			 socklen_t *ret_len, struct err *e)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*ret_len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*ret_len = sizeof(*v6);
		return 0;
	}
	return err_set(e, ERR_INVALID, "'%.64s' is no IP address", text);
}

/* Tells the caller, who may free the probe: nothing is touched after that. */
static void finish(struct probe *p, struct probe_report *report)
{
	report->took_ms = loop_now(p->loop) - p->started_ms;
	report->connected = p->connected;
	p->io = loop_io_free(p->io);
	p->deadline = loop_timer_free(p->deadline);
	p->done(p->arg, report);
}

static void finish_without_connection(struct probe *p, const struct err *e)
{
	struct probe_report report = {.result = PROBE_NO_CONNECTION, .e = *e};

	finish(p, &report);
}

/* What the handshake has seen; e, when not NULL, is why it did not see more. */
static void finish_with_handshake(struct probe *p, const struct err *e)
{
	struct probe_report report = {0};

	handshake_report(p->handshake, &report);
	if (report.result != PROBE_SEEN && e)
		report.e = *e;
	finish(p, &report);
}

/* A server that does not answer in time may be busy: that says nothing about its certificate. */
static void on_deadline(void *arg)
{
	struct probe *p = arg;
	struct probe_report report = {0};
	struct err e;

	if (!p->connected && p->e.kind != ERR_NONE) {
		finish_without_connection(p, &p->e);
		return;
	}
	handshake_report(p->handshake, &report);
	if (report.result == PROBE_SEEN) {
		finish(p, &report);
		return;
	}
	err_set(&e, ERR_TIMEOUT, "%s",
		p->connected ? "no answer in time" : "no connection in time");
	finish_without_connection(p, &e);
}

/*
 * Sends what it can; the rest waits until the socket takes more. A server that has closed may have
 * said why before: then nothing more is sent, and what it said is read.
 */
static int send_pending(struct probe *p, struct err *e)
{
	const void *bytes;
	size_t len;

	while ((len = handshake_pending(p->handshake, &bytes)) > 0) {
		ssize_t n = send(p->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		handshake_sent(p->handshake, n < 0 ? len : (size_t)n);
	}
	return loop_io_set(p->io, LOOP_READ | (len ? LOOP_WRITE : 0), e);
}

/* Takes what is there, at most one chunk a turn. */
static int receive(struct probe *p, struct err *e)
{
	char chunk[CHUNK];
	ssize_t n = recv(p->fd, chunk, sizeof(chunk), 0);

	if (n > 0)
		return handshake_feed(p->handshake, chunk, (size_t)n, e);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	handshake_close(p->handshake);
	return 0;
}

static int check_connection(struct probe *p, struct err *e)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return err_sys(e, "connect");
	if (error)
		return err_sys_num(e, error, "connect");
	p->connected = true;
	return 0;
}

static void on_ready(void *arg, int events);

static int connect_to(struct probe *p, const struct sockaddr_storage *address, socklen_t len,
		      struct err *e)
{
	closep(&p->fd);
	p->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return err_sys(e, "a socket for a probe");
	if (connect(p->fd, (const struct sockaddr *)address, len) < 0 && errno != EINPROGRESS)
		return err_sys(e, "connect");
	return loop_io_new(p->loop, p->fd, LOOP_WRITE, on_ready, p, &p->io, e);
}

/* Many servers listen on one family only. What is told is about the first address. */
static bool try_other(struct probe *p)
{
	socklen_t len = p->other_len;
	struct err ignored;

	p->other_len = 0;
	if (!len)
		return false;
	p->io = loop_io_free(p->io);
	return connect_to(p, &p->other, len, &ignored) == 0;
}

static void on_ready(void *arg, int events)
{
	struct probe *p = arg;
	struct err e;
	bool over;

	if (!p->connected && check_connection(p, &e) < 0) {
		if (p->e.kind == ERR_NONE)
			p->e = e;
		if (try_other(p))
			return;
		e = p->e;
		finish_without_connection(p, &e);
		return;
	}
	if ((events & LOOP_READ) && receive(p, &e) < 0) {
		finish_with_handshake(p, &e);
		return;
	}
	over = handshake_step(p->handshake);
	if (send_pending(p, &e) < 0)
		finish_with_handshake(p, &e);
	else if (over)
		finish_with_handshake(p, NULL);
}

/* Why there is no connection, when that is known at once, is kept for the loop to tell. */
static int open_socket(struct probe *p, const struct probe_target *t, struct err *e)
{
	struct sockaddr_storage address;
	socklen_t len = 0;

	if (parse_address(t->address, t->port, &address, &len, e) < 0 ||
	    (t->other[0] && parse_address(t->other, t->port, &p->other, &p->other_len, e) < 0))
		return -1;
	if (connect_to(p, &address, len, &p->e) < 0)
		(void)!try_other(p);
	return 0;
}

static int start(struct probe *p, const struct probe_target *t, struct err *e)
{
	int64_t deadline_ms = t->deadline_ms ? t->deadline_ms : LIMIT_PROBE_MS;

	if (handshake_new(t, &p->handshake, e) < 0 || open_socket(p, t, e) < 0 ||
	    loop_timer_new(p->loop, on_deadline, p, &p->deadline, e) < 0)
		return -1;
	/* The caller is told on the loop, never from within probe_start. */
	loop_timer_set(p->deadline, p->io ? deadline_ms : 0);
	return 0;
}

int probe_start(struct loop *loop, const struct probe_target *target, probe_done_fn done, void *arg,
		struct probe **ret, struct err *e)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, ERR_EXHAUSTED, "out of memory for a probe");
	*p = (struct probe){.loop = loop, .fd = -1, .done = done, .arg = arg};
	p->started_ms = loop_now(loop);
	if (start(p, target, e) < 0) {
		probe_free(p);
		return err_add(e, "probe of %.64s", target->address);
	}
	*ret = p;
	return 0;
}

struct probe *probe_free(struct probe *p)
{
	if (p) {
		loop_io_free(p->io);
		loop_timer_free(p->deadline);
		handshake_free(p->handshake);
		closep(&p->fd);
	}
	free(p);
	return NULL;
}
