/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/world_internal.h"

#include <stdlib.h>

struct loop_timer {
	TAILQ_ENTRY(loop_timer) next;
	struct world *world;
	void (*on_due)(void *arg);
	void *arg;
	int64_t due_ms; /* -1: not set */
};

struct world_job *world_job_new(struct world *w, void *arg)
{
	struct world_job *j = calloc(1, sizeof(*j));

	if (!j)
		abort();
	j->world = w;
	j->arg = arg;
	j->due_ms = w->clock.mono_ms;
	TAILQ_INSERT_TAIL(&w->jobs, j, next);
	return j;
}

void *world_job_cancel(struct world_job *j)
{
	if (!j)
		return NULL;
	if (j->running) {
		j->cancelled = true;
		return NULL;
	}
	TAILQ_REMOVE(&j->world->jobs, j, next);
	free(j);
	return NULL;
}

int world_timer_new(void *arg, void (*on_due)(void *due_arg), void *due_arg,
		    struct loop_timer **ret, struct err *e _unused_)
{
	struct world *w = arg;
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	*t = (struct loop_timer){.world = w, .on_due = on_due, .arg = due_arg, .due_ms = -1};
	TAILQ_INSERT_TAIL(&w->timers, t, next);
	*ret = t;
	return 0;
}

void world_timer_set(struct loop_timer *t, int64_t after_ms)
{
	t->due_ms = t->world->clock.mono_ms + (after_ms > 0 ? after_ms : 0);
}

void world_timer_stop(struct loop_timer *t)
{
	t->due_ms = -1;
}

struct loop_timer *world_timer_free(struct loop_timer *t)
{
	TAILQ_REMOVE(&t->world->timers, t, next);
	free(t);
	return NULL;
}

static void answer(struct world *w, struct world_job *j)
{
	j->running = true;
	if (j->kind == JOB_HAND) {
		world_hand_answer(w, j);
	} else if (j->kind == JOB_REVIEW) {
		w->reviews++;
		j->review_done(j->arg, !w->deny && !w->refuse_reviews.kind,
			       w->refuse_reviews.kind ? &w->refuse_reviews : NULL);
	} else {
		j->probe_done(j->arg, &j->seen);
	}
	if (j->more && !j->cancelled) {
		j->running = false;
		TAILQ_INSERT_TAIL(&w->jobs, j, next);
		return;
	}
	/* The hand's calls end with their answer; the others are the asker's to cancel, in the callback or later. */
	if (j->kind == JOB_HAND || j->cancelled)
		free(j);
}

/* One thing that is due now; false: nothing is. */
static bool step(struct world *w)
{
	struct world_secret *s;
	struct loop_timer *t;
	struct world_job *j;

	TAILQ_FOREACH (j, &w->jobs, next)
		if (j->due_ms <= w->clock.mono_ms) {
			TAILQ_REMOVE(&w->jobs, j, next);
			answer(w, j);
			return true;
		}
	LIST_FOREACH (s, &w->secrets, next)
		if (s->watched && s->read_again) {
			world_secret_tell(w, s);
			return true;
		}
	TAILQ_FOREACH (t, &w->timers, next)
		if (t->due_ms >= 0 && t->due_ms <= w->clock.mono_ms) {
			t->due_ms = -1;
			t->on_due(t->arg);
			return true;
		}
	return false;
}

void world_settle(struct world *w)
{
	for (unsigned n = 0; step(w); n++)
		world_must(n < 1000000, "the world does not come to rest");
}

static int64_t next_due(const struct world *w, int64_t until_ms)
{
	const struct loop_timer *t;
	const struct world_job *j;

	TAILQ_FOREACH (t, &w->timers, next)
		if (t->due_ms >= 0 && t->due_ms < until_ms)
			until_ms = t->due_ms;
	TAILQ_FOREACH (j, &w->jobs, next)
		if (j->due_ms < until_ms)
			until_ms = j->due_ms;
	return until_ms;
}

void world_turn(struct world *w, int64_t ms)
{
	int64_t end = w->clock.mono_ms + ms;

	world_settle(w);
	while (w->clock.mono_ms < end) {
		clock_fake_turn(&w->clock, next_due(w, end) - w->clock.mono_ms);
		world_settle(w);
	}
}
