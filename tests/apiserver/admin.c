/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/admin.h"

#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define AWAIT_MS 10000

struct client {
	LIST_ENTRY(client) link;
	struct admin *admin;
	struct bufferevent *bev;
	struct json_object *awaits; /* owned: the command that waits for requests, or NULL */
	struct event *timeout;
};

struct admin {
	struct api *api;
	struct evconnlistener *listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	LIST_HEAD(, client) clients;
};

static void client_free(struct client *c)
{
	LIST_REMOVE(c, link);
	bufferevent_free(c->bev);
	event_free(c->timeout);
	json_object_put(c->awaits);
	free(c);
}

static void reply(struct client *c, bool ok, struct evbuffer *payload)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	evbuffer_add_printf(out, "%s %zu\n", ok ? "ok" : "error", evbuffer_get_length(payload));
	evbuffer_add_buffer(out, payload);
}

/* Answers an await when enough requests have come, or its time is over. */
static bool judge_await(struct client *c, bool last)
{
	const struct journal_filter filter = admin_filter(c->awaits);
	size_t wanted = (size_t)gojson_int(c->awaits, "count", 1);
	size_t is = journal_count(c->admin->api->journal, &filter);
	if (is < wanted && !last)
		return false;
	_cleanup_evbuffer_ struct evbuffer *out = evbuffer_new();
	evbuffer_add_printf(out, "%zu", is);
	event_del(c->timeout);
	json_object_put(c->awaits);
	c->awaits = NULL;
	reply(c, is >= wanted, out);
	return true;
}

static void run_line(struct client *c, const char *line)
{
	struct err e = {0};
	_cleanup_evbuffer_ struct evbuffer *out = evbuffer_new();
	_cleanup_gojson_ struct json_object *command = gojson_parse(line, strlen(line), &e);
	const char *what = gojson_text(command, "do", NULL);
	if (what && !strcmp(what, "await")) {
		int64_t ms = gojson_int(command, "timeout_ms", AWAIT_MS);
		c->awaits = json_object_get(command);
		event_add(c->timeout, &(struct timeval){ms / 1000, ms % 1000 * 1000});
		judge_await(c, false);
		return;
	}
	bool ok = command && admin_command(c->admin->api, command, out, &e) == 0;
	if (!ok) {
		evbuffer_drain(out, evbuffer_get_length(out));
		evbuffer_add(out, e.message, strlen(e.message));
	}
	reply(c, ok, out);
}

static void on_line(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;
	while (!c->awaits) {
		_cleanup_free_ char *line =
		    evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF);
		if (!line)
			return;
		run_line(c, line);
	}
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct client *c = arg;
	judge_await(c, true);
	on_line(c->bev, c);
}

void admin_poke(struct admin *a)
{
	struct client *c;
	if (!a)
		return;
	LIST_FOREACH (c, &a->clients, link)
		if (c->awaits && judge_await(c, false))
			bufferevent_trigger(c->bev, EV_READ,
					    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_free(arg);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from,
		      int from_len, void *arg)
{
	(void)l;
	(void)from;
	(void)from_len;
	struct admin *a = arg;
	struct client *c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->admin = a;
	c->bev = bufferevent_socket_new(a->api->base, fd,
					BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	c->timeout = evtimer_new(a->api->base, on_timeout, c);
	LIST_INSERT_HEAD(&a->clients, c, link);
	bufferevent_setcb(c->bev, on_line, NULL, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

int admin_new(struct api *api, const char *path, struct admin **ret, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct admin *a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, ERR_EXHAUSTED, "no memory for the admin socket");
	a->api = api;
	LIST_INIT(&a->clients);
	if (strlen(path) >= sizeof(address.sun_path)) {
		free(a);
		return err_set(e, ERR_INVALID, "the path '%s' is too long for a socket", path);
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	memcpy(a->path, path, strlen(path) + 1);
	unlink(path);
	a->listener = evconnlistener_new_bind(api->base, on_accept, a,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
					      (struct sockaddr *)&address, sizeof(address));
	if (!a->listener) {
		free(a);
		return err_sys(e, "listen on %s", path);
	}
	*ret = a;
	return 0;
}

struct admin *admin_free(struct admin *a)
{
	if (!a)
		return NULL;
	while (!LIST_EMPTY(&a->clients))
		client_free(LIST_FIRST(&a->clients));
	evconnlistener_free(a->listener);
	unlink(a->path);
	free(a);
	return NULL;
}
