/* SPDX-License-Identifier: Apache-2.0 */
#include "command/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_clean(const char *text, const char *expected)
{
	struct buf b;
	struct err e;

	buf_init(&b, 4096);
	assert_int_equal(print_clean(&b, text, &e), 0);
	assert_string_equal(buf_str(&b), expected);
	buf_done(&b);
}

static void G7_control_characters_never_come_out_raw(void **state _unused_)
{
	char text[2] = "";
	char expected[8];

	for (int c = 1; c < 0x20; c++) {
		text[0] = (char)c;
		snprintf(expected, sizeof(expected), "\\x%02x", (unsigned)c);
		assert_clean(text, expected);
	}
	assert_clean("\x7f", "\\x7f");
	assert_clean("web\033[2Jx\n", "web\\x1b[2Jx\\x0a");
	assert_clean("\xc2\x9b", "\\xc2\\x9b"); /* CSI as one code point */
	/* right-to-left override, zero width space */
	assert_clean((const char[]){'a', '\xe2', '\x80', '\xae', 'b', 0}, "a\\xe2\\x80\\xaeb");
	assert_clean((const char[]){'a', '\xe2', '\x80', '\x8b', 'b', 0}, "a\\xe2\\x80\\x8bb");
	assert_clean("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"); /* tag character */
}

static void text_of_people_stays(void **state _unused_)
{
	assert_clean("CN=web,O=M\xc3\xbcller \xe6\x97\xa5 \xf0\x9f\x94\x91",
		     "CN=web,O=M\xc3\xbcller \xe6\x97\xa5 \xf0\x9f\x94\x91");
	assert_clean("", "");
}

static void bytes_that_are_no_utf8_are_written_as_numbers(void **state _unused_)
{
	assert_clean("a\xff", "a\\xff");
	assert_clean("M\xc3\xbc\xc3", "M\\xc3\\xbc\\xc3");
}

static void columns_are_as_wide_as_their_widest_cell(void **state _unused_)
{
	static const char *const cells[] = {"NAME", "STATE",     "NEXT", "web",  "adopted",
					    NULL,   "m\xc3\xbc", "\033", "probe"};
	struct buf b;
	struct err e;

	buf_init(&b, 4096);
	assert_int_equal(print_table(&b, cells, 3, 3, &e), 0);
	assert_string_equal(buf_str(&b), "NAME   STATE     NEXT\n"
					 "web    adopted   <none>\n"
					 "m\xc3\xbc     \\x1b      probe\n");
	buf_done(&b);
}

static void a_field_is_a_line(void **state _unused_)
{
	struct buf b;
	struct err e;

	buf_init(&b, 4096);
	assert_int_equal(print_field(&b, "Subject", "CN=a\nb", &e), 0);
	assert_int_equal(print_field(&b, "SANs", "", &e), 0);
	assert_string_equal(buf_str(&b), "Subject:        CN=a\\x0ab\n"
					 "SANs:           <none>\n");
	buf_done(&b);
}

static void times_say_how_far_away_they_are(void **state _unused_)
{
	char text[PRINT_WHEN];

	print_when(1000000000, 1000000000 - 90, text);
	assert_string_equal(text, "2001-09-09T01:46:40Z (in 1m30s)");
	print_when(1000000000, 1000000000 + 7265, text);
	assert_string_equal(text, "2001-09-09T01:46:40Z (2h1m ago)");
	print_when(1000000000, 1000000000 - 30 * 86400, text);
	assert_string_equal(text, "2001-09-09T01:46:40Z (in 30d)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(G7_control_characters_never_come_out_raw),
	    cmocka_unit_test(text_of_people_stays),
	    cmocka_unit_test(bytes_that_are_no_utf8_are_written_as_numbers),
	    cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
	    cmocka_unit_test(a_field_is_a_line),
	    cmocka_unit_test(times_say_how_far_away_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
