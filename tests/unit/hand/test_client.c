/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/client.h"

#include "hand/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* The test is the hand at the other end. */
static int hand_fd;
static struct hand_client *client;
static struct err e, lost_err;
static unsigned answers, lost, damaged, interest_calls;
static bool writing;
static struct hand_reply last;

static void on_damaged(void *arg _unused_, const struct volume_ref *ref)
{
	damaged++;
	assert_string_equal(ref->name, "tls");
}

static void on_lost(void *arg _unused_, const struct err *why)
{
	lost++;
	lost_err = *why;
}

static void on_interest(void *arg _unused_, bool now)
{
	interest_calls++;
	writing = now;
}

static void on_done(void *arg _unused_, const struct hand_reply *reply, int memfd _unused_)
{
	answers++;
	last = *reply;
}

static const struct hand_client_events events = {
    .on_damaged = on_damaged, .on_lost = on_lost, .on_interest = on_interest};

static int set_up(void **state)
{
	int pair[2];

	(void)state;
	answers = lost = damaged = interest_calls = 0;
	writing = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	hand_fd = pair[1];
	return hand_client_new(pair[0], (uint32_t)geteuid(), &events, NULL, &client, &e);
}

static int tear_down(void **state)
{
	(void)state;
	client = hand_client_free(client);
	closep(&hand_fd);
	return 0;
}

static struct hand_call *ask(enum hand_op op)
{
	struct hand_request r = {.op = op};
	struct hand_call *call;

	assert_int_equal(hand_client_send(client, &r, -1, on_done, NULL, &call, &e), 0);
	return call;
}

/* The request that the hand gets; 0: none is there. */
static uint64_t received(void)
{
	struct hand_request r;
	struct packet p;

	assert_int_equal(packet_receive(hand_fd, &r, sizeof(r), &p, &e), 0);
	if (p.waiting)
		return 0;
	assert_int_equal(p.len, sizeof(r));
	assert_int_equal(r.magic, HAND_MAGIC);
	packet_done(&p);
	return r.id;
}

static void answer_with(const struct hand_reply *reply)
{
	bool sent;

	assert_int_equal(packet_send(hand_fd, reply, sizeof(*reply), -1, &sent, &e), 0);
	assert_true(sent);
	hand_client_ready(client);
}

static void answer(enum hand_op op, uint64_t id)
{
	struct hand_reply reply = {.magic = HAND_MAGIC, .op = op, .id = id};

	answer_with(&reply);
}

static void replies_find_their_calls_in_any_order(void **state)
{
	uint64_t first, second;

	(void)state;
	ask(HAND_VERIFY);
	ask(HAND_READ);
	first = received();
	second = received();
	assert_true(first && second && first != second);
	answer(HAND_READ, second);
	assert_int_equal(answers, 1);
	assert_int_equal(last.op, HAND_READ);
	answer(HAND_VERIFY, first);
	assert_int_equal(answers, 2);
	assert_int_equal(lost, 0);
}

static void adopt_is_answered_until_the_last(void **state)
{
	struct hand_reply reply = {.magic = HAND_MAGIC, .op = HAND_ADOPT};

	(void)state;
	ask(HAND_ADOPT);
	reply.id = received();
	answer_with(&reply);
	answer_with(&reply);
	reply.last = 1;
	answer_with(&reply);
	assert_int_equal(answers, 3);
	answer_with(&reply);
	assert_int_equal(lost, 1); /* an answer too many */
}

static void freed_call_is_not_answered(void **state)
{
	struct hand_call *call = ask(HAND_VERIFY);
	uint64_t id = received();

	(void)state;
	hand_call_free(call);
	answer(HAND_VERIFY, id);
	assert_int_equal(answers, 0);
	assert_int_equal(lost, 0);
}

/* The socket takes few packets; the others wait in the client. */
static void requests_wait_for_room_and_keep_their_order(void **state)
{
	struct hand_call *calls[500];
	uint64_t before = 0;
	unsigned got = 0;

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		calls[i] = ask(HAND_VERIFY);
	assert_true(writing);
	hand_call_free(calls[499]); /* not sent yet: it never will be */
	for (;;) {
		uint64_t id = received();

		if (id == 0) {
			hand_client_ready(client);
			id = received();
		}
		if (id == 0)
			break;
		assert_true(id > before);
		before = id;
		got++;
	}
	assert_int_equal(got, 499);
	assert_false(writing);
	assert_int_equal(interest_calls, 2);
}

static void queue_has_an_end(void **state)
{
	struct hand_request r = {.op = HAND_VERIFY};

	(void)state;
	for (unsigned i = 0; i < LIMIT_HAND_QUEUE; i++)
		assert_int_equal(hand_client_send(client, &r, -1, on_done, NULL, NULL, &e), 0);
	assert_int_equal(hand_client_send(client, &r, -1, on_done, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
}

static void end_of_the_hand_answers_every_call(void **state)
{
	struct hand_request r = {.op = HAND_VERIFY};

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		ask(HAND_VERIFY);
	closep(&hand_fd);
	hand_client_ready(client);
	assert_int_equal(answers, 100);
	assert_int_equal(last.err.kind, ERR_UNAVAILABLE);
	assert_int_equal(lost, 1);
	assert_int_equal(hand_client_send(client, &r, -1, on_done, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	hand_client_ready(client);
	assert_int_equal(lost, 1);
}

static void nonsense_ends_the_connection(void **state)
{
	uint64_t id;

	(void)state;
	ask(HAND_VERIFY);
	id = received();
	answer(HAND_READ, id); /* another operation than the one that was asked for */
	assert_int_equal(lost, 1);
	assert_int_equal(answers, 1);
	assert_int_equal(last.err.kind, ERR_UNAVAILABLE);
}

static void answer_that_nobody_asked_for_ends_the_connection(void **state)
{
	(void)state;
	answer(HAND_VERIFY, 17);
	assert_int_equal(lost, 1);
}

static void refusal_of_the_hand_is_told(void **state)
{
	struct hand_reply reply = {.magic = HAND_MAGIC,
				   .op = HAND_HELLO,
				   .err = {.kind = ERR_CONFLICT, .message = "another head"}};

	(void)state;
	ask(HAND_HELLO);
	answer_with(&reply);
	assert_int_equal(lost, 1);
	assert_string_equal(lost_err.message, "another head");
}

static void damage_is_told(void **state)
{
	struct hand_reply reply = {.magic = HAND_MAGIC,
				   .op = HAND_DAMAGED,
				   .record.ref = {"0a1b2c3d-0000-4000-8000-000000000001", "tls"}};

	(void)state;
	answer_with(&reply);
	assert_int_equal(damaged, 1);
	reply.record.ref.name[0] = '\0';
	answer_with(&reply);
	assert_int_equal(damaged, 1);
	assert_int_equal(lost, 1);
}

static void hand_of_another_user_is_refused(void **state)
{
	struct hand_client *other;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(hand_client_new(pair[0], 4242, &events, NULL, &other, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(replies_find_their_calls_in_any_order, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(adopt_is_answered_until_the_last, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(freed_call_is_not_answered, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(requests_wait_for_room_and_keep_their_order, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(queue_has_an_end, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(end_of_the_hand_answers_every_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nonsense_ends_the_connection, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(answer_that_nobody_asked_for_ends_the_connection,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(refusal_of_the_hand_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(damage_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(hand_of_another_user_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("hand/client", tests, NULL, NULL);
}
