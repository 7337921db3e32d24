/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"
#include "command/nearest.h"
#include "command/print.h"
#include "sandbox/sandbox.h"

#include <string.h>

static int print_overview(void)
{
	_cleanup_buf_ struct buf b;
	struct err e = {0};
	int r;

	buf_init(&b, 16384);
	r = buf_add_str(&b,
			"certhup delivers rotated certificates into pods, tells the process, and "
			"proves on the wire\nthat the new certificate is served.\n\n"
			"Usage:\n  certhup COMMAND [flags]\n\nCommands:\n",
			&e);
	for (size_t i = 0; i < COMMANDS && r == 0; i++)
		r = buf_printf(&b, &e, "  %-10s %s\n", command_table[i]->name,
			       command_table[i]->summary);
	if (r < 0 || buf_add_str(&b, "\ncerthup COMMAND --help tells more about one.\n", &e) < 0)
		return complain(&e, CODE_FAILURE);
	return print_out(&b, CODE_DONE);
}

static int unknown_command(const char *name)
{
	const char *names[COMMANDS];
	const char *meant;
	struct err e;

	for (size_t i = 0; i < COMMANDS; i++)
		names[i] = command_table[i]->name;
	meant = nearest(name, names, COMMANDS);
	err_set(&e, ERR_INVALID, "unknown command %s", name);
	if (meant)
		err_tail(&e, "did you mean %s?", meant);
	err_tail(&e, "see certhup --help");
	return complain(&e, CODE_USAGE);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(command_table[i]->name, name) == 0)
			return command_table[i];
	return NULL;
}

/* "certhup help [COMMAND]" */
static int help(int argc, char **argv)
{
	char flag[] = "--help";
	char *const words[] = {flag};
	const struct command *c = argc > 2 ? find(argv[2]) : NULL;

	if (c)
		return command_run(c, 1, words);
	return argc > 2 ? unknown_command(argv[2]) : print_overview();
}

static int dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *c = find(name);

	if (c)
		return command_run(c, argc - 2, argv + 2);
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return help(argc, argv);
	if (strcmp(name, "--version") == 0)
		return command_run(&command_version, 0, NULL);
	if (*name)
		return unknown_command(name);
	print_overview();
	return CODE_USAGE;
}

int main(int argc, char **argv)
{
	struct err e = {0};

	if (sandbox_begin(-1, &e) < 0)
		return complain(&e, CODE_FAILURE);
	return dispatch(argc, argv);
}
