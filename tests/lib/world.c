/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/text.h"
#include "tests/lib/world_internal.h"

#include <stdlib.h>
#include <string.h>

void world_must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "world: %s\n", what);
		abort();
	}
}

static void post_event(void *arg, const struct event_object *about _unused_,
		       enum event_reason reason, const char *note)
{
	struct world *w = arg;

	if (w->event_count == WORLD_EVENTS)
		return;
	w->events[w->event_count].reason = reason;
	snprintf(w->events[w->event_count].note, sizeof(w->events[0].note), "%s", note);
	w->event_count++;
}

static uint32_t random_bits(void *arg)
{
	struct world *w = arg;

	w->random = w->random * 1664525u + 1013904223u;
	return w->random;
}

static const struct road_ops ops = {
    .hand_send = world_hand_send,
    .hand_cancel = world_hand_cancel,
    .secret_open = world_secret_open,
    .secret_close = world_secret_close,
    .secret_reread = world_secret_reread,
    .review_start = world_review_start,
    .review_cancel = world_review_cancel,
    .probe_start = world_probe_start,
    .probe_cancel = world_probe_cancel,
    .timer_new = world_timer_new,
    .timer_set = world_timer_set,
    .timer_stop = world_timer_stop,
    .timer_free = world_timer_free,
    .event = post_event,
    .random = random_bits,
};

static void start_road(struct world *w)
{
	const struct road_options options = {
	    .ops = &ops, .ops_arg = w, .clock = &w->clock.clock, .gate = w->gate};
	struct err e;

	world_must(road_new(&options, &w->road, &e) == 0, "road_new");
}

void world_init(struct world *w)
{
	static const struct gate_policy policy;
	struct err e;

	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
	memset(w, 0, sizeof(*w));
	LIST_INIT(&w->volumes);
	LIST_INIT(&w->secrets);
	TAILQ_INIT(&w->timers);
	TAILQ_INIT(&w->jobs);
	w->handshake_ms = 5;
	clock_fake_init(&w->clock, 1000000, clock_wall_ms(clock_system()));
	world_must(gate_new(&policy, &w->gate, &e) == 0, "gate_new");
	start_road(w);
}

void world_done(struct world *w)
{
	w->road = road_free(w->road);
	while (!TAILQ_EMPTY(&w->jobs))
		world_job_cancel(TAILQ_FIRST(&w->jobs));
	world_must(TAILQ_EMPTY(&w->timers), "a timer was left");
	while (!LIST_EMPTY(&w->volumes)) {
		struct world_volume *v = LIST_FIRST(&w->volumes);

		LIST_REMOVE(v, next);
		free(v);
	}
	while (!LIST_EMPTY(&w->secrets)) {
		struct world_secret *s = LIST_FIRST(&w->secrets);

		LIST_REMOVE(s, next);
		content_done(&s->data);
		free(s);
	}
	gate_free(w->gate);
}

void world_restart(struct world *w)
{
	road_free(w->road);
	while (!TAILQ_EMPTY(&w->jobs))
		world_job_cancel(TAILQ_FIRST(&w->jobs));
	start_road(w);
}

void world_pod_uid(unsigned n, char ret[static LIMIT_UID + 1])
{
	snprintf(ret, LIMIT_UID + 1, "00000000-0000-0000-0000-%012u", n);
}

struct binding_spec *world_spec(unsigned n, const char *const *attributes)
{
	static const struct attributes_defaults defaults = {.settle_ms = -1};
	struct binding_spec *s = calloc(1, sizeof(*s));
	struct err e;

	if (!s)
		abort();
	world_pod_uid(n, s->ref.pod_uid);
	snprintf(s->ref.name, sizeof(s->ref.name), "tls");
	snprintf(s->pod_namespace, sizeof(s->pod_namespace), "ns");
	snprintf(s->pod_name, sizeof(s->pod_name), "p%u", n);
	snprintf(s->account, sizeof(s->account), "default");
	snprintf(s->address, sizeof(s->address), "%012u", n);
	snprintf(s->container, sizeof(s->container), "server");
	memset(s->container_id, 'a', LIMIT_CONTAINER_ID);
	s->running = true;
	s->owner.mode = 0440;
	attributes_init(&s->attributes);
	for (; *attributes; attributes++) {
		char key[64];
		const char *equals = strchr(*attributes, '=');

		world_must(equals && (size_t)(equals - *attributes) < sizeof(key), "attribute");
		memcpy(key, *attributes, (size_t)(equals - *attributes));
		key[equals - *attributes] = '\0';
		world_must(attributes_set(&s->attributes, key, equals + 1, &e) == 0,
			   "attributes_set");
		s->wish = text_hash(s->wish, *attributes);
	}
	world_must(attributes_finish(&s->attributes, &defaults, &e) == 0, "attributes_finish");
	if (s->attributes.container[0])
		memcpy(s->container, s->attributes.container, sizeof(s->container));
	return s;
}

void world_pod(struct world *w, unsigned n, const char *const *attributes)
{
	struct binding_spec *s = world_spec(n, attributes);

	road_set_pod(w->road, s->ref.pod_uid, s, 1);
	free(s);
}

void world_pod_of(struct world *w, unsigned n, const char *const *const *attributes,
		  const char *const *names)
{
	struct binding_spec *specs = calloc(LIMIT_BINDINGS_POD, sizeof(*specs));
	size_t count = 0;

	if (!specs)
		abort();
	for (; attributes[count]; count++) {
		struct binding_spec *s = world_spec(n, attributes[count]);

		snprintf(s->ref.name, sizeof(s->ref.name), "%s", names[count]);
		if (w->no_container && strcmp(w->no_container, names[count]) == 0)
			s->container[0] = s->container_id[0] = '\0';
		specs[count] = *s;
		free(s);
	}
	road_set_pod(w->road, specs[0].ref.pod_uid, specs, count);
	free(specs);
}

unsigned world_count_events(const struct world *w, enum event_reason reason)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->event_count; i++)
		n += w->events[i].reason == reason;
	return n;
}

struct look {
	const char *uid;
	enum binding_state state;
	char problem[512];
};

static void look_at(void *arg, const struct binding_view *view)
{
	struct look *l = arg;

	if (strcmp(view->spec->ref.pod_uid, l->uid) != 0)
		return;
	l->state = view->state;
	snprintf(l->problem, sizeof(l->problem), "%s", view->problem);
}

enum binding_state world_state(struct world *w, unsigned n)
{
	char uid[LIMIT_UID + 1];
	struct look l = {.uid = uid, .state = BINDING_STATES};

	world_pod_uid(n, uid);
	road_each(w->road, look_at, &l);
	return l.state;
}

const char *world_problem(struct world *w, unsigned n)
{
	static struct look l;
	char uid[LIMIT_UID + 1];

	l = (struct look){.uid = uid};
	world_pod_uid(n, uid);
	road_each(w->road, look_at, &l);
	l.uid = NULL;
	return l.problem;
}
