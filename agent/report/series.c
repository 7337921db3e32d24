/* SPDX-License-Identifier: Apache-2.0 */
#include "report/series.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define NAME_TAIL 17 /* "." and 16 hex digits */

/* What one object may still send. */
struct series_bucket {
	TAILQ_ENTRY(series_bucket) by_use;
	int tokens;
	int64_t refilled_ms;
	char namespace_[LIMIT_NAMESPACE + 1];
	char pod[LIMIT_OBJECT_NAME + 1];
	char uid[LIMIT_UID + 1];
};

void series_table_init(struct series_table *t)
{
	*t = (struct series_table){0};
	TAILQ_INIT(&t->series);
	TAILQ_INIT(&t->buckets);
}

void series_drop(struct series_table *t, struct series *s)
{
	TAILQ_REMOVE(&t->series, s, by_use);
	t->series_count--;
	free(s->note);
	free(s);
}

void series_table_done(struct series_table *t)
{
	struct series_bucket *b = TAILQ_FIRST(&t->buckets);
	struct series *s = TAILQ_FIRST(&t->series);

	while (s) {
		struct series *next = TAILQ_NEXT(s, by_use);

		free(s->note);
		free(s);
		s = next;
	}
	while (b) {
		struct series_bucket *next = TAILQ_NEXT(b, by_use);

		free(b);
		b = next;
	}
	series_table_init(t);
}

static struct series_bucket *bucket_find(struct series_table *t, const struct event_object *about)
{
	struct series_bucket *b;

	TAILQ_FOREACH (b, &t->buckets, by_use)
		if (strcmp(b->uid, about->uid) == 0 && strcmp(b->pod, about->name) == 0 &&
		    strcmp(b->namespace_, about->namespace_) == 0)
			return b;
	return NULL;
}

/* A full one, in place of the one that was not used for longest when there are too many. */
static struct series_bucket *bucket_new(struct series_table *t, const struct event_object *about,
					int64_t now_ms)
{
	struct series_bucket *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	if (t->bucket_count == LIMIT_EVENT_OBJECTS) {
		struct series_bucket *last = TAILQ_LAST(&t->buckets, bucket_list);

		TAILQ_REMOVE(&t->buckets, last, by_use);
		free(last);
		t->bucket_count--;
	}
	b->tokens = LIMIT_EVENT_BURST;
	b->refilled_ms = now_ms;
	snprintf(b->namespace_, sizeof(b->namespace_), "%s", about->namespace_);
	snprintf(b->pod, sizeof(b->pod), "%s", about->name);
	snprintf(b->uid, sizeof(b->uid), "%s", about->uid);
	t->bucket_count++;
	TAILQ_INSERT_HEAD(&t->buckets, b, by_use);
	return b;
}

static bool take_token(struct series_table *t, const struct occurrence *o)
{
	struct series_bucket *b = bucket_find(t, o->about);
	int64_t more;

	if (!b)
		b = bucket_new(t, o->about, o->now_ms);
	if (!b)
		return false;
	TAILQ_REMOVE(&t->buckets, b, by_use);
	TAILQ_INSERT_HEAD(&t->buckets, b, by_use);
	more = (o->now_ms - b->refilled_ms) / LIMIT_EVENT_REFILL_MS;
	b->refilled_ms += more * LIMIT_EVENT_REFILL_MS;
	b->tokens =
	    more >= LIMIT_EVENT_BURST - b->tokens ? LIMIT_EVENT_BURST : b->tokens + (int)more;
	if (b->tokens == 0)
		return false;
	b->tokens--;
	return true;
}

/* FNV-1a: only whether a note is another than before counts. */
static uint64_t hash(const char *text)
{
	uint64_t h = 14695981039346656037u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return h;
}

static bool is_about(const struct series *s, const struct occurrence *o)
{
	return s->reason == o->reason && strcmp(s->uid, o->about->uid) == 0 &&
	       strcmp(s->pod, o->about->name) == 0 &&
	       strcmp(s->namespace_, o->about->namespace_) == 0;
}

/* The series that it belongs to, NULL for a new one. */
static struct series *find(struct series_table *t, const struct occurrence *o, uint64_t note_hash)
{
	struct series *latest = NULL;
	struct series *s;
	int similar = 0;

	TAILQ_FOREACH (s, &t->series, by_use) {
		if (!is_about(s, o) || o->now_ms - s->last_ms >= LIMIT_EVENT_SILENCE_MS)
			continue;
		if (s->note_hash == note_hash)
			return s;
		if (!latest)
			latest = s;
		similar++;
	}
	return similar >= LIMIT_EVENT_SIMILAR ? latest : NULL;
}

/* Makes room: forgets what was not used for longest and need not be sent. */
static bool make_room(struct series_table *t)
{
	struct series *s;

	if (t->series_count < LIMIT_EVENT_SERIES)
		return true;
	TAILQ_FOREACH_REVERSE(s, &t->series, series_list, by_use)
	{
		if (s->queued)
			continue;
		series_drop(t, s);
		return true;
	}
	return false;
}

/* A name of our own, so that a POST whose answer was lost can be repeated. */
void series_name(struct series_table *t, struct series *s)
{
	int len = (int)strnlen(s->pod, LIMIT_OBJECT_NAME - NAME_TAIL);

	while (len > 0 && (s->pod[len - 1] == '.' || s->pod[len - 1] == '-'))
		len--;
	snprintf(s->event, sizeof(s->event), "%.*s.%016" PRIx64, len, s->pod,
		 (uint64_t)s->last_wall_ms * 1000000 + t->named++ % 1000000);
}

static struct series *make(struct series_table *t, const struct occurrence *o, uint64_t note_hash)
{
	struct series *s = make_room(t) ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->note = series_note(o->note);
	if (!s->note) {
		free(s);
		return NULL;
	}
	s->reason = o->reason;
	s->note_hash = note_hash;
	s->first_wall_ms = s->last_wall_ms = o->wall_ms;
	snprintf(s->namespace_, sizeof(s->namespace_), "%s", o->about->namespace_);
	snprintf(s->pod, sizeof(s->pod), "%s", o->about->name);
	snprintf(s->uid, sizeof(s->uid), "%s", o->about->uid);
	series_name(t, s);
	t->series_count++;
	return s;
}

struct series *series_count(struct series_table *t, const struct occurrence *o, bool *ret_send)
{
	uint64_t note_hash = hash(o->note);
	struct series *s = find(t, o, note_hash);

	*ret_send = false;
	if (s)
		TAILQ_REMOVE(&t->series, s, by_use);
	else
		s = make(t, o, note_hash);
	if (!s)
		return NULL;
	TAILQ_INSERT_HEAD(&t->series, s, by_use);
	s->count++;
	s->last_wall_ms = o->wall_ms;
	s->last_ms = o->now_ms;
	*ret_send = take_token(t, o);
	return s;
}

struct series *series_ended(struct series_table *t, int64_t now_ms, int64_t *ret_next_ms)
{
	struct series *s;

	*ret_next_ms = -1;
	TAILQ_FOREACH_REVERSE(s, &t->series, series_list, by_use)
	{
		if (s->queued)
			continue;
		if (now_ms - s->last_ms >= LIMIT_EVENT_SILENCE_MS)
			return s;
		*ret_next_ms = s->last_ms + LIMIT_EVENT_SILENCE_MS;
		break;
	}
	return NULL;
}

char *series_note(const char *text)
{
	static const char more[] = "...";
	char note[LIMIT_EVENT_NOTE + 1];
	size_t len = strlen(text);
	size_t cut = 0; /* where "..." still fits */
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		size_t c = text_utf8_length(text + i, len - i);
		bool plain = c > 1 || (c == 1 && (unsigned char)text[i] >= ' ' && text[i] != 0x7f);

		if (n + (c ? c : 1) > LIMIT_EVENT_NOTE) {
			memcpy(note + cut, more, sizeof(more));
			return strdup(note);
		}
		if (plain)
			memcpy(note + n, text + i, c);
		else
			note[n] = c ? ' ' : '?';
		n += plain ? c : 1;
		i += c ? c : 1;
		if (n + sizeof(more) - 1 <= LIMIT_EVENT_NOTE)
			cut = n;
	}
	note[n] = '\0';
	return strdup(note);
}
