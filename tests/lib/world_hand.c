/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/world_internal.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

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

struct world_volume *world_volume_named(struct world *w, unsigned n, const char *name)
{
	struct volume_ref ref = {0};

	world_pod_uid(n, ref.pod_uid);
	snprintf(ref.name, sizeof(ref.name), "%s", name);
	return volume_of(w, &ref);
}

struct world_volume *world_volume(struct world *w, unsigned n)
{
	return world_volume_named(w, n, "tls");
}

/* A server that was told reads its files for a while, and must not find half of another pair. */
static void note_swap(struct world *w, const struct world_volume *v)
{
	if (w->server_reads_ms && v->signal_ms &&
	    w->clock.mono_ms < v->signal_ms + w->server_reads_ms)
		w->torn = true;
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
	note_swap(w, v);
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
		world_server_reads(v);
	v->has_record = true;
}

static void do_roll_back(struct world *w, struct world_volume *v, const struct hand_request *rq,
			 struct hand_reply *reply)
{
	struct record *r = &v->record;

	if (!r->previous[0]) {
		err_set(&reply->err, ERR_NOT_FOUND, "no previous generation");
		return;
	}
	note_swap(w, v);
	memcpy(r->quarantine_rv, r->resource_version, sizeof(r->quarantine_rv));
	r->quarantine_content = r->content;
	memcpy(r->generation, r->previous, sizeof(r->generation));
	r->content = r->previous_content;
	r->leaf = r->previous_leaf;
	r->not_after_s = r->previous_not_after_s;
	r->previous[0] = '\0';
	r->owed_signal = rq->roll_back.owed_signal;
	v->swaps++;
	v->swap_ms = w->clock.mono_ms;
}

static void do_process(struct world *w, struct world_volume *v, const struct hand_request *rq,
		       struct hand_reply *reply)
{
	reply->signal_result = v->signal_result;
	reply->process =
	    (struct process){.pid = 100, .start_ticks = 7 + w->process_starts, .comm = "server"};
	if (rq->op != HAND_SIGNAL ||
	    (v->signal_result != SIGNAL_SENT && v->signal_result != SIGNAL_STOPPED))
		return;
	v->signals++;
	v->signal_ms = w->clock.mono_ms;
	v->record.owed_signal = 0;
	v->record.signalled_wall_ms = w->clock.wall_ms;
	world_server_reads(v);
}

static void do_watch(struct world *w, struct world_volume *v, const struct hand_request *rq,
		     struct hand_reply *reply)
{
	w->watches += rq->watch.on;
	reply->err = w->refuse_watch;
	v->watched = rq->watch.on && reply->err.kind == ERR_NONE;
}

static void do_mark(const struct world *w, struct world_volume *v, uint32_t marks)
{
	if (marks & HAND_MARK_OWED_DONE)
		v->record.owed_signal = 0;
	if (marks & HAND_MARK_SIGNALLED)
		v->record.signalled_wall_ms = w->clock.wall_ms;
	if (marks & HAND_MARK_QUARANTINE_LIFT)
		v->record.quarantine_rv[0] = '\0';
}

static void list_records(struct world *w, const struct world_job *j)
{
	struct hand_reply reply = {.op = HAND_ADOPT, .has_record = 1};
	const struct world_volume *v;

	LIST_FOREACH (v, &w->volumes, next) {
		if (!v->has_record)
			continue;
		reply.intact = !v->damaged;
		reply.record = v->record;
		j->hand_done(j->arg, &reply, -1);
	}
}

static void do_adopt(struct world *w, struct world_job *j)
{
	const struct hand_reply last = {.op = HAND_ADOPT, .last = 1, .err = w->refuse_adopt};

	if (!j->more)
		list_records(w, j);
	j->more = !j->more && w->adopt_last_ms;
	if (j->more)
		j->due_ms += w->adopt_last_ms;
	else
		j->hand_done(j->arg, &last, -1);
}

void world_hand_answer(struct world *w, struct world_job *j)
{
	struct hand_reply reply = {.op = j->request.op, .signal_result = SIGNAL_NO_PROCESS};
	struct world_volume *v;

	if (j->request.op == HAND_ADOPT) {
		do_adopt(w, j);
		return;
	}
	v = volume_of(w, &j->request.volume);
	reply.renamed_mono_ms = w->clock.mono_ms;
	if (j->request.op == HAND_PUBLISH)
		do_publish(w, v, &j->request, &reply);
	else if (j->request.op == HAND_ROLL_BACK)
		do_roll_back(w, v, &j->request, &reply);
	else if (j->request.op == HAND_FIND || j->request.op == HAND_SIGNAL)
		do_process(w, v, &j->request, &reply);
	else if (j->request.op == HAND_VERIFY)
		reply.intact = !v->damaged;
	else if (j->request.op == HAND_MARK)
		do_mark(w, v, j->request.mark);
	else if (j->request.op == HAND_WATCH)
		do_watch(w, v, &j->request, &reply);
	else if (j->request.op == HAND_RETIRE)
		v->has_record = false;
	reply.has_record = v->has_record;
	reply.record = v->record;
	j->hand_done(j->arg, &reply, -1);
}

int world_hand_send(void *arg, const struct hand_request *request, int memfd, hand_done_fn done,
		    void *done_arg, struct hand_call **ret, struct err *e)
{
	struct world *w = arg;
	struct world_job *j;

	closep(&memfd);
	if (w->hand_away)
		return err_set(e, ERR_UNAVAILABLE, "the hand is away");
	j = world_job_new(w, done_arg);
	j->kind = JOB_HAND;
	j->request = *request;
	j->hand_done = done;
	j->due_ms += w->hand_ms[request->op];
	if (ret)
		*ret = (struct hand_call *)j;
	return 0;
}

struct hand_call *world_hand_cancel(struct hand_call *call)
{
	return world_job_cancel((struct world_job *)call);
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
