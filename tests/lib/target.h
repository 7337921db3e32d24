/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Processes that a test sends signals to: with a name, in a cgroup, with or without handlers for
 * HUP, USR1 and USR2, alone or with workers below; and they count what they got.
 */

#include <stdbool.h>
#include <sys/types.h>

#define TARGET_WORKERS 4

struct target_plan {
	const char *comm;
	const char *cgroup; /* directory; NULL: ours */
	bool handler;
	bool own_pid_namespace; /* it is the first process there, as in a pod */
	pid_t pid;              /* to have, when it is free; 0: any. Not with own_pid_namespace. */
	unsigned workers;       /* children of it, with its handlers */
	const char *worker_comm;
	const char *worker_cgroup; /* NULL: its own */
};

struct target {
	pid_t pid;
	unsigned count; /* of processes */
	int control[1 + TARGET_WORKERS];
};

/* Starts it, and returns when all of it is ready. False when it could not. */
bool target_start(struct target *t, const struct target_plan *plan);

/* Signals that one of its processes got so far (0: itself, then the workers); -1: it is dead. */
int target_hits(const struct target *t, unsigned index);

/* Kills and reaps it; its workers end with it. */
void target_stop(struct target *t);
