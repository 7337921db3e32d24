/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/journal.h"

#include <inttypes.h>
#include <string.h>

#define ENTRIES_MAX 200000

struct entry {
	uint64_t number;
	int64_t at_ms;
	uint64_t connection;
	char *method; /* owned, as the three that follow */
	char *target;
	char *user;
	char *agent;
	const char *verb; /* static */
	bool token;
	int status; /* 0 while there is no answer */
};

struct journal {
	struct entry *entries;
	size_t count;
	size_t room;
	uint64_t last;
};

struct journal *journal_new(void)
{
	return calloc(1, sizeof(struct journal));
}

struct journal *journal_free(struct journal *j)
{
	if (!j)
		return NULL;
	for (size_t i = 0; i < j->count; i++) {
		free(j->entries[i].method);
		free(j->entries[i].target);
		free(j->entries[i].user);
		free(j->entries[i].agent);
	}
	free(j->entries);
	free(j);
	return NULL;
}

uint64_t journal_add(struct journal *j, const struct journal_request *request)
{
	j->last++;
	if (j->count == j->room) {
		size_t room = j->room ? j->room * 2 : 256;
		struct entry *entries = NULL;
		if (room <= ENTRIES_MAX)
			entries = reallocarray(j->entries, room, sizeof(*entries));
		if (!entries)
			return j->last;
		j->entries = entries;
		j->room = room;
	}
	struct entry *e = &j->entries[j->count++];
	*e = (struct entry){.number = j->last,
			    .at_ms = request->at_ms,
			    .connection = request->connection,
			    .verb = request->verb,
			    .token = request->token};
	e->method = strdup(request->method);
	e->target = strdup(request->target);
	e->user = strdup(request->user ? request->user : "");
	e->agent = strdup(request->agent ? request->agent : "");
	return j->last;
}

void journal_status(struct journal *j, uint64_t number, int status)
{
	if (number && number <= j->count)
		j->entries[number - 1].status = status;
}

static bool takes(const struct journal_filter *f, const struct entry *e)
{
	if (f->verb && strcmp(f->verb, e->verb) != 0 && strcmp(f->verb, e->method) != 0)
		return false;
	if (f->path && !strstr(e->target, f->path))
		return false;
	if (f->user && strcmp(f->user, e->user) != 0)
		return false;
	return (!f->status || f->status == e->status) && e->number > f->after;
}

size_t journal_count(const struct journal *j, const struct journal_filter *filter)
{
	size_t n = 0;
	for (size_t i = 0; i < j->count; i++)
		n += takes(filter, &j->entries[i]);
	return n;
}

void journal_write(const struct journal *j, const struct journal_filter *filter,
		   struct evbuffer *out)
{
	for (size_t i = 0; i < j->count; i++) {
		const struct entry *e = &j->entries[i];
		if (takes(filter, e))
			evbuffer_add_printf(
			    out, "%" PRIu64 " %" PRId64 " %" PRIu64 " %s %s %s %s %d %s %s\n",
			    e->number, e->at_ms, e->connection, e->method, e->verb, e->target,
			    *e->user ? e->user : "-", e->status, e->token ? "token" : "-",
			    e->agent);
	}
}

uint64_t journal_last(const struct journal *j)
{
	return j->last;
}
