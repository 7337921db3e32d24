/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Runs a function in a child and interferes at its system calls by ptrace: kills it, makes a call
 * fail, makes reads and writes short. The calls are the real ones of the code as it is built.
 */

#include <stdbool.h>

enum trace_act {
	TRACE_NOTHING,
	TRACE_KILL,      /* before call number `at` is carried out */
	TRACE_ERROR,     /* call number `at` fails with `error`, and is not carried out */
	TRACE_SHORT,     /* every read and write is interrupted once, and then does one byte */
	TRACE_MEANWHILE, /* `meanwhile` is called before call number `at` is carried out */
};

struct trace {
	enum trace_act act;
	unsigned at;             /* counts the calls that are wanted, from 0 */
	bool lasting;            /* TRACE_ERROR: and each later one as well */
	int error;               /* errno */
	bool (*wanted)(long nr); /* NULL: all */
	void (*meanwhile)(void);
};

struct trace_result {
	unsigned count; /* calls that were counted */
	bool killed;
	int code; /* what the function returned, 0 to 125; where not killed */
	long nr;  /* the call that was hit; -1: none */
};

/* False where this machine cannot do it (not x86-64). */
bool trace_possible(void);

/* fn runs in a child: what it tells the caller has to go through shared memory or files. */
void trace_run(int (*fn)(void *arg), void *arg, const struct trace *t, struct trace_result *ret);

/* The calls that touch files and directories. */
bool trace_is_file_call(long nr);

/* Those of them that take a name: between these it matters what stands there. */
bool trace_is_name_call(long nr);
