/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/liveness.h"

#include "k8s/request.h"
#include "k8s/watch_internal.h"

static int64_t max_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When the first open stream will have been silent for too long; -1: there is none. */
static int64_t due_at(const struct k8s_client *c)
{
	const struct k8s_watch *w;
	int64_t first = -1;

	TAILQ_FOREACH (w, &c->streams, next) {
		int64_t heard;

		if (w->stream != STREAM_OPEN)
			continue;
		heard = max_of(transfer_last_byte(w->transfer), c->liveness_at);
		if (first < 0 || heard < first)
			first = heard;
	}
	return first < 0 ? -1 : first + c->times.silence_ms;
}

static void check_again(struct k8s_client *c)
{
	int64_t due = due_at(c);

	if (due >= 0)
		loop_timer_set(c->liveness, max_of(due - loop_now(c->loop), 0));
	else
		loop_timer_stop(c->liveness);
}

/* Each callback may free any watch, or open one again: the ones to drop are those that were open
 * when the GET was sent. */
static void drop_all(struct k8s_client *c)
{
	int64_t now = loop_now(c->loop);
	struct k8s_watch *w = TAILQ_FIRST(&c->streams);

	while (w) {
		if (w->stream == STREAM_OPEN && w->opened_ms <= now - c->times.liveness_ms) {
			stream_drop_silent(w);
			w = TAILQ_FIRST(&c->streams);
		} else {
			w = TAILQ_NEXT(w, next);
		}
	}
}

static void on_answer(void *arg, const struct k8s_answer *answer, const struct err *e _unused_)
{
	struct k8s_client *c = arg;

	c->liveness_request = k8s_request_free(c->liveness_request);
	if (answer->code)
		c->liveness_at = loop_now(c->loop);
	else
		drop_all(c);
	check_again(c);
}

void liveness_check(void *client)
{
	/* Answered to everybody who is known; and any status is an answer. */
	struct k8s_client *c = client;
	const struct k8s_call call = {
	    .verb = "GET", .path = "/version", .deadline_ms = c->times.liveness_ms, .retry = true};
	int64_t due = due_at(c);
	struct err e;

	if (due < 0 || due > loop_now(c->loop) || c->liveness_request) {
		if (!c->liveness_request)
			check_again(c);
		return;
	}
	if (request_start_urgent(c, &call, on_answer, c, &c->liveness_request, &e) < 0)
		loop_timer_set(c->liveness, c->times.liveness_ms);
}

void liveness_begin(struct k8s_client *c)
{
	if (!c->liveness_request && !loop_timer_is_set(c->liveness))
		check_again(c);
}
