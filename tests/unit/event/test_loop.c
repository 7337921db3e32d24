/* SPDX-License-Identifier: Apache-2.0 */
#include "event/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

struct scene {
	struct loop *loop;
	struct loop_io *io;
	struct loop_timer *timer;
	struct loop_timer *other;
	struct loop_signal *signal;
	int pair[2];
	int events;
	int calls;
	int signals[4];
};

static void scene_open(struct scene *s)
{
	struct err e = {0};

	*s = (struct scene){0};
	assert_int_equal(loop_new(clock_system(), &s->loop, &e), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->pair), 0);
}

static void scene_close(struct scene *s)
{
	loop_io_free(s->io);
	loop_timer_free(s->timer);
	loop_timer_free(s->other);
	loop_signal_free(s->signal);
	loop_free(s->loop);
	close(s->pair[0]);
	close(s->pair[1]);
}

static void run(struct scene *s)
{
	struct err e = {0};

	assert_int_equal(loop_run(s->loop, &e), 0);
}

static void stop(void *arg)
{
	struct scene *s = arg;

	s->calls++;
	loop_stop(s->loop);
}

static void new_timer(struct scene *s, void (*on_due)(void *), struct loop_timer **ret)
{
	struct err e = {0};

	assert_int_equal(loop_timer_new(s->loop, on_due, s, ret, &e), 0);
}

static void timers_run_in_order_of_their_time_and_once(void **state _unused_)
{
	struct scene s;
	int64_t start;

	scene_open(&s);
	new_timer(&s, stop, &s.timer);
	new_timer(&s, stop, &s.other);
	start = loop_now(s.loop);
	loop_timer_set(s.other, 60);
	loop_timer_set(s.timer, 20);
	assert_true(loop_timer_is_set(s.timer));
	run(&s);
	assert_int_equal(s.calls, 1);
	assert_false(loop_timer_is_set(s.timer));
	assert_true(loop_timer_is_set(s.other));
	assert_true(loop_now(s.loop) - start >= 19);
	run(&s);
	assert_int_equal(s.calls, 2);
	assert_true(loop_now(s.loop) - start >= 59);
	scene_close(&s);
}

static void a_timer_set_again_or_stopped_forgets_the_first_time(void **state _unused_)
{
	struct scene s;
	int64_t start;

	scene_open(&s);
	new_timer(&s, stop, &s.timer);
	new_timer(&s, stop, &s.other);
	start = loop_now(s.loop);
	loop_timer_set(s.timer, 1);
	loop_timer_set(s.timer, 40);
	loop_timer_set(s.other, 1);
	loop_timer_stop(s.other);
	assert_false(loop_timer_is_set(s.other));
	run(&s);
	assert_int_equal(s.calls, 1);
	assert_true(loop_now(s.loop) - start >= 39);
	loop_timer_set(s.timer, -5); /* at once */
	run(&s);
	assert_int_equal(s.calls, 2);
	scene_close(&s);
}

static void free_own_timer(void *arg)
{
	struct scene *s = arg;

	s->timer = loop_timer_free(s->timer);
	s->calls++;
}

static void free_other_timer(void *arg)
{
	struct scene *s = arg;

	s->other = loop_timer_free(s->other);
	s->calls += 10;
}

static void a_callback_may_free_its_own_source_and_another_that_is_due(void **state _unused_)
{
	struct loop_timer *first;
	struct loop_timer *last;
	struct scene s;

	scene_open(&s);
	new_timer(&s, free_own_timer, &s.timer);
	new_timer(&s, free_other_timer, &first);
	new_timer(&s, stop, &s.other); /* due as well, but freed before its turn */
	new_timer(&s, stop, &last);
	loop_timer_set(s.timer, 5);
	loop_timer_set(first, 5);
	loop_timer_set(s.other, 6);
	loop_timer_set(last, 30);
	poll(NULL, 0, 10); /* so that three are due in one turn */
	run(&s);
	assert_int_equal(s.calls, 1 + 10 + 1);
	assert_null(s.timer);
	assert_null(s.other);
	loop_timer_free(first);
	loop_timer_free(last);
	scene_close(&s);
}

static void on_ready(void *arg, int events)
{
	struct scene *s = arg;

	s->calls++;
	s->events = events;
	loop_stop(s->loop);
}

static void new_io(struct scene *s, int events, void (*cb)(void *, int))
{
	struct err e = {0};

	assert_int_equal(loop_io_new(s->loop, s->pair[0], events, cb, s, &s->io, &e), 0);
}

static void descriptors_are_watched_for_what_was_asked(void **state _unused_)
{
	struct err e = {0};
	struct scene s;

	scene_open(&s);
	new_io(&s, LOOP_READ, on_ready);
	assert_int_equal(write(s.pair[1], "x", 1), 1);
	run(&s);
	assert_int_equal(s.events, LOOP_READ);
	run(&s); /* level triggered: it is still there */
	assert_int_equal(s.calls, 2);
	assert_int_equal(loop_io_set(s.io, LOOP_WRITE, &e), 0);
	run(&s);
	assert_int_equal(s.events, LOOP_WRITE);
	assert_int_equal(loop_io_set(s.io, LOOP_READ | LOOP_WRITE, &e), 0);
	run(&s);
	assert_int_equal(s.events, LOOP_READ | LOOP_WRITE);
	assert_int_equal(loop_io_set(s.io, 0, &e), 0);
	new_timer(&s, stop, &s.timer);
	loop_timer_set(s.timer, 20);
	run(&s);
	assert_int_equal(s.calls, 5); /* the timer's */
	assert_false(loop_timer_is_set(s.timer));
	scene_close(&s);
}

static void free_own_io(void *arg, int events _unused_)
{
	struct scene *s = arg;

	s->io = loop_io_free(s->io);
	s->calls++;
}

static void a_freed_descriptor_is_not_called_again(void **state _unused_)
{
	struct scene s;

	scene_open(&s);
	new_io(&s, LOOP_READ, free_own_io);
	new_timer(&s, stop, &s.timer);
	assert_int_equal(write(s.pair[1], "x", 1), 1);
	loop_timer_set(s.timer, 20);
	run(&s);
	assert_int_equal(s.calls, 2);
	scene_close(&s);
}

static void on_signal(void *arg, int signal)
{
	struct scene *s = arg;

	s->signals[s->calls++] = signal;
	if (s->calls == 2)
		s->signal = loop_signal_free(s->signal);
	loop_stop(s->loop);
}

static void signals_come_on_the_loop(void **state _unused_)
{
	struct err e = {0};
	struct scene s;

	scene_open(&s);
	assert_int_equal(loop_signal_new(s.loop, SIGUSR1, on_signal, &s, &s.signal, &e), 0);
	kill(getpid(), SIGUSR1);
	assert_int_equal(s.calls, 0); /* not in the handler */
	run(&s);
	assert_int_equal(s.signals[0], SIGUSR1);
	kill(getpid(), SIGUSR1);
	run(&s);
	assert_int_equal(s.calls, 2);
	assert_null(s.signal);
	scene_close(&s);
}

static void a_peer_that_is_gone_is_an_error_and_no_signal(void **state _unused_)
{
	struct scene s;

	scene_open(&s);
	close(s.pair[1]);
	s.pair[1] = -1;
	assert_int_equal(write(s.pair[0], "x", 1), -1); /* SIGPIPE would end the test here */
	new_io(&s, LOOP_READ, on_ready);
	run(&s);
	assert_int_equal(s.events, LOOP_READ);
	scene_close(&s);
}

static void the_clock_is_the_one_that_was_given(void **state _unused_)
{
	struct clock_fake f;
	struct loop *loop;
	struct err e = {0};

	clock_fake_init(&f, 1000, 1700000000000);
	assert_int_equal(loop_new(&f.clock, &loop, &e), 0);
	clock_fake_turn(&f, 500);
	assert_int_equal(loop_now(loop), 1500);
	assert_int_equal(loop_wall(loop), 1700000000500);
	loop_free(loop);
}

static void nothing_to_do_costs_nothing_and_ends_nothing(void **state _unused_)
{
	struct timespec before;
	struct timespec after;
	struct scene s;

	/* A loop without sources waits; and while it waits, it does not turn. */
	scene_open(&s);
	new_timer(&s, stop, &s.timer);
	loop_timer_set(s.timer, 300);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	run(&s);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_true((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec <
		    50000000L);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timers_run_in_order_of_their_time_and_once),
	    cmocka_unit_test(a_timer_set_again_or_stopped_forgets_the_first_time),
	    cmocka_unit_test(a_callback_may_free_its_own_source_and_another_that_is_due),
	    cmocka_unit_test(descriptors_are_watched_for_what_was_asked),
	    cmocka_unit_test(a_freed_descriptor_is_not_called_again),
	    cmocka_unit_test(signals_come_on_the_loop),
	    cmocka_unit_test(a_peer_that_is_gone_is_an_error_and_no_signal),
	    cmocka_unit_test(the_clock_is_the_one_that_was_given),
	    cmocka_unit_test(nothing_to_do_costs_nothing_and_ends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
