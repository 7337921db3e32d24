/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 32

/* A line of the shell as far as examples go: words between blanks. */
static int split(char *line, char *ret_words[static WORDS_MAX])
{
	char *rest = line;
	char *word;
	int count = 0;

	while ((word = strtok_r(rest, " ", &rest))) {
		assert_in_range(count, 0, WORDS_MAX - 1);
		ret_words[count++] = word;
	}
	return count;
}

/* The words behind "certhup NAME", wherever that stands in the line. */
static char *const *behind_name(char *const *words, int count, const char *name, int *ret_count)
{
	for (int i = 0; i + 1 < count; i++)
		if (strcmp(words[i], "certhup") == 0 && strcmp(words[i + 1], name) == 0) {
			*ret_count = count - i - 2;
			return words + i + 2;
		}
	fail_msg("an example of certhup %s does not run it", name);
	return NULL;
}

static void would_run(const struct command *c, const char *example, size_t len)
{
	_cleanup_arguments_ struct arguments a = {0};
	_cleanup_free_ void *settings = calloc(1, c->settings_size);
	_cleanup_free_ char *line = strndup(example, len);
	char *words[WORDS_MAX] = {0};
	char *const *argv;
	int argc = 0;
	int count;
	struct err e = {0};

	assert_non_null(settings);
	assert_non_null(line);
	count = split(line, words);
	argv = behind_name(words, count, c->name, &argc);
	if (command_check(c, argc, argv, settings, &a, &e) < 0)
		fail_msg("%.*s: %s", (int)len, example, e.message);
}

static void examples_of_every_help_page_would_run(void **state _unused_)
{
	/* As the DaemonSet and the container runtime set them. */
	setenv("NODE_NAME", "worker-1", 1);
	setenv("HOSTNAME", "job-1", 1);
	for (size_t i = 0; i < COMMANDS; i++) {
		size_t seen = 0;

		for (const char *line = command_table[i]->examples; *line;) {
			size_t len = strcspn(line, "\n");

			if (line[0] != '#') {
				would_run(command_table[i], line, len);
				seen++;
			}
			line += len + (line[len] == '\n');
		}
		assert_true(seen > 0);
	}
	unsetenv("NODE_NAME");
	unsetenv("HOSTNAME");
}

static void an_example_that_rots_is_seen(void **state _unused_)
{
	static const char *const rotten[][3] = {
	    {"--secret", "web-tls", NULL},
	    {"--secret=web-tls", "--dir=/tls", "--timeout=5x"},
	    {"--secret=web-tls", "--dir=/tls", "word"},
	    {"--secret=web-tls", "--dir=/tls", "--subdri=x"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rotten); i++) {
		_cleanup_arguments_ struct arguments a = {0};
		_cleanup_free_ void *settings = calloc(1, command_init.settings_size);
		char copies[3][64];
		char *argv[3];
		int argc = 0;
		struct err e = {0};

		for (; argc < 3 && rotten[i][argc]; argc++) {
			snprintf(copies[argc], sizeof(copies[argc]), "%s", rotten[i][argc]);
			argv[argc] = copies[argc];
		}
		assert_int_equal(command_check(&command_init, argc, argv, settings, &a, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void help_shows_a_flag_of_its_own_in_the_environment(void **state _unused_)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		_cleanup_buf_ struct buf b;
		char text[128];
		struct err e;

		buf_init(&b, 64 * KIB);
		assert_int_equal(command_help(command_table[i], &b, &e), 0);
		snprintf(text, sizeof(text), "(--%s from CERTHUP_",
			 command_table[i]->options[0].name);
		assert_non_null(strstr(buf_str(&b), text));
		snprintf(text, sizeof(text), "--%s=", command_table[i]->options[0].name);
		assert_non_null(strstr(buf_str(&b), text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(examples_of_every_help_page_would_run),
	    cmocka_unit_test(an_example_that_rots_is_seen),
	    cmocka_unit_test(help_shows_a_flag_of_its_own_in_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
