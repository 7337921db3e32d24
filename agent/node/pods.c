/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pods.h"

#include "base/log.h"
#include "base/text.h"
#include "node/pod.h"
#include "report/counts.h"

#include <string.h>
#include <sys/queue.h>

/* A pod that was told: what it complained of, so that it is told once. */
struct known_pod {
	LIST_ENTRY(known_pod) next;
	char uid[LIMIT_UID + 1];
	char namespace_[LIMIT_NAMESPACE + 1];
	char name[LIMIT_OBJECT_NAME + 1];
	uint64_t complaints; /* a hash */
};

struct pods {
	struct pods_options options;
	struct k8s_watch *watch;
	LIST_HEAD(, known_pod) known;
	size_t count;
	struct pod *reading; /* large: one for all */
	bool synced;
	bool up;
	int64_t down_since_ms;
};

static struct known_pod *find(struct pods *p, const char *namespace_, const char *name)
{
	struct known_pod *k;

	LIST_FOREACH (k, &p->known, next)
		if (strcmp(k->name, name) == 0 && strcmp(k->namespace_, namespace_) == 0)
			return k;
	return NULL;
}

static void forget(struct pods *p, struct known_pod *k)
{
	road_pod_gone(p->options.road, k->uid);
	LIST_REMOVE(k, next);
	p->count--;
	free(k);
}

/* Only whether they are other ones than before counts. */
static uint64_t hash_complaints(const struct pod *pod)
{
	uint64_t h = 0;

	for (size_t i = 0; i < pod->complaint_count; i++)
		h = text_hash(h, pod->complaints[i].text);
	return h;
}

static void tell_complaints(struct pods *p, const struct pod *pod, struct known_pod *k)
{
	const struct event_object about = {
	    .namespace_ = pod->namespace_, .name = pod->name, .uid = pod->uid};
	uint64_t h = hash_complaints(pod);

	if (h == k->complaints)
		return;
	k->complaints = h;
	for (size_t i = 0; i < pod->complaint_count; i++) {
		const struct pod_complaint *c = &pod->complaints[i];

		/* A pod whose annotation changes all the time does not fill the log. */
		if (!events_post(p->options.events, &about, c->reason, c->text))
			continue;
		log_warn("pod.complaint", L_STR(LOG_NAMESPACE, pod->namespace_),
			 L_STR(LOG_POD, pod->name), L_STR(LOG_REASON, event_reason_text(c->reason)),
			 L_STR(LOG_MESSAGE, c->text));
	}
}

static struct known_pod *remember(struct pods *p, const struct pod *pod)
{
	struct known_pod *k = find(p, pod->namespace_, pod->name);

	/* The same name with another uid is another pod. */
	if (k && strcmp(k->uid, pod->uid) != 0) {
		forget(p, k);
		k = NULL;
	}
	if (k)
		return k;
	if (p->count == LIMIT_PODS)
		return NULL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	memcpy(k->uid, pod->uid, sizeof(k->uid));
	memcpy(k->namespace_, pod->namespace_, sizeof(k->namespace_));
	memcpy(k->name, pod->name, sizeof(k->name));
	LIST_INSERT_HEAD(&p->known, k, next);
	p->count++;
	return k;
}

static void on_pod(void *arg, const struct json *object, int64_t at_ms _unused_)
{
	struct pods *p = arg;
	struct pod *pod = p->reading;
	struct known_pod *k;
	struct err e;

	if (pod_read(object, &p->options.defaults, pod, &e) < 0) {
		log_warn("pod.unreadable", L_ERR(&e));
		return;
	}
	k = find(p, pod->namespace_, pod->name);
	/* Its object may stay for days, with thousands like it: it takes no place and no budget. */
	if (k && pod->over) {
		forget(p, k);
		return;
	}
	/* Most pods of a node want nothing. */
	if (!k && !pod->count && !pod->complaint_count)
		return;
	k = remember(p, pod);
	if (!k) {
		log_error("pod.refused", L_STR(LOG_NAMESPACE, pod->namespace_),
			  L_STR(LOG_POD, pod->name), L_INT(LOG_COUNT, p->count));
		return;
	}
	tell_complaints(p, pod, k);
	road_set_pod(p->options.road, pod->uid, pod->specs, pod->count);
}

static void on_gone(void *arg, const struct json *object)
{
	struct pods *p = arg;
	const char *namespace_ = json_text(object, "metadata", "namespace", NULL);
	const char *name = json_text(object, "metadata", "name", NULL);
	struct known_pod *k = namespace_ && name ? find(p, namespace_, name) : NULL;

	if (k)
		forget(p, k);
}

static void on_synced(void *arg)
{
	struct pods *p = arg;

	if (!p->synced)
		log_info("pods.synced", L_INT(LOG_COUNT, p->count));
	p->synced = true;
	road_pods_synced(p->options.road);
}

static void on_bad_object(void *arg _unused_, const struct err *e)
{
	log_warn("pod.unreadable", L_ERR(e));
}

static void on_state(void *arg, const struct k8s_watch_state *state)
{
	struct pods *p = arg;

	if (p->up && !state->up)
		p->down_since_ms = loop_now(p->options.loop);
	p->up = state->up;
	metric_set(&count_watch_up, state->up, M_LABELS("pods"));
	if (!state->up)
		log_warn("pods.unwatched", L_ERR(state->e), L_INT(LOG_RETRY_MS, state->retry_ms));
}

int pods_new(const struct pods_options *options, struct pods **ret, struct err *e)
{
	struct pods *p = calloc(1, sizeof(*p));

	if (p)
		p->reading = calloc(1, sizeof(*p->reading));
	if (!p || !p->reading) {
		free(p);
		return err_sys(e, "watch the node's pods");
	}
	p->options = *options;
	LIST_INIT(&p->known);
	p->down_since_ms = loop_now(options->loop);
	*ret = p;
	return 0;
}

int pods_start(struct pods *p, struct err *e)
{
	static const struct k8s_watch_callbacks callbacks = {
	    .on_object = on_pod,
	    .on_gone = on_gone,
	    .on_synced = on_synced,
	    .on_bad_object = on_bad_object,
	    .on_state = on_state,
	};
	char selector[LIMIT_OBJECT_NAME + 96];

	/* Finished ones may stay by the thousand; one that ends is told as gone. */
	snprintf(selector, sizeof(selector),
		 "spec.nodeName=%s,status.phase!=Succeeded,status.phase!=Failed",
		 p->options.node_name);
	return k8s_watch_list(p->options.client, "/api/v1/pods", selector, &callbacks, p, &p->watch,
			      e);
}

struct pods *pods_free(struct pods *p)
{
	if (!p)
		return NULL;
	k8s_watch_free(p->watch);
	while (!LIST_EMPTY(&p->known)) {
		struct known_pod *k = LIST_FIRST(&p->known);

		LIST_REMOVE(k, next);
		free(k);
	}
	free(p->reading);
	free(p);
	return NULL;
}

bool pods_synced(const struct pods *p)
{
	return p->synced;
}

int64_t pods_down_ms(const struct pods *p)
{
	return p->up ? 0 : loop_now(p->options.loop) - p->down_since_ms;
}
