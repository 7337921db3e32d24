/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/log.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What was logged since the last call, behind its time. */
static char *logged(int fd)
{
	static char line[2 * LIMIT_LOG_LINE];
	ssize_t n = read(fd, line, sizeof(line) - 1);
	char *from;

	if (n < 0)
		n = 0;
	line[n] = '\0';
	from = strchr(line, 'Z');
	return from ? from + 1 : line;
}

static int open_log(void **state)
{
	static int fds[2];

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	log_to(fds[1]);
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	*state = fds;
	return 0;
}

static int close_log(void **state)
{
	const int *fds = *state;

	log_to(2);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static void a_line_is_one_json_object_with_typed_fields(void **state)
{
	log_info("volume.published", L_STR(LOG_POD, "web-0"), L_INT(LOG_DURATION_MS, -7),
		 L_STR(LOG_SECRET, NULL));
	assert_string_equal(
	    logged(*(int *)*state),
	    "\",\"level\":\"info\",\"event\":\"volume.published\",\"pod\":\"web-0\","
	    "\"durationMs\":-7,\"secret\":\"\"}\n");
}

static void an_error_has_its_message_and_kind(void **state)
{
	struct err e;

	err_sys_num(&e, ENOENT, "open %s", "x");
	log_error("a.b", L_ERR(&e));
	assert_string_equal(logged(*(int *)*state),
			    "\",\"level\":\"error\",\"event\":\"a.b\",\"err\":\"open x: No such "
			    "file or directory\",\"errKind\":\"not_found\"}\n");
}

static void hostile_values_stay_inside_their_quotes(void **state)
{
	log_info("a.b", L_STR(LOG_POD, "\"}\n{\x1b[31m\xc2\x9b\xff\\"));
	assert_string_equal(logged(*(int *)*state),
			    "\",\"level\":\"info\",\"event\":\"a.b\",\"pod\":"
			    "\"\\\"}\\u000a{\\u001b[31m\\u009b\\ufffd\\\\\"}\n");
}

static void text_is_for_people(void **state)
{
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_warn("a.b", L_STR(LOG_POD, "web 0"), L_INT(LOG_COUNT, 3));
	assert_string_equal(logged(*(int *)*state), " warn  a.b pod=\"web 0\" count=3\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
	log_debug("a.b", L_INT(LOG_COUNT, 1));
	assert_string_equal(logged(*(int *)*state), "");
	log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	log_debug("a.b", L_INT(LOG_COUNT, 1));
	assert_string_not_equal(logged(*(int *)*state), "");
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
	log_warn("a.b", L_INT(LOG_COUNT, 1));
	assert_string_equal(logged(*(int *)*state), "");
}

static void a_field_that_does_not_fit_is_left_out_and_counted(void **state)
{
	char value[LIMIT_LOG_LINE + 1];
	char *line;

	memset(value, '"', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_info("a.b", L_STR(LOG_PATH, value), L_INT(LOG_COUNT, 3), L_STR(LOG_URL, value));
	line = logged(*(int *)*state);
	assert_string_equal(line,
			    "\",\"level\":\"info\",\"event\":\"a.b\",\"count\":3,\"omitted\":2}\n");
}

static void a_line_is_never_longer_than_its_limit(void **state)
{
	char value[LIMIT_LOG_LINE + 1];

	for (size_t len = LIMIT_LOG_LINE - 200; len < LIMIT_LOG_LINE; len++) {
		size_t n;

		memset(value, 'x', len);
		value[len] = '\0';
		log_info("a.b", L_STR(LOG_PATH, value), L_STR(LOG_URL, value));
		n = strlen(logged(*(int *)*state)) + strlen("{\"ts\":\"2026-01-02T03:04:05.678Z");
		assert_in_range(n, 50, LIMIT_LOG_LINE);
	}
}

static void each_field_has_a_name_of_its_own(void **state)
{
	char names[LOG_KEYS][64];

	for (int k = 0; k < LOG_KEYS; k++) {
		char *from;

		log_info("a.b", L_INT((enum log_key)k, 1));
		from = strstr(logged(*(int *)*state), "\"a.b\",\"");
		assert_non_null(from);
		from += strlen("\"a.b\",\"");
		assert_true(strcspn(from, "\"") < sizeof(names[k]));
		snprintf(names[k], sizeof(names[k]), "%.*s", (int)strcspn(from, "\""), from);
		for (int other = 0; other < k; other++)
			assert_string_not_equal(names[k], names[other]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_line_is_one_json_object_with_typed_fields, open_log,
					    close_log),
	    cmocka_unit_test_setup_teardown(an_error_has_its_message_and_kind, open_log, close_log),
	    cmocka_unit_test_setup_teardown(hostile_values_stay_inside_their_quotes, open_log,
					    close_log),
	    cmocka_unit_test_setup_teardown(text_is_for_people, open_log, close_log),
	    cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, open_log,
					    close_log),
	    cmocka_unit_test_setup_teardown(a_field_that_does_not_fit_is_left_out_and_counted,
					    open_log, close_log),
	    cmocka_unit_test_setup_teardown(a_line_is_never_longer_than_its_limit, open_log,
					    close_log),
	    cmocka_unit_test_setup_teardown(each_field_has_a_name_of_its_own, open_log, close_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
