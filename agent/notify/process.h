/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Finds the processes of one container by its cgroup, and signals one of them safely. A process is
 * chosen by pod uid and container id, never by name alone; it is held by a pidfd, checked again,
 * and only then signalled. With no name it is the container's first process; with one, the first
 * process if it has that name, else the only one of that name, or that one's ancestor of that name
 * (nginx's master).
 */

#include "base/process.h"

/*
 * Where the host's cgroups and processes are. Descriptors are borrowed.
 *
 * A sidecar has no host: there the pod's containers share one process namespace, and every process
 * of it but the first (the pod's sandbox) may be meant, by its name, which must be given. The pod
 * and the container of a query are not looked at then.
 */
struct notify_host {
	int cgroup_fd;         /* the host's /sys/fs/cgroup; -1 in a sidecar */
	int proc_fd;           /* a proc of the host's pid namespace; a sidecar's: of the pod's */
	bool shared_processes; /* it is a sidecar */
};

/*
 * cgroup_path: the host's /sys/fs/cgroup, of v2, v1 or hybrid; NULL: we are a sidecar. proc_path: a
 * proc of the pid namespace that we live in, which must be the host's (hostPID).
 * Errors: INVALID when they are something else.
 */
int notify_host_open(const char *cgroup_path, const char *proc_path, struct notify_host *ret,
		     struct err *e) _must_check_;
void notify_host_close(struct notify_host *h);

/*
 * The process that a signal would go to. Result: SENT (there is one), GONE (it is a zombie),
 * NO_PROCESS, AMBIGUOUS. Call it in a child with a deadline: cgroups may be many.
 * Errors: INVALID (a field of q), EXHAUSTED (LIMIT_PROCESSES, LIMIT_CGROUPS), DENIED (hidepid).
 */
int process_find(const struct notify_host *h, const struct process_query *q, struct process *ret,
		 enum signal_result *ret_result, struct err *e) _must_check_;

/*
 * Signals it when it has a handler. When it ends meanwhile the search is made once more.
 * signal: SIGHUP, SIGUSR1 or SIGUSR2, else INVALID. ret is set when a process was chosen.
 */
int process_signal(const struct notify_host *h, const struct process_query *q, int signal,
		   struct process *ret, enum signal_result *ret_result, struct err *e) _must_check_;
