/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What /proc says of one process. Its name is chosen by the process, so no byte of it is trusted:
 * it may hold ") R 1", newlines and colons. Nothing outside notify/ includes it. cmdline and the
 * like are not read: they wait for a lock that a stuck process holds.
 *
 * Source: proc(5).
 */

#include "base/process.h"

struct proc {
	int32_t pid;
	int32_t parent;
	uint64_t start_ticks;
	uint64_t caught; /* bit n - 1: signal n has a handler */
	char state;      /* R S D T t Z X I */
	bool is_init;    /* the first process of a pid namespace below ours */
	bool frozen;     /* set by who knows the cgroup */
	char comm[LIMIT_COMM + 1];
};

bool proc_is_dead(const struct proc *p);
bool proc_is_stopped(const struct proc *p); /* or frozen */

/* Parsers of the three files' texts. False when it is not what a kernel writes. */
bool proc_parse_stat(const char *text, size_t len, struct proc *ret);
bool proc_parse_status(const char *text, struct proc *ret);
void proc_parse_comm(const char *text, size_t len, struct proc *ret);

/* /proc/PID, held: it never becomes another process's. Errors: NOT_FOUND when it ended. */
int proc_open(int proc_fd, int32_t pid, int *ret_fd, struct err *e) _must_check_;

/* Reads a process through what proc_open gave. Errors: NOT_FOUND when it ended. */
int proc_read(int fd, struct proc *ret, struct err *e) _must_check_;
