/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The head's link to its hand: a child that we started, or a socket that is connected to again whenever it goes.
 */

#include "event/loop.h"
#include "hand/client.h"

struct link;

struct link_options {
	const char *socket;      /* NULL: the hand is our child */
	uint32_t peer_uid;       /* socket: the only uid that is spoken to; (uint32_t)-1: any */
	const char *program;     /* child: NULL: certhup-hand beside our own program */
	const char *const *args; /* child: its arguments; NULL: none */
};

struct link_callbacks {
	void (*on_up)(void *arg, const struct hand_reply *hello);
	/* Every call under way was answered before. for_good: it was our child, and nothing brings it back. */
	void (*on_lost)(void *arg, const struct err *e, bool for_good);
	void (*on_damaged)(void *arg, const struct volume_ref *ref);
};

/* A child is started here, before the sandbox; nothing is said to it yet. */
int link_new(struct loop *loop, const struct link_options *options,
	     const struct link_callbacks *callbacks, void *arg, struct link **ret,
	     struct err *e) _must_check_;
/* Begins: on_up or on_lost follow, on the loop. */
void link_start(struct link *l);
struct link *link_free(struct link *l);

bool link_is_up(const struct link *l);

/* As hand_client_send; UNAVAILABLE while the hand is away. */
int link_send(struct link *l, const struct hand_request *request, int memfd, hand_done_fn done,
	      void *arg, struct hand_call **ret, struct err *e) _must_check_;
