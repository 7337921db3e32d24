/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/log.h"
#include "hand/internal.h"
#include "hand/packet.h"

#include <errno.h>
#include <sys/socket.h>

static int check_peer(const struct server *s, int fd, struct err *e)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_sys(e, "ask who connects");
	if (s->options->head_uid != UINT32_MAX && peer.uid != s->options->head_uid)
		return err_set(e, ERR_DENIED, "uid %u is not the head's, %u", peer.uid,
			       s->options->head_uid);
	if (s->head_fd >= 0)
		return err_set(e, ERR_CONFLICT, "another head is connected");
	return 0;
}

void head_take(struct server *s, int fd)
{
	_cleanup_close_ int owned = fd;
	struct err e;
	bool sent;

	if (check_peer(s, fd, &e) < 0) {
		struct hand_reply reply = {.magic = HAND_MAGIC, .op = HAND_HELLO, .err = e};

		log_warn("head.refused", L_ERR(&e));
		(void)!packet_send(fd, &reply, sizeof(reply), -1, &sent, &e);
		return;
	}
	s->head_fd = TAKE_FD(owned);
	s->connection++;
	s->greeted = false;
	log_info("head.connected", L_INT(LOG_COUNT, s->connection));
}

static void drop_replies(struct server *s)
{
	struct outgoing *o;

	while ((o = STAILQ_FIRST(&s->replies))) {
		STAILQ_REMOVE_HEAD(&s->replies, link);
		closep(&o->fd);
		free(o);
	}
	s->reply_count = 0;
}

/* What is under way ends; what waits is forgotten with the head that asked for it. */
void head_drop(struct server *s, const struct err *why)
{
	if (s->head_fd < 0)
		return;
	closep(&s->head_fd);
	drop_replies(s);
	s->failed = false;
	adopt_forget(s);
	dispatch_cancel_all(s);
	watching_stop(s);
	if (why)
		log_warn("head.lost", L_ERR(why));
	else
		log_info("head.gone", L_INT(LOG_COUNT, s->connection));
}

void head_readable(struct server *s)
{
	/* A few at a time, so that children are looked after between them. */
	for (int i = 0; i < LIMIT_HAND_CHILDREN && s->head_fd >= 0; i++) {
		_cleanup_packet_ struct packet p;
		struct hand_request request = {0};
		struct err e;

		if (packet_receive(s->head_fd, &request, sizeof(request), &p, &e) < 0)
			return head_drop(s, &e);
		if (p.waiting)
			return;
		if (p.ended)
			return head_drop(s, NULL);
		if (p.len != sizeof(request) || request.magic != HAND_MAGIC || request.id == 0) {
			err_set(&e, ERR_INVALID, "the packet is not a request");
			return head_drop(s, &e);
		}
		if (hand_request_check(&request, p.len, p.fd >= 0, &e) < 0)
			head_reply_error(s, s->connection, &request, &e);
		else
			dispatch_request(s, &request, TAKE_FD(p.fd));
	}
}

void head_writable(struct server *s)
{
	struct outgoing *o;

	while (s->head_fd >= 0 && (o = STAILQ_FIRST(&s->replies))) {
		struct err e;
		bool sent;

		if (packet_send(s->head_fd, &o->reply, sizeof(o->reply), o->fd, &sent, &e) < 0)
			return head_drop(s, e.sys == EPIPE ? NULL : &e);
		if (!sent)
			return;
		STAILQ_REMOVE_HEAD(&s->replies, link);
		s->reply_count--;
		closep(&o->fd);
		free(o);
	}
}

void head_reply(struct server *s, uint64_t connection, const struct hand_reply *reply, int fd)
{
	_cleanup_close_ int owned = fd;
	struct outgoing *o;

	if (s->head_fd < 0 || connection != s->connection)
		return;
	o = malloc(sizeof(*o));
	if (!o) {
		s->failed = true; /* a call without an answer would wait for ever */
		return;
	}
	*o = (struct outgoing){.reply = *reply, .fd = TAKE_FD(owned)};
	STAILQ_INSERT_TAIL(&s->replies, o, link);
	s->reply_count++;
}

void head_reply_error(struct server *s, uint64_t connection, const struct hand_request *request,
		      const struct err *e)
{
	struct hand_reply reply = {
	    .magic = HAND_MAGIC, .op = request->op, .id = request->id, .err = *e, .last = 1};

	if (reply.op == HAND_NONE || reply.op >= HAND_DAMAGED)
		reply.op = HAND_HELLO; /* there is no such operation to answer for */
	if (volume_ref_ok(&request->volume))
		reply.record.ref = request->volume;
	head_reply(s, connection, &reply, -1);
}
