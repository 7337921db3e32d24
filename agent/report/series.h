/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which Events are to be sent: what happened again and again to one object is one Event with a
 * count. Knows no API and no clock. Nothing outside report/ includes it.
 *
 * An occurrence belongs to the series of the same object, reason and note; where LIMIT_EVENT_SIMILAR
 * of one object and reason are alive, to the latest of them, whatever its note. Each that is to be
 * sent costs a token of its object. A series ends after LIMIT_EVENT_SILENCE_MS.
 */

#include "report/events.h"

#include "base/limits.h"

#include <sys/queue.h>

struct series {
	TAILQ_ENTRY(series) by_use;
	enum event_reason reason;
	uint64_t note_hash;
	unsigned count; /* how often it happened */
	unsigned told;  /* of these, how many the API server knows; 0: it has no Event yet */
	int64_t first_wall_ms;
	int64_t last_wall_ms;
	int64_t last_ms;
	char *note; /* owned; at most LIMIT_EVENT_NOTE bytes of UTF-8 */
	char namespace_[LIMIT_NAMESPACE + 1];
	char pod[LIMIT_OBJECT_NAME + 1];
	char uid[LIMIT_UID + 1];
	char event[LIMIT_OBJECT_NAME + 1]; /* the Event's name */

	/* Of who sends it. */
	struct events *events;
	struct k8s_request *request; /* owned; NULL: none is under way */
	TAILQ_ENTRY(series) in_queue;
	bool queued; /* waits or is under way; such a series is not forgotten */
	bool wanted; /* it happened again meanwhile */
	unsigned telling;
	int tries;
};

TAILQ_HEAD(series_list, series);

struct series_table {
	struct series_list series; /* latest first */
	size_t series_count;
	TAILQ_HEAD(bucket_list, series_bucket) buckets; /* latest first */
	size_t bucket_count;
	uint64_t named; /* Events named so far */
};

void series_table_init(struct series_table *t);
void series_table_done(struct series_table *t);

/* What happened, and when. */
struct occurrence {
	const struct event_object *about;
	enum event_reason reason;
	const char *note;
	int64_t now_ms;
	int64_t wall_ms;
};

/*
 * Counts it. Returns its series, and whether that is to be sent; NULL when it could not be counted
 * (no memory, or every series is queued).
 */
struct series *series_count(struct series_table *t, const struct occurrence *o, bool *ret_send);

/* Forgets one. */
void series_drop(struct series_table *t, struct series *s);

/* Gives it a new name, as for one that the API server has forgotten. */
void series_name(struct series_table *t, struct series *s);

/*
 * The oldest series that ended before now and is not queued; NULL when there is none, with the time
 * of the next in *ret_next_ms (-1: none).
 */
struct series *series_ended(struct series_table *t, int64_t now_ms, int64_t *ret_next_ms);

/* Copies a note as UTF-8 without control characters, at most LIMIT_EVENT_NOTE bytes. Owned; NULL
 * when memory is gone. */
char *series_note(const char *text);
