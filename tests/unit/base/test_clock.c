/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define T 1767323045678 /* 2026-01-02T03:04:05.678Z */

static void texts_have_the_forms_that_kubernetes_wants(void **state _unused_)
{
	char text[CLOCK_TEXT];

	clock_text_s(T, text);
	assert_string_equal(text, "2026-01-02T03:04:05Z");
	clock_text_ms(T, text);
	assert_string_equal(text, "2026-01-02T03:04:05.678Z");
	clock_text_us(T, text);
	assert_string_equal(text, "2026-01-02T03:04:05.678000Z");
}

static void texts_hold_at_the_ends_of_time(void **state _unused_)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
	    {0, "1970-01-01T00:00:00.000Z"},
	    {-1, "1969-12-31T23:59:59.999Z"},
	    {2147483648000, "2038-01-19T03:14:08.000Z"},
	    {2524608000000, "2050-01-01T00:00:00.000Z"},
	    {253402300799999, "9999-12-31T23:59:59.999Z"},
	};
	char text[CLOCK_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		clock_text_ms(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
	}
	clock_text_us(INT64_MAX, text);
	clock_text_us(INT64_MIN, text);
	assert_true(strlen(text) < CLOCK_TEXT);
}

static void what_is_written_is_parsed_back(void **state _unused_)
{
	for (int64_t t = -62135596800000; t < 253402300800000; t += 86400000LL * 367 + 12345) {
		char text[CLOCK_TEXT];
		int64_t back;

		clock_text_ms(t, text);
		assert_int_equal(clock_parse(text, &back), 0);
		assert_true(back == t);
	}
}

static void fractions_of_any_length_are_parsed(void **state _unused_)
{
	int64_t t;

	assert_int_equal(clock_parse("2026-01-02T03:04:05Z", &t), 0);
	assert_true(t == T - 678);
	assert_int_equal(clock_parse("2026-01-02T03:04:05.6Z", &t), 0);
	assert_true(t == T - 78);
	assert_int_equal(clock_parse("2026-01-02T03:04:05.678999999999999999999999Z", &t), 0);
	assert_true(t == T);
}

static void what_is_no_time_is_refused(void **state _unused_)
{
	static const char *const bad[] = {"",
					  "2026",
					  "2026-01-02",
					  "2026-01-02T03:04:05",
					  "2026-01-02T03:04:05+00:00",
					  "2026-01-02T03:04:05.Z",
					  "2026-01-02T03:04:05ZZ",
					  "2026-01-02 03:04:05Z",
					  "2026-1-02T03:04:05Z",
					  "2026- 1-02T03:04:05Z",
					  "+026-01-02T03:04:05Z",
					  "2026-13-02T03:04:05Z",
					  "2026-00-02T03:04:05Z",
					  "2026-02-29T03:04:05Z",
					  "2026-01-00T03:04:05Z",
					  "2026-01-02T24:00:00Z",
					  "2026-01-02T03:60:05Z",
					  "2026-01-02T03:04:61Z"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t t = 7;

		assert_int_equal(clock_parse(bad[i], &t), -1);
		assert_int_equal(t, 7);
	}
}

static void the_system_clock_goes_forward(void **state _unused_)
{
	const struct clock *c = clock_system();
	int64_t before = clock_mono_ms(c);

	assert_true(clock_mono_ms(c) >= before);
	assert_true(clock_wall_ms(c) > 1600000000000);
}

static void a_fake_clock_stands_where_it_is_put(void **state _unused_)
{
	struct clock_fake f;

	clock_fake_init(&f, 5, T);
	assert_int_equal(clock_mono_ms(&f.clock), 5);
	clock_fake_turn(&f, 1000);
	assert_int_equal(clock_mono_ms(&f.clock), 1005);
	assert_true(clock_wall_ms(&f.clock) == T + 1000);
	f.wall_ms -= 3600000;
	assert_int_equal(clock_mono_ms(&f.clock), 1005);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_have_the_forms_that_kubernetes_wants),
	    cmocka_unit_test(texts_hold_at_the_ends_of_time),
	    cmocka_unit_test(what_is_written_is_parsed_back),
	    cmocka_unit_test(fractions_of_any_length_are_parsed),
	    cmocka_unit_test(what_is_no_time_is_refused),
	    cmocka_unit_test(the_system_clock_goes_forward),
	    cmocka_unit_test(a_fake_clock_stands_where_it_is_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
