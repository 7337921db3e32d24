/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/packet.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static int pair[2];
static struct err e;

static int set_up(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state)
{
	(void)state;
	closep(&pair[0]);
	closep(&pair[1]);
	return 0;
}

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static void send_raw(const void *data, size_t len, const int *fds, size_t count)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = {0};
	char copy[64];
	struct iovec iov = {.iov_base = copy, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(copy, data, len);
	if (count) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(pair[0], &m, 0), (ssize_t)len);
}

static void packet_and_descriptor_come_through(void **state)
{
	char got[8] = "";
	struct packet p;
	bool sent;

	(void)state;
	assert_int_equal(packet_send(pair[0], "abc", 3, pair[0], &sent, &e), 0);
	assert_true(sent);
	assert_int_equal(packet_receive(pair[1], got, sizeof(got), &p, &e), 0);
	assert_int_equal(p.len, 3);
	assert_memory_equal(got, "abc", 3);
	assert_true(p.fd >= 0);
	assert_int_equal(fcntl(p.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	packet_done(&p);
	assert_int_equal(packet_receive(pair[1], got, sizeof(got), &p, &e), 0);
	assert_true(p.waiting);
	assert_int_equal(p.fd, -1);
}

static void end_is_told(void **state)
{
	char got[8];
	struct packet p;
	bool sent;

	(void)state;
	closep(&pair[0]);
	assert_int_equal(packet_receive(pair[1], got, sizeof(got), &p, &e), 0);
	assert_true(p.ended);
	assert_int_equal(packet_send(pair[1], "x", 1, -1, &sent, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
}

static void full_socket_is_told(void **state)
{
	bool sent = true;

	(void)state;
	for (int i = 0; i < 100000 && sent; i++)
		assert_int_equal(packet_send(pair[0], "abc", 3, -1, &sent, &e), 0);
	assert_false(sent);
}

static void larger_packet_has_no_length(void **state)
{
	char got[4];
	struct packet p;

	(void)state;
	send_raw("12345", 5, pair, 1);
	assert_int_equal(packet_receive(pair[1], got, sizeof(got), &p, &e), 0);
	assert_int_equal(p.len, 0);
	assert_int_equal(p.fd, -1);
	assert_false(p.ended);
}

static void several_descriptors_are_all_closed(void **state)
{
	char got[4];
	struct packet p;
	const int fds[4] = {pair[0], pair[0], pair[0], pair[0]};
	unsigned before = open_descriptors();

	(void)state;
	for (size_t count = 2; count <= 4; count++) {
		send_raw("123", 3, fds, count);
		assert_int_equal(packet_receive(pair[1], got, sizeof(got), &p, &e), 0);
		assert_int_equal(p.len, 0);
		assert_int_equal(p.fd, -1);
	}
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(packet_and_descriptor_come_through, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(end_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(full_socket_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(larger_packet_has_no_length, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(several_descriptors_are_all_closed, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("hand/packet", tests, NULL, NULL);
}
