/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volumes of one pod, and which of them one process reads: while it reloads none of them is swapped (principle 5).
 */
#include "road/binding.h"

#include <string.h>

/* A name that is not there may be any: a container that could not be chosen, the container's first process. */
static bool may_be_same(const char *a, const char *b)
{
	return !a[0] || !b[0] || strcmp(a, b) == 0;
}

static bool same_process(const struct binding *a, const struct binding *b)
{
	return may_be_same(a->spec.container, b->spec.container) &&
	       may_be_same(a->spec.attributes.process, b->spec.attributes.process);
}

static struct siblings *find(const struct binding *b)
{
	struct siblings *s;

	LIST_FOREACH (s, &b->road->siblings, in_road)
		if (strcmp(s->pod_uid, b->spec.ref.pod_uid) == 0)
			return s;
	return NULL;
}

int siblings_join(struct binding *b, struct err *e)
{
	struct siblings *s = find(b);

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return err_sys(e, "pod %s", b->spec.pod_name);
		memcpy(s->pod_uid, b->spec.ref.pod_uid, sizeof(s->pod_uid));
		LIST_INIT(&s->bindings);
		LIST_INSERT_HEAD(&b->road->siblings, s, in_road);
	}
	LIST_INSERT_HEAD(&s->bindings, b, in_siblings);
	b->siblings = s;
	return 0;
}

/* The process goes on reading, also when its volume is not asked for any more. */
static void hand_over(struct siblings *s, const struct binding *b)
{
	struct binding *other;

	LIST_FOREACH (other, &s->bindings, in_siblings) {
		if (b->settle_until_ms <= other->settle_until_ms ||
		    b->settle_until_ms <= road_now(b->road) || !same_process(other, b))
			continue;
		other->signalled_ms = b->signalled_ms;
		other->settle_until_ms = b->settle_until_ms;
	}
}

void siblings_leave(struct binding *b)
{
	struct siblings *s = b->siblings;

	if (!s)
		return;
	LIST_REMOVE(b, in_siblings);
	hand_over(s, b);
	/* The hand goes on with what it was asked for, and nobody hears of its end. */
	if (b->call)
		s->swap_ends_ms = road_now(b->road) + LIMIT_MIN_INTERVAL_MS;
	b->siblings = NULL;
	if (!LIST_EMPTY(&s->bindings)) {
		reload_go_on(LIST_FIRST(&s->bindings));
		return;
	}
	LIST_REMOVE(s, in_road);
	free(s);
}

bool siblings_are_swapping(const struct binding *b)
{
	const struct binding *other;

	LIST_FOREACH (other, &b->siblings->bindings, in_siblings)
		if (other->call && same_process(other, b))
			return true;
	return false;
}

void siblings_signalled(struct binding *b)
{
	b->signalled_ms = road_now(b->road);
	b->settle_until_ms = b->signalled_ms + b->spec.attributes.settle_ms;
	b->record.signalled_wall_ms = clock_wall_ms(b->road->clock);
}

void siblings_recall(struct binding *b, bool intact)
{
	int64_t ago_ms = clock_wall_ms(b->road->clock) - b->record.signalled_wall_ms;
	bool owed = b->record.owed_signal && intact;

	/* What was seen in this life is known better: a proof may have ended it. */
	if (b->signalled_ms && !owed)
		return;
	/* One that is owed may have been sent, with nobody left to note it. A clock may have been set back. */
	if (owed || ago_ms < 0)
		ago_ms = 0;
	if (ago_ms >= b->spec.attributes.settle_ms)
		return;
	b->signalled_ms = road_now(b->road) - ago_ms;
	b->settle_until_ms = b->signalled_ms + b->spec.attributes.settle_ms;
}

/* The latest end of what the process does; each sibling's own is told by end_ms. */
static int64_t latest(const struct binding *b, int64_t (*end_ms)(const struct binding *other))
{
	const struct binding *other;
	int64_t ms = 0;

	LIST_FOREACH (other, &b->siblings->bindings, in_siblings) {
		int64_t end = same_process(other, b) ? end_ms(other) : 0;

		if (end > ms)
			ms = end;
	}
	return ms;
}

static int64_t settle_end(const struct binding *other)
{
	/* A signal that is due is sent first, and its window follows. */
	int64_t due_ms = reload_due_at(other);

	return due_ms > other->settle_until_ms ? due_ms : other->settle_until_ms;
}

int64_t siblings_swap_after(const struct binding *b)
{
	return b->has_record ? latest(b, settle_end) : 0;
}

/* A signal takes effect within the plain settle time; what a probe adds to it is time for a proof. */
static int64_t reload_end(const struct binding *other)
{
	int64_t settle_ms = other->spec.attributes.settle_ms;
	int64_t due_ms = reload_due_at(other);
	int64_t end_ms = 0;

	if (other->settle_until_ms)
		end_ms = other->signalled_ms +
			 (settle_ms < LIMIT_SETTLE_MS ? settle_ms : LIMIT_SETTLE_MS);
	return due_ms > end_ms ? due_ms : end_ms;
}

int64_t siblings_rollback_after(const struct binding *b)
{
	return latest(b, reload_end);
}

int64_t siblings_splay_until(const struct binding *b)
{
	const struct binding *other;

	LIST_FOREACH (other, &b->siblings->bindings, in_siblings)
		if (other->splay_until_ms > road_now(b->road) && same_process(other, b))
			return other->splay_until_ms;
	return 0;
}

/* A version that the window kept back goes on; splay and a no of the API server hold longer. */
static void go_on(struct binding *b)
{
	if (b->splay_done || b->denied || siblings_swap_after(b) > road_now(b->road))
		return;
	b->hold_until_ms = 0;
	binding_go_on(b);
}

void siblings_adopted(struct binding *b)
{
	struct binding *other;

	b->settle_until_ms = 0;
	LIST_FOREACH (other, &b->siblings->bindings, in_siblings)
		if (same_process(other, b))
			go_on(other);
}
