/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/request.h"

#include "base/backoff.h"
#include "k8s/client_internal.h"
#include "k8s/status.h"
#include "k8s/transfer.h"

#include <string.h>

enum state {
	QUEUED,
	RUNNING,
	PAUSED, /* the timer tries again */
	DONE
};

struct k8s_request {
	TAILQ_ENTRY(k8s_request) next; /* while QUEUED */
	struct k8s_client *client;
	enum state state;
	char *verb;
	char *target;
	char *content_type;
	char *accept;
	struct buf body;
	bool has_body;
	bool retry;
	bool urgent;
	const struct request_items *items; /* NULL: not a LIST whose items are told */
	k8s_done_fn done;
	void *arg;

	struct transfer *transfer;
	struct loop_timer *timer; /* the deadline; when PAUSED the next try */
	int64_t deadline_at;
	struct backoff backoff;
	bool fresh;   /* the last try got 401 */
	bool renewed; /* a fresh token was tried */
};

static void pump_soon(struct k8s_client *c)
{
	loop_timer_set(c->pump, 0);
}

/* Leaves whatever state it is in. */
static void leave(struct k8s_request *r)
{
	struct k8s_client *c = r->client;

	if (r->state == QUEUED) {
		TAILQ_REMOVE(&c->queue, r, next);
		c->queued--;
	} else if (r->state == RUNNING) {
		r->transfer = transfer_free(r->transfer);
		c->running--;
		pump_soon(c);
	}
	loop_timer_stop(r->timer);
	r->state = DONE;
}

static void wait_in_queue(struct k8s_request *r)
{
	struct k8s_client *c = r->client;

	r->state = QUEUED;
	if (r->urgent)
		TAILQ_INSERT_HEAD(&c->queue, r, next);
	else
		TAILQ_INSERT_TAIL(&c->queue, r, next);
	c->queued++;
	loop_timer_set(r->timer, r->deadline_at - loop_now(c->loop));
	pump_soon(c);
}

static void finish(struct k8s_request *r, const struct k8s_answer *answer, struct err *e)
{
	if (e)
		err_add(e, "%s %s", r->verb, r->target);
	leave(r);
	r->done(r->arg, answer, e);
}

static void give_up(struct k8s_request *r, struct err *e)
{
	const struct k8s_answer none = {.retry_after_ms = -1};

	finish(r, &none, e);
}

static void timer_due(void *arg)
{
	struct k8s_request *r = arg;
	struct err e;

	if (r->state == PAUSED) {
		wait_in_queue(r);
		return;
	}
	err_set(&e, ERR_TIMEOUT, "%s did not answer in time", r->client->config->server);
	give_up(r, &e);
}

/* Milliseconds after which to try again, -1 for not at all. */
static int64_t next_try(struct k8s_request *r, const struct transfer_end *end)
{
	struct k8s_client *c = r->client;
	int64_t after_ms = status_retry_after(end);
	uint32_t random = backoff_random();
	bool changed = false;
	struct err e;

	if (!r->retry)
		return -1;
	r->fresh = end->code == 401;
	if (end->code == 401 && !r->renewed) {
		r->renewed = true;
		if (credential_refresh(&c->config->token, true, &changed, &e) < 0 || !changed)
			return -1;
		return 0;
	}
	if ((end->code == 429 || end->code >= 500) && after_ms >= 0)
		/* A quarter more at most, so that not all that were sent away come back at once. */
		return after_ms + (int64_t)(random % (uint32_t)(after_ms / 4 + 250));
	if (end->code == 0 && end->no_connection)
		return backoff_fail(&r->backoff, loop_now(c->loop), random);
	return -1;
}

static void on_end(void *arg, const struct transfer_end *end)
{
	struct k8s_request *r = arg;
	struct k8s_client *c = r->client;
	struct k8s_answer answer = {
	    .code = end->code, .object = end->document, .retry_after_ms = status_retry_after(end)};
	struct err e;
	int64_t after_ms;

	client_count(c, r->verb, end->code);
	if (status_judge(end, &e) == 0) {
		finish(r, &answer, NULL);
		return;
	}
	after_ms = next_try(r, end);
	if (after_ms < 0 || loop_now(c->loop) + after_ms >= r->deadline_at) {
		finish(r, &answer, &e);
		return;
	}
	leave(r);
	r->state = PAUSED;
	loop_timer_set(r->timer, after_ms);
}

static void on_value(void *arg, const struct json *value, int64_t at_ms)
{
	struct k8s_request *r = arg;

	r->items->on_item(r->arg, value, at_ms);
}

static void on_bad(void *arg, const struct err *e)
{
	struct k8s_request *r = arg;

	r->items->on_bad(r->arg, e);
}

static int start(struct k8s_request *r, struct err *e)
{
	static const struct transfer_callbacks callbacks = {
	    .on_value = on_value, .on_bad = on_bad, .on_end = on_end};
	struct k8s_client *c = r->client;
	/* The watches' connections are not counted. */
	struct multi *multi = r->urgent ? c->watches : c->requests;
	struct transfer_call call = {
	    .verb = r->verb,
	    .target = r->target,
	    .body = r->has_body ? buf_str(&r->body) : NULL,
	    .body_len = r->body.len,
	    .content_type = r->content_type,
	    .accept = r->accept,
	    .user_agent = c->user_agent,
	    .mode = r->items ? JSON_STREAM_LIST : JSON_STREAM_ONE,
	    .fresh = r->fresh,
	};

	/* Its time is kept by our own timer, queue and retries included. */
	if (transfer_start(multi, c->loop, c->config, &call, &r->transfer, e) < 0)
		return -1;
	transfer_listen(r->transfer, &callbacks, r);
	return 0;
}

void request_pump(void *client)
{
	struct k8s_client *c = client;
	struct k8s_request *r = TAILQ_FIRST(&c->queue);
	struct err e;

	if (!r || (c->running >= LIMIT_REQUESTS && !r->urgent))
		return;
	TAILQ_REMOVE(&c->queue, r, next);
	c->queued--;
	c->running++;
	r->state = RUNNING;
	pump_soon(c); /* for the next; the callback below may free the client */
	if (start(r, &e) < 0)
		give_up(r, &e);
}

static int copy(char **to, const char *from, const char *otherwise)
{
	*to = strdup(from ? from : otherwise);
	return *to ? 0 : -1;
}

static int copy_call(struct k8s_request *r, const struct k8s_call *call, struct err *e)
{
	if (asprintf(&r->target, "%s%s%s", call->path, call->query ? "?" : "",
		     call->query ? call->query : "") < 0)
		r->target = NULL;
	if (!r->target || copy(&r->verb, call->verb, "GET") < 0 ||
	    copy(&r->content_type, call->content_type, "application/json") < 0 ||
	    copy(&r->accept, call->accept, "application/json") < 0)
		return err_set(e, ERR_EXHAUSTED, "prepare a request: no memory");
	buf_init(&r->body, LIMIT_BODY);
	r->has_body = call->body != NULL;
	r->retry = call->retry;
	return r->has_body ? buf_add(&r->body, call->body, call->body_len, e) : 0;
}

static void request_freep(struct k8s_request **r)
{
	*r = k8s_request_free(*r);
}

/* Makes one that is not started. */
static int request_new(struct k8s_client *c, const struct k8s_call *call, k8s_done_fn done,
		       void *arg, struct k8s_request **ret, struct err *e)
{
	_cleanup_(request_freep) struct k8s_request *r = NULL;

	if (c->queued >= LIMIT_REQUEST_QUEUE)
		return err_set(e, ERR_EXHAUSTED, "%d requests are waiting already",
			       LIMIT_REQUEST_QUEUE);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_sys(e, "prepare a request");
	r->client = c;
	r->state = DONE;
	r->done = done;
	r->arg = arg;
	backoff_init(&r->backoff, c->times.backoff_ms, c->times.backoff_max_ms,
		     LIMIT_BACKOFF_RESET_MS);
	if (loop_timer_new(c->loop, timer_due, r, &r->timer, e) < 0 || copy_call(r, call, e) < 0)
		return -1;
	r->deadline_at =
	    loop_now(c->loop) + (call->deadline_ms ? call->deadline_ms : LIMIT_REQUEST_MS);
	*ret = TAKE(r);
	return 0;
}

int request_start_list(struct k8s_client *c, const struct k8s_call *call,
		       const struct request_items *items, k8s_done_fn done, void *arg,
		       struct k8s_request **ret, struct err *e)
{
	if (request_new(c, call, done, arg, ret, e) < 0)
		return -1;
	(*ret)->items = items;
	wait_in_queue(*ret);
	return 0;
}

int request_start_urgent(struct k8s_client *c, const struct k8s_call *call, k8s_done_fn done,
			 void *arg, struct k8s_request **ret, struct err *e)
{
	if (request_new(c, call, done, arg, ret, e) < 0)
		return -1;
	(*ret)->urgent = true;
	wait_in_queue(*ret);
	return 0;
}

int k8s_request_start(struct k8s_client *c, const struct k8s_call *call, k8s_done_fn done,
		      void *arg, struct k8s_request **ret, struct err *e)
{
	return request_start_list(c, call, NULL, done, arg, ret, e);
}

struct k8s_request *k8s_request_free(struct k8s_request *r)
{
	if (!r)
		return NULL;
	if (r->timer)
		leave(r);
	loop_timer_free(r->timer);
	free(r->verb);
	free(r->target);
	free(r->content_type);
	free(r->accept);
	buf_done(&r->body);
	free(r);
	return NULL;
}
