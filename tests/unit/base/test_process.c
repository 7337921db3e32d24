/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void each_result_has_a_label_of_its_own(void **state _unused_)
{
	for (int r = 0; r < SIGNAL_RESULTS; r++) {
		const char *label = signal_result_label((enum signal_result)r);

		assert_int_equal(strspn(label, "abcdefghijklmnopqrstuvwxyz_"), strlen(label));
		assert_string_not_equal(label, "unknown");
		for (int other = 0; other < r; other++)
			assert_string_not_equal(label,
						signal_result_label((enum signal_result)other));
	}
}

static void a_number_from_outside_is_unknown(void **state _unused_)
{
	assert_string_equal(signal_result_label((enum signal_result)SIGNAL_RESULTS), "unknown");
	assert_string_equal(signal_result_label((enum signal_result) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_result_has_a_label_of_its_own),
	    cmocka_unit_test(a_number_from_outside_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
