/* SPDX-License-Identifier: Apache-2.0 */
#include "road/binding.h"

#include "base/log.h"

#include <string.h>

static void adopt_again(void *arg)
{
	road_hand_up(arg);
}

int road_new(const struct road_options *options, struct road **ret, struct err *e)
{
	struct road *r = calloc(1, sizeof(*r));

	if (!r)
		return err_sys(e, "make the road");
	r->ops = options->ops;
	r->arg = options->ops_arg;
	r->clock = options->clock;
	r->gate = options->gate;
	LIST_INIT(&r->bindings);
	LIST_INIT(&r->supplies);
	LIST_INIT(&r->siblings);
	LIST_INIT(&r->reloads);
	LIST_INIT(&r->probing);
	LIST_INIT(&r->rights);
	LIST_INIT(&r->orphans);
	if (r->ops->timer_new(r->arg, adopt_again, r, &r->adopt_again, e) < 0) {
		free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

struct road *road_free(struct road *r)
{
	if (!r)
		return NULL;
	while (!LIST_EMPTY(&r->bindings))
		binding_free(LIST_FIRST(&r->bindings));
	right_forget(r);
	while (!LIST_EMPTY(&r->orphans))
		orphan_free(LIST_FIRST(&r->orphans));
	if (r->adopting)
		r->ops->hand_cancel(r->adopting);
	r->ops->timer_free(r->adopt_again);
	free(r);
	return NULL;
}

size_t road_count(const struct road *r)
{
	return r->count;
}

static struct binding *find(struct road *r, const struct volume_ref *ref)
{
	struct binding *b;

	LIST_FOREACH (b, &r->bindings, in_road)
		if (volume_ref_equal(&b->spec.ref, ref))
			return b;
	return NULL;
}

/* The pod is gone: its record goes too. Its files went with kubelet's volume, or stay (principle 12). */
static void retire(struct road *r, const struct volume_ref *ref)
{
	struct hand_request rq = {.op = HAND_RETIRE, .volume = *ref};
	struct err e;

	/* Also while the hand lists its records: this one may be told already. */
	if ((r->hand_up || r->adopting) &&
	    r->ops->hand_send(r->arg, &rq, -1, binding_ignore, NULL, NULL, &e) < 0)
		log_warn("volume.not_retired", L_STR(LOG_POD_UID, ref->pod_uid),
			 L_STR(LOG_VOLUME, ref->name), L_ERR(&e));
}

/* What the hand said of this volume, if it has said it already. */
static void claim(struct road *r, struct binding *b)
{
	struct orphan *o = orphan_find(r, &b->spec.ref);

	/* While it lists its records, one that has not come may come. */
	if (r->hand_up || (r->adopting && o && o->record.generation[0]))
		binding_adopt(b, o && o->record.generation[0] ? &o->record : NULL, o && o->intact);
	/* A publish may have been under way when its pod asked for something else. */
	if (o && o->kept)
		binding_verify(b);
	if (o)
		orphan_free(o);
}

/*
 * The pod is there, but does not ask for this volume, or asks for something else. Its files stay, so its record does: they
 * count in the budget, and what is not to be published again is known when the volume is asked for again.
 */
static struct binding *let_go(struct binding *b)
{
	struct road *r = b->road;
	bool known = b->has_record || b->call;
	struct record record = b->record;

	/* Where the first publish is under way, nothing is known but that there will be a record. */
	record.ref = b->spec.ref;
	b = binding_free(b);
	if (known)
		orphan_keep(r, &record, true, true);
	return b;
}

static void add(struct road *r, const struct binding_spec *spec)
{
	struct binding *b;
	struct err e;

	if (r->count == LIMIT_BINDINGS)
		err_set(&e, ERR_EXHAUSTED, "more than %d volumes on one node", LIMIT_BINDINGS);
	else if (binding_new(r, spec, &b, &e) == 0) {
		b->seen = true;
		claim(r, b);
		return;
	}
	log_error("binding.failed", L_STR(LOG_NAMESPACE, spec->pod_namespace),
		  L_STR(LOG_POD, spec->pod_name), L_STR(LOG_VOLUME, spec->ref.name), L_ERR(&e));
}

/* The same volume, but another wish: the annotation was changed all the same. */
static bool same_wish(const struct binding_spec *a, const struct binding_spec *b)
{
	return a->wish == b->wish && volume_owner_equal(&a->owner, &b->owner) &&
	       strcmp(a->container, b->container) == 0;
}

static void watch_no_more(const struct binding *b)
{
	struct hand_request rq = binding_request(b, HAND_WATCH);
	struct err e;

	if (b->road->hand_up &&
	    b->road->ops->hand_send(b->road->arg, &rq, -1, binding_ignore, NULL, NULL, &e) < 0)
		log_debug("volume.watched", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(&e));
}

void road_set_pod(struct road *r, const char *pod_uid, const struct binding_spec *specs,
		  size_t count)
{
	struct binding *next;
	struct binding *b;

	LIST_FOREACH (b, &r->bindings, in_road)
		b->seen = false;
	for (size_t i = 0; i < count; i++) {
		b = find(r, &specs[i].ref);
		if (b && !same_wish(&b->spec, &specs[i]))
			b = let_go(b);
		if (b) {
			b->seen = true;
			binding_update(b, &specs[i]);
		} else {
			add(r, &specs[i]);
		}
	}
	for (b = LIST_FIRST(&r->bindings); b; b = next) {
		next = LIST_NEXT(b, in_road);
		if (!b->seen && strcmp(b->spec.ref.pod_uid, pod_uid) == 0) {
			watch_no_more(b);
			let_go(b);
		}
	}
}

void road_pod_gone(struct road *r, const char *pod_uid)
{
	struct binding *next;
	struct binding *b;

	for (b = LIST_FIRST(&r->bindings); b; b = next) {
		next = LIST_NEXT(b, in_road);
		if (strcmp(b->spec.ref.pod_uid, pod_uid) != 0)
			continue;
		retire(r, &b->spec.ref);
		binding_free(b);
	}
	for (struct orphan *o = LIST_FIRST(&r->orphans), *next_orphan; o; o = next_orphan) {
		next_orphan = LIST_NEXT(o, in_road);
		if (strcmp(o->record.ref.pod_uid, pod_uid) != 0)
			continue;
		retire(r, &o->record.ref);
		orphan_free(o);
	}
}

static void retire_orphans(struct road *r)
{
	const struct orphan *o;

	LIST_FOREACH (o, &r->orphans, in_road)
		if (!o->kept)
			retire(r, &o->record.ref);
	orphans_forget(r);
}

void road_pods_synced(struct road *r)
{
	r->pods_synced = true;
	if (r->hand_up)
		retire_orphans(r);
}

static void all_adopted(struct road *r)
{
	struct binding *b;

	r->adopting = NULL;
	r->hand_up = true;
	if (r->pods_synced)
		retire_orphans(r);
	LIST_FOREACH (b, &r->bindings, in_road)
		if (!b->adopted_record)
			binding_adopt(b, NULL, false);
	LIST_FOREACH (b, &r->bindings, in_road) {
		binding_go_on(b);
		reload_go_on(b);
	}
}

static void adopt_later(struct road *r)
{
	r->ops->timer_set(r->adopt_again, LIMIT_HAND_CONNECT_MAX_MS);
}

static void on_adopt(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct road *r = arg;
	struct binding *b;

	if (reply->err.kind != ERR_NONE && !reply->has_record) {
		log_warn("hand.not_adopted", L_ERR(&reply->err));
		if (reply->last) {
			r->adopting = NULL;
			adopt_later(r);
		}
		return;
	}
	if (reply->has_record) {
		b = find(r, &reply->record.ref);
		if (b)
			binding_adopt(b, &reply->record, reply->intact);
		else
			orphan_keep(r, &reply->record, reply->intact, false);
	}
	if (reply->last)
		all_adopted(r);
}

void road_hand_up(struct road *r)
{
	struct hand_request rq = {.op = HAND_ADOPT};
	struct err e;

	orphans_forget(r);
	if (r->ops->hand_send(r->arg, &rq, -1, on_adopt, r, &r->adopting, &e) < 0) {
		log_error("hand.not_adopted", L_ERR(&e));
		adopt_later(r);
	}
}

void road_hand_lost(struct road *r)
{
	struct binding *b;

	r->hand_up = false;
	r->adopting = NULL;
	r->ops->timer_stop(r->adopt_again);
	orphans_forget(r);
	LIST_FOREACH (b, &r->bindings, in_road)
		b->adopted_record = false;
}

void road_damaged(struct road *r, const struct volume_ref *ref)
{
	struct binding *b = find(r, ref);

	if (b)
		binding_verify(b);
}

/* What happens next, in words, and when. */
static const char *next_step(const struct binding *b, int64_t *ret_ms)
{
	int64_t now = road_now(b->road);

	*ret_ms = -1;
	if (!b->road->hand_up)
		return "waits for the hand";
	if (b->call)
		return "writes the files";
	if (b->right)
		return "asks whether the pod may get the Secret";
	if (b->want && b->hold_until_ms > now) {
		*ret_ms = b->hold_until_ms - now;
		return "reads the Secret again";
	}
	if (b->signal_due)
		return "signals the process";
	if (b->probe_at_ms >= 0) {
		*ret_ms = b->probe_at_ms > now ? b->probe_at_ms - now : 0;
		return "probes the port";
	}
	return b->has_record ? "waits for the Secret to change" : "waits for the Secret";
}

void road_each(struct road *r, void (*on_binding)(void *arg, const struct binding_view *view),
	       void *arg)
{
	int64_t wall = clock_wall_ms(r->clock);
	const struct binding *b;

	LIST_FOREACH (b, &r->bindings, in_road) {
		struct binding_view view = {
		    .spec = &b->spec,
		    .record = b->has_record ? &b->record : NULL,
		    .state = b->state,
		    .since_wall_ms = wall - (road_now(r) - b->since_ms),
		    .problem = b->problem[0] ? b->problem : b->supply->trouble,
		    .served_not_after_s = b->served_not_after_s,
		};

		view.next = next_step(b, &view.next_ms);
		on_binding(arg, &view);
	}
}
