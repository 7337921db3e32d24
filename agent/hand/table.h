/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What the hand knows of each volume while it runs: the requests that wait, what is under way, and
 * how much of the budget it takes. Requests of one volume go one after the other, volumes take
 * turns. Pure: no descriptor is opened and no process is started here.
 */

#include "hand/protocol.h"

#include <sys/queue.h>

struct job {
	STAILQ_ENTRY(job) link;
	struct hand_request request;
	int memfd;           /* owned; -1 none */
	uint64_t new_bytes;  /* PUBLISH: what the payload says */
	uint64_t charge;     /* PUBLISH: what the volume counts for if it succeeds */
	uint64_t connection; /* which head asked; 0: the hand itself */
};

struct job *job_new(const struct hand_request *request, uint64_t connection);
struct job *job_free(struct job *job); /* returns NULL */

STAILQ_HEAD(job_queue, job);

struct entry {
	LIST_ENTRY(entry) by_ref, by_watch;
	TAILQ_ENTRY(entry) turn; /* while it waits for its turn */
	struct volume_ref ref;
	char pod_namespace[LIMIT_NAMESPACE + 1];
	uint64_t charge;       /* bytes of the budget; 0: nothing of ours is there */
	uint64_t reserved;     /* while a publish is under way: what it may come to */
	struct record *memory; /* owned; what is remembered where there are no records on disk */
	struct job_queue waiting;
	unsigned waiting_count;
	bool in_turn, busy;
	bool touched;          /* something changed while it was busy */
	bool stuck;            /* what keeps it busy was killed and has not ended */
	uint64_t watch_key;    /* 0: not watched */
	int64_t notice_due_ms; /* when the next notice fits the rate; see watching.c */
	int64_t rearm_ms;      /* 0, or when it is watched again */
};

LIST_HEAD(entry_list, entry);
TAILQ_HEAD(entry_queue, entry);
#define TABLE_BUCKETS 1024

struct table {
	struct entry_list by_ref[TABLE_BUCKETS];
	struct entry_list by_watch[TABLE_BUCKETS];
	struct entry_queue turns;
	size_t entries, waiting;
	uint64_t budget_namespace, budget_node;
};

void table_init(struct table *t, uint64_t budget_namespace, uint64_t budget_node);
void table_done(struct table *t);

struct entry *table_find(struct table *t, const struct volume_ref *ref);

/* Finds or makes it. Errors: EXHAUSTED. */
int table_get(struct table *t, const struct volume_ref *ref, struct entry **ret,
	      struct err *e) _must_check_;

/* Forgets an entry about which there is nothing to remember. */
void table_tidy(struct table *t, struct entry *entry);

/*
 * Puts a job behind the others of its volume; owned on success. ret_replaced: an older publish that
 * it makes superfluous, owned by the caller, or NULL. Errors: EXHAUSTED.
 */
int table_add(struct table *t, struct entry *entry, struct job *job, struct job **ret_replaced,
	      struct err *e) _must_check_;

/* The next job whose turn it is, owned by the caller, and its entry, which is busy then; or NULL. */
struct job *table_next(struct table *t, struct entry **ret_entry);
/* Any job that waits, whatever is busy; for shutting down. */
struct job *table_drain(struct table *t);
struct job *table_drain_entry(struct table *t, struct entry *entry);
void table_free_turn(struct table *t, struct entry *entry); /* it is not busy any more */

void table_set_watch(struct table *t, struct entry *entry, uint64_t key);
struct entry *table_watched(struct table *t, uint64_t key);

/*
 * Takes room for a publish: the new generation, and one more of the larger of it and the one that
 * it replaces, which is kept. So the next rotation of the same size always has room.
 * Errors: EXHAUSTED, with the budget that would be passed.
 */
int table_reserve(struct table *t, struct entry *entry, struct job *job,
		  struct err *e) _must_check_;

/* What is known now: a record, or NULL for none. Ends a reservation. */
void table_charge(struct entry *entry, const struct record *r);
