/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP/1.1 over TLS, with a hand on every byte that goes out: answers can be cut, stalled, reset,
 * and sent in pieces of any size. One exchange at a time on a connection.
 */

#include "tests/apiserver/gojson.h"

#include <event2/event.h>
#include <openssl/ssl.h>

struct wire;          /* the listener and its connections */
struct wire_exchange; /* one request and its answer */

/* How an answer leaves. Zero: as a whole, at once. */
struct wire_plan {
	size_t write_bytes; /* raw bytes in one TLS record, 0: any */
	int delay_ms;       /* between two of them */
	size_t chunk_bytes; /* content bytes in one HTTP chunk, 0: one chunk an event */
	bool cut;           /* stop at cut_at */
	size_t cut_at;      /* content bytes that still leave */
	enum wire_end {
		WIRE_CLOSE, /* TCP FIN without TLS close_notify */
		WIRE_RESET, /* TCP RST */
		WIRE_STALL  /* nothing more, and the connection stays */
	} end;
};

struct wire_handlers {
	/* A whole request is there. The exchange lives until on_over. */
	void (*on_request)(void *arg, struct wire_exchange *x);
	/* The exchange is over: answered to the last byte, or its connection is gone. */
	void (*on_over)(void *arg, struct wire_exchange *x);
	void *arg;
};

/* Listens on address:port ("127.0.0.1", 0 for any free one). The TLS context is asked for at each
 * connection. */
int wire_new(struct event_base *base, const char *address, uint16_t port,
	     SSL_CTX *(*tls)(void *arg), const struct wire_handlers *handlers, struct wire **ret,
	     struct err *e);
/* Not from a callback: what waits in the loop is run, so that each connection is closed. */
struct wire *wire_free(struct wire *w);
uint16_t wire_port(const struct wire *w);
size_t wire_connections(const struct wire *w);
size_t wire_accepted(const struct wire *w); /* since the start */

enum wire_accept {
	WIRE_ACCEPT,
	WIRE_REFUSE,    /* not listening: connections get RST */
	WIRE_BLACK_HOLE /* accepted, and never a byte */
};
/* Concerns new connections. */
int wire_set_accept(struct wire *w, enum wire_accept mode, struct err *e);
/* Ends all connections. */
void wire_drop(struct wire *w, enum wire_end how);

/* The request. Strings are borrowed from the exchange. */
const char *wire_method(const struct wire_exchange *x);
const char *wire_target(const struct wire_exchange *x);                   /* path and query */
const char *wire_header(const struct wire_exchange *x, const char *name); /* NULL when not there */
const char *wire_body(const struct wire_exchange *x, size_t *ret_len);
bool wire_body_too_large(const struct wire_exchange *x); /* it was thrown away */
uint64_t wire_connection(const struct wire_exchange *x); /* a number of its own */
/* The common name of the client's certificate, or NULL. */
const char *wire_client_name(const struct wire_exchange *x);

/* A word of the caller's for the exchange. */
void wire_set_user(struct wire_exchange *x, void *user);
void *wire_user(const struct wire_exchange *x);

/* Before the answer begins. */
void wire_set_plan(struct wire_exchange *x, const struct wire_plan *plan);

/* headers: lines "Name: value\r\n", or NULL. The body is drained. */
void wire_answer(struct wire_exchange *x, int code, const char *headers, struct evbuffer *body);
/* A stream: chunked, each send one event. */
void wire_begin(struct wire_exchange *x, int code, const char *headers);
void wire_send(struct wire_exchange *x, struct evbuffer *content);
void wire_finish(struct wire_exchange *x);
/* Bytes as they are, and then the connection ends. */
void wire_raw(struct wire_exchange *x, struct evbuffer *bytes, enum wire_end how);
/* The connection ends now; on_over follows. */
void wire_abort(struct wire_exchange *x, enum wire_end how);
