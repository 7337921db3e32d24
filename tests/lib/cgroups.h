/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Control groups of a test's own: a directory in one hierarchy of this machine, that is removed
 * with all that is in it (its processes are killed).
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct test_cgroups {
	char mount[PATH_MAX];     /* the hierarchy's root */
	char root[PATH_MAX + 32]; /* the test's own directory in it */
};

/* controller: of v1 ("pids", "freezer"), or "" for the unified hierarchy. False where this machine
 * has none, or we may not. */
bool test_cgroups_init(struct test_cgroups *c, const char *controller);
void test_cgroups_done(struct test_cgroups *c);

/* Makes a group and those above it; path is below root. Gives its absolute path, which stays until
 * the next call. */
const char *test_cgroup_make(struct test_cgroups *c, const char *path);

/* Writes to a file of a group. False when it cannot. */
bool test_cgroup_write(const char *group, const char *file, const char *text);

/* Waits up to 10 s until a file of the group holds the word. */
bool test_cgroup_wait(const char *group, const char *file, const char *word);
