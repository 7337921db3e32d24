/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/table.h"

#include <inttypes.h>
#include <string.h>

struct job *job_new(const struct hand_request *request, uint64_t connection)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job) {
		job->request = *request;
		job->connection = connection;
		job->memfd = -1;
	}
	return job;
}

struct job *job_free(struct job *job)
{
	if (job) {
		closep(&job->memfd);
		free(job);
	}
	return NULL;
}

void table_init(struct table *t, uint64_t budget_namespace, uint64_t budget_node)
{
	*t = (struct table){.budget_namespace = budget_namespace, .budget_node = budget_node};
	TAILQ_INIT(&t->turns);
}

static void entry_free(struct table *t, struct entry *entry)
{
	struct job *job;

	while ((job = STAILQ_FIRST(&entry->waiting))) {
		STAILQ_REMOVE_HEAD(&entry->waiting, link);
		job_free(job);
	}
	table_set_watch(t, entry, 0);
	LIST_REMOVE(entry, by_ref);
	t->entries--;
	free(entry->memory);
	free(entry);
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < TABLE_BUCKETS; i++)
		for (struct entry *entry = LIST_FIRST(&t->by_ref[i]), *next; entry; entry = next) {
			next = LIST_NEXT(entry, by_ref);
			entry_free(t, entry);
		}
}

static struct entry_list *bucket_of(struct table *t, const struct volume_ref *ref)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *s = ref->pod_uid; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 16777619u;
	for (const char *s = ref->name; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 16777619u;
	return &t->by_ref[hash % TABLE_BUCKETS];
}

struct entry *table_find(struct table *t, const struct volume_ref *ref)
{
	struct entry *entry;

	LIST_FOREACH (entry, bucket_of(t, ref), by_ref)
		if (volume_ref_equal(&entry->ref, ref))
			break;
	return entry;
}

int table_get(struct table *t, const struct volume_ref *ref, struct entry **ret, struct err *e)
{
	struct entry *entry = table_find(t, ref);

	if (entry) {
		*ret = entry;
		return 0;
	}
	if (t->entries == LIMIT_HAND_VOLUMES)
		return err_set(e, ERR_EXHAUSTED, "more than %d volumes", LIMIT_HAND_VOLUMES);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return err_sys(e, "remember a volume");
	entry->ref = *ref;
	STAILQ_INIT(&entry->waiting);
	LIST_INSERT_HEAD(bucket_of(t, ref), entry, by_ref);
	t->entries++;
	*ret = entry;
	return 0;
}

void table_tidy(struct table *t, struct entry *entry)
{
	if (!entry->busy && entry->waiting_count == 0 && entry->charge == 0 && !entry->memory &&
	    entry->watch_key == 0 && entry->rearm_ms == 0)
		entry_free(t, entry);
}

static void take_turn(struct table *t, struct entry *entry)
{
	if (entry->in_turn || entry->busy || entry->waiting_count == 0)
		return;
	TAILQ_INSERT_TAIL(&t->turns, entry, turn);
	entry->in_turn = true;
}

static struct job *unlink_job(struct table *t, struct entry *entry, struct job *job)
{
	STAILQ_REMOVE(&entry->waiting, job, job, link);
	entry->waiting_count--;
	t->waiting--;
	return job;
}

static struct job *waiting_publish(const struct entry *entry)
{
	struct job *job;

	STAILQ_FOREACH (job, &entry->waiting, link)
		if (job->request.op == HAND_PUBLISH)
			break;
	return job;
}

int table_add(struct table *t, struct entry *entry, struct job *job, struct job **ret_replaced,
	      struct err *e)
{
	struct job *older = job->request.op == HAND_PUBLISH ? waiting_publish(entry) : NULL;

	*ret_replaced = NULL;
	if (entry->stuck)
		return err_set(e, ERR_TIMEOUT, "volume %s of pod %s hangs", entry->ref.name,
			       entry->ref.pod_uid);
	if (!older &&
	    (t->waiting >= LIMIT_HAND_QUEUE || entry->waiting_count >= LIMIT_HAND_VOLUME_QUEUE))
		return err_set(e, ERR_EXHAUSTED, "too many requests wait for volume %s of pod %s",
			       entry->ref.name, entry->ref.pod_uid);
	if (older)
		*ret_replaced = unlink_job(t, entry, older);
	STAILQ_INSERT_TAIL(&entry->waiting, job, link);
	entry->waiting_count++;
	t->waiting++;
	take_turn(t, entry);
	return 0;
}

static void leave_turn(struct table *t, struct entry *entry)
{
	if (entry->in_turn)
		TAILQ_REMOVE(&t->turns, entry, turn);
	entry->in_turn = false;
}

struct job *table_next(struct table *t, struct entry **ret_entry)
{
	struct entry *entry = TAILQ_FIRST(&t->turns);

	if (!entry)
		return NULL;
	leave_turn(t, entry);
	entry->busy = true;
	entry->touched = false;
	*ret_entry = entry;
	return unlink_job(t, entry, STAILQ_FIRST(&entry->waiting));
}

struct job *table_drain_entry(struct table *t, struct entry *entry)
{
	struct job *job = STAILQ_FIRST(&entry->waiting);

	if (job)
		unlink_job(t, entry, job);
	if (entry->waiting_count == 0)
		leave_turn(t, entry);
	return job;
}

struct job *table_drain(struct table *t)
{
	struct entry *entry;

	for (size_t i = 0; t->waiting > 0 && i < TABLE_BUCKETS; i++)
		LIST_FOREACH (entry, &t->by_ref[i], by_ref)
			if (entry->waiting_count > 0)
				return table_drain_entry(t, entry);
	return NULL;
}

void table_free_turn(struct table *t, struct entry *entry)
{
	entry->busy = entry->stuck = false;
	take_turn(t, entry);
}

void table_set_watch(struct table *t, struct entry *entry, uint64_t key)
{
	if (entry->watch_key)
		LIST_REMOVE(entry, by_watch);
	entry->watch_key = key;
	if (key)
		LIST_INSERT_HEAD(&t->by_watch[key % TABLE_BUCKETS], entry, by_watch);
}

struct entry *table_watched(struct table *t, uint64_t key)
{
	struct entry *entry;

	LIST_FOREACH (entry, &t->by_watch[key % TABLE_BUCKETS], by_watch)
		if (entry->watch_key == key)
			break;
	return entry;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t counted(const struct entry *entry)
{
	return larger(entry->charge, entry->reserved);
}

int table_reserve(struct table *t, struct entry *entry, struct job *job, struct err *e)
{
	const char *namespace = job->request.publish.pod_namespace;
	uint64_t charge = job->new_bytes + larger(job->new_bytes, entry->charge / 2);
	uint64_t node = charge, same = charge;
	struct entry *other;

	for (size_t i = 0; i < TABLE_BUCKETS; i++)
		LIST_FOREACH (other, &t->by_ref[i], by_ref) {
			if (other == entry)
				continue;
			node += counted(other);
			if (strcmp(other->pod_namespace, namespace) == 0)
				same += counted(other);
		}
	/* What had room before has it still, whatever the budget became. */
	if (charge > entry->charge && (same > t->budget_namespace || node > t->budget_node))
		return err_set(e, ERR_EXHAUSTED,
			       "%" PRIu64 " bytes pass the budget of the %s: %" PRIu64, charge,
			       node > t->budget_node ? "node" : "namespace",
			       node > t->budget_node ? t->budget_node : t->budget_namespace);
	job->charge = charge;
	entry->reserved = larger(charge, entry->charge);
	memcpy(entry->pod_namespace, namespace, sizeof(entry->pod_namespace));
	return 0;
}

void table_charge(struct entry *entry, const struct record *r)
{
	entry->charge = r ? r->bytes : 0;
	entry->reserved = 0;
	if (r)
		memcpy(entry->pod_namespace, r->pod_namespace, sizeof(entry->pod_namespace));
}
