/* SPDX-License-Identifier: Apache-2.0 */
#include "event/listen.h"

#include "tests/lib/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PATH "/tmp/certhup-test-listen.sock"

static void assert_open(const char *address, struct listening *ret)
{
	struct err e = {0};

	if (listening_open(address, ret, &e) < 0)
		fail_msg("%s", e.message);
	assert_true(fcntl(ret->fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(ret->fd, F_GETFD) & FD_CLOEXEC);
}

static void numeric_addresses_are_listened_on(void **state _unused_)
{
	static const char *const good[] = {"127.0.0.1:0", ":0"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct listening l;
		int fd;

		assert_open(good[i], &l);
		assert_true(l.port > 0);
		assert_null(l.path);
		fd = ask_connect(l.port, NULL); /* IPv4, also where all addresses are meant */
		assert_true(fd >= 0);
		close(fd);
		listening_close(&l);
		assert_int_equal(l.fd, -1);
	}
}

static void ipv6_is_listened_on_where_there_is_any(void **state _unused_)
{
	struct listening l;
	struct err e = {0};

	if (access("/proc/net/if_inet6", F_OK) < 0) {
		fprintf(stderr, "SKIP: this machine has no IPv6\n");
		skip();
	}
	if (listening_open("[::1]:0", &l, &e) < 0)
		fail_msg("%s", e.message);
	assert_true(l.port > 0);
	listening_close(&l);
}

static void other_addresses_are_refused(void **state _unused_)
{
	static const char *const bad[] = {
	    "",           "9402",        "localhost:9402",  "127.0.0.1",
	    "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999", "1:2:3",
	    "unix:",      "unix:x.sock", "[::1]",           ":-1",
	    "[::1:9402",  "[]:9402",     "127.0.0.1 :9402"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct listening l;
		struct err e = {0};

		assert_int_equal(listening_open(bad[i], &l, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_int_equal(l.fd, -1);
	}
}

static void a_port_in_use_is_a_conflict(void **state _unused_)
{
	struct listening first;
	struct listening second;
	struct err e = {0};
	char address[32];

	assert_open("127.0.0.1:0", &first);
	snprintf(address, sizeof(address), "127.0.0.1:%u", first.port);
	assert_int_equal(listening_open(address, &second, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.message, address));
	listening_close(&first);
	assert_open(address, &second);
	listening_close(&second);
}

static void a_unix_socket_is_private_and_removed_at_the_end(void **state _unused_)
{
	struct listening l;
	struct stat st;

	unlink(PATH);
	assert_open("unix:" PATH, &l);
	assert_int_equal(l.port, 0);
	assert_int_equal(stat(PATH, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	listening_close(&l);
	assert_int_equal(stat(PATH, &st), -1);
}

static void a_socket_file_that_was_left_is_replaced_and_one_in_use_is_not(void **state _unused_)
{
	struct listening l;
	struct listening second;
	struct err e = {0};
	pid_t pid;

	unlink(PATH);
	pid = fork();
	if (pid == 0) /* dies without removing it */
		_exit(listening_open("unix:" PATH, &l, &e) < 0);
	waitpid(pid, NULL, 0);
	assert_int_equal(access(PATH, F_OK), 0);
	assert_open("unix:" PATH, &l);
	assert_int_equal(listening_open("unix:" PATH, &second, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(access(PATH, F_OK), 0);
	listening_close(&l);
}

static void another_file_is_never_replaced(void **state _unused_)
{
	struct listening l;
	struct err e = {0};
	int fd = open(PATH, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listening_open("unix:" PATH, &l, &e), -1);
	assert_int_equal(access(PATH, F_OK), 0);
	unlink(PATH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numeric_addresses_are_listened_on),
	    cmocka_unit_test(ipv6_is_listened_on_where_there_is_any),
	    cmocka_unit_test(other_addresses_are_refused),
	    cmocka_unit_test(a_port_in_use_is_a_conflict),
	    cmocka_unit_test(a_unix_socket_is_private_and_removed_at_the_end),
	    cmocka_unit_test(a_socket_file_that_was_left_is_replaced_and_one_in_use_is_not),
	    cmocka_unit_test(another_file_is_never_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
