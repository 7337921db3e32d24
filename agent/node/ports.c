/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ports.h"

#include "base/backoff.h"

struct road_review {
	struct k8s_request *request;
	void (*done)(void *arg, bool allowed, const struct err *e);
	void *arg;
};

static int hand_send(void *arg, const struct hand_request *request, int memfd, hand_done_fn done,
		     void *done_arg, struct hand_call **ret, struct err *e)
{
	return link_send(((struct ports *)arg)->link, request, memfd, done, done_arg, ret, e);
}

static int secret_open(void *arg, const char *namespace_, const char *name,
		       const struct secret_source_callbacks *callbacks, void *callback_arg,
		       struct secret_source **ret, struct err *e)
{
	return secret_source_new(((struct ports *)arg)->client, namespace_, name, callbacks,
				 callback_arg, ret, e);
}

static void on_review(void *arg, const struct k8s_answer *answer, const struct err *e)
{
	struct road_review *r = arg;
	struct err unknown;

	/* Who we are was not believed: that says nothing about rights. */
	if (e && answer->code == 401) {
		unknown = *e;
		unknown.kind = ERR_UNAVAILABLE;
		e = &unknown;
	}
	r->done(r->arg, !e && json_bool(json_at(answer->object, "status", "allowed", NULL), false),
		e);
}

/* {"spec": {"user": ..., "groups": [...], "resourceAttributes": {...}}}. Source: authorization.k8s.io/v1. */
static struct json *review_body(const struct road_question *q)
{
	struct json *body = json_new_object();
	struct json *spec = json_new_object();
	struct json *groups = json_new_array();
	struct json *resource = json_new_object();
	struct json *meta = json_new_object();
	char user[LIMIT_NAMESPACE + LIMIT_OBJECT_NAME + 64];
	char group[LIMIT_NAMESPACE + 64];

	snprintf(user, sizeof(user), "system:serviceaccount:%s:%s", q->namespace_, q->account);
	snprintf(group, sizeof(group), "system:serviceaccounts:%s", q->namespace_);
	if (json_append_string(groups, "system:serviceaccounts") < 0 ||
	    json_append_string(groups, group) < 0 ||
	    json_append_string(groups, "system:authenticated") < 0 ||
	    json_set_string(resource, "namespace", q->namespace_) < 0 ||
	    json_set_string(resource, "verb", "get") < 0 ||
	    json_set_string(resource, "resource", "secrets") < 0 ||
	    json_set_string(resource, "name", q->secret) < 0 ||
	    json_set_string(spec, "user", user) < 0 || json_set(spec, "groups", TAKE(groups)) < 0 ||
	    json_set(spec, "resourceAttributes", TAKE(resource)) < 0 ||
	    json_set_string(meta, "namespace", q->namespace_) < 0 ||
	    json_set_string(body, "apiVersion", "authorization.k8s.io/v1") < 0 ||
	    json_set_string(body, "kind", "LocalSubjectAccessReview") < 0 ||
	    json_set(body, "metadata", TAKE(meta)) < 0 || json_set(body, "spec", TAKE(spec)) < 0)
		body = json_free(body);
	json_free(spec);
	json_free(groups);
	json_free(resource);
	json_free(meta);
	return body;
}

static int post_review(struct k8s_client *client, const struct road_question *q,
		       struct road_review *r, struct err *e)
{
	_cleanup_json_ struct json *json = review_body(q);
	_cleanup_buf_ struct buf body;
	_cleanup_buf_ struct buf path;
	struct k8s_call call = {.verb = "POST", .retry = true};

	buf_init(&body, 8 * KIB);
	buf_init(&path, 2 * KIB);
	if (!json)
		return err_set(e, ERR_EXHAUSTED, "ask for a review");
	if (json_write(json, false, &body, e) < 0 ||
	    k8s_path(&path, e, "apis", "authorization.k8s.io", "v1", "namespaces", q->namespace_,
		     "localsubjectaccessreviews", NULL) < 0)
		return -1;
	call.path = buf_str(&path);
	call.body = buf_str(&body);
	call.body_len = body.len;
	return k8s_request_start(client, &call, on_review, r, &r->request, e);
}

static int review_start(void *arg, const struct road_question *question,
			void (*done)(void *done_arg, bool allowed, const struct err *e),
			void *done_arg, struct road_review **ret, struct err *e)
{
	struct road_review *r = calloc(1, sizeof(*r));

	if (!r)
		return err_sys(e, "ask for a review");
	r->done = done;
	r->arg = done_arg;
	if (post_review(((struct ports *)arg)->client, question, r, e) < 0) {
		free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

static struct road_review *review_cancel(struct road_review *r)
{
	if (r) {
		k8s_request_free(r->request);
		free(r);
	}
	return NULL;
}

static int start_probe(void *arg, const struct probe_target *target, probe_done_fn done,
		       void *done_arg, struct probe **ret, struct err *e)
{
	struct ports *p = arg;

	if (p->probes == LIMIT_PROBES)
		return err_set(e, ERR_EXHAUSTED, "%d probes are under way", LIMIT_PROBES);
	if (probe_start(p->loop, target, done, done_arg, ret, e) < 0)
		return -1;
	p->probes++;
	return 0;
}

static struct probe *cancel_probe(void *arg, struct probe *probe)
{
	((struct ports *)arg)->probes--;
	return probe_free(probe);
}

static int timer_new(void *arg, void (*on_due)(void *due_arg), void *due_arg,
		     struct loop_timer **ret, struct err *e)
{
	return loop_timer_new(((struct ports *)arg)->loop, on_due, due_arg, ret, e);
}

static void post_event(void *arg, const struct event_object *about, enum event_reason reason,
		       const char *note)
{
	events_post(((struct ports *)arg)->events, about, reason, note);
}

static uint32_t random_bits(void *arg _unused_)
{
	return backoff_random();
}

const struct road_ops *ports_ops(void)
{
	static const struct road_ops ops = {
	    .hand_send = hand_send,
	    .hand_cancel = hand_call_free,
	    .secret_open = secret_open,
	    .secret_close = secret_source_free,
	    .secret_reread = secret_source_reread,
	    .review_start = review_start,
	    .review_cancel = review_cancel,
	    .probe_start = start_probe,
	    .probe_cancel = cancel_probe,
	    .timer_new = timer_new,
	    .timer_set = loop_timer_set,
	    .timer_stop = loop_timer_stop,
	    .timer_free = loop_timer_free,
	    .event = post_event,
	    .random = random_bits,
	};

	return &ops;
}
