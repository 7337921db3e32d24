/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Our own programs as processes of a test: started with a clean environment, their output kept in
 * files, so that it can be read while they run. What goes wrong here fails the test.
 */

#include "base/defs.h"

#include <stdbool.h>
#include <sys/types.h>

struct program {
	pid_t pid; /* 0: not running */
	int out, err;
	char *text; /* of the last program_out or program_err */
};

/* How it is started. All zero: as we are. */
struct program_options {
	uid_t uid;              /* 0: stay; else also the gid, no groups, no capabilities */
	gid_t group;            /* 0: none; else one supplementary group */
	const char *const *env; /* "NAME=value", NULL-terminated; NULL: none */
	bool (*before)(
	    void); /* runs in the child before it becomes another; false ends it; or NULL */
};

/* The path of a program of this build: "certhup". */
void program_path(const char *name, char *ret_path, size_t size);

/* words: NULL-terminated; the first is a program of this build, or a path. */
void program_start(struct program *p, const struct program_options *options,
		   const char *const *words);

/* Waits until it ends: its exit code, or minus the signal. Beyond timeout_ms it is killed and the
 * test fails. */
int program_wait(struct program *p, int timeout_ms);

/* Both in one, 20 s at most. */
int program_run(struct program *p, const struct program_options *options, const char *const *words);

void program_signal(const struct program *p, int signal);

/* What it wrote so far. Borrowed until the next call for p. */
const char *program_out(struct program *p);
const char *program_err(struct program *p);

/* Waits until standard error holds the text; false when timeout_ms is over or it ended without. */
bool program_says(struct program *p, const char *text, int timeout_ms);

/* Kills it when it runs still, and frees. */
void program_done(struct program *p);
#define _cleanup_program_ _cleanup_(program_done)

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
