/* SPDX-License-Identifier: Apache-2.0 */
#include "command/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct settings {
	const char *config;
	const char *secret;
	const char *node;
	bool optional;
	int64_t retries;
	int64_t timeout_ms;
	uint32_t mode;
	int output;
};

static const struct option options[] = {
    OPTION_CONFIG(struct settings),
    OPTION_OUTPUT(struct settings, "table|wide|json"),
    {.name = "secret",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, secret),
     .letter = 's',
     .value = "NAME"},
    {.name = "node-name",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, node),
     .otherwise = "somewhere",
     .env = "TEST_NODE_NAME"},
    {.name = "optional", .type = OPTION_BOOL, .at = offsetof(struct settings, optional)},
    {.name = "retries",
     .type = OPTION_NUMBER,
     .at = offsetof(struct settings, retries),
     .min = 1,
     .max = 9},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .at = offsetof(struct settings, timeout_ms),
     .otherwise = "5m",
     .min = 1000,
     .max = 3600000},
    {.name = "file-mode", .type = OPTION_MODE, .at = offsetof(struct settings, mode)},
};

#define WORDS_MAX 8

struct parsed {
	struct settings settings;
	struct arguments arguments;
	struct err e;
	int result;
};

/* Parses words that end with NULL. */
static void parse(struct parsed *p, const char *const *words)
{
	static char copies[WORDS_MAX][64];
	char *argv[WORDS_MAX];
	int argc = 0;

	for (; words[argc]; argc++) {
		snprintf(copies[argc], sizeof(copies[argc]), "%s", words[argc]);
		argv[argc] = copies[argc];
	}
	*p = (struct parsed){0};
	p->result = options_parse(options, ARRAY_LEN(options), argc, argv, &p->settings,
				  &p->arguments, &p->e);
}

#define PARSE(p, ...) parse((p), (const char *const[]){__VA_ARGS__, NULL})

static void refuse(const char *message, const char *const *words)
{
	struct parsed p;

	parse(&p, words);
	assert_int_equal(p.result, -1);
	assert_int_equal(p.e.kind, ERR_INVALID);
	assert_string_equal(p.e.message, message);
	arguments_done(&p.arguments);
}

#define REFUSE(message, ...) refuse((message), (const char *const[]){__VA_ARGS__, NULL})

static void clear_environment(void)
{
	static const char *const names[] = {"CERTHUP_SECRET",   "CERTHUP_TIMEOUT",
					    "CERTHUP_OPTIONAL", "CERTHUP_NODE_NAME",
					    "TEST_NODE_NAME",   "CERTHUP_CONFIG"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

static int setup(void **state _unused_)
{
	clear_environment();
	return 0;
}

static const char *config_file(const char *text)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/test_options.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

static void defaults_are_those_of_the_table(void **state _unused_)
{
	struct parsed p;

	parse(&p, (const char *const[]){NULL});
	assert_int_equal(p.result, 0);
	assert_null(p.settings.secret);
	assert_string_equal(p.settings.node, "somewhere");
	assert_int_equal(p.settings.timeout_ms, 300000);
	assert_false(p.settings.optional);
	assert_int_equal(p.arguments.operand_count, 0);
	arguments_done(&p.arguments);
}

static void values_may_be_attached_or_be_the_next_word(void **state _unused_)
{
	struct parsed p;

	PARSE(&p, "--secret=a=b", "--timeout", "1m30s", "-s", "c", "-o=json", "--optional");
	assert_int_equal(p.result, 0);
	assert_string_equal(p.settings.secret, "c");
	assert_int_equal(p.settings.timeout_ms, 90000);
	assert_int_equal(p.settings.output, 2);
	assert_true(p.settings.optional);
	arguments_done(&p.arguments);

	PARSE(&p, "--secret=a=b", "-owide", "--optional=false", "--file-mode=0440");
	assert_int_equal(p.result, 0);
	assert_string_equal(p.settings.secret, "a=b");
	assert_int_equal(p.settings.output, 1);
	assert_false(p.settings.optional);
	assert_int_equal(p.settings.mode, 0440);
	arguments_done(&p.arguments);
}

static void operands_and_flags_mix_until_two_dashes(void **state _unused_)
{
	struct parsed p;

	PARSE(&p, "one", "--secret", "x", "-", "--", "--secret", "two");
	assert_int_equal(p.result, 0);
	assert_string_equal(p.settings.secret, "x");
	assert_int_equal(p.arguments.operand_count, 4);
	assert_string_equal(p.arguments.operands[0], "one");
	assert_string_equal(p.arguments.operands[1], "-");
	assert_string_equal(p.arguments.operands[2], "--secret");
	assert_string_equal(p.arguments.operands[3], "two");
	arguments_done(&p.arguments);
}

static void flag_goes_before_environment_before_file_before_default(void **state _unused_)
{
	const char *path = config_file("# comment\n\n secret = file \nnode-name=file\n"
				       "timeout = 3s\nretries = 4\r\n");
	struct parsed p;

	setenv("CERTHUP_SECRET", "environment", 1);
	setenv("CERTHUP_TIMEOUT", "2s", 1);
	setenv("CERTHUP_OPTIONAL", "true", 1);
	PARSE(&p, "--timeout=1s", "--config", path);
	assert_int_equal(p.result, 0);
	assert_int_equal(p.settings.timeout_ms, 1000);
	assert_string_equal(p.settings.secret, "environment");
	assert_string_equal(p.settings.node, "file");
	assert_int_equal(p.settings.retries, 4);
	assert_true(p.settings.optional);
	arguments_done(&p.arguments);

	setenv("CERTHUP_CONFIG", path, 1);
	setenv("CERTHUP_SECRET", "", 1);
	PARSE(&p, "--optional=false");
	assert_int_equal(p.result, 0);
	assert_string_equal(p.settings.secret, "file");
	assert_int_equal(p.settings.timeout_ms, 2000);
	assert_false(p.settings.optional);
	arguments_done(&p.arguments);
	unlink(path);
}

static void another_variable_is_asked_after_our_own(void **state _unused_)
{
	struct parsed p;

	setenv("TEST_NODE_NAME", "theirs", 1);
	parse(&p, (const char *const[]){NULL});
	assert_string_equal(p.settings.node, "theirs");
	arguments_done(&p.arguments);
	setenv("CERTHUP_NODE_NAME", "ours", 1);
	parse(&p, (const char *const[]){NULL});
	assert_string_equal(p.settings.node, "ours");
	arguments_done(&p.arguments);
}

static void unknown_flags_are_refused_with_the_nearest(void **state _unused_)
{
	REFUSE("unknown flag --secrte; did you mean --secret?", "--secrte", "x");
	REFUSE("unknown flag --timout; did you mean --timeout?", "--timout=3s");
	REFUSE("unknown flag --namespace", "--namespace");
	REFUSE("unknown flag -x", "-x");
}

static void bad_values_are_refused_with_what_is_right(void **state _unused_)
{
	REFUSE("--output: \"yaml\" is not one of table|wide|json", "-o", "yaml");
	REFUSE("--output: \"tab\" is not one of table|wide|json", "-o", "tab");
	REFUSE("--timeout: \"soon\" is not a duration such as 90s or 1h30m, from 1s to 1h",
	       "--timeout=soon");
	REFUSE("--timeout: \"2h\" is not a duration such as 90s or 1h30m, from 1s to 1h",
	       "--timeout=2h");
	REFUSE("--timeout: \"1ms\" is not a duration such as 90s or 1h30m, from 1s to 1h",
	       "--timeout=1ms");
	REFUSE("--retries: \"10\" is not a number from 1 to 9", "--retries=10");
	REFUSE("--file-mode: \"0888\" is not one of 0400, 0440, 0444, 0600, 0640, 0644: "
	       "only the owner may write, and nobody runs a key",
	       "--file-mode=0888");
	REFUSE("--file-mode: \"4755\" is not one of 0400, 0440, 0444, 0600, 0640, 0644: "
	       "only the owner may write, and nobody runs a key",
	       "--file-mode=4755");
	REFUSE("--optional: \"yes\" is not true or false", "--optional=yes");
	REFUSE("--secret needs a value: NAME", "--secret");
}

static void bad_values_elsewhere_say_where(void **state _unused_)
{
	const char *path;
	char message[256];

	setenv("CERTHUP_TIMEOUT", "soon", 1);
	REFUSE(
	    "CERTHUP_TIMEOUT in the environment: \"soon\" is not a duration such as 90s or 1h30m, "
	    "from 1s to 1h",
	    "--optional");
	clear_environment();

	path = config_file("secret = x\n\nretries = many\n");
	snprintf(message, sizeof(message), "%s:3: retries: \"many\" is not a number from 1 to 9",
		 path);
	REFUSE(message, "--config", path);
	unlink(path);
}

static void errors_of_the_file_name_file_and_line(void **state _unused_)
{
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
	    {"# one\nsecret\n", "%s:2: expected flag = value"},
	    {"secert = x\n", "%s:1: unknown flag secert; did you mean secret?"},
	    {"secret = x\nsecret = y\n", "%s:2: secret stands in line 1 already"},
	    {"config = /etc/x\n", "%s:1: one file cannot name another"},
	    {"secret = \xff\n", "%s: not UTF-8 text"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *path = config_file(rows[i].text);
		const char *tail = rows[i].message + 2;
		struct parsed p;

		PARSE(&p, "--config", path);
		assert_int_equal(p.result, -1);
		assert_memory_equal(p.e.message, path, strlen(path));
		assert_string_equal(p.e.message + strlen(path), tail);
		arguments_done(&p.arguments);
		unlink(path);
	}
}

static void a_file_that_is_not_there_is_an_error(void **state _unused_)
{
	struct parsed p;

	PARSE(&p, "--config=/nonexistent");
	assert_int_equal(p.result, -1);
	assert_string_equal(p.e.message, "--config: open /nonexistent: No such file or directory");
	arguments_done(&p.arguments);
}

static void help_wins_over_everything(void **state _unused_)
{
	struct parsed p;

	PARSE(&p, "--timeout=soon", "--help");
	assert_int_equal(p.result, 0);
	assert_true(p.arguments.help);
	arguments_done(&p.arguments);
	PARSE(&p, "-h");
	assert_true(p.arguments.help);
	arguments_done(&p.arguments);
}

static void too_many_operands_are_refused(void **state _unused_)
{
	char word[] = "x";
	char *argv[LIMIT_OPERANDS + 1];
	struct settings s = {0};
	struct arguments a;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = word;
	assert_int_equal(
	    options_parse(options, ARRAY_LEN(options), ARRAY_LEN(argv), argv, &s, &a, &e), -1);
	assert_string_equal(e.message, "more than 8 arguments");
	arguments_done(&a);
}

static void environment_names_follow_from_flags(void **state _unused_)
{
	char env[OPTION_ENV];

	option_env("file-mode", env);
	assert_string_equal(env, "CERTHUP_FILE_MODE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(defaults_are_those_of_the_table, setup),
	    cmocka_unit_test_setup(values_may_be_attached_or_be_the_next_word, setup),
	    cmocka_unit_test_setup(operands_and_flags_mix_until_two_dashes, setup),
	    cmocka_unit_test_setup(flag_goes_before_environment_before_file_before_default, setup),
	    cmocka_unit_test_setup(another_variable_is_asked_after_our_own, setup),
	    cmocka_unit_test_setup(unknown_flags_are_refused_with_the_nearest, setup),
	    cmocka_unit_test_setup(bad_values_are_refused_with_what_is_right, setup),
	    cmocka_unit_test_setup(bad_values_elsewhere_say_where, setup),
	    cmocka_unit_test_setup(errors_of_the_file_name_file_and_line, setup),
	    cmocka_unit_test_setup(a_file_that_is_not_there_is_an_error, setup),
	    cmocka_unit_test_setup(help_wins_over_everything, setup),
	    cmocka_unit_test_setup(too_many_operands_are_refused, setup),
	    cmocka_unit_test(environment_names_follow_from_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
