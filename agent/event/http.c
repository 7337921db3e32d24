/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evhttp bounds neither the number of connections nor the time of one. So each gets a timer when it
 * is accepted, and when there are too many the oldest makes room for the new one: whoever holds
 * connections open loses them first, and a probe that asks at once is answered.
 */
#include "event/http.h"

#include "base/limits.h"
#include "event/internal.h"
#include "event/listen.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define ALL_METHODS 0x1ff /* that evhttp knows */

struct conn {
	TAILQ_ENTRY(conn) next;
	struct http_server *server;
	struct bufferevent *bev;         /* a reference, until evcon is known */
	struct evhttp_connection *evcon; /* evhttp's; NULL until it is known */
	struct loop_timer *timer;
	size_t answer; /* bytes that it may still have to read */
};

struct http_server {
	struct loop *loop;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's; enabled for one connection at a time */
	struct listening listening;      /* its fd is the listener's */
	struct loop_io *acceptable;
	struct loop_timer *accept_again;
	TAILQ_HEAD(, conn) conns; /* oldest first */
	int count;
	int max;
	size_t answers; /* sum of the connections' */
	bool same_uid_only;
	http_handler_fn handler;
	void *arg;
};

static void conn_free(struct conn *c)
{
	struct http_server *s = c->server;

	TAILQ_REMOVE(&s->conns, c, next);
	s->count--;
	s->answers -= c->answer;
	loop_timer_free(c->timer);
	if (c->bev)
		bufferevent_decref(c->bev);
	free(c);
}

static void on_close(struct evhttp_connection *evcon _unused_, void *arg)
{
	conn_free(arg);
}

/*
 * Learns evhttp's object for the connection, which it makes right after it asked us for the
 * bufferevent and gives as the argument of its callbacks. False when it is closed already.
 */
static bool conn_adopt(struct conn *c)
{
	void *evcon = NULL;

	if (c->evcon)
		return true;
	bufferevent_getcb(c->bev, NULL, NULL, NULL, &evcon);
	bufferevent_decref(c->bev);
	c->bev = NULL;
	if (!evcon) {
		conn_free(c);
		return false;
	}
	c->evcon = evcon;
	evhttp_connection_set_closecb(c->evcon, on_close, c);
	evhttp_connection_set_max_headers_size(c->evcon, LIMIT_HTTP_HEADERS);
	loop_timer_set(c->timer, LIMIT_HTTP_REQUEST_MS);
	return true;
}

static void conn_drop(struct conn *c)
{
	evhttp_connection_set_closecb(c->evcon, NULL, NULL);
	evhttp_connection_free(c->evcon);
	conn_free(c);
}

static void on_timer(void *arg)
{
	struct conn *c = arg;

	if (c->evcon)
		conn_drop(c);
	else
		(void)conn_adopt(c);
}

/* The oldest that has not asked yet, or else the oldest. */
static void make_room(struct http_server *s)
{
	struct conn *oldest = NULL;
	struct conn *c;

	TAILQ_FOREACH (c, &s->conns, next) {
		if (!c->evcon)
			continue;
		if (!oldest)
			oldest = c;
		if (!c->answer) {
			oldest = c;
			break;
		}
	}
	if (oldest)
		conn_drop(oldest);
}

/* Called for each connection that was accepted, before evhttp makes its object. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct http_server *s = arg;
	struct conn *c = calloc(1, sizeof(*c));
	struct err ignored;

	evconnlistener_disable(s->listener);
	if (!c || loop_timer_new(s->loop, on_timer, c, &c->timer, &ignored) < 0) {
		free(c);
		return NULL;
	}
	c->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev) {
		loop_timer_free(c->timer);
		free(c);
		return NULL;
	}
	if (s->count >= s->max)
		make_room(s);
	bufferevent_incref(c->bev);
	c->server = s;
	TAILQ_INSERT_TAIL(&s->conns, c, next);
	s->count++;
	loop_timer_set(c->timer, 0);
	return c->bev;
}

/* evhttp gives no argument of ours here: on_acceptable sees to the rest. */
static void on_accept_error(struct evconnlistener *listener, void *arg _unused_)
{
	evconnlistener_disable(listener);
}

static bool has_spare_descriptor(int fd)
{
	_cleanup_close_ int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy >= 0;
}

/* Somebody wants in: lets evhttp accept one, or waits for a descriptor rather than spin. */
static void on_acceptable(void *arg, int events _unused_)
{
	struct http_server *s = arg;
	struct err ignored;

	if (has_spare_descriptor(s->listening.fd)) {
		evconnlistener_enable(s->listener);
		return;
	}
	if (loop_io_set(s->acceptable, 0, &ignored) == 0)
		loop_timer_set(s->accept_again, LIMIT_HTTP_ACCEPT_MS);
}

static void on_accept_again(void *arg)
{
	struct http_server *s = arg;
	struct err ignored;

	if (loop_io_set(s->acceptable, LOOP_READ, &ignored) < 0)
		loop_timer_set(s->accept_again, LIMIT_HTTP_ACCEPT_MS);
}

static struct conn *conn_of(struct http_server *s, struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(evcon);
	struct conn *c;

	TAILQ_FOREACH (c, &s->conns, next)
		if (c->evcon == evcon || (c->bev && c->bev == bev))
			return conn_adopt(c) ? c : NULL;
	return NULL;
}

static bool peer_may(const struct http_server *s, struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (!s->same_uid_only)
		return true;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void reply(struct evhttp_request *req, int status, const char *type, const struct buf *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *out = evhttp_request_get_output_buffer(req);
	char length[24];

	snprintf(length, sizeof(length), "%zu", body->len);
	evhttp_add_header(headers, "Connection", "close");
	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Content-Length", length);
	if (status == 405)
		evhttp_add_header(headers, "Allow", "GET, HEAD");
	if (evhttp_request_get_command(req) != EVHTTP_REQ_HEAD)
		evbuffer_add(out, buf_str(body), body->len);
	evhttp_send_reply(req, status, NULL, NULL);
}

static void reply_text(struct evhttp_request *req, int status, const char *text)
{
	_cleanup_buf_ struct buf body;
	struct err ignored;

	buf_init(&body, LIMIT_HTTP_SMALL);
	if (buf_add_str(&body, text, &ignored) == 0)
		reply(req, status, "text/plain; charset=utf-8", &body);
	else
		evhttp_send_error(req, status, NULL);
}

static const char *path_of(struct evhttp_request *req)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;

	return path && *path ? path : "/";
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct http_server *s = arg;
	enum evhttp_cmd_type command = evhttp_request_get_command(req);
	const char *type = "text/plain; charset=utf-8";
	struct conn *c = conn_of(s, req);
	_cleanup_buf_ struct buf body;
	int status;

	buf_init(&body, LIMIT_HTTP_BODY);
	if (!c) {
		reply_text(req, 503, "no memory\n");
		return;
	}
	if (!peer_may(s, req)) {
		reply_text(req, 403, "not your socket\n");
		return;
	}
	if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
		reply_text(req, 405, "only GET and HEAD\n");
		return;
	}
	status = s->handler(s->arg, path_of(req), &body, &type);
	if (body.len > LIMIT_HTTP_SMALL && s->answers + body.len > LIMIT_HTTP_PENDING &&
	    s->answers > 0) {
		reply_text(req, 503, "too many answers are waiting to be read\n");
		return;
	}
	c->answer = body.len + 1;
	s->answers += c->answer;
	reply(req, status, type, &body);
}

static int start(struct http_server *s, struct err *e)
{
	struct evhttp_bound_socket *bound;

	s->http = evhttp_new(loop_base(s->loop));
	bound = s->http ? evhttp_accept_socket_with_handle(s->http, s->listening.fd) : NULL;
	if (!bound)
		return err_set(e, ERR_EXHAUSTED, "serve HTTP");
	s->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_disable(s->listener);
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	evhttp_set_bevcb(s->http, on_accept, s);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_set_max_headers_size(s->http, LIMIT_HTTP_HEADERS);
	evhttp_set_max_body_size(s->http, LIMIT_HTTP_SMALL);
	evhttp_set_timeout(s->http, LIMIT_HTTP_REQUEST_MS / SECOND_MS);
	/* on_request refuses by 405; of CONNECT evhttp would keep the connection. */
	evhttp_set_allowed_methods(s->http, ALL_METHODS & ~EVHTTP_REQ_CONNECT);
	if (loop_timer_new(s->loop, on_accept_again, s, &s->accept_again, e) < 0)
		return -1;
	return loop_io_new(s->loop, s->listening.fd, LOOP_READ, on_acceptable, s, &s->acceptable,
			   e);
}

int http_server_new(struct loop *loop, const struct http_options *options, struct http_server **ret,
		    struct err *e)
{
	struct http_server *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "serve HTTP");
	TAILQ_INIT(&s->conns);
	s->loop = loop;
	s->max = options->max_connections > 0 ? options->max_connections : LIMIT_HTTP_CONNECTIONS;
	s->same_uid_only = options->same_uid_only;
	s->handler = options->handler;
	s->arg = options->arg;
	if (listening_open(options->listen, &s->listening, e) < 0 || start(s, e) < 0) {
		http_server_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

struct http_server *http_server_free(struct http_server *s)
{
	if (!s)
		return NULL;
	while (!TAILQ_EMPTY(&s->conns)) {
		struct conn *c = TAILQ_FIRST(&s->conns);

		if (conn_adopt(c))
			conn_drop(c);
	}
	loop_io_free(s->acceptable);
	loop_timer_free(s->accept_again);
	if (s->listener)
		s->listening.fd = -1; /* evhttp closes it */
	if (s->http)
		evhttp_free(s->http);
	listening_close(&s->listening);
	free(s);
	return NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->listening.port;
}
