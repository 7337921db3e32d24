/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* What the files of notify/ share besides cgroup.h and proc.h. */

#include "notify/cgroup.h"
#include "notify/proc.h"
#include "notify/process.h"

/* The part of it that leaves notify/. */
struct process process_of(const struct proc *p);

/* Checks a query that came from outside. Errors: INVALID. */
int query_check(const struct process_query *q, struct err *e) _must_check_;

/*
 * Which of a container's processes is meant. procs is put in order of pids. Returns NULL with
 * *ret_result NO_PROCESS or AMBIGUOUS.
 */
const struct proc *proc_select(struct proc *procs, size_t count, const char *comm,
			       enum signal_result *ret_result);

/* The same by name alone, of processes that are not all of one container. */
const struct proc *proc_select_named(struct proc *procs, size_t count, const char *comm,
				     enum signal_result *ret_result);

/*
 * The processes of a namespace that the containers of our pod share, without the sandbox.
 * Errors: EXHAUSTED beyond LIMIT_PROCESSES.
 */
int pod_members_find(int proc_fd, struct cgroup_members *ret, struct err *e) _must_check_;

/*
 * Finds the process that the query means; it may be gone by now. Result: SENT when there is one,
 * GONE when it may have ended while we looked.
 */
int proc_find(const struct notify_host *h, const struct process_query *q, struct proc *ret,
	      enum signal_result *ret_result, struct err *e) _must_check_;
