/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/wire_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 512

struct wire {
	struct event_base *base;
	struct evconnlistener *listener; /* NULL while it refuses */
	struct sockaddr_in address;
	SSL_CTX *(*tls)(void *arg);
	struct wire_handlers handlers;
	enum wire_accept mode;
	LIST_HEAD(, wire_exchange) connections;
	size_t count;
	size_t accepted;
};

static void reset_on_close(int fd)
{
	struct linger linger = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void wire_over(struct wire_exchange *x)
{
	if (!x->busy)
		return;
	x->busy = false;
	x->wire->handlers.on_over(x->wire->handlers.arg, x);
}

void wire_request(struct wire_exchange *x)
{
	x->busy = true;
	x->wire->handlers.on_request(x->wire->handlers.arg, x);
}

void wire_close(struct wire_exchange *x, enum wire_end how)
{
	wire_over(x);
	if (how == WIRE_RESET)
		reset_on_close(x->fd);
	LIST_REMOVE(x, link);
	x->wire->count--;
	if (x->pace)
		event_free(x->pace);
	if (x->bev)
		bufferevent_free(x->bev);
	else
		close(x->fd);
	evbuffer_free(x->raw);
	evhttp_clear_headers(&x->headers);
	free(x->method);
	free(x->target);
	free(x->body);
	free(x);
}

static void on_bev_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	struct wire_exchange *x = arg;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		wire_close(x, WIRE_CLOSE);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	(void)bev;
	wire_read(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	(void)bev;
	wire_pump(arg);
}

static void on_pace(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct wire_exchange *x = arg;
	x->waiting = false;
	wire_pump(x);
}

static int start_tls(struct wire *w, struct wire_exchange *x)
{
	SSL *ssl = SSL_new(w->tls(w->handlers.arg));
	if (!ssl)
		return -1;
	x->bev = bufferevent_openssl_socket_new(w->base, x->fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
						BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!x->bev) {
		SSL_free(ssl);
		return -1;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(x->bev, 1);
	bufferevent_setcb(x->bev, on_readable, on_written, on_bev_event, x);
	return bufferevent_enable(x->bev, EV_READ | EV_WRITE);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from,
		      int from_len, void *arg)
{
	(void)l;
	(void)from;
	(void)from_len;
	struct wire *w = arg;
	struct wire_exchange *x = calloc(1, sizeof(*x));
	if (!x) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	x->wire = w;
	x->fd = fd;
	x->number = ++w->accepted;
	x->raw = evbuffer_new();
	x->pace = evtimer_new(w->base, on_pace, x);
	TAILQ_INIT(&x->headers);
	LIST_INSERT_HEAD(&w->connections, x, link);
	w->count++;
	if (w->mode == WIRE_ACCEPT && start_tls(w, x) < 0)
		wire_close(x, WIRE_RESET);
}

static int listen_now(struct wire *w, struct err *e)
{
	w->listener = evconnlistener_new_bind(
	    w->base, on_accept, w,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG,
	    (struct sockaddr *)&w->address, sizeof(w->address));
	if (!w->listener)
		return err_sys(e, "listen on port %u", ntohs(w->address.sin_port));
	socklen_t len = sizeof(w->address);
	if (getsockname(evconnlistener_get_fd(w->listener), (struct sockaddr *)&w->address, &len) <
	    0)
		return err_sys(e, "name of the listening socket");
	return 0;
}

int wire_new(struct event_base *base, const char *address, uint16_t port,
	     SSL_CTX *(*tls)(void *arg), const struct wire_handlers *handlers, struct wire **ret,
	     struct err *e)
{
	struct wire *w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(e, ERR_EXHAUSTED, "no memory for a listener");
	w->base = base;
	w->tls = tls;
	w->handlers = *handlers;
	w->address.sin_family = AF_INET;
	w->address.sin_port = htons(port);
	LIST_INIT(&w->connections);
	if (inet_pton(AF_INET, address, &w->address.sin_addr) != 1) {
		free(w);
		return err_set(e, ERR_INVALID, "'%s' is no IPv4 address", address);
	}
	if (listen_now(w, e) < 0) {
		free(w);
		return -1;
	}
	*ret = w;
	return 0;
}

void wire_drop(struct wire *w, enum wire_end how)
{
	struct wire_exchange *x;
	while ((x = LIST_FIRST(&w->connections)))
		wire_close(x, how);
}

/* A connection with a callback that waits ends, and closes its socket, when that has had its turn. */
static void let_go(struct event_base *base)
{
	while (event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE) > 0 &&
	       event_base_loop(base, EVLOOP_NONBLOCK) == 0)
		;
}

struct wire *wire_free(struct wire *w)
{
	if (!w)
		return NULL;
	wire_drop(w, WIRE_CLOSE);
	if (w->listener)
		evconnlistener_free(w->listener);
	let_go(w->base);
	free(w);
	return NULL;
}

int wire_set_accept(struct wire *w, enum wire_accept mode, struct err *e)
{
	w->mode = mode;
	if (mode == WIRE_REFUSE && w->listener) {
		evconnlistener_free(w->listener);
		w->listener = NULL;
	}
	if (mode != WIRE_REFUSE && !w->listener)
		return listen_now(w, e);
	return 0;
}

uint16_t wire_port(const struct wire *w)
{
	return ntohs(w->address.sin_port);
}

size_t wire_connections(const struct wire *w)
{
	return w->count;
}

size_t wire_accepted(const struct wire *w)
{
	return w->accepted;
}
