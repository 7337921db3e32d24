/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

/* A directory of the test's own, and its descriptor. */
struct dir {
	char path[64];
	int fd;
};

static int make_dir(void **state)
{
	static struct dir d;
	const char *tmp = getenv("TMPDIR");

	snprintf(d.path, sizeof(d.path), "%.40s/file-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(d.path))
		return -1;
	d.fd = open(d.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = &d;
	return d.fd < 0 ? -1 : 0;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"f", "link", "fifo"};
	struct dir *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlinkat(d->fd, names[i], 0);
	close(d->fd);
	return rmdir(d->path);
}

static void put(const struct dir *d, const char *text, size_t len)
{
	_cleanup_close_ int fd = openat(d->fd, "f", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct err e;

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, len, &e), 0);
}

static void a_file_is_read_whole_through_a_link(void **state)
{
	static char text[100000];
	struct dir *d = *state;
	_cleanup_buf_ struct buf b;
	struct err e;

	memset(text, 'x', sizeof(text));
	put(d, text, sizeof(text));
	assert_int_equal(symlinkat("f", d->fd, "link"), 0);
	buf_init(&b, sizeof(text));
	assert_int_equal(file_read(d->fd, "link", &b, &e), 0);
	assert_int_equal(b.len, sizeof(text));
	assert_memory_equal(b.data, text, sizeof(text));
}

static void a_file_over_the_maximum_is_refused(void **state)
{
	struct dir *d = *state;
	_cleanup_buf_ struct buf b;
	_cleanup_secret_ struct secret s = {0};
	struct err e;

	put(d, "0123456789", 10);
	buf_init(&b, 9);
	assert_int_equal(file_read(d->fd, "f", &b, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_int_equal(file_read_secret(d->fd, "f", 9, &s, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_null(s.data);
	assert_int_equal(file_read_secret(d->fd, "f", 10, &s, &e), 0);
	assert_int_equal(s.len, 10);
	assert_memory_equal(s.data, "0123456789", 10);
}

static void what_is_no_file_is_an_error_that_names_it(void **state)
{
	struct dir *d = *state;
	_cleanup_buf_ struct buf b;
	_cleanup_secret_ struct secret s = {0};
	struct err e;

	buf_init(&b, 100);
	assert_int_equal(file_read(d->fd, "f", &b, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(e.message, "open f: No such file or directory");
	assert_int_equal(file_read(d->fd, ".", &b, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(file_read_secret(d->fd, "f", 100, &s, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static void a_pipe_in_the_place_of_a_file_does_not_block(void **state)
{
	struct dir *d = *state;
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, 100);
	assert_int_equal(mkfifoat(d->fd, "fifo", 0600), 0);
	assert_int_equal(file_read(d->fd, "fifo", &b, &e), 0);
	assert_int_equal(b.len, 0);
}

static void an_empty_file_is_empty(void **state)
{
	struct dir *d = *state;
	_cleanup_buf_ struct buf b;
	_cleanup_secret_ struct secret s = {0};
	struct err e;

	put(d, "", 0);
	buf_init(&b, 0);
	assert_int_equal(file_read(d->fd, "f", &b, &e), 0);
	assert_int_equal(file_read_secret(d->fd, "f", 0, &s, &e), 0);
	assert_int_equal(s.len, 0);
}

static void on_alarm(int sig _unused_)
{
}

/* A pipe that is read slowly, under a timer that interrupts: short writes and EINTR. */
static void all_is_written_through_interrupts_and_short_writes(void **state _unused_)
{
	static char text[1 << 20];
	struct sigaction sa = {.sa_handler = on_alarm};
	struct itimerval tick = {{0, 1000}, {0, 1000}};
	struct itimerval stop = {{0, 0}, {0, 0}};
	size_t got = 0;
	int fds[2];
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i % 251);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e;

		close(fds[0]);
		sigaction(SIGALRM, &sa, NULL);
		setitimer(ITIMER_REAL, &tick, NULL);
		status = file_write_all(fds[1], text, sizeof(text), &e);
		setitimer(ITIMER_REAL, &stop, NULL);
		_exit(status == 0 ? 0 : 1);
	}
	close(fds[1]);
	while (got < sizeof(text)) {
		char part[997];
		ssize_t n = read(fds[0], part, sizeof(part));

		assert_true(n > 0);
		assert_memory_equal(part, text + got, (size_t)n);
		got += (size_t)n;
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_failed_write_is_an_error(void **state _unused_)
{
	_cleanup_close_ int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err e;

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, "x", 1, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_int_equal(e.sys, ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_file_is_read_whole_through_a_link, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(a_file_over_the_maximum_is_refused, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(what_is_no_file_is_an_error_that_names_it, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(a_pipe_in_the_place_of_a_file_does_not_block, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(an_empty_file_is_empty, make_dir, remove_dir),
	    cmocka_unit_test(all_is_written_through_interrupts_and_short_writes),
	    cmocka_unit_test(a_failed_write_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
