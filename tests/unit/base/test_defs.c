/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/defs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static void take_leaves_null_behind(void **state _unused_)
{
	_cleanup_free_ char *p = strdup("x");
	char *taken = TAKE(p);

	assert_null(p);
	assert_string_equal(taken, "x");
	free(taken);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void scope_exit_closes_what_was_not_taken(void **state _unused_)
{
	int kept = -1;
	int closed;

	{
		_cleanup_close_ int a = open("/dev/null", O_RDONLY | O_CLOEXEC);
		_cleanup_close_ int b = open("/dev/null", O_RDONLY | O_CLOEXEC);
		_cleanup_close_ int none _unused_ = -1;

		closed = a;
		kept = TAKE_FD(b);
		assert_int_equal(b, -1);
	}
	assert_false(is_open(closed));
	assert_true(is_open(kept));
	close(kept);
}

static void scope_exit_closes_streams(void **state _unused_)
{
	int fd;

	{
		_cleanup_fclose_ FILE *f = fopen("/dev/null", "re");
		_cleanup_fclose_ FILE *none _unused_ = NULL;

		assert_non_null(f);
		fd = fileno(f);
	}
	assert_false(is_open(fd));
	assert_int_equal(errno, EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(take_leaves_null_behind),
	    cmocka_unit_test(scope_exit_closes_what_was_not_taken),
	    cmocka_unit_test(scope_exit_closes_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
