/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A hand whose socket is shared: who may be its head. */

#include "hand/connect.h"
#include "hand/packet.h"
#include "hand/server.h"
#include "tests/lib/one_hand.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static int hear(int fd, struct hand_reply *reply)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct packet packet;
	struct err e;

	assert_int_equal(poll(&p, 1, 10 * SECOND_MS), 1);
	if (packet_receive(fd, reply, sizeof(*reply), &packet, &e) < 0 || packet.ended)
		return -1;
	packet_done(&packet);
	return (int)packet.len;
}

static pid_t listening_hand(const char *uid, char *path, size_t size)
{
	pid_t pid;
	int fd;
	struct err e;

	snprintf(path, size, "%s/hand.sock", h.root);
	pid = fork();
	if (pid == 0) {
		execl(hands_program(), "certhup-hand", "--socket", path, "--head-uid", uid,
		      "--kubelet-root", h.root, "--log-level", "error", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && hand_connect(path, &fd, &e) < 0; i++) {
		fd = -1;
		poll(NULL, 0, 10);
	}
	assert_true(fd >= 0);
	close(fd);
	return pid;
}

static bool greets(int fd)
{
	struct hand_request r = {
	    .magic = HAND_MAGIC, .id = 1, .op = HAND_HELLO, .protocol = HAND_PROTOCOL};
	struct hand_reply reply;
	bool sent;
	struct err e;

	return packet_send(fd, &r, sizeof(r), -1, &sent, &e) == 0 && hear(fd, &reply) > 0 &&
	       reply.err.kind == ERR_NONE;
}

static int connected(const char *path)
{
	struct err e;
	int fd;

	if (hand_connect(path, &fd, &e) < 0)
		fail_msg("%s", e.message);
	return fd;
}

static void one_head_at_a_time_is_served(void **state)
{
	struct hand_reply reply;
	char path[96];
	pid_t pid = listening_hand("0", path, sizeof(path));
	int first, second;

	(void)state;
	first = connected(path);
	assert_true(greets(first));
	second = connected(path);
	assert_true(hear(second, &reply) > 0);
	assert_int_equal(reply.err.kind, ERR_CONFLICT);
	assert_int_equal(hear(second, &reply), -1);
	assert_true(greets(first)); /* it was not disturbed */
	close(second);
	close(first);
	second = connected(path);
	assert_true(greets(second));
	close(second);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void head_of_another_user_is_refused(void **state)
{
	struct hand_reply reply;
	char path[96];
	pid_t pid = listening_hand("4242", path, sizeof(path));
	int fd = connected(path);

	(void)state;
	assert_true(hear(fd, &reply) > 0);
	assert_int_equal(reply.err.kind, ERR_DENIED);
	assert_int_equal(hear(fd, &reply), -1);
	close(fd);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void nonsense_costs_the_connection_only(void **state)
{
	static const char noise[4096] = {1, 2, 3};
	char path[96];
	pid_t pid = listening_hand("0", path, sizeof(path));

	(void)state;
	for (size_t len = 1; len <= sizeof(noise); len *= 4) {
		int fd = connected(path);
		struct hand_reply reply;
		struct err e;
		bool sent;

		assert_int_equal(packet_send(fd, noise, len, -1, &sent, &e), 0);
		assert_int_equal(hear(fd, &reply), -1);
		close(fd);
	}
	{
		int fd = connected(path);

		assert_true(greets(fd));
		close(fd);
	}
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(one_head_at_a_time_is_served, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(head_of_another_user_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nonsense_costs_the_connection_only, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/server", tests, NULL, NULL);
}
