/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void grows_and_stays_a_string(void **state _unused_)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, 100000);
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&b, &e, "%04d,", i), 0);
	assert_int_equal(b.len, 50000);
	assert_int_equal(strlen(buf_str(&b)), 50000);
	assert_memory_equal(b.data + 5L * 1234, "1234,1235,", 10);
}

static void takes_max_bytes_and_not_one_more(void **state _unused_)
{
	for (size_t max = 0; max < 1200; max += 97) {
		_cleanup_buf_ struct buf b;
		struct err e;

		buf_init(&b, max);
		for (size_t i = 0; i < max; i++)
			assert_int_equal(buf_add(&b, "x", 1, &e), 0);
		assert_int_equal(buf_add(&b, "y", 1, &e), -1);
		assert_int_equal(e.kind, ERR_EXHAUSTED);
		assert_int_equal(b.len, max);
		assert_true(b.room <= max + 257);
	}
}

static void what_does_not_fit_adds_nothing(void **state _unused_)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, 8);
	assert_int_equal(buf_add_str(&b, "abcd", &e), 0);
	assert_int_equal(buf_add_str(&b, "efghi", &e), -1);
	assert_int_equal(buf_printf(&b, &e, "%s", "efghi"), -1);
	assert_int_equal(buf_add(&b, "", SIZE_MAX, &e), -1);
	assert_string_equal(buf_str(&b), "abcd");
}

static void a_maximum_beyond_all_memory_is_refused_when_it_is_used(void **state _unused_)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_add_str(&b, "x", &e), 0);
	assert_int_equal(buf_add(&b, "", SIZE_MAX / 2, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
}

static void consume_removes_from_the_front(void **state _unused_)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, 100);
	buf_consume(&b, 3);
	assert_int_equal(buf_add_str(&b, "one two three", &e), 0);
	buf_consume(&b, 4);
	assert_string_equal(buf_str(&b), "two three");
	buf_consume(&b, 100);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
}

static void what_was_removed_is_wiped(void **state _unused_)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, 100);
	assert_int_equal(buf_add_str(&b, "secret words", &e), 0);
	buf_consume(&b, 7);
	assert_string_equal(buf_str(&b), "words");
	for (size_t i = 5; i < 12; i++)
		assert_int_equal(b.data[i], 0);
	buf_reset(&b);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(b.data[i], 0);
}

static void done_can_be_followed_by_use(void **state _unused_)
{
	struct buf b;
	struct err e;

	buf_init(&b, 4);
	assert_int_equal(buf_add_str(&b, "abcd", &e), 0);
	buf_done(&b);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_add_str(&b, "efgh", &e), 0);
	assert_int_equal(buf_add_str(&b, "i", &e), -1);
	buf_done(&b);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grows_and_stays_a_string),
	    cmocka_unit_test(takes_max_bytes_and_not_one_more),
	    cmocka_unit_test(what_does_not_fit_adds_nothing),
	    cmocka_unit_test(a_maximum_beyond_all_memory_is_refused_when_it_is_used),
	    cmocka_unit_test(consume_removes_from_the_front),
	    cmocka_unit_test(what_was_removed_is_wiped),
	    cmocka_unit_test(done_can_be_followed_by_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
