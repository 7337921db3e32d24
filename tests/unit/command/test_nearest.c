/* SPDX-License-Identifier: Apache-2.0 */
#include "command/nearest.h"

#include "base/defs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"node", "init", "sidecar", "status", "inspect", "verify"};

static const char *near(const char *typed)
{
	return nearest(typed, names, ARRAY_LEN(names));
}

static void slips_find_what_was_meant(void **state _unused_)
{
	assert_string_equal(near("stauts"), "status");
	assert_string_equal(near("inti"), "init");
	assert_string_equal(near("nodes"), "node");
	assert_string_equal(near("isnpect"), "inspect");
	assert_string_equal(near("verify"), "verify");
}

static void other_words_find_nothing(void **state _unused_)
{
	char longest[200];

	assert_null(near("delete"));
	assert_null(near(""));
	assert_null(near("x"));
	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(near(longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slips_find_what_was_meant),
	    cmocka_unit_test(other_words_find_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
