/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/fuzz_client.h"

#include "hand/client.h"

#include <string.h>
#include <sys/socket.h>

struct side {
	int fd;
	struct hand_call *calls[4];
	unsigned open; /* bit per call that was not answered for the last time */
	bool lost;
};

struct slot {
	struct side *side;
	unsigned index;
};

static void on_done(void *arg, const struct hand_reply *reply, int memfd)
{
	struct slot *slot = arg;
	unsigned bit = 1u << slot->index;

	(void)memfd;
	if (!(slot->side->open & bit) ||
	    strnlen(reply->err.message, ERR_MESSAGE_SIZE) == ERR_MESSAGE_SIZE)
		abort(); /* answered twice, or with a text that has no end */
	if (reply->op != HAND_ADOPT || reply->last)
		slot->side->open &= ~bit;
}

static void on_damaged(void *arg, const struct volume_ref *ref)
{
	(void)arg;
	if (!volume_ref_ok(ref))
		abort();
}

static void on_lost(void *arg, const struct err *e)
{
	struct side *side = arg;

	(void)e;
	if (side->lost || side->open)
		abort(); /* told twice, or before each call was answered */
	side->lost = true;
}

static void on_interest(void *arg, bool writing)
{
	(void)arg;
	(void)writing;
}

/* One packet: an operation, an id, then pieces of bytes at places of a good reply. */
static size_t packet(const uint8_t *data, size_t len, struct hand_reply *r)
{
	size_t used = len < 4 ? len : 4;

	*r = (struct hand_reply){.magic = HAND_MAGIC};
	if (used < 4)
		return used;
	r->op = data[0] % (HAND_OPS + 1);
	r->id = data[1] % 6;
	r->last = data[2] & 1;
	r->has_record = data[2] >> 1 & 1;
	memcpy(r->record.ref.pod_uid, "0a1b2c3d-0000-4000-8000-00000000000a", 37);
	memcpy(r->record.ref.name, "tls", 4);
	for (unsigned pieces = data[3] % 4; pieces > 0 && len - used > 3; pieces--) {
		size_t at = (data[used] | (size_t)data[used + 1] << 8) % sizeof(*r);
		size_t n = data[used + 2];

		used += 3;
		n = n < len - used ? n : len - used;
		n = n < sizeof(*r) - at ? n : sizeof(*r) - at;
		memcpy((uint8_t *)r + at, data + used, n);
		used += n;
	}
	return used;
}

int fuzz_client(const uint8_t *data, size_t len)
{
	static const struct hand_client_events events = {
	    .on_damaged = on_damaged, .on_lost = on_lost, .on_interest = on_interest};
	static const uint32_t ops[4] = {HAND_ADOPT, HAND_PUBLISH, HAND_READ, HAND_VERIFY};
	struct side side = {0};
	struct slot slots[4];
	struct hand_client *client;
	struct err e;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    hand_client_new(pair[0], UINT32_MAX, &events, &side, &client, &e) < 0)
		abort();
	for (unsigned i = 0; i < 4; i++) {
		struct hand_request r = {.op = ops[i]};

		slots[i] = (struct slot){.side = &side, .index = i};
		side.open |= 1u << i;
		if (hand_client_send(client, &r, -1, on_done, &slots[i], &side.calls[i], &e) < 0)
			abort();
	}
	if (len > 0 && data[0] & 0x80) { /* one call is cancelled */
		hand_call_free(side.calls[data[0] & 3]);
		side.open &= ~(1u << (data[0] & 3));
	}
	while (len > 0 && !side.lost) {
		struct hand_reply r;
		size_t used = packet(data, len, &r);
		size_t size = sizeof(r) - (data[0] % 32 == 31 ? data[0] : 0);

		if (send(pair[1], &r, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			abort();
		hand_client_ready(client);
		data += used;
		len -= used;
	}
	hand_client_free(client);
	close(pair[1]);
	return 0;
}
