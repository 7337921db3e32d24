/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/log.h"
#include "hand/internal.h"
#include "hand/payload.h"

#include <string.h>

static void hello(struct server *s, const struct hand_request *request)
{
	struct hand_reply reply = {.magic = HAND_MAGIC,
				   .op = HAND_HELLO,
				   .id = request->id,
				   .last = 1,
				   .ops = s->options->ops | 1u << HAND_HELLO,
				   .seccomp = s->options->sandbox.seccomp,
				   .landlock_abi = (uint8_t)s->options->sandbox.landlock_abi};

	s->greeted = true;
	head_reply(s, s->connection, &reply, -1);
}

static int may_ask(const struct server *s, const struct hand_request *request, struct err *e)
{
	if (s->stopping)
		return err_set(e, ERR_UNAVAILABLE, "the hand is stopping");
	if (!s->greeted)
		return err_set(e, ERR_CONFLICT, "say hello first");
	if (!(s->options->ops & 1u << request->op))
		return err_set(e, ERR_DENIED, "the operation %s is switched off",
			       hand_op_label(request->op));
	if (s->options->host.proc_fd < 0 &&
	    (request->op == HAND_FIND || request->op == HAND_SIGNAL))
		return err_set(e, ERR_DENIED, "signals are switched off: no processes are given");
	if (request->op == HAND_PUBLISH && s->options->state_fd >= 0 && !s->adoption.once)
		return err_set(e, ERR_CONFLICT, "adopt first");
	return 0;
}

/* Takes the job in any case. */
static int enqueue(struct server *s, struct job *job, struct err *e)
{
	struct entry *entry = NULL;
	struct job *replaced = NULL;

	if ((job->memfd >= 0 && payload_measure(job->memfd, &job->new_bytes, e) < 0) ||
	    table_get(&s->table, &job->request.volume, &entry, e) < 0) {
		job_free(job);
		return -1;
	}
	if (table_add(&s->table, entry, job, &replaced, e) < 0) {
		job_free(job);
		table_tidy(&s->table, entry);
		return -1;
	}
	if (replaced) {
		struct err cancelled;

		err_set(&cancelled, ERR_CANCELLED, "a newer content of the volume came");
		head_reply_error(s, replaced->connection, &replaced->request, &cancelled);
		job_free(replaced);
	}
	return 0;
}

void dispatch_request(struct server *s, const struct hand_request *request, int memfd)
{
	_cleanup_close_ int owned = memfd;
	struct job *job;
	struct err e;

	if (request->op == HAND_HELLO)
		return hello(s, request);
	if (may_ask(s, request, &e) < 0)
		return head_reply_error(s, s->connection, request, &e);
	if (request->op == HAND_ADOPT)
		return adopt_start(s, request);
	job = job_new(request, s->connection);
	if (!job) {
		err_sys(&e, "request");
		return head_reply_error(s, s->connection, request, &e);
	}
	job->memfd = TAKE_FD(owned);
	if (enqueue(s, job, &e) < 0)
		head_reply_error(s, s->connection, request, &e);
}

/* A watch is taken off without a child, but in its turn. True: the job is answered. */
static bool done_here(struct server *s, struct entry *entry, const struct job *job)
{
	struct hand_reply reply = {.magic = HAND_MAGIC,
				   .op = HAND_WATCH,
				   .id = job->request.id,
				   .last = 1,
				   .record.ref = entry->ref};

	if (job->request.op != HAND_WATCH || job->request.watch.on)
		return false;
	watching_remove(s, entry);
	head_reply(s, job->connection, &reply, -1);
	return true;
}

static void start(struct server *s, struct entry *entry, struct job *job)
{
	struct err e;

	if (!done_here(s, entry, job)) {
		if ((job->request.op != HAND_PUBLISH ||
		     table_reserve(&s->table, entry, job, &e) == 0) &&
		    child_start(s, CHILD_JOB, job, entry, &e) == 0)
			return;
		err_add(&e, "%s of volume %s of pod %s", hand_op_label(job->request.op),
			entry->ref.name, entry->ref.pod_uid);
		head_reply_error(s, job->connection, &job->request, &e);
		entry->reserved = 0;
		if (job->request.op == HAND_ADOPT)
			adopt_job_done(s, job->connection);
	}
	job_free(job);
	table_free_turn(&s->table, entry);
	table_tidy(&s->table, entry);
}

void dispatch_run(struct server *s, int64_t now_ms)
{
	struct entry *entry;
	struct job *job;

	while (!s->stopping && !s->adoption.listing && s->reply_count < LIMIT_HAND_REPLIES &&
	       child_has_place(s, now_ms) && (job = table_next(&s->table, &entry)))
		start(s, entry, job);
}

static bool changes_record(uint32_t op)
{
	return op == HAND_PUBLISH || op == HAND_ROLL_BACK || op == HAND_MARK || op == HAND_RETIRE;
}

static void remember(struct server *s, struct entry *entry, const struct record *r)
{
	table_charge(entry, r);
	if (s->options->state_fd >= 0)
		return;
	if (!r) {
		free(entry->memory);
		entry->memory = NULL;
		return;
	}
	if (!entry->memory)
		entry->memory = calloc(1, sizeof(*entry->memory));
	if (entry->memory)
		*entry->memory = *r;
}

/* What the budget and the memory learn from a reply. */
static void learn(struct server *s, struct entry *entry, const struct job *job,
		  const struct hand_reply *reply)
{
	uint32_t op = job->request.op;
	bool forgotten =
	    (op == HAND_RETIRE && reply->err.kind == ERR_NONE) ||
	    ((op == HAND_ADOPT || op == HAND_VERIFY) && reply->err.kind == ERR_NOT_FOUND);

	if (reply->has_record)
		remember(s, entry, &reply->record);
	else if (forgotten)
		remember(s, entry, NULL);
	else
		entry->reserved = 0;
	if (changes_record(op) && reply->has_record && s->options->state_fd >= 0 &&
	    s->sync_due_ms == 0)
		s->sync_due_ms = server_now() + LIMIT_HAND_FSYNC_MS;
	if (forgotten)
		watching_remove(s, entry);
}

static void answer(struct server *s, struct entry *entry, const struct job *job,
		   struct hand_reply *reply, int fd)
{
	_cleanup_close_ int owned = fd;
	struct err e;

	if (job->request.op == HAND_READ)
		return head_reply(s, job->connection, reply, TAKE_FD(owned));
	if (job->request.op != HAND_WATCH)
		watching_job_done(s, entry, TAKE_FD(owned));
	else if (reply->err.kind == ERR_NONE && watching_add(s, entry, TAKE_FD(owned), &e) < 0)
		reply->err = e;
	if (job->request.op == HAND_WATCH && job->connection == 0)
		return watching_rearmed(s, entry, &reply->err);
	head_reply(s, job->connection, reply, -1);
}

void dispatch_finished(struct server *s, struct entry *entry, struct job *job,
		       const struct hand_reply *reply, int fd, const struct err *e)
{
	_cleanup_close_ int owned = fd;

	if (reply) {
		struct hand_reply copy = *reply;

		learn(s, entry, job, reply);
		answer(s, entry, job, &copy, TAKE_FD(owned));
	} else {
		struct err named = *e;

		err_add(&named, "%s of volume %s of pod %s", hand_op_label(job->request.op),
			entry->ref.name, entry->ref.pod_uid);
		log_warn("operation.failed", L_STR(LOG_ACTION, hand_op_label(job->request.op)),
			 L_STR(LOG_POD_UID, entry->ref.pod_uid), L_STR(LOG_VOLUME, entry->ref.name),
			 L_ERR(&named));
		/* Nobody knows how far it came: the most that it may have taken counts. */
		if (entry->reserved > entry->charge)
			entry->charge = entry->reserved;
		entry->reserved = 0;
		head_reply_error(s, job->connection, &job->request, &named);
	}
	if (job->request.op == HAND_ADOPT)
		adopt_job_done(s, job->connection);
	job_free(job);
}

static void cancel(struct server *s, struct job *job, const struct err *e)
{
	head_reply_error(s, job->connection, &job->request, e);
	if (job->request.op == HAND_ADOPT)
		adopt_job_done(s, job->connection);
	job_free(job);
}

void dispatch_stuck(struct server *s, struct entry *entry, const struct err *e)
{
	struct job *job;

	entry->stuck = true;
	while ((job = table_drain_entry(&s->table, entry)))
		cancel(s, job, e);
}

void dispatch_cancel_all(struct server *s)
{
	struct job *job;
	struct err e;

	err_set(&e, ERR_CANCELLED, "the hand is stopping");
	while ((job = table_drain(&s->table)))
		cancel(s, job, &e);
}
