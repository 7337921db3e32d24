/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"

#include "base/file.h"
#include "command/print.h"
#include "command/values.h"

#include <string.h>

#define HELP_SIZE 65536 /* bytes of one help page */

static int help_usage(const struct command *c, struct buf *b, struct err *e)
{
	return buf_printf(b, e, "Usage:\n  certhup %s%s%s [flags]\n", c->name,
			  c->operands ? " " : "", c->operands ? c->operands : "");
}

/* Each line of a text, indented. */
static int help_indented(const char *text, struct buf *b, struct err *e)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (buf_printf(b, e, n ? "  %.*s\n" : "\n", (int)n, text) < 0)
			return -1;
		text += n + (text[n] == '\n');
	}
	return 0;
}

static int help_option(const struct option *o, struct buf *b, struct err *e)
{
	char left[96];
	char letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name,
		 o->type == OPTION_BOOL ? "" : "=", o->type == OPTION_BOOL ? "" : o->value);
	if (buf_printf(b, e, "  %s\n        %s", left, o->help) < 0)
		return -1;
	if (o->type == OPTION_CHOICE && buf_printf(b, e, "; one of %s", o->choices) < 0)
		return -1;
	if (o->env && buf_printf(b, e, "; also from %s", o->env) < 0)
		return -1;
	if (o->otherwise && buf_printf(b, e, " (default %s)", o->otherwise) < 0)
		return -1;
	return buf_add_str(b, "\n", e);
}

static int help_options(const struct command *c, struct buf *b, struct err *e)
{
	char env[OPTION_ENV];

	if (buf_add_str(b, "\nFlags:\n", e) < 0)
		return -1;
	for (size_t i = 0; i < c->option_count; i++)
		if (help_option(&c->options[i], b, e) < 0)
			return -1;
	option_env(c->options[0].name, env);
	return buf_printf(b, e,
			  "  -h, --help\n        This page\n\n"
			  "A flag that is not given is taken from the environment "
			  "(--%s from %s),\n"
			  "then from the file that --config names (lines \"flag = value\", "
			  "comments begin with #).\n",
			  c->options[0].name, env);
}

static int help_exits(const struct command *c, struct buf *b, struct err *e)
{
	static const struct {
		const char *code;
		const char *meaning;
	} codes[] = {
#define EXIT_CODE_ROW(id, code, meaning) {#code, meaning},
	    EXIT_CODES(EXIT_CODE_ROW)
#undef EXIT_CODE_ROW
	};

	if (buf_add_str(b, "\nExit codes:\n", e) < 0)
		return -1;
	for (const char *s = c->exits; *s;) {
		size_t n = strcspn(s, " ");

		for (size_t i = 0; i < ARRAY_LEN(codes); i++)
			if (strlen(codes[i].code) == n && memcmp(codes[i].code, s, n) == 0 &&
			    buf_printf(b, e, "  %-3s  %s\n", codes[i].code, codes[i].meaning) < 0)
				return -1;
		s += n + (s[n] == ' ');
	}
	return 0;
}

int command_help(const struct command *c, struct buf *b, struct err *e)
{
	if (buf_printf(b, e, "%s\n\n", c->summary) < 0 ||
	    (c->about && buf_printf(b, e, "%s\n\n", c->about) < 0) || help_usage(c, b, e) < 0 ||
	    buf_add_str(b, "\nExamples:\n", e) < 0 || help_indented(c->examples, b, e) < 0)
		return -1;
	if (help_options(c, b, e) < 0)
		return -1;
	return help_exits(c, b, e);
}

static int usage_error(const struct command *c, const struct err *e)
{
	struct err shown = *e;

	err_tail(&shown, "see certhup %s --help", c->name);
	return complain(&shown, CODE_USAGE);
}

static int check_operands(const struct command *c, const struct arguments *a, struct err *e)
{
	if (a->operand_count > c->operands_max)
		return err_set(e, ERR_INVALID, "unexpected argument %s",
			       a->operands[c->operands_max]);
	if (a->operand_count < c->operands_min)
		return err_set(e, ERR_INVALID, "%s is missing", c->operands);
	return 0;
}

int command_check(const struct command *c, int argc, char *const *argv, void *settings,
		  struct arguments *ret, struct err *e)
{
	if (options_parse(c->options, c->option_count, argc, argv, settings, ret, e) < 0)
		return -1;
	if (ret->help)
		return 0;
	if (check_operands(c, ret, e) < 0)
		return -1;
	return c->check ? c->check(settings, ret, e) : 0;
}

static int show_help(const struct command *c)
{
	_cleanup_buf_ struct buf b;
	struct err e = {0};

	buf_init(&b, HELP_SIZE);
	return print_end(command_help(c, &b, &e), &b, CODE_DONE, &e);
}

int command_run(const struct command *c, int argc, char *const *argv)
{
	_cleanup_arguments_ struct arguments a = {0};
	_cleanup_free_ void *settings = calloc(1, c->settings_size);
	struct err e = {0};

	if (!settings) {
		err_set(&e, ERR_EXHAUSTED, "no memory");
		return complain(&e, CODE_FAILURE);
	}
	if (command_check(c, argc, argv, settings, &a, &e) < 0)
		return usage_error(c, &e);
	if (a.help)
		return show_help(c);
	return c->run(settings, &a);
}
