/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * The head's side. It is given a connected descriptor and includes no loop: the owner polls
 * client_fd and calls client_ready. Requests are queued; replies come through the callback of each.
 * Freeing a call cancels its callback (not the work).
 */

#include "hand/protocol.h"

struct hand_client;
struct hand_call;

struct hand_client_events {
	void (*on_damaged)(void *arg, const struct volume_ref *ref);
	/* The hand went away, or spoke nonsense. Every call under way has been answered with
	 * UNAVAILABLE before. */
	void (*on_lost)(void *arg, const struct err *e);
	/* What to poll for changed: writing as well as reading, or not any more. */
	void (*on_interest)(void *arg, bool writing);
};

/*
 * fd is owned. peer_uid: refuse a hand of another uid (SO_PEERCRED); (uint32_t)-1: any.
 * Errors: DENIED (peer), EXHAUSTED.
 */
int hand_client_new(int fd, uint32_t peer_uid, const struct hand_client_events *events, void *arg,
		    struct hand_client **ret, struct err *e) _must_check_;
struct hand_client *hand_client_free(struct hand_client *c);
int hand_client_fd(const struct hand_client *c);

/* To be called when the descriptor is ready. May free nothing itself but may call callbacks that
 * free calls. */
void hand_client_ready(struct hand_client *c);

/*
 * reply is borrowed during the callback; memfd is -1 or borrowed (dup it to keep it). Called once,
 * ADOPT: once per record. reply->err tells success.
 */
typedef void (*hand_done_fn)(void *arg, const struct hand_reply *reply, int memfd);

/*
 * Sends a request; magic and id are filled in. memfd: -1 or owned by the call. ret_call may be
 * NULL: nobody cancels. Errors: EXHAUSTED (LIMIT_HAND_QUEUE), UNAVAILABLE (lost).
 */
int hand_client_send(struct hand_client *c, const struct hand_request *request, int memfd,
		     hand_done_fn done, void *arg, struct hand_call **ret_call,
		     struct err *e) _must_check_;
struct hand_call *
hand_call_free(struct hand_call *call); /* cancels; only before its last callback; returns NULL */
