/* SPDX-License-Identifier: Apache-2.0 */
#include "report/events.h"

#include "base/backoff.h"
#include "base/log.h"
#include "report/counts.h"
#include "report/series.h"

#include <string.h>

#define CONTROLLER "certhup.io/agent"

struct events {
	struct loop *loop;
	struct k8s_client *client;
	struct loop_timer *timer;  /* ends series */
	struct loop_timer *again;  /* set while the API server is away */
	struct series_table table; /* holds what is queued and under way, too */
	struct series_list queue;
	size_t waiting; /* in the queue */
	int under_way;
	int64_t logged_ms; /* the last failure that was logged; -1 none */
	char instance[LIMIT_EVENT_INSTANCE + 1];
};

static const struct {
	const char *reason;
	const char *action;
	bool warning;
} reasons[EVENT_REASONS_COUNT] = {
#define EVENT_ROW(id, reason, action, warning) [EVENT_##id] = {reason, action, warning},
    EVENT_REASONS(EVENT_ROW)
#undef EVENT_ROW
};

const char *event_reason_text(enum event_reason r)
{
	return (unsigned)r < EVENT_REASONS_COUNT ? reasons[r].reason : "Unknown";
}

/* {"count": 2, "lastObservedTime": "..."}: NULL when memory is gone. */
static struct json *series_of(const struct series *s)
{
	struct json *j = json_new_object();
	char at[CLOCK_TEXT];

	clock_text_us(s->last_wall_ms, at);
	if (j && (json_set_int(j, "count", s->count) < 0 ||
		  json_set_string(j, "lastObservedTime", at) < 0))
		j = json_free(j);
	return j;
}

static struct json *regarding_of(const struct series *s)
{
	struct json *j = json_new_object();

	if (j &&
	    (json_set_string(j, "apiVersion", "v1") < 0 || json_set_string(j, "kind", "Pod") < 0 ||
	     json_set_string(j, "namespace", s->namespace_) < 0 ||
	     json_set_string(j, "name", s->pod) < 0 || json_set_string(j, "uid", s->uid) < 0))
		j = json_free(j);
	return j;
}

static struct json *metadata_of(const struct series *s)
{
	struct json *j = json_new_object();

	if (j && (json_set_string(j, "name", s->event) < 0 ||
		  json_set_string(j, "namespace", s->namespace_) < 0))
		j = json_free(j);
	return j;
}

static int put(struct json *to, const char *key, struct json *value)
{
	return value ? json_set(to, key, value) : -1;
}

static struct json *whole_event(const struct events *ev, const struct series *s)
{
	struct json *j = json_new_object();
	char at[CLOCK_TEXT];

	clock_text_us(s->first_wall_ms, at);
	if (j &&
	    (json_set_string(j, "apiVersion", "events.k8s.io/v1") < 0 ||
	     json_set_string(j, "kind", "Event") < 0 || put(j, "metadata", metadata_of(s)) < 0 ||
	     put(j, "regarding", regarding_of(s)) < 0 || json_set_string(j, "eventTime", at) < 0 ||
	     json_set_string(j, "reportingController", CONTROLLER) < 0 ||
	     json_set_string(j, "reportingInstance", ev->instance) < 0 ||
	     json_set_string(j, "type", reasons[s->reason].warning ? "Warning" : "Normal") < 0 ||
	     json_set_string(j, "reason", reasons[s->reason].reason) < 0 ||
	     json_set_string(j, "action", reasons[s->reason].action) < 0 ||
	     json_set_string(j, "note", s->note) < 0 ||
	     (s->count > 1 && put(j, "series", series_of(s)) < 0)))
		j = json_free(j);
	return j;
}

static struct json *patch_of_series(const struct series *s)
{
	struct json *j = json_new_object();

	if (j && put(j, "series", series_of(s)) < 0)
		j = json_free(j);
	return j;
}

static void on_answer(void *arg, const struct k8s_answer *answer, const struct err *e);

static int start(struct events *ev, struct series *s, struct err *e)
{
	_cleanup_json_ struct json *body = s->told ? patch_of_series(s) : whole_event(ev, s);
	_cleanup_buf_ struct buf path;
	_cleanup_buf_ struct buf text;

	buf_init(&path, 4 * KIB);
	buf_init(&text, LIMIT_EVENT_BODY);
	if (!body)
		return err_set(e, ERR_EXHAUSTED, "no memory for an Event");
	if (k8s_path(&path, e, "apis", "events.k8s.io", "v1", "namespaces", s->namespace_, "events",
		     s->told ? s->event : NULL, NULL) < 0 ||
	    json_write(body, false, &text, e) < 0)
		return -1;
	s->telling = s->count;
	return k8s_request_start(
	    ev->client,
	    &(struct k8s_call){
		.verb = s->told ? "PATCH" : "POST",
		.path = buf_str(&path),
		.body = buf_str(&text),
		.body_len = text.len,
		.content_type = s->told ? "application/merge-patch+json" : NULL,
		.retry = true,
	    },
	    on_answer, s, &s->request, e);
}

static void enqueue(struct events *ev, struct series *s)
{
	s->queued = true;
	s->wanted = false;
	TAILQ_INSERT_TAIL(&ev->queue, s, in_queue);
	ev->waiting++;
}

/* What cannot be told is forgotten, so that the next time is told anew. */
static void fail(struct events *ev, struct series *s, const struct err *e)
{
	int64_t now = loop_now(ev->loop);

	metric_add(&count_events, 1, M_LABELS("failed"));
	if (ev->logged_ms < 0 || now - ev->logged_ms >= MINUTE_MS) {
		ev->logged_ms = now;
		log_warn("event.failed", L_STR(LOG_NAMESPACE, s->namespace_),
			 L_STR(LOG_POD, s->pod), L_STR(LOG_REASON, reasons[s->reason].reason),
			 L_ERR(e));
	}
	series_drop(&ev->table, s);
}

/* Tries again later while the API server is away or busy, but not for ever. */
static void fail_or_retry(struct events *ev, struct series *s, const struct err *e)
{
	bool away = e->kind == ERR_UNAVAILABLE || e->kind == ERR_TIMEOUT;

	if (!away || ++s->tries >= LIMIT_EVENT_TRIES) {
		fail(ev, s, e);
		return;
	}
	enqueue(ev, s);
	if (!loop_timer_is_set(ev->again))
		loop_timer_set(ev->again,
			       LIMIT_EVENT_RETRY_MS + backoff_random() % LIMIT_EVENT_RETRY_MS);
}

static void send_more(struct events *ev)
{
	while (ev->under_way < LIMIT_EVENT_REQUESTS && ev->waiting &&
	       !loop_timer_is_set(ev->again)) {
		struct series *s = TAILQ_FIRST(&ev->queue);
		struct err e;

		TAILQ_REMOVE(&ev->queue, s, in_queue);
		ev->waiting--;
		if (start(ev, s, &e) == 0)
			ev->under_way++;
		else
			fail_or_retry(ev, s, &e);
	}
}

static void end_series(void *arg)
{
	struct events *ev = arg;
	int64_t now = loop_now(ev->loop);
	int64_t next;
	struct series *s;

	while ((s = series_ended(&ev->table, now, &next))) {
		/* What was counted and not told is told at the end. */
		if (s->told && s->told < s->count && ev->waiting < LIMIT_EVENT_QUEUE)
			enqueue(ev, s);
		else
			series_drop(&ev->table, s);
	}
	if (next >= 0)
		loop_timer_set(ev->timer, next - now);
	send_more(ev);
}

static void told(struct events *ev, struct series *s)
{
	metric_add(&count_events, 1, M_LABELS("sent"));
	s->told = s->telling;
	s->tries = 0;
	s->queued = false;
	if (s->wanted)
		enqueue(ev, s);
	else if (!loop_timer_is_set(ev->timer))
		loop_timer_set(ev->timer, LIMIT_EVENT_SILENCE_MS);
}

static void on_answer(void *arg, const struct k8s_answer *answer _unused_, const struct err *e)
{
	struct series *s = arg;
	struct events *ev = s->events;

	ev->under_way--;
	if (!e || (e->kind == ERR_CONFLICT && !s->told)) {
		s->request = k8s_request_free(s->request);
		told(ev, s);
	} else if (e->kind == ERR_NOT_FOUND && s->told) {
		/* The API server keeps an Event for an hour. */
		s->request = k8s_request_free(s->request);
		s->told = 0;
		series_name(&ev->table, s);
		enqueue(ev, s);
	} else {
		struct err copy = *e;

		s->request = k8s_request_free(s->request);
		fail_or_retry(ev, s, &copy);
	}
	send_more(ev);
}

static void try_again(void *arg)
{
	send_more(arg);
}

bool events_post(struct events *ev, const struct event_object *about, enum event_reason reason,
		 const char *note)
{
	const struct occurrence o = {about, reason, note, loop_now(ev->loop), loop_wall(ev->loop)};
	bool send;
	struct series *s;

	if ((unsigned)reason >= EVENT_REASONS_COUNT)
		return false;
	end_series(ev);
	s = series_count(&ev->table, &o, &send);
	if (!s || !send || (!s->queued && ev->waiting >= LIMIT_EVENT_QUEUE)) {
		metric_add(&count_events, 1, M_LABELS("dropped"));
		if (s && !s->told && !s->queued)
			series_drop(&ev->table, s);
		return send;
	}
	s->events = ev;
	if (s->queued)
		s->wanted = true;
	else
		enqueue(ev, s);
	send_more(ev);
	return true;
}

int events_new(struct loop *loop, struct k8s_client *client, const char *reporting_instance,
	       struct events **ret, struct err *e)
{
	struct events *ev = calloc(1, sizeof(*ev));

	if (!ev)
		return err_sys(e, "Events");
	*ev = (struct events){.loop = loop, .client = client, .logged_ms = -1};
	TAILQ_INIT(&ev->queue);
	series_table_init(&ev->table);
	snprintf(ev->instance, sizeof(ev->instance), "%s", reporting_instance);
	if (loop_timer_new(loop, end_series, ev, &ev->timer, e) < 0 ||
	    loop_timer_new(loop, try_again, ev, &ev->again, e) < 0) {
		events_free(ev);
		return -1;
	}
	*ret = ev;
	return 0;
}

struct events *events_free(struct events *ev)
{
	struct series *s;

	if (!ev)
		return NULL;
	TAILQ_FOREACH (s, &ev->table.series, by_use)
		s->request = k8s_request_free(s->request);
	series_table_done(&ev->table);
	loop_timer_free(ev->timer);
	loop_timer_free(ev->again);
	free(ev);
	return NULL;
}
