/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void delays_double_up_to_the_cap(void **state _unused_)
{
	static const int64_t expected[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
	struct backoff b;

	backoff_init(&b, 800, 30000, 120000);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(backoff_fail(&b, 0, 0), expected[i]);
}

static void jitter_adds_up_to_the_delay_again(void **state _unused_)
{
	struct backoff b;

	backoff_init(&b, 1000, 1000, 1);
	assert_int_equal(backoff_fail(&b, 0, 0), 1000);
	assert_int_equal(backoff_fail(&b, 0, 0x80000000u), 1500);
	assert_int_equal(backoff_fail(&b, 0, UINT32_MAX), 1999);
}

static void only_lasting_success_starts_again(void **state _unused_)
{
	struct backoff b;

	backoff_init(&b, 800, 30000, 120000);
	for (int i = 0; i < 3; i++)
		backoff_fail(&b, 0, 0);
	backoff_good(&b, 1000);
	backoff_good(&b, 100000);
	assert_int_equal(backoff_fail(&b, 120999, 0), 6400);
	backoff_good(&b, 200000);
	assert_int_equal(backoff_fail(&b, 320000, 0), 800);
}

static void failure_ends_the_time_of_success(void **state _unused_)
{
	struct backoff b;

	backoff_init(&b, 800, 30000, 120000);
	backoff_fail(&b, 0, 0);
	backoff_good(&b, 0);
	assert_int_equal(backoff_fail(&b, 100, 0), 1600);
	assert_int_equal(backoff_fail(&b, 1000000, 0), 3200);
}

static void long_delays_do_not_overflow(void **state _unused_)
{
	struct backoff b;
	int64_t day = 24LL * 3600 * 1000;

	backoff_init(&b, day, day, 1);
	assert_true(backoff_fail(&b, 0, UINT32_MAX) < 2 * day);
	assert_true(backoff_fail(&b, 0, UINT32_MAX) >= day);
}

static void random_numbers_differ(void **state _unused_)
{
	uint32_t first = backoff_random();
	int same = 0;

	for (int i = 0; i < 8; i++)
		same += backoff_random() == first;
	assert_in_range(same, 0, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(delays_double_up_to_the_cap),
	    cmocka_unit_test(jitter_adds_up_to_the_delay_again),
	    cmocka_unit_test(only_lasting_success_starts_again),
	    cmocka_unit_test(failure_ends_the_time_of_success),
	    cmocka_unit_test(long_delays_do_not_overflow),
	    cmocka_unit_test(random_numbers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
