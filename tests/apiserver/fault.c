/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/fault.h"

#include <regex.h>
#include <string.h>
#include <sys/queue.h>

#define NESTING 100000
#define OVERSIZE (5 * 1024 * 1024)

struct fault {
	TAILQ_ENTRY(fault) link;
	struct json_object *object; /* owned */
	regex_t pattern;
	bool has_pattern;
	int64_t skip;
	int64_t times; /* left; negative: for ever */
};

struct faults {
	TAILQ_HEAD(fault_list, fault) list;
	size_t count;
};

struct faults *faults_new(void)
{
	struct faults *f = calloc(1, sizeof(*f));
	if (f)
		TAILQ_INIT(&f->list);
	return f;
}

static void drop(struct faults *f, struct fault *fault)
{
	TAILQ_REMOVE(&f->list, fault, link);
	f->count--;
	if (fault->has_pattern)
		regfree(&fault->pattern);
	json_object_put(fault->object);
	free(fault);
}

void faults_clear(struct faults *f)
{
	while (!TAILQ_EMPTY(&f->list))
		drop(f, TAILQ_FIRST(&f->list));
}

struct faults *faults_free(struct faults *f)
{
	if (f)
		faults_clear(f);
	free(f);
	return NULL;
}

size_t faults_count(const struct faults *f)
{
	return f->count;
}

static int check_members(struct json_object *object, struct err *e)
{
	static const char *const known[] = {
	    "do",          "verb",   "path",        "user",           "skip",
	    "times",       "status", "headers",     "body",           "content_type",
	    "error_event", "after",  "black_hole",  "delay_ms",       "abort",
	    "raw",         "end",    "write_bytes", "write_delay_ms", "chunk_bytes",
	    "cut_at",      "cut",    "corrupt",     "twice",          "swap",
	    "events"};
	json_object_object_foreach(object, key, value)
	{
		(void)value;
		bool found = false;
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			found = found || !strcmp(key, known[i]);
		if (!found)
			return err_set(e, ERR_INVALID, "a fault has no member '%s'", key);
	}
	return 0;
}

int faults_add(struct faults *f, struct json_object *object, struct err *e)
{
	if (check_members(object, e) < 0)
		return -1;
	struct fault *fault = calloc(1, sizeof(*fault));
	if (!fault)
		return err_set(e, ERR_EXHAUSTED, "no memory for a fault");
	const char *path = gojson_text(object, "path", NULL);
	if (path && regcomp(&fault->pattern, path, REG_EXTENDED | REG_NOSUB)) {
		free(fault);
		return err_set(e, ERR_INVALID, "'%s' is no regular expression", path);
	}
	fault->has_pattern = path != NULL;
	fault->object = json_object_get(object);
	fault->skip = gojson_int(object, "skip", 0);
	fault->times = gojson_int(object, "times", 1);
	if (!fault->times)
		fault->times = -1;
	TAILQ_INSERT_TAIL(&f->list, fault, link);
	f->count++;
	return 0;
}

static bool meets(const struct fault *fault, const struct fault_request *r)
{
	const char *verb = gojson_text(fault->object, "verb", NULL);
	const char *user = gojson_text(fault->object, "user", NULL);
	if (verb && strcmp(verb, r->verb) != 0 && strcmp(verb, r->method) != 0)
		return false;
	if (user && strcmp(user, r->user) != 0)
		return false;
	return !fault->has_pattern || !regexec(&fault->pattern, r->target, 0, NULL, 0);
}

struct json_object *faults_take(struct faults *f, const struct fault_request *request)
{
	struct fault *fault;
	TAILQ_FOREACH (fault, &f->list, link) {
		if (!meets(fault, request))
			continue;
		if (fault->skip) {
			fault->skip--;
			continue;
		}
		struct json_object *object = json_object_get(fault->object);
		if (fault->times > 0 && !--fault->times)
			drop(f, fault);
		return object;
	}
	return NULL;
}

enum wire_end fault_end(struct json_object *fault, const char *key)
{
	const char *how = gojson_text(fault, key, NULL);
	if (how && !strcmp(how, "reset"))
		return WIRE_RESET;
	if (how && !strcmp(how, "stall"))
		return WIRE_STALL;
	return WIRE_CLOSE;
}

struct wire_plan fault_plan(struct json_object *fault)
{
	return (struct wire_plan){
	    .write_bytes = (size_t)gojson_int(fault, "write_bytes", 0),
	    .delay_ms = (int)gojson_int(fault, "write_delay_ms", 0),
	    .chunk_bytes = (size_t)gojson_int(fault, "chunk_bytes", 0),
	    .cut = gojson_at(fault, "cut_at", NULL) != NULL,
	    .cut_at = (size_t)gojson_int(fault, "cut_at", 0),
	    .end = fault_end(fault, "cut"),
	};
}

/* Puts n times the same text into the place after the first brace of "metadata". */
static void insert(struct evbuffer *text, const char *what, size_t n)
{
	static const char mark[] = "\"metadata\":";
	struct evbuffer_ptr at = evbuffer_search(text, mark, sizeof(mark) - 1, NULL);
	_cleanup_evbuffer_ struct evbuffer *rest = evbuffer_new();
	if (at.pos < 0)
		return;
	_cleanup_evbuffer_ struct evbuffer *head = evbuffer_new();
	evbuffer_remove_buffer(text, head, (size_t)at.pos);
	evbuffer_add_buffer(rest, text);
	evbuffer_add_buffer(text, head);
	for (size_t i = 0; i < n; i++)
		evbuffer_add(text, what, strlen(what));
	evbuffer_add_buffer(text, rest);
}

static void nest(struct evbuffer *text)
{
	_cleanup_evbuffer_ struct evbuffer *deep = evbuffer_new();
	evbuffer_add_printf(deep, "\"deep\":");
	for (int i = 0; i < NESTING; i++)
		evbuffer_add(deep, "[", 1);
	for (int i = 0; i < NESTING; i++)
		evbuffer_add(deep, "]", 1);
	evbuffer_add(deep, ",\0", 2);
	insert(text, (const char *)evbuffer_pullup(deep, -1), 1);
}

void fault_corrupt(struct json_object *fault, struct evbuffer *text)
{
	static const struct {
		const char *kind;
		const char *what; /* put before "metadata" */
		size_t times;
	} kinds[] = {
	    {"json", "\"x\":}{,", 1},
	    {"utf8", "\"x\":\"\xff\xfe\xc3\x28\",", 1},
	    {"nul", "\"x\":\"a\\u0000b\",", 1},
	    {"duplicate", "\"metadata\":{\"name\":\"first\",\"resourceVersion\":\"1\"},", 1},
	    {"oversized", "\"x\":\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\",", OVERSIZE / 38},
	};
	const char *kind = gojson_text(fault, "corrupt", NULL);
	for (size_t i = 0; kind && i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kind, kinds[i].kind))
			insert(text, kinds[i].what, kinds[i].times);
	if (kind && !strcmp(kind, "nesting"))
		nest(text);
	if (kind && !strcmp(kind, "raw_nul")) {
		insert(text, "\"x\":\"a@b\",", 1);
		struct evbuffer_ptr at = evbuffer_search(text, "a@b", 3, NULL);
		unsigned char *bytes = evbuffer_pullup(text, at.pos + 3);
		bytes[at.pos + 1] = '\0';
	}
	if (kind && !strcmp(kind, "crlf"))
		evbuffer_add(text, "\r\n\r\n", 4);
}
