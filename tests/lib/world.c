/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/world.h"

#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct loop_timer {
	TAILQ_ENTRY(loop_timer) next;
	struct world *world;
	void (*on_due)(void *arg);
	void *arg;
	int64_t due_ms; /* -1: not set */
};

/* Something that was asked and is answered later. One type for all, so that their order is kept. */
struct world_job {
	TAILQ_ENTRY(world_job) next;
	struct world *world;
	enum {
		JOB_HAND,
		JOB_REVIEW,
		JOB_PROBE
	} kind;
	int64_t due_ms;
	struct hand_request request;
	hand_done_fn hand_done;
	void (*review_done)(void *arg, bool allowed, const struct err *e);
	probe_done_fn probe_done;
	struct probe_target target;
	struct probe_report seen;
	void *arg;
	bool running; /* its callback is being called: cancelling must not free it */
	bool cancelled;
};

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "world: %s\n", what);
		abort();
	}
}

static struct world_job *new_job(struct world *w, void *arg)
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

static void *cancel_job(struct world_job *j)
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

static struct world_volume *volume_of(struct world *w, const struct volume_ref *ref)
{
	struct world_volume *v;

	LIST_FOREACH (v, &w->volumes, next)
		if (strcmp(v->ref.pod_uid, ref->pod_uid) == 0 &&
		    strcmp(v->ref.name, ref->name) == 0)
			return v;
	v = calloc(1, sizeof(*v));
	if (!v)
		abort();
	v->ref = *ref;
	LIST_INSERT_HEAD(&w->volumes, v, next);
	return v;
}

/* What the server does when it is told, or looks by itself. */
static void server_reads(struct world_volume *v)
{
	bool known = fingerprint_equal(&v->record.leaf, &v->good);

	if (v->server == SERVER_DEAF || v->server == SERVER_AWAY)
		return;
	if (v->server == SERVER_BROKEN || (v->server == SERVER_BREAKS && !known)) {
		v->served = (struct fingerprint){0};
		return;
	}
	v->served = v->record.leaf;
	v->good = v->record.leaf;
}

static void do_publish(struct world *w, struct world_volume *v, const struct hand_request *rq,
		       struct hand_reply *reply)
{
	const struct hand_publish *p = &rq->publish;
	struct record *r = &v->record;

	if (v->refuse.kind != ERR_NONE) {
		reply->err = v->refuse;
		return;
	}
	if (v->has_record && strcmp(r->secret_uid, p->secret_uid) == 0 && !p->allow_lower &&
	    text_compare_rv(p->resource_version, r->resource_version) < 0) {
		err_set(&reply->err, ERR_CONFLICT, "resourceVersion %s is older than %s",
			p->resource_version, r->resource_version);
		return;
	}
	if (w->server_reads_ms && v->signal_ms &&
	    w->clock.mono_ms < v->signal_ms + w->server_reads_ms)
		w->torn = true;
	reply->changed =
	    !v->has_record || v->damaged || !fingerprint_equal(&r->content, &p->content);
	if (v->has_record && reply->changed && !v->damaged) {
		memcpy(r->previous, r->generation, sizeof(r->previous));
		r->previous_content = r->content;
		r->previous_leaf = r->leaf;
		r->previous_not_after_s = r->not_after_s;
	}
	if (!fingerprint_equal(&r->quarantine_content, &p->content))
		r->quarantine_rv[0] = '\0';
	r->ref = rq->volume;
	memcpy(r->secret, p->secret, sizeof(r->secret));
	memcpy(r->secret_uid, p->secret_uid, sizeof(r->secret_uid));
	memcpy(r->resource_version, p->resource_version, sizeof(r->resource_version));
	snprintf(r->generation, sizeof(r->generation), "..generation.%u", v->swaps + 1);
	r->content = p->content;
	r->leaf = p->leaf;
	r->not_after_s = p->not_after_s;
	r->owner = p->owner;
	if (reply->changed) {
		r->owed_signal = p->owed_signal;
		v->swaps++;
		v->swap_ms = w->clock.mono_ms;
	}
	if (reply->changed)
		reply->err = v->trail;
	v->damaged = false;
	if (!v->has_record)
		server_reads(v);
	v->has_record = true;
}

static void do_roll_back(struct world_volume *v, const struct hand_request *rq,
			 struct hand_reply *reply)
{
	struct record *r = &v->record;

	if (!r->previous[0]) {
		err_set(&reply->err, ERR_NOT_FOUND, "no previous generation");
		return;
	}
	memcpy(r->quarantine_rv, r->resource_version, sizeof(r->quarantine_rv));
	r->quarantine_content = r->content;
	memcpy(r->generation, r->previous, sizeof(r->generation));
	r->content = r->previous_content;
	r->leaf = r->previous_leaf;
	r->not_after_s = r->previous_not_after_s;
	r->previous[0] = '\0';
	r->owed_signal = rq->roll_back.owed_signal;
	v->swaps++;
}

static void do_process(struct world *w, struct world_volume *v, const struct hand_request *rq,
		       struct hand_reply *reply)
{
	reply->signal_result = v->signal_result;
	reply->process = (struct process){.pid = 100, .start_ticks = 7, .comm = "server"};
	if (rq->op != HAND_SIGNAL ||
	    (v->signal_result != SIGNAL_SENT && v->signal_result != SIGNAL_STOPPED))
		return;
	v->signals++;
	v->signal_ms = w->clock.mono_ms;
	v->record.owed_signal = 0;
	server_reads(v);
}

static void answer_hand(struct world *w, struct world_job *j)
{
	struct hand_reply reply = {.op = j->request.op, .signal_result = SIGNAL_NO_PROCESS};
	struct world_volume *v;

	if (j->request.op == HAND_ADOPT) {
		LIST_FOREACH (v, &w->volumes, next) {
			if (!v->has_record)
				continue;
			reply.has_record = 1;
			reply.intact = !v->damaged;
			reply.record = v->record;
			j->hand_done(j->arg, &reply, -1);
		}
		reply.has_record = 0;
		reply.last = 1;
		reply.err = w->refuse_adopt;
		j->hand_done(j->arg, &reply, -1);
		return;
	}
	v = volume_of(w, &j->request.volume);
	reply.renamed_mono_ms = w->clock.mono_ms;
	if (j->request.op == HAND_PUBLISH)
		do_publish(w, v, &j->request, &reply);
	else if (j->request.op == HAND_ROLL_BACK)
		do_roll_back(v, &j->request, &reply);
	else if (j->request.op == HAND_FIND || j->request.op == HAND_SIGNAL)
		do_process(w, v, &j->request, &reply);
	else if (j->request.op == HAND_VERIFY)
		reply.intact = !v->damaged;
	else if (j->request.op == HAND_MARK && j->request.mark & HAND_MARK_OWED_DONE)
		v->record.owed_signal = 0;
	else if (j->request.op == HAND_MARK)
		v->record.quarantine_rv[0] = '\0';
	else if (j->request.op == HAND_RETIRE)
		v->has_record = false;
	reply.has_record = v->has_record;
	reply.record = v->record;
	j->hand_done(j->arg, &reply, -1);
}

/* The server chooses its certificate when the handshake begins. */
static void see(struct world *w, struct world_job *j)
{
	struct world_volume *v;

	j->seen.result = PROBE_NO_CONNECTION;
	LIST_FOREACH (v, &w->volumes, next) {
		if (strcmp(v->ref.pod_uid + 24, j->target.address) != 0 || v->server == SERVER_AWAY)
			continue;
		if (v->server == SERVER_EAGER)
			server_reads(v);
		j->seen.result = fingerprint_is_set(&v->served) ? PROBE_SEEN : PROBE_BROKEN;
		j->seen.leaf = v->served;
	}
}

static void answer(struct world *w, struct world_job *j)
{
	j->running = true;
	if (j->kind == JOB_HAND) {
		answer_hand(w, j);
	} else if (j->kind == JOB_REVIEW) {
		w->reviews++;
		j->review_done(j->arg, !w->deny, NULL);
	} else {
		j->probe_done(j->arg, &j->seen);
	}
	/* The hand's calls end with their answer; the others are the asker's to cancel, in the callback or later. */
	if (j->kind == JOB_HAND || j->cancelled)
		free(j);
}

static int hand_send(void *arg, const struct hand_request *request, int memfd, hand_done_fn done,
		     void *done_arg, struct hand_call **ret, struct err *e)
{
	struct world *w = arg;
	struct world_job *j;

	closep(&memfd);
	if (w->hand_away)
		return err_set(e, ERR_UNAVAILABLE, "the hand is away");
	j = new_job(w, done_arg);
	j->kind = JOB_HAND;
	j->request = *request;
	j->hand_done = done;
	j->due_ms += w->hand_ms[request->op];
	if (ret)
		*ret = (struct hand_call *)j;
	return 0;
}

static struct hand_call *hand_cancel(struct hand_call *call)
{
	return cancel_job((struct world_job *)call);
}

static int review_start(void *arg, const struct road_question *question _unused_,
			void (*done)(void *done_arg, bool allowed, const struct err *e),
			void *done_arg, struct road_review **ret, struct err *e _unused_)
{
	struct world *w = arg;
	struct world_job *j = new_job(w, done_arg);

	j->kind = JOB_REVIEW;
	j->review_done = done;
	j->due_ms += w->review_ms;
	*ret = (struct road_review *)j;
	return 0;
}

static struct road_review *review_cancel(struct road_review *r)
{
	return cancel_job((struct world_job *)r);
}

static int start_probe(void *arg, const struct probe_target *target, probe_done_fn done,
		       void *done_arg, struct probe **ret, struct err *e _unused_)
{
	struct world *w = arg;
	struct world_job *j = new_job(w, done_arg);

	j->kind = JOB_PROBE;
	j->target = *target;
	j->probe_done = done;
	j->due_ms += w->handshake_ms;
	see(w, j);
	if (++w->probing > w->probing_most)
		w->probing_most = w->probing;
	*ret = (struct probe *)j;
	return 0;
}

static struct probe *probe_cancel(void *arg, struct probe *p)
{
	((struct world *)arg)->probing--;
	return cancel_job((struct world_job *)p);
}

static int timer_new(void *arg, void (*on_due)(void *due_arg), void *due_arg,
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

static void timer_set(struct loop_timer *t, int64_t after_ms)
{
	t->due_ms = t->world->clock.mono_ms + (after_ms > 0 ? after_ms : 0);
}

static void timer_stop(struct loop_timer *t)
{
	t->due_ms = -1;
}

static struct loop_timer *timer_free(struct loop_timer *t)
{
	TAILQ_REMOVE(&t->world->timers, t, next);
	free(t);
	return NULL;
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

static int secret_open(void *arg, const char *namespace_, const char *name,
		       const struct secret_source_callbacks *callbacks, void *callback_arg,
		       struct secret_source **ret, struct err *e _unused_)
{
	struct world_secret *s = world_secret(arg, name);

	must(!s->watched, "a Secret is watched twice");
	snprintf(s->namespace_, sizeof(s->namespace_), "%s", namespace_);
	s->callbacks = *callbacks;
	s->arg = callback_arg;
	s->watched = true;
	s->read_again = true;
	*ret = (struct secret_source *)s;
	return 0;
}

static struct secret_source *secret_close(struct secret_source *source)
{
	((struct world_secret *)source)->watched = false;
	return NULL;
}

static int secret_reread(struct secret_source *source, struct err *e _unused_)
{
	((struct world_secret *)source)->read_again = true;
	return 0;
}

static const struct road_ops ops = {
    .hand_send = hand_send,
    .hand_cancel = hand_cancel,
    .secret_open = secret_open,
    .secret_close = secret_close,
    .secret_reread = secret_reread,
    .review_start = review_start,
    .review_cancel = review_cancel,
    .probe_start = start_probe,
    .probe_cancel = probe_cancel,
    .timer_new = timer_new,
    .timer_set = timer_set,
    .timer_stop = timer_stop,
    .timer_free = timer_free,
    .event = post_event,
    .random = random_bits,
};

static void start_road(struct world *w)
{
	const struct road_options options = {
	    .ops = &ops, .ops_arg = w, .clock = &w->clock.clock, .gate = w->gate};
	struct err e;

	must(road_new(&options, &w->road, &e) == 0, "road_new");
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
	must(gate_new(&policy, &w->gate, &e) == 0, "gate_new");
	start_road(w);
}

void world_done(struct world *w)
{
	w->road = road_free(w->road);
	while (!TAILQ_EMPTY(&w->jobs))
		cancel_job(TAILQ_FIRST(&w->jobs));
	must(TAILQ_EMPTY(&w->timers), "a timer was left");
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

struct world_secret *world_secret(struct world *w, const char *name)
{
	struct world_secret *s;

	LIST_FOREACH (s, &w->secrets, next)
		if (strcmp(s->name, name) == 0)
			return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->uid, sizeof(s->uid), "11111111-1111-1111-1111-111111111111");
	s->allow = "default";
	LIST_INSERT_HEAD(&w->secrets, s, next);
	return s;
}

struct world_secret *world_put(struct world *w, const char *name, const struct content *data,
			       const char *rv)
{
	struct world_secret *s = world_secret(w, name);
	struct err e;

	content_done(&s->data);
	for (size_t i = 0; i < data->count; i++)
		must(content_add(&s->data, data->files[i].name, data->files[i].bytes.data,
				 data->files[i].bytes.len, &e) == 0,
		     "content_add");
	snprintf(s->rv, sizeof(s->rv), "%s", rv);
	s->there = true;
	s->read_again = true;
	return s;
}

void world_put_pair(struct world *w, const char *name, const struct pki_pair *pair, const char *rv)
{
	_cleanup_content_ struct content c = {0};

	pki_pair_content(pair, &c);
	world_put(w, name, &c, rv);
}

void world_delete_secret(struct world *w, const char *name)
{
	struct world_secret *s = world_secret(w, name);

	s->there = false;
	s->read_again = true;
}

static void tell_secret(struct world *w, struct world_secret *s)
{
	struct secret_object o = {.namespace_ = s->namespace_,
				  .name = s->name,
				  .temporary = s->temporary,
				  .allow_ca = s->allow_ca,
				  .allow_accounts = s->allow,
				  .read_ms = w->clock.mono_ms};
	struct err e;

	s->read_again = false;
	s->reads++;
	if (!s->there) {
		s->callbacks.on_absent(s->arg);
		return;
	}
	memcpy(o.uid, s->uid, sizeof(o.uid));
	memcpy(o.resource_version, s->rv, sizeof(o.resource_version));
	for (size_t i = 0; i < s->data.count; i++)
		must(content_add(&o.data, s->data.files[i].name, s->data.files[i].bytes.data,
				 s->data.files[i].bytes.len, &e) == 0,
		     "content_add");
	s->callbacks.on_secret(s->arg, &o);
	content_done(&o.data);
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
			tell_secret(w, s);
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
		must(n < 1000000, "the world does not come to rest");
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

void world_hand_up(struct world *w)
{
	w->hand_away = false;
	road_hand_up(w->road);
	world_settle(w);
}

void world_hand_lost(struct world *w)
{
	struct world_job *j = TAILQ_FIRST(&w->jobs);

	w->hand_away = true;
	while (j) {
		struct world_job *next = TAILQ_NEXT(j, next);
		struct hand_reply reply = {.op = j->request.op,
					   .last = j->request.op == HAND_ADOPT};

		if (j->kind == JOB_HAND) {
			err_set(&reply.err, ERR_UNAVAILABLE, "the hand went away");
			TAILQ_REMOVE(&w->jobs, j, next);
			j->running = true;
			j->hand_done(j->arg, &reply, -1);
			free(j);
			next = TAILQ_FIRST(&w->jobs);
		}
		j = next;
	}
	road_hand_lost(w->road);
}

void world_restart(struct world *w)
{
	road_free(w->road);
	while (!TAILQ_EMPTY(&w->jobs))
		cancel_job(TAILQ_FIRST(&w->jobs));
	start_road(w);
}

static void pod_uid(unsigned n, char ret[static LIMIT_UID + 1])
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
	pod_uid(n, s->ref.pod_uid);
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

		must(equals && (size_t)(equals - *attributes) < sizeof(key), "attribute");
		memcpy(key, *attributes, (size_t)(equals - *attributes));
		key[equals - *attributes] = '\0';
		must(attributes_set(&s->attributes, key, equals + 1, &e) == 0, "attributes_set");
	}
	must(attributes_finish(&s->attributes, &defaults, &e) == 0, "attributes_finish");
	return s;
}

void world_pod(struct world *w, unsigned n, const char *const *attributes)
{
	struct binding_spec *s = world_spec(n, attributes);

	road_set_pod(w->road, s->ref.pod_uid, s, 1);
	free(s);
}

struct world_volume *world_volume_named(struct world *w, unsigned n, const char *name)
{
	struct volume_ref ref = {0};

	pod_uid(n, ref.pod_uid);
	snprintf(ref.name, sizeof(ref.name), "%s", name);
	return volume_of(w, &ref);
}

struct world_volume *world_volume(struct world *w, unsigned n)
{
	return world_volume_named(w, n, "tls");
}

void world_trouble(struct world *w, const char *secret, const struct err *e)
{
	struct world_secret *s = world_secret(w, secret);

	must(s->watched, "nobody watches this Secret");
	s->callbacks.on_trouble(s->arg, e);
	world_settle(w);
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

	pod_uid(n, uid);
	road_each(w->road, look_at, &l);
	return l.state;
}

const char *world_problem(struct world *w, unsigned n)
{
	static struct look l;
	char uid[LIMIT_UID + 1];

	l = (struct look){.uid = uid};
	pod_uid(n, uid);
	road_each(w->road, look_at, &l);
	l.uid = NULL;
	return l.problem;
}
