/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What a sandbox does cannot be undone, so each test looks at it in a child, which says what went wrong in words,
 * through shared memory.
 */

#include "base/defs.h"

#include <errno.h>
#include <stdbool.h>

/* Once, first. */
int confined_init(void);

/* Runs it in a child; fails the test with what the child said. */
void in_child(void (*work)(void *arg), void *arg);

/* In the child: ends it. */
_Noreturn void say(const char *text);
void check(bool good, int line, const char *what);
#define CHECK(condition) check((condition), __LINE__, #condition)
void check_refused(long result, int line, const char *what);
/* The call fails in one of the ways in which a sandbox refuses. */
#define REFUSED(call) (errno = 0, check_refused((long)(call), __LINE__, #call))

/* A line of /proc/self/status, without its field ("CapEff:\t"). */
void read_status(const char *field, char *ret, size_t size);
uint64_t effective_caps(void);

bool has_landlock(void); /* this kernel */
