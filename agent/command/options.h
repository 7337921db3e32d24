/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Flags of a command, by one table. A value comes from the flag, else from the environment
 * (--file-mode is CERTHUP_FILE_MODE), else from the file that --config names (lines "flag = value",
 * comments begin with #), else from the table. Both --flag=value and --flag value are taken; flags
 * and operands may be mixed, and "--" ends the flags.
 */

#include "base/buf.h"
#include "base/limits.h"

enum option_type {
	OPTION_TEXT,     /* const char *: borrowed from argv, the environment or struct arguments */
	OPTION_BOOL,     /* bool; --flag alone means true */
	OPTION_NUMBER,   /* int64_t within min..max */
	OPTION_DURATION, /* int64_t milliseconds within min..max, written as Go does: "1m30s" */
	OPTION_MODE,     /* uint32_t mode of a file with a key, octal; one of values.c */
	OPTION_CHOICE    /* int: the place of the word in choices */
};

struct option {
	const char *name; /* "file-mode" */
	enum option_type type;
	char letter;           /* 'n' for -n; 0: none */
	size_t at;             /* where in the command's settings */
	const char *value;     /* what --help calls it: "NAME"; unused for OPTION_BOOL */
	const char *otherwise; /* the default as it would be typed; NULL: zero */
	const char *help;      /* begins with a capital, no full stop */
	const char *env;       /* another variable, asked after CERTHUP_...; NULL: none */
	const char *choices;   /* OPTION_CHOICE: "table|wide|json" */
	int64_t min, max;
	/* OPTION_TEXT: NULL, or whether the text will do; right says what would have. */
	bool (*accepts)(const char *text);
	const char *right; /* "a port, or an address with a port" */
};

/* Rows that many tables have. s: the type of the settings, with a member of the flag's name. */
#define OPTION_CONFIG(s)                                                                           \
	{                                                                                          \
		.name = "config", .type = OPTION_TEXT, .at = offsetof(s, config), .value = "FILE", \
		.help = "File with lines \"flag = value\""                                         \
	}
#define OPTION_OUTPUT(s, formats)                                                                  \
	{                                                                                          \
		.name = "output", .letter = 'o', .type = OPTION_CHOICE, .at = offsetof(s, output), \
		.value = "FORMAT", .choices = (formats), .help = "How to print"                    \
	}
/* In the order of enum log_level and enum log_format. */
#define LOG_LEVEL_CHOICES "error|warn|info|debug"
#define LOG_FORMAT_CHOICES "json|text"

#define OPTIONS_SIZE 64

struct arguments {
	const char *operands[LIMIT_OPERANDS];
	int operand_count;
	bool help;         /* --help or -h was there; nothing was stored then */
	struct buf config; /* the text of --config FILE, which values point into */
};

void arguments_done(struct arguments *a);
#define _cleanup_arguments_ _cleanup_(arguments_done)

/*
 * Parses argv (without the names of program and command) into settings, which must be zero. Values
 * are borrowed from argv, the environment and ret, which is to be freed also after an error.
 *
 * Errors: INVALID, with a sentence that names the flag and, unless it was the command line, where
 * it was said; an unknown flag with the nearest one. Those of file_read for --config.
 */
int options_parse(const struct option *options, size_t count, int argc, char *const *argv,
		  void *settings, struct arguments *ret, struct err *e) _must_check_;

#define OPTION_ENV 64
/* "CERTHUP_FILE_MODE" for "file-mode". */
void option_env(const char *name, char ret_env[static OPTION_ENV]);
