/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/api.h"

#include "tests/apiserver/shape.h"

#include <inttypes.h>
#include <string.h>

/* The server's own limit where the client names none: 30 to 60 min. */
#define TIMEOUT_S 2700

/* A bookmark is sent this long before the end. */
#define LAST_BOOKMARK_S 2

struct watch {
	LIST_ENTRY(watch) link;
	struct call *call; /* borrowed; owns us */
	struct route_options options;
	uint64_t rv;        /* changes up to it are not sent */
	struct event *end;  /* timeoutSeconds */
	struct event *mark; /* the next bookmark */
	struct event *last; /* the bookmark before the end */
	size_t events;      /* sent */
	struct evbuffer
	    *held; /* owned: an event that is sent after the next one: the fault "swap" */
	bool over; /* the stream has ended */
};

static void after(struct event *timer, int64_t ms)
{
	event_add(timer, &(struct timeval){ms / 1000, ms % 1000 * 1000});
}

static void finish(struct watch *w)
{
	if (w->over)
		return;
	w->over = true;
	wire_finish(w->call->x);
}

/* Drains the text. */
static void send_text(struct watch *w, struct evbuffer *text)
{
	if (w->over || w->call->api->silent)
		evbuffer_drain(text, evbuffer_get_length(text));
	else
		wire_send(w->call->x, text);
}

static void send_bytes(struct watch *w, const char *bytes, size_t len)
{
	_cleanup_evbuffer_ struct evbuffer *text = evbuffer_new();
	evbuffer_add(text, bytes, len);
	send_text(w, text);
}

/* One event as a line of JSON. */
static struct evbuffer *event_text(const char *type, struct json_object *takes_object)
{
	struct evbuffer *text = evbuffer_new();
	_cleanup_gojson_ struct json_object *event = json_object_new_object();
	gojson_set(event, "type", type);
	json_object_object_add(event, "object", takes_object);
	gojson_write(event, false, text);
	evbuffer_add(text, "\n", 1);
	return text;
}

static void send_error(struct watch *w, struct json_object *takes_status)
{
	_cleanup_evbuffer_ struct evbuffer *text = event_text("ERROR", takes_status);
	send_text(w, text);
	finish(w);
}

static void send_too_old(struct watch *w, uint64_t oldest)
{
	char message[128];
	snprintf(message, sizeof(message), "too old resource version: %" PRIu64 " (%" PRIu64 ")",
		 w->options.rv_number, oldest);
	send_error(w, failure_plain_status(410, message));
}

/* The fault "error_event" ends the watch with this code after so many events. True when it did. */
static bool send_ordered_error(struct watch *w)
{
	struct json_object *fault = w->call->fault;
	int code = (int)gojson_int(fault, "error_event", 0);
	if (!code || w->events < (size_t)gojson_int(fault, "after", 0))
		return false;
	send_error(w, failure_plain_status(code, "a fault by order"));
	return true;
}

/* Sends an event, spoiled, twice, or after the next one when its fault says so. */
static void send_event(struct watch *w, const char *type, struct json_object *takes_object)
{
	struct json_object *fault = w->call->fault;
	_cleanup_evbuffer_ struct evbuffer *text = event_text(type, takes_object);
	if (w->events++ == (size_t)gojson_int(fault, "after", 0))
		fault_corrupt(fault, text);
	if (gojson_bool(fault, "swap", false) && !w->held) {
		w->held = TAKE(text);
		return;
	}
	if (gojson_bool(fault, "twice", false))
		send_bytes(w, (const char *)evbuffer_pullup(text, -1), evbuffer_get_length(text));
	send_text(w, text);
	if (w->held) {
		send_text(w, w->held);
		evbuffer_free(TAKE(w->held));
	}
	send_ordered_error(w);
}

static void send_bookmark(struct watch *w, bool initial_end)
{
	char rv[24];
	char api_version[RESOURCE_API_VERSION];
	const struct resource *r = w->call->route.resource;
	struct json_object *object = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	uint64_t now = store_rv(w->call->api->store);
	if (now < w->options.rv_number) {
		json_object_put(object);
		json_object_put(metadata);
		return;
	}
	snprintf(rv, sizeof(rv), "%" PRIu64, now);
	gojson_set(object, "kind", w->call->partial ? "PartialObjectMetadata" : r->kind);
	gojson_set(object, "apiVersion",
		   w->call->partial ? "meta.k8s.io/v1" : resource_api_version(r, api_version));
	gojson_set(metadata, "resourceVersion", rv);
	if (initial_end) {
		struct json_object *annotations = json_object_new_object();
		gojson_set(annotations, "k8s.io/initial-events-end", "true");
		json_object_object_add(metadata, "annotations", annotations);
	}
	json_object_object_add(object, "metadata", metadata);
	_cleanup_gojson_ struct json_object *more =
	    r->bookmark && !w->call->partial ? json_tokener_parse(r->bookmark) : NULL;
	if (more) {
		json_object_object_foreach(more, key, value)
		    json_object_object_add(object, key, json_object_get(value));
	}
	send_event(w, "BOOKMARK", object);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct watch *w = arg;
	if (!w->call->api->silent)
		finish(w);
}

static void on_mark(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct watch *w = arg;
	after(w->mark, w->call->api->bookmark_ms);
	send_bookmark(w, false);
}

static void on_last(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_bookmark(arg, false);
}

static bool selects(const struct watch *w, struct json_object *stored)
{
	const struct route *r = &w->call->route;
	const char *ns = gojson_text(stored, "metadata", "namespace", NULL);
	if (*r->ns && (!ns || strcmp(ns, r->ns) != 0))
		return false;
	_cleanup_gojson_ struct json_object *shown = shape_shown(r->resource, stored, false);
	return selector_takes_labels(&w->options.labels, stored) &&
	       selector_takes_fields(&w->options.fields, shown);
}

/* An object that left the selector is shown as it was before, with the new resourceVersion. */
static struct json_object *leaving(const struct change *change)
{
	struct json_object *copy = gojson_copy(change->previous);
	char rv[24];
	snprintf(rv, sizeof(rv), "%" PRIu64, change->rv);
	gojson_set(gojson_at(copy, "metadata", NULL), "resourceVersion", rv);
	return copy;
}

static void tell(void *arg, const struct change *change)
{
	struct watch *w = arg;
	struct call *c = w->call;
	if (w->over || change->rv <= w->rv ||
	    strcmp(change->plural, c->route.resource->plural) != 0)
		return;
	bool before = change->previous && selects(w, change->previous);
	bool now = change->type != CHANGE_DELETED && selects(w, change->object);
	if (!before && !now)
		return;
	if (now) {
		send_event(w, before ? "MODIFIED" : "ADDED", call_show(c, change->object, true));
		return;
	}
	_cleanup_gojson_ struct json_object *last =
	    change->type == CHANGE_DELETED ? json_object_get(change->object) : leaving(change);
	send_event(w, "DELETED", call_show(c, last, true));
}

void watch_on_change(void *arg, const struct change *change)
{
	struct api *a = arg;
	struct watch *w;
	LIST_FOREACH (w, &a->watches, link)
		tell(w, change);
}

/* The texts of the fault's "events", as they are. */
static void send_given(struct watch *w)
{
	struct json_object *texts = gojson_at(w->call->fault, "events", NULL);
	for (size_t i = 0; texts && i < json_object_array_length(texts); i++) {
		struct json_object *text = json_object_array_get_idx(texts, i);
		send_bytes(w, json_object_get_string(text),
			   (size_t)json_object_get_string_len(text));
	}
}

static void send_initial(struct watch *w)
{
	struct call *c = w->call;
	const struct route *r = &c->route;
	struct store *s = c->api->store;
	uint64_t oldest = 0;
	send_given(w);
	if (send_ordered_error(w))
		return;
	if (w->options.initial_events) {
		bool across = !r->resource->namespaced || !*r->ns;
		_cleanup_gojson_ struct json_object *all =
		    store_list(s, r->resource->plural, across ? NULL : r->ns, 0);
		w->rv = store_rv(s);
		for (size_t i = 0; i < json_object_array_length(all); i++) {
			struct json_object *stored = json_object_array_get_idx(all, i);
			if (selects(w, stored) && !w->over)
				send_event(w, "ADDED", call_show(c, stored, true));
		}
		if (w->options.bookmarks && !w->over)
			send_bookmark(w, true);
	} else if (!store_can_watch(s, w->rv, &oldest)) {
		send_too_old(w, oldest);
	} else {
		store_replay(s, w->rv, tell, w);
	}
}

static void set_timers(struct watch *w)
{
	uint64_t timeout_s = w->options.timeout_s ? w->options.timeout_s : TIMEOUT_S;
	int second_ms = w->call->api->second_ms;
	int64_t timeout_ms = (int64_t)timeout_s * second_ms;
	after(w->end, timeout_ms);
	if (!w->options.bookmarks)
		return;
	after(w->mark, w->call->api->bookmark_ms);
	if (timeout_s > LAST_BOOKMARK_S)
		after(w->last, timeout_ms - LAST_BOOKMARK_S * second_ms);
}

void watch_start(struct call *c)
{
	_cleanup_failure_ struct failure f = {0};
	struct api *a = c->api;
	struct watch *w = calloc(1, sizeof(*w));
	if (!w || route_options(&c->route, &w->options, &f) < 0) {
		if (w)
			route_options_done(&w->options);
		free(w);
		call_fail(c, &f);
		return;
	}
	w->call = c;
	w->rv = w->options.rv_number;
	w->end = evtimer_new(a->base, on_end, w);
	w->mark = evtimer_new(a->base, on_mark, w);
	w->last = evtimer_new(a->base, on_last, w);
	c->watch = w;
	LIST_INSERT_HEAD(&a->watches, w, link);
	a->watch_count++;
	set_timers(w);
	call_status(c, 200);
	wire_begin(c->x, 200, "Content-Type: application/json\r\n");
	send_initial(w);
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	LIST_REMOVE(w, link);
	w->call->api->watch_count--;
	event_free(w->end);
	event_free(w->mark);
	event_free(w->last);
	route_options_done(&w->options);
	if (w->held)
		evbuffer_free(w->held);
	free(w);
}

static bool meant(const struct watch *w, const char *path)
{
	return !path || strstr(wire_target(w->call->x), path);
}

size_t watch_send_text(struct api *a, const char *path, const char *text)
{
	struct watch *w;
	size_t n = 0;
	LIST_FOREACH (w, &a->watches, link)
		if (meant(w, path)) {
			send_bytes(w, text, strlen(text));
			n++;
		}
	return n;
}

size_t watch_send_bookmarks(struct api *a, const char *path)
{
	struct watch *w;
	size_t n = 0;
	LIST_FOREACH (w, &a->watches, link)
		if (meant(w, path) && w->options.bookmarks) {
			send_bookmark(w, false);
			n++;
		}
	return n;
}

size_t watch_end(struct api *a, const char *path, bool clean, enum wire_end how)
{
	size_t n = 0;
	struct watch *w = LIST_FIRST(&a->watches);
	while (w) {
		struct watch *next = LIST_NEXT(w, link);
		if (meant(w, path)) {
			n++;
			if (clean)
				finish(w);
			else
				wire_abort(w->call->x, how);
		}
		w = next;
	}
	return n;
}
