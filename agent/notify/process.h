/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Finds the processes of one container by its cgroup, and signals one of them safely. A process is
 * chosen by pod uid and container id, never by name alone; it is held by a pidfd, checked again
 * through it, and only then signalled. Source: facts of containerd and CRI-O paths stand in
 * docs/architecture.md.
 */

#include "base/process.h"

/* Where the host's cgroups and processes are. Descriptors are borrowed. */
struct notify_host {
	int cgroup_fd; /* the host's /sys/fs/cgroup */
	int proc_fd;   /* a proc of the host's pid namespace */
};

/* Checks both (CGROUP2_SUPER_MAGIC or a v1 tree, PROC_SUPER_MAGIC). */
int notify_host_open(const char *cgroup_path, const char *proc_path, struct notify_host *ret,
		     struct err *e) _must_check_;
void notify_host_close(struct notify_host *h);

/* May block on /proc of a stuck process: call it in a child with a deadline. */
int process_find(const struct notify_host *h, const struct process_query *q, struct process *ret,
		 enum signal_result *ret_result, struct err *e) _must_check_;

/* signal: SIGHUP, SIGUSR1 or SIGUSR2, else INVALID. */
int process_signal(const struct notify_host *h, const struct process_query *q, int signal,
		   struct process *ret, enum signal_result *ret_result, struct err *e) _must_check_;
