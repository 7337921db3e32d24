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
	/* Runs with settings filled in by the table; returns an exit code. */
	int (*run)(void *settings, const struct arguments *arguments);
	size_t settings_size; /* bytes of the struct that option.at points into */
};

extern const struct command command_init;
extern const struct command command_inspect;
extern const struct command command_node;
extern const struct command command_probe;
extern const struct command command_sidecar;
extern const struct command command_status;
extern const struct command command_verify;
extern const struct command command_version;

/* Parses the words behind the command's name and runs it. Complains on stderr. Returns the exit
 * code. */
int command_run(const struct command *c, int argc, char *const *argv);

/* Appends the help of one command. */
int command_help(const struct command *c, struct buf *b, struct err *e) _must_check_;
