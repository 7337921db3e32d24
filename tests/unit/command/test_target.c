/* SPDX-License-Identifier: Apache-2.0 */
#include "command/target.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[64];

static int setup(void **state _unused_)
{
	snprintf(dir, sizeof(dir), "/tmp/test_target.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state _unused_)
{
	char sub[128];

	snprintf(sub, sizeof(sub), "%s/certhup", dir);
	rmdir(sub);
	unlink(sub);
	return rmdir(dir);
}

static void subdirectory_is_made_readable_for_others(void **state _unused_)
{
	struct target t;
	struct stat st;
	struct err e;

	umask(077);
	assert_int_equal(target_prepare(dir, "certhup", 0, &t, &e), 0);
	assert_int_equal(stat(t.path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(t.owner.uid, geteuid());
	assert_int_equal(t.owner.gid, getegid());
	assert_int_equal(t.owner.mode, 0444);
	assert_int_equal(target_prepare(dir, "certhup", 0, &t, &e), 0);
}

static void setgid_is_handed_down(void **state _unused_)
{
	struct target t;
	struct stat st;
	struct err e;

	assert_int_equal(chmod(dir, 02775), 0);
	assert_int_equal(target_prepare(dir, "certhup", 0, &t, &e), 0);
	assert_int_equal(stat(t.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 02755);
	assert_int_equal(t.owner.mode, 0440);
}

static void mode_that_is_asked_for_is_taken(void **state _unused_)
{
	struct target t;
	struct err e;

	assert_int_equal(target_prepare(dir, ".", 0400, &t, &e), 0);
	assert_int_equal(t.owner.mode, 0400);
	assert_int_equal(target_prepare(dir, "", 0, &t, &e), 0);
	assert_int_equal(t.owner.mode, 0444);
}

static void refuse(const char *where, const char *subdir, enum err_kind kind)
{
	struct target t;
	struct err e;

	assert_int_equal(target_prepare(where, subdir, 0, &t, &e), -1);
	assert_int_equal(e.kind, kind);
}

static void names_that_lead_elsewhere_are_refused(void **state _unused_)
{
	char link[128];

	refuse(dir, "..", ERR_INVALID);
	refuse(dir, "a/b", ERR_INVALID);
	refuse(dir, "/etc", ERR_INVALID);
	refuse("/nonexistent", "certhup", ERR_NOT_FOUND);
	snprintf(link, sizeof(link), "%s/certhup", dir);
	assert_int_equal(symlink("/tmp", link), 0);
	refuse(dir, "certhup", ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(subdirectory_is_made_readable_for_others, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(setgid_is_handed_down, setup, teardown),
	    cmocka_unit_test_setup_teardown(mode_that_is_asked_for_is_taken, setup, teardown),
	    cmocka_unit_test_setup_teardown(names_that_lead_elsewhere_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
