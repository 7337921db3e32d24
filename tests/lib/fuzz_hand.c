/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/fuzz_hand.h"

#include "base/log.h"
#include "hand/internal.h"
#include "hand/packet.h"
#include "hand/payload.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct input {
	const uint8_t *at;
	size_t len;
};

static size_t take(struct input *in, void *to, size_t want)
{
	size_t n = want < in->len ? want : in->len;

	memcpy(to, in->at, n);
	in->at += n;
	in->len -= n;
	return n;
}

static uint8_t take_byte(struct input *in)
{
	uint8_t b = 0;

	take(in, &b, 1);
	return b;
}

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* Good in all that the input does not say otherwise. */
static void template(struct hand_request *r, uint8_t op)
{
	*r = (struct hand_request){.magic = HAND_MAGIC, .op = op % (HAND_OPS + 1), .id = 1};
	memcpy(r->volume.pod_uid, "0a1b2c3d-0000-4000-8000-00000000000a", 37);
	memcpy(r->volume.name, "tls", 4);
	if (r->op == HAND_HELLO)
		r->protocol = HAND_PROTOCOL;
	if (r->op == HAND_MARK)
		r->mark = 1;
	if (r->op == HAND_PUBLISH) {
		memcpy(r->publish.pod_namespace, "default", 8);
		memcpy(r->publish.pod_name, "web-0", 6);
		memcpy(r->publish.secret, "web-tls", 8);
		memcpy(r->publish.resource_version, "10", 3);
		r->publish.content.bytes[0] = 1;
	}
	if (r->op == HAND_FIND || r->op == HAND_SIGNAL) {
		memcpy(r->process.query.pod_uid, r->volume.pod_uid, sizeof(r->volume.pod_uid));
		memset(r->process.query.container_id, 'a', LIMIT_CONTAINER_ID);
		r->process.signal = 1;
	}
}

static int make_memfd(struct input *in)
{
	uint8_t bytes[1024];
	size_t n = take(in, bytes, take_byte(in) * 4u);
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct content c = {0};
	struct err e;

	must(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
	if (payload_read(fd, &c, &e) == 0) {
		uint64_t bytes_measured;

		must(payload_measure(fd, &bytes_measured, &e) == 0);
		must(bytes_measured >= content_size(&c));
		for (size_t i = 0; i < c.count; i++)
			must(content_name_ok(c.files[i].name));
	}
	content_done(&c);
	return fd;
}

/* A request: an operation, then pieces of other bytes at places of it. */
static void request(struct server *s, struct input *in)
{
	struct hand_request r;
	size_t len = sizeof(r);
	int memfd = -1;
	struct err e;

	template(&r, take_byte(in));
	for (uint8_t pieces = take_byte(in) % 8; pieces > 0; pieces--) {
		uint16_t at = 0;

		take(in, &at, sizeof(at));
		at = (uint16_t)(at % sizeof(r));
		take(in, (uint8_t *)&r + at, take_byte(in) % (sizeof(r) - at));
	}
	if (take_byte(in) % 16 == 1)
		len -= take_byte(in);
	if (r.op == HAND_PUBLISH)
		memfd = make_memfd(in);
	if (hand_request_check(&r, len, memfd >= 0, &e) < 0) {
		must(e.kind == ERR_INVALID);
		head_reply_error(s, s->connection, &r, &e);
		closep(&memfd);
		return;
	}
	must(volume_ref_ok(&r.volume) || r.op == HAND_HELLO || r.op == HAND_ADOPT);
	dispatch_request(s, &r, memfd);
}

/* What a child would have said, or that it was killed. */
static void finish_one(struct server *s, struct input *in)
{
	struct entry *entry;
	struct job *job = table_next(&s->table, &entry);
	struct hand_reply reply = {.magic = HAND_MAGIC};
	struct err killed;
	uint8_t how = take_byte(in);

	if (!job)
		return;
	err_set(&killed, ERR_TIMEOUT, "killed");
	reply.op = job->request.op;
	reply.id = job->request.id;
	reply.record.ref = entry->ref;
	reply.has_record = how & 1;
	reply.record.bytes = (uint64_t)take_byte(in) << 16;
	reply.err.kind = how & 2 ? ERR_NOT_FOUND : ERR_NONE;
	if (job->request.op == HAND_PUBLISH && table_reserve(&s->table, entry, job, &killed) < 0)
		how |= 4;
	table_free_turn(&s->table, entry);
	dispatch_finished(s, entry, job, how & 4 ? NULL : &reply, -1, &killed);
	if (how & 8)
		dispatch_stuck(s, entry, &killed);
	table_tidy(&s->table, entry);
}

static void hear(struct server *s, int head)
{
	struct hand_reply reply;
	struct packet p;
	struct err e;

	for (;;) {
		head_writable(s);
		must(packet_receive(head, &reply, sizeof(reply), &p, &e) == 0);
		if (p.waiting || p.ended)
			return;
		packet_done(&p);
		if (hand_reply_check(&reply, p.len, &e) < 0)
			abort();
	}
}

int fuzz_hand(const uint8_t *data, size_t len)
{
	struct hand_options options = {.state_fd = -1,
				       .listen_fd = -1,
				       .socket_fd = -1,
				       .head_uid = UINT32_MAX,
				       .ops = UINT32_MAX,
				       .budget_namespace = 32 * MIB,
				       .budget_node = 128 * MIB};
	struct server *s = calloc(1, sizeof(*s));
	struct input in = {.at = data, .len = len};
	int pair[2];

	must(s && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	s->options = &options;
	s->head_fd = s->signal_fd = -1;
	STAILQ_INIT(&s->replies);
	table_init(&s->table, options.budget_namespace, options.budget_node);
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
	head_take(s, pair[0]);
	while (in.len > 0) {
		if (take_byte(&in) % 3 == 0)
			finish_one(s, &in);
		else
			request(s, &in);
		must(s->table.waiting <= LIMIT_HAND_QUEUE);
		hear(s, pair[1]);
	}
	head_drop(s, NULL);
	table_done(&s->table);
	close(pair[1]);
	free(s);
	return 0;
}
