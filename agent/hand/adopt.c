/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/log.h"
#include "hand/internal.h"

static void end(struct server *s, const struct err *e)
{
	struct adoption *a = &s->adoption;
	struct hand_reply reply = {.magic = HAND_MAGIC, .op = HAND_ADOPT, .id = a->id, .last = 1};

	if (e)
		reply.err = *e;
	head_reply(s, a->connection, &reply, -1);
	a->id = 0;
}

void adopt_start(struct server *s, const struct hand_request *request)
{
	struct adoption *a = &s->adoption;
	struct err e;

	if (a->id) {
		err_set(&e, ERR_CONFLICT, "the records are being read already");
		return head_reply_error(s, s->connection, request, &e);
	}
	a->id = request->id;
	a->connection = s->connection;
	if (s->options->state_fd < 0)
		return end(s, NULL);
	if (child_start(s, CHILD_LIST, NULL, NULL, &e) < 0)
		return end(s, &e);
	a->listing = true;
}

/* The reply for a record, or for one that was set aside, under the id of the request. */
static void tell(struct server *s, const struct hand_reply *listed, const struct err *e)
{
	struct hand_reply reply = *listed;

	reply.id = s->adoption.id;
	if (e)
		reply.err = *e;
	if (reply.id)
		head_reply(s, s->adoption.connection, &reply, -1);
}

void adopt_listed(struct server *s, const struct hand_reply *reply)
{
	struct hand_request request = {.op = HAND_ADOPT, .volume = reply->record.ref};
	struct entry *entry = NULL;
	struct job *replaced;
	struct job *job;
	struct err e;

	if (!reply->has_record)
		return tell(s, reply, NULL);
	if (table_get(&s->table, &reply->record.ref, &entry, &e) < 0)
		return tell(s, reply, &e);
	if (!entry->busy)
		table_charge(entry, &reply->record);
	if (s->adoption.id == 0)
		return;
	request.id = s->adoption.id;
	job = job_new(&request, s->adoption.connection);
	if (!job) {
		err_sys(&e, "adopt");
		return tell(s, reply, &e);
	}
	if (table_add(&s->table, entry, job, &replaced, &e) < 0) {
		job_free(job);
		return tell(s, reply, &e);
	}
	s->adoption.left++;
}

void adopt_list_ended(struct server *s, const struct err *e)
{
	struct adoption *a = &s->adoption;

	a->listing = false;
	if (e)
		log_error("records.unreadable", L_ERR(e));
	else
		a->once = true;
	if (a->id && (e || a->left == 0))
		end(s, e);
}

void adopt_job_done(struct server *s, uint64_t connection)
{
	struct adoption *a = &s->adoption;

	if (connection != a->connection || a->left == 0)
		return;
	if (--a->left == 0 && a->id && !a->listing)
		end(s, NULL);
}

void adopt_forget(struct server *s)
{
	s->adoption = (struct adoption){.once = s->adoption.once};
}
