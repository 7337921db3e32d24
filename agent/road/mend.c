/* SPDX-License-Identifier: Apache-2.0 */
/* A volume that its pod may have changed is looked at, and written again where it was changed. */
#include "road/binding.h"

#include "base/log.h"
#include "report/counts.h"

#include <string.h>

static void on_verified(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct binding *b = arg;

	b->call = NULL;
	if (reply->err.kind == ERR_NONE && reply->has_record &&
	    strcmp(reply->record.generation, b->record.generation) != 0) {
		/* A publish that was under way when the annotation changed. */
		binding_adopt(b, &reply->record, reply->intact);
		reload_go_on(b);
		return;
	}
	if (reply->err.kind == ERR_NONE && !reply->intact) {
		metric_add(&count_repairs, 1, NULL);
		binding_event(b, EVENT_VOLUME_DAMAGED,
			      "The files of volume %s were changed in the pod; they are written "
			      "again. Mount the volume read-only.",
			      b->spec.ref.name);
		b->force = true;
		b->want = true;
	} else if (reply->err.kind == ERR_NONE && reply->mended) {
		metric_add(&count_repairs, 1, NULL);
	}
	reload_go_on(b);
	binding_go_on(b);
}

void binding_verify(struct binding *b)
{
	struct hand_request rq = binding_request(b, HAND_VERIFY);
	struct err e;

	b->verify_due = b->has_record;
	if (!b->has_record || b->call || !b->road->hand_up)
		return;
	if (b->road->ops->hand_send(b->road->arg, &rq, -1, on_verified, b, &b->call, &e) == 0)
		b->verify_due = false;
	else
		log_warn("volume.unverified", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(&e));
}

static void on_watch_again(void *arg)
{
	binding_watch_damage(arg);
}

/* The node's watches may be used up, or its volume be on its way out: there is no hurry. */
static void watch_later(struct binding *b, const struct err *why)
{
	const struct road_ops *ops = b->road->ops;
	int64_t now = road_now(b->road);
	struct err e;

	if (!b->watch_again) {
		log_warn("volume.unwatched", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(why));
		backoff_init(&b->watch_retry, LIMIT_BACKOFF_MIN_MS, LIMIT_WATCH_RETRY_MS, 0);
		if (ops->timer_new(b->road->arg, on_watch_again, b, &b->watch_again, &e) < 0)
			return;
	}
	ops->timer_set(b->watch_again,
		       backoff_fail(&b->watch_retry, now, ops->random(b->road->arg)));
}

/* What was done to it before it was watched is seen by a look now. */
static void on_watched(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct binding *b = arg;

	b->watching = NULL;
	if (reply->err.kind != ERR_NONE) {
		watch_later(b, &reply->err);
		return;
	}
	if (b->watch_again)
		b->watch_again = b->road->ops->timer_free(b->watch_again);
	binding_verify(b);
}

void binding_watch_damage(struct binding *b)
{
	struct hand_request rq = binding_request(b, HAND_WATCH);
	struct err e;

	if (b->watching)
		return;
	rq.watch.on = 1;
	if (b->road->ops->hand_send(b->road->arg, &rq, -1, on_watched, b, &b->watching, &e) < 0)
		watch_later(b, &e);
}

void binding_unwatch_damage(struct binding *b)
{
	const struct road_ops *ops = b->road->ops;

	if (b->watching)
		b->watching = ops->hand_cancel(b->watching);
	if (b->watch_again)
		b->watch_again = ops->timer_free(b->watch_again);
}
