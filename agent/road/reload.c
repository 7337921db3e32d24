/* SPDX-License-Identifier: Apache-2.0 */
#include "road/binding.h"

#include "base/log.h"
#include "report/counts.h"

#include <signal.h>
#include <string.h>

#define RETRY_FIRST_MS SECOND_MS

static const char *action_label(int32_t signal)
{
	switch (signal) {
	case SIGHUP:
		return "signal:HUP";
	case SIGUSR1:
		return "signal:USR1";
	case SIGUSR2:
		return "signal:USR2";
	default:
		return "none";
	}
}

static void count_reload(const struct reload *l, const char *result)
{
	metric_add(&count_reloads, 1, M_LABELS(action_label(l->signal), result));
}

/* The longest wishes of the volumes that share the process. */
static int64_t min_interval(const struct reload *l)
{
	const struct binding *b;
	int64_t ms = LIMIT_MIN_INTERVAL_MS;

	LIST_FOREACH (b, &l->bindings, in_reload)
		if (b->spec.attributes.min_interval_ms > ms)
			ms = b->spec.attributes.min_interval_ms;
	return ms;
}

static struct binding *any_due(const struct reload *l)
{
	struct binding *b;

	LIST_FOREACH (b, &l->bindings, in_reload)
		if (b->signal_due)
			return b;
	return NULL;
}

static void on_signalled(void *arg, const struct hand_reply *reply, int memfd);

static int send_signal(struct reload *l, struct binding *b, struct err *e)
{
	struct hand_request rq = binding_process_request(b, HAND_SIGNAL);

	l->carrier = b;
	LIST_FOREACH (b, &l->bindings, in_reload)
		b->in_signal = b->signal_due;
	return l->road->ops->hand_send(l->road->arg, &rq, -1, on_signalled, l, &l->call, e);
}

static void run(struct reload *l)
{
	struct binding *b = any_due(l);
	int64_t now = road_now(l->road);
	int64_t due = l->last_ms < 0 ? now : l->last_ms + min_interval(l);
	struct err e;

	/* A process must not be told while another of its volumes is being swapped (principle 5). */
	if (!b || l->call || siblings_are_swapping(b) || !l->road->hand_up)
		return;
	if (l->failures)
		due = now + (RETRY_FIRST_MS << (l->failures - 1));
	if (!b->spec.container_id[0]) {
		/* It does not run: when it starts it reads what is there. */
		b->signal_due = false;
		binding_owes_nothing(b);
		run(l);
		return;
	}
	if (due < b->siblings->swap_ends_ms)
		due = b->siblings->swap_ends_ms;
	if (due > now) {
		l->road->ops->timer_set(l->timer, due - now);
		return;
	}
	if (send_signal(l, b, &e) < 0) {
		log_warn("signal.failed", L_STR(LOG_POD_UID, l->pod_uid), L_ERR(&e));
		l->road->ops->timer_set(l->timer, RETRY_FIRST_MS);
	}
}

static void on_timer(void *arg)
{
	struct reload *l = arg;
	unsigned failures = l->failures;

	/* The pause after a failure is over: this is the next try. */
	l->failures = 0;
	run(l);
	if (l->call)
		l->failures = failures;
}

static void sent(struct reload *l, const struct hand_reply *reply)
{
	struct binding *b;

	l->last_ms = road_now(l->road);
	l->failures = 0;
	LIST_FOREACH (b, &l->bindings, in_reload) {
		if (!b->in_signal)
			continue;
		b->signal_due = b->in_signal = false;
		siblings_signalled(b);
		/* One signal served all volumes: the hand has noted that for the one it was told of. */
		if (b == l->carrier)
			b->record.owed_signal = 0;
		else
			binding_mark(b, HAND_MARK_OWED_DONE | HAND_MARK_SIGNALLED);
		binding_set_state(b, BINDING_NOTIFIED);
		binding_event(b, EVENT_RELOAD_SENT, "Sent %s to process %d (%s) of container %s",
			      action_label(l->signal), reply->process.pid, reply->process.comm,
			      l->container);
		adoption_begin(b, b->spec.attributes.settle_ms);
	}
}

static const char *why_not_sent(enum signal_result r)
{
	switch (r) {
	case SIGNAL_NO_PROCESS:
		return "no process of the container matches; name it in process, as /proc/PID/comm "
		       "has it";
	case SIGNAL_AMBIGUOUS:
		return "several processes match; name one in process that is the parent of the "
		       "others";
	case SIGNAL_NO_HANDLER:
		return "the process has no handler for it and would die of it; use another signal, "
		       "or reload: none";
	case SIGNAL_DENIED:
		return "the kernel did not allow it; the hand needs CAP_KILL";
	case SIGNAL_SENT:
	case SIGNAL_STOPPED:
	case SIGNAL_GONE:
	case SIGNAL_RESULTS:
		break;
	}
	return "the process ended meanwhile";
}

/* What was due is told and given up; the state stays as it is. */
static void give_up(struct reload *l, const char *result, const char *why)
{
	struct binding *b;

	count_reload(l, result);
	l->failures = 0;
	LIST_FOREACH (b, &l->bindings, in_reload) {
		if (!b->in_signal)
			continue;
		b->signal_due = b->in_signal = false;
		binding_problem(b, "%s was not sent: %s", action_label(l->signal), why);
		binding_event(b, EVENT_RELOAD_FAILED, "%s was not sent to container %s: %s",
			      action_label(l->signal), l->container, why);
		adoption_begin(b, b->spec.attributes.settle_ms);
	}
}

static void on_signalled(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct reload *l = arg;
	enum signal_result result = (enum signal_result)reply->signal_result;

	l->call = NULL;
	if (reply->err.kind != ERR_NONE) {
		if (++l->failures > LIMIT_SIGNAL_RETRIES)
			give_up(l, "failed", reply->err.message);
	} else if (result == SIGNAL_SENT || result == SIGNAL_STOPPED) {
		count_reload(l, signal_result_label(result));
		sent(l, reply);
	} else {
		give_up(l, signal_result_label(result), why_not_sent(result));
	}
	l->carrier = NULL;
	run(l);
}

static struct reload *find(const struct binding *b)
{
	struct reload *l;

	LIST_FOREACH (l, &b->road->reloads, in_road)
		if (strcmp(l->pod_uid, b->spec.ref.pod_uid) == 0 &&
		    strcmp(l->container, b->spec.container) == 0 &&
		    strcmp(l->process, b->spec.attributes.process) == 0 &&
		    l->signal == b->spec.attributes.signal)
			return l;
	return NULL;
}

int reload_join(struct binding *b, struct err *e)
{
	struct reload *l;

	if (!b->spec.attributes.signal || !b->spec.container[0])
		return 0;
	l = find(b);
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return err_sys(e, "container %s", b->spec.container);
		l->road = b->road;
		l->last_ms = -1;
		l->signal = b->spec.attributes.signal;
		memcpy(l->pod_uid, b->spec.ref.pod_uid, sizeof(l->pod_uid));
		memcpy(l->container, b->spec.container, sizeof(l->container));
		memcpy(l->process, b->spec.attributes.process, sizeof(l->process));
		LIST_INIT(&l->bindings);
		if (b->road->ops->timer_new(b->road->arg, on_timer, l, &l->timer, e) < 0) {
			free(l);
			return -1;
		}
		LIST_INSERT_HEAD(&b->road->reloads, l, in_road);
	}
	LIST_INSERT_HEAD(&l->bindings, b, in_reload);
	b->reload = l;
	return 0;
}

void reload_leave(struct binding *b)
{
	struct reload *l = b->reload;

	if (!l)
		return;
	LIST_REMOVE(b, in_reload);
	b->reload = NULL;
	if (l->carrier == b)
		l->carrier = NULL;
	if (!LIST_EMPTY(&l->bindings)) {
		run(l);
		return;
	}
	if (l->call)
		l->road->ops->hand_cancel(l->call);
	l->road->ops->timer_free(l->timer);
	LIST_REMOVE(l, in_road);
	free(l);
}

void reload_due(struct binding *b)
{
	if (!b->reload) {
		adoption_begin(b, b->spec.attributes.settle_ms);
		return;
	}
	b->signal_due = true;
	b->in_signal = false;
	b->due_ms = road_now(b->road);
	run(b->reload);
	/* Nobody runs who could be signalled: it is looked at all the same. */
	if (!b->signal_due && !b->reload->call && b->state == BINDING_DELIVERED)
		adoption_begin(b, b->spec.attributes.settle_ms);
}

int64_t reload_due_at(const struct binding *b)
{
	const struct reload *l = b->reload;
	int64_t soon;
	int64_t due;

	if (!l || (!l->call && !b->signal_due))
		return 0;
	soon = road_now(l->road) + LIMIT_MIN_INTERVAL_MS;
	due = l->last_ms + min_interval(l);
	if (l->call || due <= soon)
		return soon;
	/* min-interval keeps the signal back, not the files: they wait no longer than for a reload. */
	return due < b->due_ms + b->spec.attributes.settle_ms
		   ? due
		   : b->due_ms + b->spec.attributes.settle_ms;
}

void reload_go_on(struct binding *b)
{
	struct binding *other;

	LIST_FOREACH (other, &b->siblings->bindings, in_siblings)
		if (other->reload)
			run(other->reload);
}
