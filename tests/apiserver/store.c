/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/store.h"

#include <inttypes.h>
#include <string.h>

struct entry {
	const char *plural; /* static */
	struct json_object *object;
};

struct table {
	struct entry *entries; /* ordered by plural, namespace, name */
	size_t count;
	size_t room;
};

struct store {
	uint64_t rv;
	uint64_t compacted; /* states before it are gone */
	uint64_t cached;    /* watches from before it get 410 */
	struct table now;
	struct change *changes; /* a ring */
	size_t window;
	size_t first;
	size_t count;
	store_change_fn on_change;
	void *arg;
	struct table saved;
	uint64_t saved_rv; /* 0: nothing is saved */
};

static const char *namespace_of(struct json_object *object)
{
	const char *ns = gojson_text(object, "metadata", "namespace", NULL);
	return ns ? ns : "";
}

static const char *name_of(struct json_object *object)
{
	const char *name = gojson_text(object, "metadata", "name", NULL);
	return name ? name : "";
}

/* The entry of an object, or NULL; ret_at: its place, or where it would be put. */
static struct entry *table_find(const struct table *t, const char *plural, const char *ns,
				const char *name, size_t *ret_at)
{
	size_t low = 0;
	size_t high = t->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		struct entry *entry = &t->entries[middle];
		int order = strcmp(entry->plural, plural);
		if (!order)
			order = strcmp(namespace_of(entry->object), ns);
		if (!order)
			order = strcmp(name_of(entry->object), name);
		if (!order) {
			*ret_at = middle;
			return entry;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_at = low;
	return NULL;
}

static void table_grow(struct table *t)
{
	size_t room = t->room ? t->room * 2 : 64;
	struct entry *entries = reallocarray(t->entries, room, sizeof(*entries));
	if (!entries)
		abort();
	t->entries = entries;
	t->room = room;
}

/* Takes the object. */
static void table_put(struct table *t, const char *plural, struct json_object *object)
{
	size_t at = 0;
	struct entry *entry = table_find(t, plural, namespace_of(object), name_of(object), &at);
	if (entry) {
		json_object_put(entry->object);
		entry->object = object;
		return;
	}
	if (!t->entries || t->count == t->room)
		table_grow(t);
	memmove(&t->entries[at + 1], &t->entries[at], (t->count - at) * sizeof(*t->entries));
	t->entries[at] = (struct entry){plural, object};
	t->count++;
}

static void table_remove(struct table *t, size_t at)
{
	json_object_put(t->entries[at].object);
	t->count--;
	memmove(&t->entries[at], &t->entries[at + 1], (t->count - at) * sizeof(*t->entries));
}

static void table_done(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		json_object_put(t->entries[i].object);
	free(t->entries);
	*t = (struct table){0};
}

static void table_copy(struct table *to, const struct table *from)
{
	table_done(to);
	for (size_t i = 0; i < from->count; i++)
		table_put(to, from->entries[i].plural, json_object_get(from->entries[i].object));
}

struct store *store_new(uint64_t first_rv, size_t window, store_change_fn on_change, void *arg)
{
	struct store *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->changes = calloc(window, sizeof(*s->changes));
	if (!s->changes) {
		free(s);
		return NULL;
	}
	s->window = window;
	s->rv = first_rv;
	s->compacted = first_rv;
	s->cached = first_rv;
	s->on_change = on_change;
	s->arg = arg;
	return s;
}

static void drop_oldest(struct store *s)
{
	struct change *oldest = &s->changes[s->first];
	if (oldest->rv > s->compacted)
		s->compacted = oldest->rv;
	if (oldest->rv > s->cached)
		s->cached = oldest->rv;
	json_object_put(oldest->object);
	json_object_put(oldest->previous);
	s->first = (s->first + 1) % s->window;
	s->count--;
}

static void drop_all(struct store *s)
{
	while (s->count)
		drop_oldest(s);
}

struct store *store_free(struct store *s)
{
	if (!s)
		return NULL;
	drop_all(s);
	table_done(&s->now);
	table_done(&s->saved);
	free(s->changes);
	free(s);
	return NULL;
}

uint64_t store_rv(const struct store *s)
{
	return s->rv;
}

void store_bump(struct store *s)
{
	s->rv++;
}

struct json_object *store_get(struct store *s, const char *plural, const char *ns, const char *name)
{
	size_t at = 0;
	const struct entry *entry = table_find(&s->now, plural, ns ? ns : "", name, &at);
	return entry ? entry->object : NULL;
}

static void stamp(struct json_object *object, uint64_t rv)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, rv);
	gojson_set(gojson_at(object, "metadata", NULL), "resourceVersion", text);
}

/* Takes both objects. */
static void record(struct store *s, const struct change *change)
{
	if (s->count == s->window)
		drop_oldest(s);
	s->changes[(s->first + s->count) % s->window] = *change;
	s->count++;
	if (s->on_change)
		s->on_change(s->arg, change);
}

struct json_object *store_put(struct store *s, const char *plural, struct json_object *object)
{
	size_t at = 0;
	const struct entry *entry =
	    table_find(&s->now, plural, namespace_of(object), name_of(object), &at);
	struct change change = {.type = entry ? CHANGE_MODIFIED : CHANGE_ADDED,
				.rv = ++s->rv,
				.plural = plural,
				.object = json_object_get(object)};
	if (entry)
		change.previous = json_object_get(entry->object);
	stamp(object, s->rv);
	table_put(&s->now, plural, object);
	record(s, &change);
	return object;
}

void store_delete(struct store *s, const char *plural, const char *ns, const char *name)
{
	size_t at = 0;
	const struct entry *entry = table_find(&s->now, plural, ns ? ns : "", name, &at);
	if (!entry)
		return;
	struct change change = {.type = CHANGE_DELETED,
				.rv = ++s->rv,
				.plural = entry->plural,
				.object = gojson_copy(entry->object),
				.previous = json_object_get(entry->object)};
	stamp(change.object, s->rv);
	table_remove(&s->now, at);
	record(s, &change);
}

/* Turns the table back to rv by undoing what was done since. */
static void undo_to(const struct store *s, struct table *t, uint64_t rv)
{
	for (size_t i = s->count; i-- > 0;) {
		const struct change *change = &s->changes[(s->first + i) % s->window];
		size_t at = 0;
		if (change->rv <= rv)
			return;
		if (change->type != CHANGE_ADDED)
			table_put(t, change->plural, json_object_get(change->previous));
		else if (table_find(t, change->plural, namespace_of(change->object),
				    name_of(change->object), &at))
			table_remove(t, at);
	}
}

static struct json_object *list_table(const struct table *t, const char *plural, const char *ns)
{
	struct json_object *list = json_object_new_array();
	size_t at = 0;
	table_find(t, plural, ns ? ns : "", "", &at);
	for (; at < t->count && !strcmp(t->entries[at].plural, plural); at++) {
		struct json_object *object = t->entries[at].object;
		if (ns && strcmp(namespace_of(object), ns) != 0)
			break;
		json_object_array_add(list, json_object_get(object));
	}
	return list;
}

struct json_object *store_list(struct store *s, const char *plural, const char *ns, uint64_t rv)
{
	if (!rv || rv >= s->rv)
		return list_table(&s->now, plural, ns);
	if (rv < s->compacted)
		return NULL;
	struct table then = {0};
	table_copy(&then, &s->now);
	undo_to(s, &then, rv);
	struct json_object *list = list_table(&then, plural, ns);
	table_done(&then);
	return list;
}

bool store_can_watch(const struct store *s, uint64_t rv, uint64_t *ret_oldest)
{
	*ret_oldest = s->cached;
	return rv >= s->cached;
}

void store_replay(struct store *s, uint64_t rv, store_change_fn on_change, void *arg)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct change *change = &s->changes[(s->first + i) % s->window];
		if (change->rv > rv)
			on_change(arg, change);
	}
}

void store_compact(struct store *s)
{
	s->compacted = s->rv;
}

void store_forget(struct store *s)
{
	s->cached = ++s->rv;
}

void store_save(struct store *s)
{
	table_copy(&s->saved, &s->now);
	s->saved_rv = s->rv;
}

bool store_restore(struct store *s)
{
	if (!s->saved_rv)
		return false;
	drop_all(s);
	table_copy(&s->now, &s->saved);
	s->rv = s->saved_rv;
	s->compacted = s->rv;
	s->cached = s->rv;
	return true;
}
