/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/log.h"
#include "hand/internal.h"

/*
 * A pod may damage its volume as fast as it can. Each volume has some notices to the head a minute;
 * when they are used up its watch is taken off, so that a loop of the pod costs nothing, and put on
 * again when the next notice is due.
 */

#define NOTICE_MS (MINUTE_MS / LIMIT_REPAIRS_PER_MINUTE)
#define BURST_MS ((LIMIT_REPAIRS_PER_MINUTE - 1) * NOTICE_MS)

static void tell_head(struct server *s, const struct entry *entry)
{
	struct hand_reply reply = {
	    .magic = HAND_MAGIC, .op = HAND_DAMAGED, .record.ref = entry->ref};

	head_reply(s, s->connection, &reply, -1);
}

static void rearm_at(struct server *s, struct entry *entry, int64_t due_ms)
{
	entry->rearm_ms = due_ms;
	if (s->rearm_due_ms == 0 || due_ms < s->rearm_due_ms)
		s->rearm_due_ms = due_ms;
}

void watching_notice(struct server *s, struct entry *entry, int64_t now_ms)
{
	if (entry->notice_due_ms < now_ms)
		entry->notice_due_ms = now_ms;
	if (entry->notice_due_ms - now_ms > BURST_MS) {
		int64_t rearm_ms = entry->notice_due_ms - BURST_MS;

		watching_remove(s, entry);
		rearm_at(s, entry, rearm_ms);
		return;
	}
	entry->notice_due_ms += NOTICE_MS;
	tell_head(s, entry);
}

struct turn {
	struct server *s;
	int64_t now_ms;
};

static void on_change(void *arg, uint64_t key, const char *name _unused_)
{
	struct turn *turn = arg;
	struct entry *entry = table_watched(&turn->s->table, key);

	if (!entry)
		return;
	if (entry->busy)
		entry->touched = true; /* perhaps by ourselves */
	else
		watching_notice(turn->s, entry, turn->now_ms);
}

static void on_gone(void *arg, uint64_t key)
{
	struct turn *turn = arg;
	struct entry *entry = table_watched(&turn->s->table, key);

	if (!entry)
		return;
	table_set_watch(&turn->s->table, entry, 0);
	rearm_at(turn->s, entry, turn->now_ms);
}

static void each(struct server *s, void (*call)(struct server *s, struct entry *entry, int64_t now),
		 int64_t now_ms)
{
	for (size_t i = 0; i < TABLE_BUCKETS; i++)
		for (struct entry *entry = LIST_FIRST(&s->table.by_ref[i]), *next; entry;
		     entry = next) {
			next = LIST_NEXT(entry, by_ref);
			call(s, entry, now_ms);
		}
}

static void notice_if_watched(struct server *s, struct entry *entry, int64_t now_ms)
{
	if (entry->watch_key)
		watching_notice(s, entry, now_ms);
}

static void on_overflow(void *arg)
{
	struct turn *turn = arg;

	log_warn("inotify.overflow", L_INT(LOG_COUNT, turn->s->table.entries));
	each(turn->s, notice_if_watched, turn->now_ms);
}

void watching_take(struct server *s, int64_t now_ms)
{
	struct turn turn = {.s = s, .now_ms = now_ms};
	struct volume_watch_calls calls = {
	    .on_change = on_change, .on_gone = on_gone, .on_overflow = on_overflow, .arg = &turn};

	volume_watch_take(s->watch, &calls);
}

int watching_add(struct server *s, struct entry *entry, int fd, struct err *e)
{
	struct volume v = {.fd = fd};
	uint64_t key = 0;
	int r;

	if (!s->watch) {
		volume_close(&v);
		return err_set(e, ERR_UNAVAILABLE, "inotify is not to be had");
	}
	watching_remove(s, entry);
	r = volume_watch_add(s->watch, &v, &key, e);
	volume_close(&v);
	if (r == 0)
		table_set_watch(&s->table, entry, key);
	return r;
}

void watching_remove(struct server *s, struct entry *entry)
{
	entry->rearm_ms = 0;
	if (entry->watch_key == 0)
		return;
	volume_watch_remove(s->watch, entry->watch_key);
	table_set_watch(&s->table, entry, 0);
}

void watching_job_done(struct server *s, struct entry *entry, int fd)
{
	_cleanup_close_ int owned = fd;
	struct err e;

	/* A swap of our own: the generation is another, and what it stirred up is not damage. */
	if (entry->watch_key && owned >= 0) {
		if (watching_add(s, entry, TAKE_FD(owned), &e) < 0)
			rearm_at(s, entry, server_now() + NOTICE_MS);
		return;
	}
	if (entry->touched && entry->watch_key)
		watching_notice(s, entry, server_now());
}

/* The watch was put on again by ourselves: the head has to look at what happened in between. */
void watching_rearmed(struct server *s, struct entry *entry, const struct err *e)
{
	int64_t now_ms = server_now();

	if (e->kind == ERR_NONE)
		watching_notice(s, entry, now_ms);
	else if (e->kind == ERR_NOT_FOUND)
		tell_head(s, entry);
	else
		rearm_at(s, entry, now_ms + NOTICE_MS);
}

static void stop_one(struct server *s, struct entry *entry, int64_t now_ms _unused_)
{
	watching_remove(s, entry);
	table_tidy(&s->table, entry);
}

void watching_stop(struct server *s)
{
	each(s, stop_one, 0);
}

static void rearm_if_due(struct server *s, struct entry *entry, int64_t now_ms)
{
	struct hand_request request = {.op = HAND_WATCH, .volume = entry->ref, .watch.on = 1};
	struct job *replaced;
	struct job *job;
	struct err e;

	if (entry->rearm_ms == 0)
		return;
	if (entry->rearm_ms > now_ms)
		return rearm_at(s, entry, entry->rearm_ms);
	job = job_new(&request, 0);
	if (!job || table_add(&s->table, entry, job, &replaced, &e) < 0) {
		job_free(job);
		return rearm_at(s, entry, now_ms + NOTICE_MS);
	}
	entry->rearm_ms = 0;
}

void watching_rearm(struct server *s, int64_t now_ms)
{
	if (s->rearm_due_ms == 0 || s->rearm_due_ms > now_ms)
		return;
	s->rearm_due_ms = 0;
	each(s, rearm_if_due, now_ms);
}
