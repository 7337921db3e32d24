/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/api.h"

#include "tests/apiserver/handle.h"
#include "tests/apiserver/shape.h"
#include "tests/apiserver/validate.h"

#include "base/clock.h"

#include <string.h>

#define JSON_TYPE "Content-Type: application/json\r\n"
#define TEXT_TYPE "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"

void call_status(struct call *c, int code)
{
	journal_status(c->api->journal, c->number, code);
	admin_poke(c->api->admin);
}

static void answer(struct call *c, int code, const char *headers, struct json_object *object)
{
	_cleanup_evbuffer_ struct evbuffer *body = evbuffer_new();
	gojson_write(object, c->pretty, body);
	if (!c->pretty)
		evbuffer_add(body, "\n", 1);
	fault_corrupt(c->fault, body);
	call_status(c, code);
	wire_answer(c->x, code, headers, body);
}

void call_answer(struct call *c, int code, struct json_object *takes_object)
{
	_cleanup_gojson_ struct json_object *object = takes_object;
	answer(c, code, JSON_TYPE, object);
}

void call_fail(struct call *c, const struct failure *f)
{
	char headers[256];
	_cleanup_gojson_ struct json_object *status = failure_status(f);
	snprintf(headers, sizeof(headers), JSON_TYPE "%s%s%s%s%s",
		 f->code == 403 ? "X-Content-Type-Options: nosniff\r\n" : "",
		 f->header_name ? f->header_name : "", f->header_name ? ": " : "", f->header_value,
		 f->header_name ? "\r\n" : "");
	answer(c, f->code, headers, status);
}

static void answer_text(struct call *c, int code, const char *text)
{
	_cleanup_evbuffer_ struct evbuffer *body = evbuffer_new();
	evbuffer_add(body, text, strlen(text));
	call_status(c, code);
	wire_answer(c->x, code, TEXT_TYPE, body);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct call *c = arg;
	c->then(c);
}

void call_later(struct call *c, int after_ms, void (*then)(struct call *c))
{
	if (!c->timer)
		c->timer = evtimer_new(c->api->base, on_timer, c);
	c->then = then;
	event_add(c->timer, &(struct timeval){after_ms / 1000, after_ms % 1000 * 1000});
}

struct json_object *call_show(const struct call *c, struct json_object *stored, bool typed)
{
	if (c->partial)
		return shape_partial(stored, true);
	return shape_shown(c->route.resource, stored, typed);
}

int call_body(struct call *c, struct json_object **ret, struct failure *f)
{
	struct err e;
	size_t len = 0;
	const char *body = wire_body(c->x, &len);
	char api_version[RESOURCE_API_VERSION];
	const char *kind = c->route.resource->kind;
	_cleanup_gojson_ struct json_object *object = gojson_parse(body, len, &e);
	if (!object)
		return failure_bad_request(f,
					   "the object provided is unrecognized (must be of type "
					   "%s): couldn't get version/kind; json parse error: %s "
					   "(%.30s%s)",
					   kind, e.message, body, len > 30 ? " ..." : "");
	const char *sent_kind = gojson_text(object, "kind", NULL);
	const char *sent_version = gojson_text(object, "apiVersion", NULL);
	resource_api_version(c->route.resource, api_version);
	struct json_object *metadata = gojson_at(object, "metadata", NULL);
	if (!json_object_is_type(object, json_type_object) ||
	    (metadata && !json_object_is_type(metadata, json_type_object)))
		return failure_bad_request(f,
					   "%s in version \"%s\" cannot be handled as a %s: json: "
					   "cannot unmarshal into Go value",
					   kind, c->route.resource->version, kind);
	if ((sent_kind && strcmp(sent_kind, kind) != 0) ||
	    (sent_version && strcmp(sent_version, api_version) != 0))
		return failure_bad_request(f,
					   "the object provided is unrecognized (must be of type "
					   "%s): no kind \"%s\" is registered for version \"%s\"",
					   kind, sent_kind ? sent_kind : "",
					   sent_version ? sent_version : "");
	*ret = TAKE(object);
	return 0;
}

/* Whether one clause of an Accept header is one that can be served. */
static bool accepts_clause(const char *clause, bool *ret_partial)
{
	static const char *const types[] = {"application/json", "application/*", "*/*"};
	bool typed = false;
	clause += strspn(clause, " ");
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		size_t len = strlen(types[i]);
		typed = typed || (!strncmp(clause, types[i], len) &&
				  (!clause[len] || strchr("; ", clause[len])));
	}
	*ret_partial = strstr(clause, "as=PartialObjectMetadata") != NULL;
	return typed && (*ret_partial || !strstr(clause, "as="));
}

/* People's clients get indented JSON. */
static void choose_pretty(struct call *c)
{
	const char *agent = wire_header(c->x, "User-Agent");
	const char *pretty = route_query(&c->route, "pretty");
	static const char *const browsers[] = {"curl", "Wget", "Mozilla/5.0"};
	for (size_t i = 0; agent && i < ARRAY_LEN(browsers); i++)
		c->pretty = c->pretty || !strncmp(agent, browsers[i], strlen(browsers[i]));
	if (pretty)
		c->pretty = route_query_true(&c->route, "pretty");
}

static int negotiate(struct call *c, struct failure *f)
{
	const char *accept = wire_header(c->x, "Accept");
	if (!accept)
		return 0;
	_cleanup_free_ char *copy = strdup(accept);
	char *rest = copy;
	for (char *clause; (clause = strsep(&rest, ","));)
		if (accepts_clause(clause, &c->partial))
			return 0;
	c->partial = false;
	failure_set(f, 406, "NotAcceptable",
		    "406: Not Acceptable\n\nAvailable representations: application/json, "
		    "application/yaml, application/vnd.kubernetes.protobuf%s",
		    *c->route.name ? ""
				   : ", application/json;stream=watch, "
				     "application/vnd.kubernetes.protobuf;stream=watch");
	return failure_details(f, NULL, NULL, NULL);
}

static int check_size(struct call *c, struct failure *f)
{
	if (!wire_body_too_large(c->x))
		return 0;
	return failure_set(f, 413, "RequestEntityTooLarge", "Request entity too large: limit is %d",
			   VALIDATE_BODY_BYTES);
}

/* Which function serves a verb, of a name or of a collection. */
static void (*handler_of(const struct call *c))(struct call *)
{
	static const struct {
		const char *verb;
		bool named;
		void (*handle)(struct call *c);
	} handlers[] = {
	    {"get", true, read_get},        {"list", false, read_list},
	    {"watch", false, watch_start},  {"create", false, write_create},
	    {"update", true, write_update}, {"patch", true, write_patch},
	    {"delete", true, write_delete},
	};
	bool review = c->route.resource->role == ROLE_REVIEW;
	if (review)
		return !strcmp(c->route.verb, "create") ? review_create : NULL;
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
		if (!strcmp(handlers[i].verb, c->route.verb) &&
		    handlers[i].named == (*c->route.name != '\0'))
			return handlers[i].handle;
	return NULL;
}

static void serve_resource(struct call *c)
{
	_cleanup_failure_ struct failure f = {0};
	void (*handle)(struct call *) = handler_of(c);
	int r = auth_require(c->api->auth, &c->user, &c->route, &f);
	if (r == 0 && !handle)
		r = failure_not_allowed(&f);
	if (r == 0)
		r = negotiate(c, &f);
	if (r == 0)
		r = check_size(c, &f);
	if (r == 0 && handle)
		handle(c);
	else
		call_fail(c, &f);
}

void handle_call(struct call *c)
{
	choose_pretty(c);
	switch (c->route.kind) {
	case ROUTE_RESOURCE:
		serve_resource(c);
		break;
	case ROUTE_HEALTH:
		answer_text(c, 200, "ok");
		break;
	case ROUTE_VERSION: {
		struct json_object *version = json_object_new_object();
		gojson_set(version, "major", "1");
		gojson_set(version, "minor", "37");
		gojson_set(version, "gitVersion", "v1.37.2");
		call_answer(c, 200, version);
		break;
	}
	case ROUTE_NO_RESOURCE: {
		_cleanup_failure_ struct failure f = {0};
		failure_no_resource(&f);
		call_fail(c, &f);
		break;
	}
	default:
		answer_text(c, 404, "404 page not found\n");
	}
}

void handle_stranger(struct call *c, const struct failure *f)
{
	choose_pretty(c);
	call_fail(c, f);
}

/* What a fault answers in place of the server. */
static void serve_fault(struct call *c, int code)
{
	struct json_object *given = gojson_at(c->fault, "body", NULL);
	struct json_object *headers = gojson_at(c->fault, "headers", NULL);
	const char *type = gojson_text(c->fault, "content_type", NULL);
	_cleanup_evbuffer_ struct evbuffer *body = evbuffer_new();
	_cleanup_evbuffer_ struct evbuffer *lines = evbuffer_new();
	_cleanup_gojson_ struct json_object *status = NULL;
	if (json_object_is_type(given, json_type_string)) {
		evbuffer_add(body, json_object_get_string(given),
			     (size_t)json_object_get_string_len(given));
	} else {
		status =
		    given ? json_object_get(given) : failure_plain_status(code, "a fault by order");
		gojson_write(status, false, body);
	}
	evbuffer_add_printf(lines, "Content-Type: %s\r\n", type ? type : "application/json");
	if (headers) {
		json_object_object_foreach(headers, name, value)
		    evbuffer_add_printf(lines, "%s: %s\r\n", name, json_object_get_string(value));
	}
	evbuffer_add(lines, "", 1);
	call_status(c, code);
	wire_answer(c->x, code, (const char *)evbuffer_pullup(lines, -1), body);
}

static void serve_after_delay(struct call *c)
{
	struct json_object *fault = c->fault;
	int code = (int)gojson_int(fault, "status", 0);
	const char *raw = gojson_text(fault, "raw", NULL);
	if (gojson_bool(fault, "black_hole", false))
		return;
	if (gojson_text(fault, "abort", NULL)) {
		wire_abort(c->x, fault_end(fault, "abort"));
	} else if (raw) {
		_cleanup_evbuffer_ struct evbuffer *bytes = evbuffer_new();
		evbuffer_add(bytes, raw, strlen(raw));
		wire_raw(c->x, bytes, fault_end(fault, "end"));
	} else if (code) {
		serve_fault(c, code);
	} else {
		handle_call(c);
	}
}

void handle_fault(struct call *c)
{
	const struct wire_plan plan = fault_plan(c->fault);
	int delay = (int)gojson_int(c->fault, "delay_ms", 0);
	wire_set_plan(c->x, &plan);
	if (delay)
		call_later(c, delay, serve_after_delay);
	else
		serve_after_delay(c);
}
