/* SPDX-License-Identifier: Apache-2.0 */
#include "event/loop.h"

#include "event/internal.h"

#include <event2/event.h>
#include <signal.h>

struct loop {
	struct event_base *base;
	const struct clock *clock;
};

struct loop_io {
	struct loop *loop;
	struct event *ev;
	int fd;
	int events; /* as set */
	void (*on_ready)(void *arg, int events);
	void *arg;
};

struct loop_timer {
	struct event *ev;
	void (*on_due)(void *arg);
	void *arg;
};

struct loop_signal {
	struct event *ev;
	void (*on_signal)(void *arg, int signal);
	void *arg;
};

int loop_new(const struct clock *clock, struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	struct event_config *config = event_config_new();

	if (l && config) {
		/* One thread: no locks. */
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		l->base = event_base_new_with_config(config);
	}
	if (config)
		event_config_free(config);
	if (!l || !l->base) {
		free(l);
		return err_set(e, ERR_EXHAUSTED, "could not make an event loop");
	}
	l->clock = clock;
	signal(SIGPIPE, SIG_IGN);
	*ret = l;
	return 0;
}

struct loop *loop_free(struct loop *l)
{
	if (l) {
		event_base_free(l->base);
		free(l);
	}
	return NULL;
}

int loop_run(struct loop *l, struct err *e)
{
	if (event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		return err_set(e, ERR_INTERNAL, "the event loop failed");
	return 0;
}

void loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

int64_t loop_now(const struct loop *l)
{
	return clock_mono_ms(l->clock);
}

int64_t loop_wall(const struct loop *l)
{
	return clock_wall_ms(l->clock);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

static void io_ready(evutil_socket_t fd _unused_, short what, void *arg)
{
	struct loop_io *io = arg;
	int events = (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0);

	io->on_ready(io->arg, events);
}

static short to_libevent(int events)
{
	return (short)((events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0) |
		       EV_PERSIST);
}

int loop_io_new(struct loop *l, int fd, int events, void (*on_ready)(void *arg, int events),
		void *arg, struct loop_io **ret, struct err *e)
{
	struct loop_io *io = calloc(1, sizeof(*io));

	if (!io)
		return err_sys(e, "watch a descriptor");
	*io = (struct loop_io){.loop = l, .fd = fd, .on_ready = on_ready, .arg = arg};
	io->ev = event_new(l->base, fd, to_libevent(events), io_ready, io);
	if (!io->ev) {
		free(io);
		return err_set(e, ERR_EXHAUSTED, "watch a descriptor");
	}
	if (loop_io_set(io, events, e) < 0) {
		loop_io_free(io);
		return -1;
	}
	*ret = io;
	return 0;
}

int loop_io_set(struct loop_io *io, int events, struct err *e)
{
	if (events == io->events)
		return 0;
	event_del(io->ev);
	io->events = 0;
	if (!events)
		return 0;
	if (event_assign(io->ev, io->loop->base, io->fd, to_libevent(events), io_ready, io) < 0 ||
	    event_add(io->ev, NULL) < 0)
		return err_set(e, ERR_INTERNAL, "watch descriptor %d", io->fd);
	io->events = events;
	return 0;
}

struct loop_io *loop_io_free(struct loop_io *io)
{
	if (io) {
		event_free(io->ev);
		free(io);
	}
	return NULL;
}

static void timer_due(evutil_socket_t fd _unused_, short what _unused_, void *arg)
{
	struct loop_timer *t = arg;

	t->on_due(t->arg);
}

int loop_timer_new(struct loop *l, void (*on_due)(void *arg), void *arg, struct loop_timer **ret,
		   struct err *e)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return err_sys(e, "make a timer");
	*t = (struct loop_timer){.on_due = on_due, .arg = arg};
	t->ev = evtimer_new(l->base, timer_due, t);
	if (!t->ev) {
		free(t);
		return err_set(e, ERR_EXHAUSTED, "make a timer");
	}
	*ret = t;
	return 0;
}

void loop_timer_set(struct loop_timer *t, int64_t after_ms)
{
	struct timeval tv;

	if (after_ms < 0)
		after_ms = 0;
	tv.tv_sec = after_ms / 1000;
	tv.tv_usec = after_ms % 1000 * 1000;
	evtimer_add(t->ev, &tv);
}

void loop_timer_stop(struct loop_timer *t)
{
	evtimer_del(t->ev);
}

bool loop_timer_is_set(const struct loop_timer *t)
{
	return evtimer_pending(t->ev, NULL);
}

struct loop_timer *loop_timer_free(struct loop_timer *t)
{
	if (t) {
		event_free(t->ev);
		free(t);
	}
	return NULL;
}

static void signal_came(evutil_socket_t signal, short what _unused_, void *arg)
{
	struct loop_signal *s = arg;

	s->on_signal(s->arg, signal);
}

int loop_signal_new(struct loop *l, int signal, void (*on_signal)(void *arg, int signal), void *arg,
		    struct loop_signal **ret, struct err *e)
{
	struct loop_signal *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "handle signal %d", signal);
	*s = (struct loop_signal){.on_signal = on_signal, .arg = arg};
	s->ev = evsignal_new(l->base, signal, signal_came, s);
	if (!s->ev || evsignal_add(s->ev, NULL) < 0) {
		loop_signal_free(s);
		return err_set(e, ERR_EXHAUSTED, "handle signal %d", signal);
	}
	*ret = s;
	return 0;
}

struct loop_signal *loop_signal_free(struct loop_signal *s)
{
	if (s) {
		if (s->ev)
			event_free(s->ev);
		free(s);
	}
	return NULL;
}
