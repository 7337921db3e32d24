/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void json_strings_escape_what_breaks_lines_and_terminals(void **state _unused_)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
	    {"", 0, "\"\""},
	    {"plain", 5, "\"plain\""},
	    {"\"\\", 2, "\"\\\"\\\\\""},
	    {"\0\x1f\x7f\n", 4, "\"\\u0000\\u001f\\u007f\\u000a\""},
	    {"\xc2\x80\xc2\x9f\xc2\xa0", 6, "\"\\u0080\\u009f\xc2\xa0\""},
	    {"t\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91", 10,
	     "\"t\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91\""},
	    {"\xff\xc3", 2, "\"\\ufffd\\ufffd\""},
	    {"\xc0\xaf", 2, "\"\\ufffd\\ufffd\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_buf_ struct buf b;
		struct err e;

		buf_init(&b, 1000);
		assert_int_equal(text_json_string(&b, rows[i].in, rows[i].len, &e), 0);
		assert_string_equal(buf_str(&b), rows[i].out);
	}
}

static void json_string_over_the_maximum_is_refused(void **state _unused_)
{
	struct err e;

	for (size_t max = 0; max < 8; max++) {
		_cleanup_buf_ struct buf b;

		buf_init(&b, max);
		assert_int_equal(text_json_string(&b, "\n", 1, &e), -1);
		assert_int_equal(e.kind, ERR_EXHAUSTED);
	}
}

static void utf8_is_judged_by_rfc_3629(void **state _unused_)
{
	static const char *const good[] = {"",
					   "a",
					   "\xc2\x80",
					   "\xdf\xbf",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xee\x80\x80",
					   "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {
	    "\x80",
	    "\xc0\x80",
	    "\xc1\xbf",
	    "\xc2",
	    "\xc2\x41",
	    "\xe0\x9f\xbf",
	    "\xed\xa0\x80",
	    "\xe2\x82",
	    "\xf0\x8f\xbf\xbf",
	    "\xf4\x90\x80\x80",
	    "\xf5\x80\x80\x80",
	    "\xf0\x9f\x94",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(text_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(text_is_utf8(bad[i], strlen(bad[i])));
	assert_false(text_is_utf8("a\0b", 3));
}

static void numbers_are_digits_within_bounds(void **state _unused_)
{
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0x1",
					  "1e3",
					  "4",
					  "100",
					  "18446744073709551616",
					  "99999999999999999999999999"};
	uint64_t v = 7;

	assert_int_equal(text_parse_u64("5", 5, 99, &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(text_parse_u64("0099", 5, 99, &v), 0);
	assert_int_equal(v, 99);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(text_parse_u64(bad[i], 5, 99, &v), -1);
	assert_int_equal(v, 99);
	assert_int_equal(text_parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
}

static void mode_lets_nobody_but_the_owner_write(void **state _unused_)
{
	static const char *const bad[] = {"",     "0",    "44",   "4",     "0666", "0777",  "04440",
					  "640 ", "4644", "0448", "0x1a4", "-440", "0440,", "400,"};
	uint32_t mode = 0;

	assert_int_equal(text_parse_mode("0440", &mode), 0);
	assert_int_equal(mode, 0440);
	assert_int_equal(text_parse_mode("644", &mode), 0);
	assert_int_equal(mode, 0644);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(text_parse_mode(bad[i], &mode), -1);
	assert_int_equal(mode, 0644);
}

static void durations_are_those_of_go(void **state _unused_)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
	    {"0", 0},       {"0s", 0},          {"250ms", 250},      {"5s", 5000},
	    {"1.5s", 1500}, {"1h30m", 5400000}, {"2m0.25s", 120250}, {"24h", 86400000},
	    {"1s1s", 2000}, {"0.0001s", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = -1;

		assert_int_equal(text_parse_duration(rows[i].text, 86400000, &ms), 0);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void other_durations_are_refused(void **state _unused_)
{
	static const char *const bad[] = {"",
					  "5",
					  "-5s",
					  "s",
					  "5 s",
					  "5S",
					  "5d",
					  "1h-1m",
					  "1,5s",
					  "24h1ms",
					  "25h",
					  "0x5s",
					  "99999999999999999999s",
					  "1h99999999999999999999ms"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t ms = 7;

		assert_int_equal(text_parse_duration(bad[i], 86400000, &ms), -1);
		assert_int_equal(ms, 7);
	}
}

static void durations_are_written_as_they_are_read(void **state _unused_)
{
	char text[TEXT_DURATION];

	text_duration(0, text);
	assert_string_equal(text, "0s");
	text_duration(5400000, text);
	assert_string_equal(text, "1h30m");
	text_duration(1500, text);
	assert_string_equal(text, "1s500ms");
	for (int64_t ms = 0; ms < 86400000; ms += 777777) {
		int64_t back = -1;

		text_duration(ms, text);
		assert_int_equal(text_parse_duration(text, 86400000, &back), 0);
		assert_int_equal(back, ms);
	}
}

static void copy_fits_or_leaves_alone(void **state _unused_)
{
	char to[4] = "old";

	assert_int_equal(text_copy(to, sizeof(to), "four"), -1);
	assert_string_equal(to, "old");
	assert_int_equal(text_copy(to, sizeof(to), "new"), 0);
	assert_string_equal(to, "new");
	assert_int_equal(text_copy(to, sizeof(to), ""), 0);
	assert_string_equal(to, "");
}

static void resource_versions_compare_as_numbers_of_any_length(void **state _unused_)
{
	assert_true(text_compare_rv("9", "10") < 0);
	assert_true(text_compare_rv("100", "99") > 0);
	assert_true(text_compare_rv("123", "124") < 0);
	assert_int_equal(text_compare_rv("123", "123"), 0);
	assert_true(text_compare_rv("18446744073709551616", "18446744073709551615") > 0);
	assert_true(text_is_rv("1"));
	assert_true(text_is_rv("340282366920938463463374607431768211456"));
	assert_false(text_is_rv(""));
	assert_false(text_is_rv("0"));
	assert_false(text_is_rv("01"));
	assert_false(text_is_rv("12a"));
	assert_false(text_is_rv("-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(json_strings_escape_what_breaks_lines_and_terminals),
	    cmocka_unit_test(json_string_over_the_maximum_is_refused),
	    cmocka_unit_test(utf8_is_judged_by_rfc_3629),
	    cmocka_unit_test(numbers_are_digits_within_bounds),
	    cmocka_unit_test(mode_lets_nobody_but_the_owner_write),
	    cmocka_unit_test(durations_are_those_of_go),
	    cmocka_unit_test(other_durations_are_refused),
	    cmocka_unit_test(durations_are_written_as_they_are_read),
	    cmocka_unit_test(copy_fits_or_leaves_alone),
	    cmocka_unit_test(resource_versions_compare_as_numbers_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
