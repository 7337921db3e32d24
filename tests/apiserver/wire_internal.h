/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A connection, as its three halves share it: wire.c makes and ends it, wire_read.c takes requests
 * in, wire_write.c lets answers out.
 */

#include "tests/apiserver/wire.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

struct wire_exchange {
	struct wire *wire; /* borrowed */
	LIST_ENTRY(wire_exchange) link;
	int fd;                  /* owned by bev, or by us while there is none */
	struct bufferevent *bev; /* NULL in a black hole */
	uint64_t number;

	/* The request. */
	enum {
		READ_HEAD,
		READ_BODY,
		READ_NOTHING /* until the answer is out */
	} reading;
	char *method;
	char *target;
	struct evkeyvalq headers;
	char *body;
	size_t body_len;
	size_t body_left; /* still to come */
	bool body_dropped;
	bool busy; /* on_request was called, on_over not yet */
	void *user;
	char client_name[128];

	/* The answer. */
	struct wire_plan plan;
	struct evbuffer *raw; /* framed bytes that have not left */
	size_t content;       /* content bytes let out */
	bool was_cut;         /* nothing more is let out */
	bool finished;        /* all is in raw: the exchange ends when it is empty */
	bool keep;            /* the connection stays after it */
	enum wire_end how;    /* how it ends else */
	struct event *pace;
	bool waiting; /* for pace */
};

void wire_request(struct wire_exchange *x);
void wire_over(struct wire_exchange *x);
/* Frees the exchange. */
void wire_close(struct wire_exchange *x, enum wire_end how);
void wire_read(struct wire_exchange *x);
void wire_pump(struct wire_exchange *x);
