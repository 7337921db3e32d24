/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a subcommand is: one constant of this type, from which parsing, --help and the table of
 * main.c follow.
 */

#include "command/exits.h"
#include "command/options.h"

struct command {
	const char *name;
	const char *summary;  /* one sentence, for the list of commands and the top of --help */
	const char *about;    /* paragraphs for --help; NULL: none */
	const char *operands; /* "HOST:PORT" in the usage line; NULL: it takes none */
	int operands_min, operands_max;
	const struct option *options;
	size_t option_count;
	const char *examples; /* lines "# why" and "certhup ..." */
	const char *exits;    /* the codes it ends with, "0 1 2" */
	/* Checks the settings as a whole, and may fill what is no flag: a usage error ends here, before
	 * anything is touched. NULL: there is nothing to check. */
	int (*check)(void *settings, const struct arguments *arguments, struct err *e);
	/* Runs with settings filled in by the table; returns an exit code. */
	int (*run)(void *settings, const struct arguments *arguments);
	size_t settings_size; /* bytes of the struct that option.at points into */
};

extern const struct command command_init;
extern const struct command command_inspect;
extern const struct command command_node;
extern const struct command command_probe;
extern const struct command command_selftest;
extern const struct command command_sidecar;
extern const struct command command_status;
extern const struct command command_verify;
extern const struct command command_version;

/* All of them, in the order in which people are told; NULL at the end. */
#define COMMANDS 9
extern const struct command *const command_table[COMMANDS + 1];

/* Parses the words behind the command's name and runs it. Complains on stderr. Returns the exit
 * code. */
int command_run(const struct command *c, int argc, char *const *argv);

/*
 * What stands before running: flags, operands and the whole. settings: zeroed, of settings_size; values
 * are borrowed from argv and ret, as options_parse has it. With ret->help nothing is checked.
 * Errors: INVALID.
 */
int command_check(const struct command *c, int argc, char *const *argv, void *settings,
		  struct arguments *ret, struct err *e) _must_check_;

/* Appends the help of one command. */
int command_help(const struct command *c, struct buf *b, struct err *e) _must_check_;
