/* SPDX-License-Identifier: Apache-2.0 */
#include "command/quit.h"

#include "base/log.h"

#include <string.h>

#define LOOK_MS SECOND_MS /* processes are born and die without a word to their neighbours */
#define GONE_LOOKS 3      /* in a row without it: it was not just started again */

struct quit {
	struct loop *loop;
	struct delivery *delivery;
	struct quit_options options;
	struct quit_events events;
	void *arg;
	struct k8s_watch *watch;
	struct loop_timer *look;
	bool seen;     /* the process */
	unsigned gone; /* looks without it since */
};

/* ---- by the pod's status ---- */

static const struct json *named(const struct json *list, const char *name)
{
	for (size_t i = 0; i < json_length(list); i++) {
		const char *n = json_text(json_item(list, i), "name", NULL);

		if (n && strcmp(n, name) == 0)
			return json_item(list, i);
	}
	return NULL;
}

/* Terminated, and kubelet will not start it again. */
static bool has_ended(const struct json *pod, const char *container)
{
	const struct json *status =
	    named(json_at(pod, "status", "containerStatuses", NULL), container);
	const struct json *terminated = json_at(status, "state", "terminated", NULL);
	const char *policy = json_text(pod, "spec", "restartPolicy", NULL);

	if (!status || !terminated || !policy)
		return false;
	return strcmp(policy, "Never") == 0 ||
	       (strcmp(policy, "OnFailure") == 0 &&
		json_int(json_at(terminated, "exitCode", NULL), 1) == 0);
}

static void on_pod(void *arg, const struct json *pod, int64_t at_ms _unused_)
{
	struct quit *q = arg;
	struct err e;

	if (!named(json_at(pod, "spec", "containers", NULL), q->options.container)) {
		err_set(&e, ERR_NOT_FOUND, "--quit-with %s: the pod has no such container",
			q->options.container);
		q->events.on_blind(q->arg, &e);
	} else if (has_ended(pod, q->options.container)) {
		q->events.on_ended(q->arg);
	}
}

static void look_for_process(struct quit *q, const struct err *why);

static void on_pod_gone(void *arg, const struct json *pod _unused_)
{
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "there is no pod of that name; say --pod");
	look_for_process(arg, &e);
}

static void on_bad_pod(void *arg _unused_, const struct err *e)
{
	log_warn("pod.unreadable", L_ERR(e));
}

static void on_state(void *arg, const struct k8s_watch_state *state)
{
	if (state->denied)
		look_for_process(arg, state->e);
}

static int watch_pod(struct quit *q, struct err *e)
{
	static const struct k8s_watch_callbacks callbacks = {
	    .on_object = on_pod,
	    .on_gone = on_pod_gone,
	    .on_bad_object = on_bad_pod,
	    .on_state = on_state,
	};
	_cleanup_buf_ struct buf path;

	buf_init(&path, 1024);
	if (k8s_path(&path, e, "api", "v1", "namespaces", delivery_namespace(q->delivery), "pods",
		     NULL) < 0)
		return -1;
	return k8s_watch_object(delivery_client(q->delivery), buf_str(&path), q->options.pod,
				&callbacks, q, &q->watch, e);
}

/* ---- by the process namespace ---- */

static void on_found(void *arg, bool found, const struct err *e)
{
	struct quit *q = arg;

	if (e)
		log_warn("process.not_found", L_ERR(e));
	else if (found && !q->seen)
		log_info("quit.process_seen", L_STR(LOG_CONTAINER, q->options.container));
	q->seen = q->seen || found;
	q->gone = e || found ? 0 : q->gone + 1;
	if (q->seen && q->gone >= GONE_LOOKS)
		q->events.on_ended(q->arg);
	else
		loop_timer_set(q->look, LOOK_MS);
}

static void on_look(void *arg)
{
	struct quit *q = arg;
	struct err e;

	if (delivery_find(q->delivery, q->options.process, on_found, q, &e) < 0)
		on_found(q, false, &e);
}

/* The pod's status cannot be had, and why says so. */
static void look_for_process(struct quit *q, const struct err *why)
{
	struct err e;

	if (loop_timer_is_set(q->look))
		return;
	q->watch = k8s_watch_free(q->watch);
	if (!q->options.process) {
		err_set(&e, ERR_INVALID, "no --process says what to look for");
	} else if (q->options.not_shared->kind != ERR_NONE) {
		e = *q->options.not_shared;
	} else {
		log_info("quit.by_process", L_STR(LOG_CONTAINER, q->options.container), L_ERR(why));
		loop_timer_set(q->look, 0);
		return;
	}
	err_add(&e, "--quit-with %s: the pod's status cannot be had (%.200s), and",
		q->options.container, why->message);
	q->events.on_blind(q->arg, &e);
}

int quit_new(struct loop *loop, struct delivery *delivery, const struct quit_options *options,
	     const struct quit_events *events, void *arg, struct quit **ret, struct err *e)
{
	struct quit *q = calloc(1, sizeof(*q));

	if (!q)
		return err_sys(e, "--quit-with");
	q->loop = loop;
	q->delivery = delivery;
	q->options = *options;
	q->events = *events;
	q->arg = arg;
	if (loop_timer_new(loop, on_look, q, &q->look, e) < 0 || watch_pod(q, e) < 0) {
		quit_free(q);
		return -1;
	}
	*ret = q;
	return 0;
}

struct quit *quit_free(struct quit *q)
{
	if (!q)
		return NULL;
	q->watch = k8s_watch_free(q->watch);
	q->look = loop_timer_free(q->look);
	free(q);
	return NULL;
}
