/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"
#include "command/pod_options.h"
#include "command/print.h"
#include "command/wait_for.h"

#include <signal.h>

struct settings {
	struct pod_settings pod;
	const char *wait_for;
	int64_t timeout_ms;
};

static const struct option options[] = {
    POD_OPTIONS(struct settings),
    {.name = "wait-for",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, wait_for),
     .value = "DIR",
     .help = "Fetch nothing: wait until DIR/..data holds a pair that somebody else delivers"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .at = offsetof(struct settings, timeout_ms),
     .value = "DURATION",
     .otherwise = "5m",
     .max = LIMIT_DURATION_MS,
     .help = "How long to wait for the pair; 0: for ever"},
};

struct task {
	struct loop *loop;
	struct delivery *delivery;
	struct loop_timer *deadline;
	struct loop_signal *term, *interrupt;
	int code; /* -1: not decided yet */
	struct err e;
};

static void finish(struct task *t, int code)
{
	if (t->code < 0)
		t->code = code;
	loop_stop(t->loop);
}

static void on_delivered(void *arg)
{
	finish(arg, CODE_DONE);
}

static void on_lost(void *arg, const struct err *e)
{
	struct task *t = arg;

	t->e = *e;
	err_add(&t->e, "certhup-hand");
	finish(t, CODE_FAILURE);
}

static void on_deadline(void *arg)
{
	struct task *t = arg;
	struct delivery_state s = delivery_state(t->delivery);

	err_set(&t->e, ERR_TIMEOUT, "the time is over: %s", s.problem);
	if (s.code == CODE_NO_SECRET)
		err_tail(&t->e, "create it, or correct --secret and --namespace");
	finish(t, (int)s.code);
}

static void on_signal(void *arg, int signal)
{
	struct task *t = arg;
	struct delivery_state s = delivery_state(t->delivery);

	err_set(&t->e, ERR_CANCELLED, "stopped by signal %d before it came: %s", signal,
		s.problem);
	finish(t, CODE_FAILURE);
}

static int task_start(struct task *t, const struct settings *s, const struct attributes *a,
		      struct err *e)
{
	static const struct delivery_events events = {on_delivered, on_lost};

	t->code = -1;
	if (loop_new(clock_system(), &t->loop, e) < 0 ||
	    loop_signal_new(t->loop, SIGTERM, on_signal, t, &t->term, e) < 0 ||
	    loop_signal_new(t->loop, SIGINT, on_signal, t, &t->interrupt, e) < 0 ||
	    loop_timer_new(t->loop, on_deadline, t, &t->deadline, e) < 0 ||
	    pod_deliver(&s->pod, a, t->loop, &events, t, &t->delivery, e) < 0)
		return -1;
	if (s->timeout_ms)
		loop_timer_set(t->deadline, s->timeout_ms);
	return 0;
}

static void task_done(struct task *t)
{
	t->delivery = delivery_free(t->delivery);
	t->deadline = loop_timer_free(t->deadline);
	t->term = loop_signal_free(t->term);
	t->interrupt = loop_signal_free(t->interrupt);
	t->loop = loop_free(t->loop);
}

static int deliver(const struct settings *s, const struct attributes *a)
{
	_cleanup_(task_done) struct task t = {0};
	struct err e = {0};

	if (task_start(&t, s, a, &e) < 0 || loop_run(t.loop, &e) < 0)
		return pod_end(&s->pod, &e, CODE_FAILURE);
	return t.code == CODE_DONE ? CODE_DONE : pod_end(&s->pod, &t.e, t.code);
}

static int run(void *settings, const struct arguments *arguments _unused_)
{
	const struct attributes_defaults defaults = {.settle_ms = -1};
	const struct settings *s = settings;
	struct attributes a;
	struct err e = {0};
	int code;

	pod_log(&s->pod);
	if (s->wait_for) {
		code = wait_for(s->wait_for, s->timeout_ms, &e);
		return code == CODE_DONE ? code : pod_end(&s->pod, &e, code);
	}
	if (pod_attributes(&s->pod, &a, &e) < 0 || attributes_finish(&a, &defaults, &e) < 0)
		return complain(&e, CODE_USAGE);
	return deliver(s, &a);
}

const struct command command_init = {
    .name = "init",
    .summary = "Fetch a Secret's keypair into a directory of the pod, once, and end.",
    .about = "For an init container: it ends when the pair is there, so that the other containers "
	     "start with\nit. Readers open DIR/certhup/tls.crt. It needs the right to get and watch "
	     "the one Secret, and\nno privilege: a pod of Pod Security's restricted level will "
	     "do.\n\n"
	     "With --wait-for it needs no API: it holds the pod until the node agent has delivered "
	     "into DIR.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# In a pod, as its ServiceAccount\n"
		"certhup init --secret web-tls --dir /tls\n"
		"# One file with key and chain, which can be read without a race\n"
		"certhup init --secret web-tls --dir /tls --bundle credentials.pem\n"
		"# Wait for the volume that the node agent fills\n"
		"certhup init --wait-for /tls --timeout 2m\n",
    .exits = "0 1 2 4 5 6 124",
    .run = run,
    .settings_size = sizeof(struct settings),
};
