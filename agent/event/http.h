/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A small HTTP/1.1 responder for GET and HEAD (evhttp): metrics, health and status. One request a
 * connection, LIMIT_HTTP_REQUEST_MS from accept to the last byte. When max_connections are open the
 * oldest that has not asked yet makes room. Answers that nobody reads are bounded too
 * (LIMIT_HTTP_PENDING): beyond it, 503 to all but small ones.
 */

#include "base/buf.h"
#include "event/loop.h"

struct http_server;

/* Fills body and content type; returns the HTTP status. path has no query. Called on the loop; must
 * not free the server. */
typedef int (*http_handler_fn)(void *arg, const char *path, struct buf *body,
			       const char **ret_content_type);

struct http_options {
	const char
	    *listen; /* "127.0.0.1:9402", "[::1]:9402", ":9402"; or "unix:/run/x.sock" (0600) */
	int max_connections; /* 0: LIMIT_HTTP_CONNECTIONS */
	bool
	    same_uid_only; /* unix: refuse peers that are neither root nor of our uid (SO_PEERCRED) */
	http_handler_fn handler;
	void *arg;
};

/* Errors: INVALID (address), CONFLICT (in use), DENIED. */
int http_server_new(struct loop *loop, const struct http_options *options, struct http_server **ret,
		    struct err *e) _must_check_;
struct http_server *http_server_free(struct http_server *s);
/* The port that is listened on (when 0 was asked for), 0 for unix. */
uint16_t http_server_port(const struct http_server *s);
