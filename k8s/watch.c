/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/watch.h"

#include "k8s/watch_internal.h"

#include <string.h>

void watch_after(struct k8s_watch *w, int64_t after_ms, void (*due)(struct k8s_watch *w))
{
	w->due = due;
	loop_timer_set(w->timer, after_ms);
}

static void timer_due(void *arg)
{
	struct k8s_watch *w = arg;

	w->due(w);
}

int watch_init(struct k8s_watch *w, const struct watch_kind *kind, struct k8s_client *c,
	       const char *collection, const struct k8s_watch_callbacks *callbacks, struct err *e)
{
	w->kind = kind;
	w->client = c;
	w->callbacks = *callbacks;
	backoff_init(&w->backoff, c->times.backoff_ms, c->times.backoff_max_ms,
		     LIMIT_BACKOFF_RESET_MS);
	w->collection = strdup(collection);
	if (!w->collection)
		return err_sys(e, "watch %s", collection);
	return loop_timer_new(c->loop, timer_due, w, &w->timer, e);
}

void watch_done(struct k8s_watch *w)
{
	if (w->freed)
		*w->freed = true;
	stream_close(w);
	loop_timer_free(w->timer);
	free(w->collection);
}

struct k8s_watch *k8s_watch_free(struct k8s_watch *w)
{
	if (w)
		w->kind->free(w);
	return NULL;
}

void k8s_watch_timeout(struct k8s_client *c, int min_s, int max_s)
{
	c->watch_min_s = min_s;
	c->watch_max_s = max_s < min_s ? min_s : max_s;
}

/* While a callback runs: where it is noted that the watch was freed in it. */
struct pin {
	bool freed;
	bool *outer;
};

static void pin(struct k8s_watch *w, struct pin *p)
{
	p->freed = false;
	p->outer = w->freed;
	w->freed = &p->freed;
}

static bool unpin(struct k8s_watch *w, const struct pin *p)
{
	if (!p->freed)
		w->freed = p->outer;
	else if (p->outer)
		*p->outer = true;
	return !p->freed;
}

bool watch_tell_object(struct k8s_watch *w, const struct json *object, int64_t at_ms)
{
	struct pin p;

	pin(w, &p);
	w->callbacks.on_object(w->arg, object, at_ms);
	return unpin(w, &p);
}

bool watch_tell_gone(struct k8s_watch *w, const struct json *object)
{
	struct pin p;

	pin(w, &p);
	w->callbacks.on_gone(w->arg, object);
	return unpin(w, &p);
}

bool watch_tell_synced(struct k8s_watch *w)
{
	struct pin p;

	if (!w->callbacks.on_synced)
		return true;
	pin(w, &p);
	w->callbacks.on_synced(w->arg);
	return unpin(w, &p);
}

bool watch_tell_bad(struct k8s_watch *w, const struct err *e)
{
	struct pin p;

	if (!w->callbacks.on_bad_object)
		return true;
	pin(w, &p);
	w->callbacks.on_bad_object(w->arg, e);
	return unpin(w, &p);
}

static bool tell_state(struct k8s_watch *w, const struct k8s_watch_state *state)
{
	struct pin p;

	w->up = state->up;
	if (!w->callbacks.on_state)
		return true;
	pin(w, &p);
	w->callbacks.on_state(w->arg, state);
	return unpin(w, &p);
}

bool watch_tell_denied(struct k8s_watch *w, const struct err *e, int64_t retry_ms)
{
	const struct k8s_watch_state state = {.denied = true, .e = e, .retry_ms = retry_ms};

	return tell_state(w, &state);
}

bool watch_tell_up(struct k8s_watch *w)
{
	static const struct k8s_watch_state up = {.up = true};

	backoff_good(&w->backoff, loop_now(w->client->loop));
	return w->up || tell_state(w, &up);
}

void watch_retry(struct k8s_watch *w, const struct err *e, int code, int64_t retry_after_ms,
		 void (*due)(struct k8s_watch *w))
{
	struct k8s_watch_state state = {.denied = code == 401 || code == 403, .e = e};
	int64_t now = loop_now(w->client->loop);

	state.retry_ms = backoff_fail(&w->backoff, now, backoff_random());
	if (state.retry_ms < retry_after_ms)
		state.retry_ms =
		    retry_after_ms +
		    (int64_t)(backoff_random() % (uint32_t)(retry_after_ms / 4 + SECOND_MS));
	watch_after(w, state.retry_ms, due);
	(void)!tell_state(w, &state);
}

bool watch_may_hurry(struct k8s_watch *w, const struct stream_end *end)
{
	bool changed = false;
	struct err e;

	w->fresh = end->code == 401;
	switch (end->how) {
	case STREAM_DONE:
		return true;
	case STREAM_BROKEN:
		/* One that breaks again and again waits. */
		return loop_now(w->client->loop) - w->opened_ms >= SECOND_MS;
	case STREAM_REFUSED:
		return end->code == 401 &&
		       credential_refresh(&w->client->config->token, true, &changed, &e) == 0 &&
		       changed;
	case STREAM_SHORT:
	case STREAM_ERROR:
	case STREAM_SILENT:
	default:
		return false;
	}
}

void watch_open_again(struct k8s_watch *w, const struct stream_end *end,
		      void (*later)(struct k8s_watch *w))
{
	if (watch_may_hurry(w, end))
		stream_open(w);
	else
		watch_retry(w, &end->e, end->code, end->retry_after_ms, later);
}
