/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/client.h"

#include "hand/packet.h"

#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

struct hand_call {
	STAILQ_ENTRY(hand_call) link;
	struct hand_client *client;
	hand_done_fn done; /* NULL: cancelled, the reply is dropped */
	void *arg;
	bool sent;
	int memfd; /* owned until it was sent */
	struct hand_request request;
};

STAILQ_HEAD(calls, hand_call);

struct hand_client {
	int fd;
	struct hand_client_events events;
	void *arg;
	struct calls queued; /* not sent yet */
	struct calls sent;
	size_t count; /* of both */
	uint64_t last_id;
	bool writing; /* what on_interest was told */
	bool lost;
};

static int check_peer(int fd, uint32_t uid, struct err *e)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (uid == UINT32_MAX)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_sys(e, "ask who the hand is");
	if (peer.uid != uid)
		return err_set(e, ERR_DENIED, "the hand's socket belongs to uid %u, not %u",
			       peer.uid, uid);
	return 0;
}

int hand_client_new(int fd, uint32_t peer_uid, const struct hand_client_events *events, void *arg,
		    struct hand_client **ret, struct err *e)
{
	_cleanup_close_ int owned = fd;
	struct hand_client *c;

	if (check_peer(fd, peer_uid, e) < 0)
		return -1;
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_sys(e, "client of the hand");
	c->fd = TAKE_FD(owned);
	c->events = *events;
	c->arg = arg;
	STAILQ_INIT(&c->queued);
	STAILQ_INIT(&c->sent);
	*ret = c;
	return 0;
}

static void call_done(struct hand_call *call)
{
	call->client->count--;
	closep(&call->memfd);
	free(call);
}

static void drop(struct hand_call *call, struct calls *list)
{
	STAILQ_REMOVE(list, call, hand_call, link);
	call_done(call);
}

static struct hand_call *find(const struct calls *list, uint64_t id)
{
	struct hand_call *call;

	STAILQ_FOREACH (call, list, link)
		if (call->request.id == id)
			break;
	return call;
}

static void drop_all(struct calls *list)
{
	while (!STAILQ_EMPTY(list)) {
		struct hand_call *call = STAILQ_FIRST(list);

		STAILQ_REMOVE_HEAD(list, link);
		call_done(call);
	}
}

struct hand_client *hand_client_free(struct hand_client *c)
{
	if (c) {
		drop_all(&c->queued);
		drop_all(&c->sent);
		closep(&c->fd);
		free(c);
	}
	return NULL;
}

int hand_client_fd(const struct hand_client *c)
{
	return c->fd;
}

struct hand_call *hand_call_free(struct hand_call *call)
{
	if (!call)
		return NULL;
	if (call->sent) {
		call->done = NULL; /* the work goes on, and its reply must find its id */
		return NULL;
	}
	drop(call, &call->client->queued);
	return NULL;
}

/* Sends what the socket takes. A broken connection is noticed by the next read. */
static void flush(struct hand_client *c)
{
	bool writing;

	for (;;) {
		struct hand_call *call = STAILQ_FIRST(&c->queued);
		struct err e;

		if (!call ||
		    packet_send(c->fd, &call->request, sizeof(call->request), call->memfd,
				&call->sent, &e) < 0 ||
		    !call->sent)
			break;
		STAILQ_REMOVE_HEAD(&c->queued, link);
		STAILQ_INSERT_TAIL(&c->sent, call, link);
		closep(&call->memfd);
	}
	writing = !STAILQ_EMPTY(&c->queued);
	if (writing != c->writing) {
		c->writing = writing;
		c->events.on_interest(c->arg, writing);
	}
}

/* Answers every call with UNAVAILABLE, then tells the owner, who may free the client there. */
static void lose(struct hand_client *c, const struct err *e)
{
	struct hand_reply reply = {.magic = HAND_MAGIC, .err = *e};
	struct hand_call *call;

	c->lost = true;
	reply.err.kind = ERR_UNAVAILABLE;
	/* A callback may cancel another call, which is then left in the list without one. */
	STAILQ_FOREACH (call, &c->queued, link)
		call->sent = true;
	STAILQ_CONCAT(&c->sent, &c->queued);
	while (!STAILQ_EMPTY(&c->sent)) {
		hand_done_fn done;
		void *arg;

		call = STAILQ_FIRST(&c->sent);
		done = call->done;
		arg = call->arg;
		reply.op = call->request.op;
		reply.id = call->request.id;
		reply.last = 1;
		STAILQ_REMOVE_HEAD(&c->sent, link);
		call_done(call);
		if (done)
			done(arg, &reply, -1);
	}
	c->events.on_lost(c->arg, e);
}

static int take_reply(struct hand_client *c, const struct hand_reply *reply, int memfd,
		      struct err *e)
{
	struct hand_call *call;
	hand_done_fn done;
	void *arg;

	if (reply->id == 0 && reply->op == HAND_DAMAGED) {
		c->events.on_damaged(c->arg, &reply->record.ref);
		return 0;
	}
	if (reply->id == 0 && reply->op == HAND_HELLO && reply->err.kind != ERR_NONE) {
		*e = reply->err; /* why it will not have us */
		return -1;
	}
	call = find(&c->sent, reply->id);
	if (!call || call->request.op != reply->op)
		return err_set(e, ERR_INVALID, "the hand answers what was not asked");
	done = call->done;
	arg = call->arg;
	if (reply->op != HAND_ADOPT || reply->last)
		drop(call, &c->sent);
	if (done)
		done(arg, reply, memfd);
	return 0;
}

void hand_client_ready(struct hand_client *c)
{
	struct err e;

	if (c->lost)
		return;
	flush(c);
	for (;;) {
		_cleanup_packet_ struct packet p;
		struct hand_reply reply = {0};

		if (packet_receive(c->fd, &reply, sizeof(reply), &p, &e) < 0)
			return lose(c, &e);
		if (p.waiting)
			break;
		if (p.ended) {
			err_set(&e, ERR_UNAVAILABLE, "the hand is gone");
			return lose(c, &e);
		}
		if (hand_reply_check(&reply, p.len, &e) < 0 || take_reply(c, &reply, p.fd, &e) < 0)
			return lose(c, &e);
	}
	flush(c);
}

/* NOLINTNEXTLINE(readability-function-size): what a request is made of */
int hand_client_send(struct hand_client *c, const struct hand_request *request, int memfd,
		     hand_done_fn done, void *arg, struct hand_call **ret_call, struct err *e)
{
	_cleanup_close_ int owned = memfd;
	struct hand_call *call;

	if (c->lost)
		return err_set(e, ERR_UNAVAILABLE, "the hand is gone");
	if (c->count >= LIMIT_HAND_QUEUE)
		return err_set(e, ERR_EXHAUSTED, "%d requests wait for the hand", LIMIT_HAND_QUEUE);
	call = malloc(sizeof(*call));
	if (!call)
		return err_sys(e, "request to the hand");
	*call = (struct hand_call){
	    .client = c, .done = done, .arg = arg, .memfd = TAKE_FD(owned), .request = *request};
	call->request.magic = HAND_MAGIC;
	call->request.id = ++c->last_id;
	STAILQ_INSERT_TAIL(&c->queued, call, link);
	c->count++;
	if (ret_call)
		*ret_call = call;
	flush(c);
	return 0;
}
