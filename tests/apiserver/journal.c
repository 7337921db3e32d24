/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/journal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/queue.h>

#define ENTRIES_MAX 100000

struct entry {
	TAILQ_ENTRY(entry) link;
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
	TAILQ_HEAD(entries, entry) entries; /* in the order of their numbers */
	size_t count;
	uint64_t last;
};

static void entry_free(struct entry *e)
{
	free(e->method);
	free(e->target);
	free(e->user);
	free(e->agent);
	free(e);
}

static struct entry *entry_new(const struct journal_request *r)
{
	struct entry *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->at_ms = r->at_ms;
	e->connection = r->connection;
	e->verb = r->verb;
	e->token = r->token;
	e->method = strdup(r->method);
	e->target = strdup(r->target);
	e->user = strdup(r->user ? r->user : "");
	e->agent = strdup(r->agent ? r->agent : "");
	return e;
}

struct journal *journal_new(void)
{
	struct journal *j = calloc(1, sizeof(*j));
	if (j)
		TAILQ_INIT(&j->entries);
	return j;
}

struct journal *journal_free(struct journal *j)
{
	struct entry *e;
	if (!j)
		return NULL;
	while ((e = TAILQ_FIRST(&j->entries))) {
		TAILQ_REMOVE(&j->entries, e, link);
		entry_free(e);
	}
	free(j);
	return NULL;
}

uint64_t journal_add(struct journal *j, const struct journal_request *request)
{
	struct entry *e = j->count < ENTRIES_MAX ? entry_new(request) : NULL;
	j->last++;
	if (!e)
		return j->last;
	e->number = j->last;
	TAILQ_INSERT_TAIL(&j->entries, e, link);
	j->count++;
	return j->last;
}

void journal_status(struct journal *j, uint64_t number, int status)
{
	struct entry *e;
	TAILQ_FOREACH_REVERSE(e, &j->entries, entries, link)
	{
		if (e->number == number)
			e->status = status;
		if (e->number <= number)
			return;
	}
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
	const struct entry *e;
	size_t n = 0;
	TAILQ_FOREACH (e, &j->entries, link)
		n += takes(filter, e);
	return n;
}

void journal_write(const struct journal *j, const struct journal_filter *filter,
		   struct evbuffer *out)
{
	const struct entry *e;
	TAILQ_FOREACH (e, &j->entries, link)
		if (takes(filter, e))
			evbuffer_add_printf(
			    out, "%" PRIu64 " %" PRId64 " %" PRIu64 " %s %s %s %s %d %s %s\n",
			    e->number, e->at_ms, e->connection, e->method, e->verb, e->target,
			    *e->user ? e->user : "-", e->status, e->token ? "token" : "-",
			    e->agent);
}

uint64_t journal_last(const struct journal *j)
{
	return j->last;
}
