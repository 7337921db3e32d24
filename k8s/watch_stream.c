/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/liveness.h"
#include "k8s/metrics.h"
#include "k8s/status.h"
#include "k8s/watch_internal.h"

#include <string.h>

#define SHORT_MS SECOND_MS /* a watch that ends sooner and says nothing is no watch */

static void open_next(struct k8s_client *c);

/* Takes the watch out of whatever it waits for or holds. */
void stream_close(struct k8s_watch *w)
{
	struct k8s_client *c = w->client;
	bool was_opening = w->stream == STREAM_OPENING;

	if (w->stream == STREAM_QUEUED)
		TAILQ_REMOVE(&c->queue_of_watches, w, next);
	else if (w->stream != STREAM_NONE)
		TAILQ_REMOVE(&c->streams, w, next);
	w->stream = STREAM_NONE;
	w->transfer = transfer_free(w->transfer);
	if (was_opening) {
		c->opening--;
		open_next(c);
	}
}

static const char *reason_of(const struct stream_end *end)
{
	if (end->how == STREAM_DONE)
		return "end";
	if (end->how == STREAM_SILENT)
		return "silent";
	return err_meaning(end->e.kind)->label;
}

static void end_stream(struct k8s_watch *w, const struct stream_end *end)
{
	stream_close(w);
	metric_add(&metric_restarts, 1, M_LABELS(reason_of(end)));
	w->kind->on_end(w, end);
}

void stream_drop_silent(struct k8s_watch *w)
{
	struct stream_end end = {.how = STREAM_SILENT, .retry_after_ms = -1};

	err_set(&end.e, ERR_TIMEOUT, "%s: silent, and a GET had no answer in %d s either",
		w->client->config->server, (int)(w->client->times.liveness_ms / SECOND_MS));
	end_stream(w, &end);
}

/* No headers in time. */
static void opening_is_late(struct k8s_watch *w)
{
	struct stream_end end = {.how = STREAM_REFUSED, .retry_after_ms = -1};

	err_set(&end.e, ERR_TIMEOUT, "%s did not answer in time", w->client->config->server);
	end_stream(w, &end);
}

static void on_status(void *arg, int code)
{
	struct k8s_watch *w = arg;
	struct k8s_client *c = w->client;

	client_count(c, "WATCH", code);
	if (code != 200)
		return;
	w->stream = STREAM_OPEN;
	w->opened_ms = loop_now(c->loop);
	w->fresh = false;
	loop_timer_stop(w->timer);
	c->opening--;
	open_next(c);
	liveness_begin(c);
	w->kind->on_open(w);
}

static void error_event(struct k8s_watch *w, const struct json *status)
{
	struct stream_end end = {.how = STREAM_ERROR, .retry_after_ms = -1};
	int64_t s = json_int(json_at(status, "details", "retryAfterSeconds", NULL), -1);

	end.code = (int)json_int(json_at(status, "code", NULL), 500);
	end.too_large_rv = status_is_too_large_rv(end.code, status);
	if (s >= 0 && s <= LIMIT_RETRY_AFTER_MS / SECOND_MS)
		end.retry_after_ms = s * SECOND_MS;
	status_of_object(end.code, status, &end.e);
	end_stream(w, &end);
}

static void on_value(void *arg, const struct json *value, int64_t at_ms)
{
	struct k8s_watch *w = arg;
	const char *type = json_text(value, "type", NULL);
	const struct json *object = json_at(value, "object", NULL);
	struct err e;

	if (!type || json_type(object) != JSON_OBJECT) {
		err_set(&e, ERR_INVALID, "a watch event without type or object");
		(void)!watch_tell_bad(w, &e);
		return;
	}
	if (strcmp(type, "ERROR") == 0) {
		error_event(w, object);
		return;
	}
	w->events++;
	w->kind->on_event(w, type, object, at_ms);
}

static void on_bad(void *arg, const struct err *e)
{
	struct k8s_watch *w = arg;

	(void)!watch_tell_bad(w, e);
}

static void on_end(void *arg, const struct transfer_end *end)
{
	struct k8s_watch *w = arg;
	struct stream_end s = {.code = end->code, .retry_after_ms = status_retry_after(end)};

	if (w->stream == STREAM_OPENING) {
		s.how = STREAM_REFUSED;
		if (end->code == 0)
			client_count(w->client, "WATCH", 0);
		s.too_large_rv = status_is_too_large_rv(end->code, end->document);
		if (status_judge(end, &s.e) == 0)
			err_set(&s.e, ERR_INVALID, "HTTP %d is no answer to a watch", end->code);
	} else if (end->e) {
		s.how = STREAM_BROKEN;
		s.e = *end->e;
	} else if (w->events == 0 && loop_now(w->client->loop) - w->opened_ms < SHORT_MS) {
		s.how = STREAM_SHORT;
		err_set(&s.e, ERR_UNAVAILABLE, "the watch ended at once and said nothing");
	} else {
		s.how = STREAM_DONE;
	}
	end_stream(w, &s);
}

static int write_target(struct k8s_watch *w, int timeout_s, struct buf *b, struct err *e)
{
	if (buf_printf(b, e, "%s?watch=true&timeoutSeconds=%d", w->collection, timeout_s) < 0)
		return -1;
	return w->kind->write_query(w, b, e);
}

static int start(struct k8s_watch *w, struct err *e)
{
	static const struct transfer_callbacks callbacks = {
	    .on_status = on_status, .on_value = on_value, .on_bad = on_bad, .on_end = on_end};
	struct k8s_client *c = w->client;
	uint32_t width = (uint32_t)(c->watch_max_s - c->watch_min_s) + 1;
	int timeout_s = c->watch_min_s + (int)(backoff_random() % width);
	_cleanup_buf_ struct buf target = {.max = LIMIT_QUERY};
	struct transfer_call call = {.verb = "GET",
				     .accept = "application/json",
				     .user_agent = c->user_agent,
				     .mode = JSON_STREAM_MANY,
				     .fresh = w->fresh};

	if (write_target(w, timeout_s, &target, e) < 0)
		return -1;
	call.target = buf_str(&target);
	/* The server ends it; this is for one that forgets. */
	call.timeout_ms = (int64_t)timeout_s * SECOND_MS + LIMIT_WATCH_OVERTIME_MS;
	if (transfer_start(c->watches, c->loop, c->config, &call, &w->transfer, e) < 0)
		return -1;
	transfer_listen(w->transfer, &callbacks, w);
	return 0;
}

/* Called by the timer, so that no callback of the watch runs while its owner opens it. */
static void start_now(struct k8s_watch *w)
{
	struct stream_end end = {.how = STREAM_REFUSED, .retry_after_ms = -1};

	if (start(w, &end.e) < 0)
		end_stream(w, &end);
	else
		watch_after(w, LIMIT_REQUEST_MS, opening_is_late);
}

static void open_next(struct k8s_client *c)
{
	struct k8s_watch *w;

	while (c->opening < LIMIT_REQUESTS && (w = TAILQ_FIRST(&c->queue_of_watches))) {
		TAILQ_REMOVE(&c->queue_of_watches, w, next);
		TAILQ_INSERT_TAIL(&c->streams, w, next);
		w->stream = STREAM_OPENING;
		w->events = 0;
		c->opening++;
		watch_after(w, 0, start_now);
	}
}

void stream_open(struct k8s_watch *w)
{
	struct k8s_client *c = w->client;

	stream_close(w);
	loop_timer_stop(w->timer);
	w->stream = STREAM_QUEUED;
	TAILQ_INSERT_TAIL(&c->queue_of_watches, w, next);
	open_next(c);
}
