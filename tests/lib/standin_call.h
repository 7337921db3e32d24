/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One command to a stand-in API server over its admin socket, and its answer. No test framework
 * here: the command line tool uses it too.
 */

#include "base/err.h"

struct standin_answer {
	bool ok;
	char *text; /* owned by the caller; ends with a NUL that does not count */
	size_t len;
};

/* The descriptor, or -1. */
int standin_connect(const char *path, struct err *e);

/* command: one JSON object; newlines in it become spaces. */
int standin_call(int fd, const char *command, struct standin_answer *ret, struct err *e);
