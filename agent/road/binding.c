/* SPDX-License-Identifier: Apache-2.0 */
#include "road/binding.h"

#include "base/log.h"
#include "report/counts.h"

#include <stdarg.h>
#include <string.h>

static const char *const states[BINDING_STATES] = {
    [BINDING_WAITING] = "waiting",
    [BINDING_DELIVERED] = "delivered",
    [BINDING_NOTIFIED] = "notified",
    [BINDING_ADOPTED] = "adopted",
    [BINDING_STALE] = "stale",
    [BINDING_BROKEN] = "broken",
    [BINDING_UNCONFIRMED] = "unconfirmed",
};

const char *binding_state_label(enum binding_state s)
{
	return (unsigned)s < BINDING_STATES ? states[s] : "unknown";
}

struct hand_request binding_request(const struct binding *b, enum hand_op op)
{
	return (struct hand_request){.op = op, .volume = b->spec.ref};
}

void binding_ignore(void *arg _unused_, const struct hand_reply *reply _unused_, int memfd _unused_)
{
}

void binding_mark(struct binding *b, uint32_t marks)
{
	struct hand_request rq = binding_request(b, HAND_MARK);
	struct err e;

	rq.mark = marks;
	if (marks & HAND_MARK_OWED_DONE)
		b->record.owed_signal = 0;
	if (marks & HAND_MARK_QUARANTINE_LIFT)
		b->record.quarantine_rv[0] = '\0';
	if (b->road->ops->hand_send(b->road->arg, &rq, -1, binding_ignore, NULL, NULL, &e) < 0)
		log_warn("volume.unmarked", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(&e));
}

void binding_owes_nothing(struct binding *b)
{
	if (b->record.owed_signal)
		binding_mark(b, HAND_MARK_OWED_DONE);
}

struct hand_request binding_process_request(const struct binding *b, enum hand_op op)
{
	struct hand_request rq = binding_request(b, op);
	struct process_query *q = &rq.process.query;

	memcpy(q->pod_uid, b->spec.ref.pod_uid, sizeof(q->pod_uid));
	memcpy(q->container_id, b->spec.container_id, sizeof(q->container_id));
	memcpy(q->comm, b->spec.attributes.process, sizeof(q->comm));
	rq.process.signal = b->spec.attributes.signal;
	return rq;
}

void binding_find_process(struct binding *b, hand_done_fn done)
{
	struct hand_request rq = binding_process_request(b, HAND_FIND);
	struct err e;

	if (b->find || !b->reload || !b->spec.container_id[0])
		return;
	if (b->road->ops->hand_send(b->road->arg, &rq, -1, done, b, &b->find, &e) < 0)
		log_debug("process.unknown", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(&e));
}

int32_t binding_owes(const struct binding *b)
{
	return b->reload && b->spec.container_id[0] ? b->spec.attributes.signal : 0;
}

bool binding_problem(struct binding *b, const char *fmt, ...)
{
	char text[PROBLEM_SIZE];
	va_list ap;
	bool fresh;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fresh = strcmp(text, b->problem) != 0;
	memcpy(b->problem, text, sizeof(text));
	return fresh;
}

void binding_event(const struct binding *b, enum event_reason reason, const char *fmt, ...)
{
	const struct event_object about = {.namespace_ = b->spec.pod_namespace,
					   .name = b->spec.pod_name,
					   .uid = b->spec.ref.pod_uid};
	char note[LIMIT_EVENT_NOTE + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(note, sizeof(note), fmt, ap);
	va_end(ap);
	b->road->ops->event(b->road->arg, &about, reason, note);
}

/* A binding that is probed has one series while it is not adopted. */
static void unadopted_metric(const struct binding *b, enum binding_state s, bool on)
{
	const char *const labels[METRIC_LABELS] = {b->spec.pod_namespace, b->spec.pod_name,
						   b->spec.ref.name, states[s]};

	if (!b->spec.attributes.probe_port || s == BINDING_ADOPTED || s == BINDING_WAITING)
		return;
	if (on)
		metric_set(&count_unadopted, 1, labels);
	else
		metric_remove(&count_unadopted, labels);
}

void binding_set_state(struct binding *b, enum binding_state state)
{
	if (state == b->state)
		return;
	log_debug("binding.state", L_STR(LOG_NAMESPACE, b->spec.pod_namespace),
		  L_STR(LOG_POD, b->spec.pod_name), L_STR(LOG_VOLUME, b->spec.ref.name),
		  L_STR(LOG_STATE, states[state]));
	unadopted_metric(b, b->state, false);
	metric_add(&count_bindings, -1, M_LABELS(states[b->state]));
	b->state = state;
	b->since_ms = road_now(b->road);
	metric_add(&count_bindings, 1, M_LABELS(states[state]));
	unadopted_metric(b, state, true);
}

static void on_timer(void *arg)
{
	binding_go_on(arg);
}

static void tell_spec(const struct binding *b)
{
	if (b->spec.world_readable)
		binding_event(b, EVENT_WORLD_READABLE,
			      "Volume %s: the pod names no fsGroup and no one runAsUser, so every "
			      "user of the pod may read the "
			      "files (0444). Set securityContext.fsGroup, or mode and owner in "
			      "certhup.io/volumes.",
			      b->spec.ref.name);
}

int binding_new(struct road *r, const struct binding_spec *spec, struct binding **ret,
		struct err *e)
{
	struct binding *b = calloc(1, sizeof(*b));
	struct supply *s;

	if (!b)
		return err_sys(e, "volume %s", spec->ref.name);
	b->road = r;
	b->spec = *spec;
	b->news_ms = -1;
	b->evidence.at_ms = -1;
	b->before.at_ms = -1;
	b->probe_at_ms = -1;
	b->since_ms = road_now(r);
	backoff_init(&b->retry, LIMIT_HAND_CONNECT_MIN_MS, LIMIT_BACKOFF_MAX_MS, 0);
	LIST_INSERT_HEAD(&r->bindings, b, in_road);
	r->count++;
	metric_add(&count_bindings, 1, M_LABELS(states[b->state]));
	if (r->ops->timer_new(r->arg, on_timer, b, &b->timer, e) < 0 || siblings_join(b, e) < 0 ||
	    reload_join(b, e) < 0 ||
	    supply_get(r, spec->pod_namespace, spec->attributes.secret, &s, e) < 0) {
		binding_free(b);
		return -1;
	}
	supply_join(s, b);
	tell_spec(b);
	*ret = b;
	return 0;
}

struct binding *binding_free(struct binding *b)
{
	const struct road_ops *ops = b->road->ops;

	right_leave(b);
	adoption_stop(b);
	reload_leave(b);
	siblings_leave(b);
	supply_leave(b);
	if (b->call)
		ops->hand_cancel(b->call);
	binding_unwatch_damage(b);
	if (b->timer)
		ops->timer_free(b->timer);
	unadopted_metric(b, b->state, false);
	metric_add(&count_bindings, -1, M_LABELS(states[b->state]));
	LIST_REMOVE(b, in_road);
	b->road->count--;
	free(b);
	return NULL;
}

void binding_update(struct binding *b, const struct binding_spec *spec)
{
	/* Where no container was chosen, nothing but running tells that one began. */
	bool restarted =
	    (spec->container_id[0] && strcmp(spec->container_id, b->spec.container_id) != 0) ||
	    (spec->running && !b->spec.running);

	memcpy(b->spec.address, spec->address, sizeof(b->spec.address));
	memcpy(b->spec.other_address, spec->other_address, sizeof(b->spec.other_address));
	memcpy(b->spec.container_id, spec->container_id, sizeof(b->spec.container_id));
	b->spec.running = spec->running;
	if (b->has_record && restarted && b->state != BINDING_WAITING) {
		/* A new process reads what is there now. */
		binding_set_state(b, BINDING_DELIVERED);
		adoption_begin(b, b->spec.attributes.settle_ms);
	}
	if (b->has_record)
		return;
	/* The pod moved on: its volume may be there now. */
	b->hold_until_ms = 0;
	backoff_init(&b->retry, LIMIT_HAND_CONNECT_MIN_MS, LIMIT_BACKOFF_MAX_MS, 0);
	binding_go_on(b);
}

void binding_resume(struct binding *b)
{
	if (b->spec.attributes.probe_port)
		/* A signal that is owed is not sent when the new leaf is served already. */
		adoption_begin(
		    b, b->record.owed_signal && b->reload ? 0 : b->spec.attributes.settle_ms);
	else if (b->record.owed_signal)
		reload_due(b);
}

void binding_adopt(struct binding *b, const struct record *record, bool intact)
{
	b->adopted_record = true;
	/* What was owed to the process is what the record says. */
	b->signal_due = false;
	if (!record) {
		/* The hand knows nothing of what it wrote: it is written anew. */
		b->want = b->want || b->has_record;
		b->has_record = false;
		binding_go_on(b);
		return;
	}
	b->record = *record;
	b->has_record = true;
	siblings_recall(b, intact);
	binding_set_state(b, BINDING_DELIVERED);
	supply_note(b->supply, record);
	supply_count_volumes(b->supply);
	binding_watch_damage(b);
	if (!intact || !volume_owner_equal(&record->owner, &b->spec.owner)) {
		b->force = true;
		b->want = true;
	} else {
		binding_resume(b);
	}
	binding_go_on(b);
}
