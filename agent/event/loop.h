/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The loop of the head: descriptors, timers, signals, and calls put off to the next turn. One
 * thread. Freeing a source cancels it: after that its callback never runs. A callback may free its
 * own source.
 */

#include "base/clock.h"
#include "base/err.h"

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;

enum loop_events {
	LOOP_READ = 1,
	LOOP_WRITE = 2
};

/*
 * Errors: EXHAUSTED. The clock is borrowed; timers of libevent count CLOCK_MONOTONIC. SIGPIPE is
 * ignored from here on: libevent writes to sockets whose peer may be gone.
 */
int loop_new(const struct clock *clock, struct loop **ret, struct err *e) _must_check_;
struct loop *loop_free(struct loop *l); /* sources must be freed before; returns NULL */

/* Runs until loop_stop. */
int loop_run(struct loop *l, struct err *e) _must_check_;
void loop_stop(struct loop *l);

/* Monotonic and wall milliseconds. */
int64_t loop_now(const struct loop *l);
int64_t loop_wall(const struct loop *l);

/* fd is borrowed and must outlive the source. events: LOOP_READ | LOOP_WRITE, level triggered. */
int loop_io_new(struct loop *l, int fd, int events, void (*on_ready)(void *arg, int events),
		void *arg, struct loop_io **ret, struct err *e) _must_check_;
int loop_io_set(struct loop_io *io, int events, struct err *e) _must_check_;
struct loop_io *loop_io_free(struct loop_io *io);

/* A timer that is not set yet. */
int loop_timer_new(struct loop *l, void (*on_due)(void *arg), void *arg, struct loop_timer **ret,
		   struct err *e) _must_check_;
void loop_timer_set(struct loop_timer *t, int64_t after_ms); /* once; replaces what was set */
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);
struct loop_timer *loop_timer_free(struct loop_timer *t);

/* Runs on the loop, not in the handler. */
int loop_signal_new(struct loop *l, int signal, void (*on_signal)(void *arg, int signal), void *arg,
		    struct loop_signal **ret, struct err *e) _must_check_;
struct loop_signal *loop_signal_free(struct loop_signal *s);

static inline void loop_freep(struct loop **l)
{
	*l = loop_free(*l);
}
