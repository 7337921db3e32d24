/* SPDX-License-Identifier: Apache-2.0 */
#include "command/pod_task.h"

#include "base/log.h"

#include <signal.h>

void pod_task_finish(struct pod_task *t, int code, const struct err *e)
{
	if (t->code < 0) {
		t->code = code;
		if (e)
			t->e = *e;
	}
	loop_stop(t->loop);
}

static void on_delivered(void *arg)
{
	struct pod_task *t = arg;

	t->delivered = true;
	loop_timer_stop(t->deadline);
	if (!t->stay)
		pod_task_finish(t, CODE_DONE, NULL);
}

static void on_lost(void *arg, const struct err *e)
{
	pod_task_finish(arg, CODE_FAILURE, e);
}

static void on_deadline(void *arg)
{
	struct pod_task *t = arg;
	struct delivery_state s = delivery_state(t->delivery);
	struct err e;

	err_set(&e, ERR_TIMEOUT, "the time is over: %s", s.problem);
	if (s.code == CODE_NO_SECRET)
		err_tail(&e, "create it, or correct --secret and --namespace");
	pod_task_finish(t, (int)s.code, &e);
}

/* So that an absent Secret and a silent server end differently, however short the time is. */
static void on_last_chance(void *arg)
{
	struct pod_task *t = arg;

	delivery_ask(t->delivery);
}

static int64_t last_chance_ms(int64_t timeout_ms)
{
	return timeout_ms < 2 * LIMIT_WATCH_FIRST_EVENT_MS
		   ? timeout_ms / 2
		   : timeout_ms - LIMIT_WATCH_FIRST_EVENT_MS;
}

static void on_signal(void *arg, int signal)
{
	struct pod_task *t = arg;
	struct delivery_state s;
	struct err e;

	if (t->stay) {
		log_info("sidecar.stopped", L_INT(LOG_SIGNAL, signal));
		pod_task_finish(t, CODE_DONE, NULL);
		return;
	}
	s = delivery_state(t->delivery);
	err_set(&e, ERR_CANCELLED, "stopped by signal %d before the pair came: %s", signal,
		s.problem);
	pod_task_finish(t, CODE_FAILURE, &e);
}

int pod_task_start(struct pod_task *t, const struct pod_settings *s,
		   const struct attributes *attributes, int64_t timeout_ms, struct err *e)
{
	const struct delivery_events events = {on_delivered, on_lost, t};

	t->code = -1;
	if (loop_new(clock_system(), &t->loop, e) < 0 ||
	    loop_signal_new(t->loop, SIGTERM, on_signal, t, &t->term, e) < 0 ||
	    loop_signal_new(t->loop, SIGINT, on_signal, t, &t->interrupt, e) < 0 ||
	    loop_timer_new(t->loop, on_deadline, t, &t->deadline, e) < 0 ||
	    loop_timer_new(t->loop, on_last_chance, t, &t->last_chance, e) < 0 ||
	    pod_deliver(s, attributes, t->loop, &events, &t->delivery, e) < 0)
		return -1;
	if (timeout_ms) {
		loop_timer_set(t->deadline, timeout_ms);
		loop_timer_set(t->last_chance, last_chance_ms(timeout_ms));
	}
	return 0;
}

void pod_task_done(struct pod_task *t)
{
	t->delivery = delivery_free(t->delivery);
	t->deadline = loop_timer_free(t->deadline);
	t->last_chance = loop_timer_free(t->last_chance);
	t->term = loop_signal_free(t->term);
	t->interrupt = loop_signal_free(t->interrupt);
	t->loop = loop_free(t->loop);
}

int pod_task_run(struct pod_task *t, const struct pod_settings *s)
{
	if (loop_run(t->loop, &t->e) < 0)
		t->code = CODE_FAILURE;
	return t->code == CODE_DONE ? CODE_DONE : pod_end(s, &t->e, t->code);
}
