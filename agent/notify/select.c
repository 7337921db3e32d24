/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "notify/find.h"

#include <string.h>

struct process process_of(const struct proc *p)
{
	struct process of = {.pid = p->pid, .start_ticks = p->start_ticks};

	memcpy(of.comm, p->comm, sizeof(of.comm));
	return of;
}

static int by_pid(const void *a, const void *b)
{
	const struct proc *x = a;
	const struct proc *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static const struct proc *parent_of(const struct proc *procs, size_t count, const struct proc *p)
{
	const struct proc key = {.pid = p->parent};

	return bsearch(&key, procs, count, sizeof(*procs), by_pid);
}

static bool comes_before(const struct proc *a, const struct proc *b)
{
	if (a->start_ticks != b->start_ticks)
		return a->start_ticks < b->start_ticks;
	if (a->is_init != b->is_init)
		return a->is_init;
	return a->pid < b->pid;
}

/* The oldest of those whose parent is outside: what "kubectl exec" started is younger. */
static const struct proc *first_process(const struct proc *procs, size_t count)
{
	const struct proc *first = NULL;

	for (const struct proc *p = procs; p < procs + count; p++)
		if (!parent_of(procs, count, p) && (!first || comes_before(p, first)))
			first = p;
	return first;
}

/* The farthest ancestor of that name, p itself at last. Bounded: what we read may hold a circle. */
static const struct proc *top_of(const struct proc *procs, size_t count, const struct proc *p)
{
	const struct proc *top = p;

	for (size_t steps = 0; p && steps < count; steps++) {
		if (strcmp(p->comm, top->comm) == 0)
			top = p;
		p = parent_of(procs, count, p);
	}
	return top;
}

const struct proc *proc_select_named(struct proc *procs, size_t count, const char *comm,
				     enum signal_result *ret_result)
{
	const struct proc *top = NULL;

	qsort(procs, count, sizeof(*procs), by_pid);
	for (const struct proc *p = procs; p < procs + count; p++) {
		const struct proc *t;

		if (!comm[0] || strcmp(p->comm, comm) != 0)
			continue;
		t = top_of(procs, count, p);
		if (top && top != t) {
			*ret_result = SIGNAL_AMBIGUOUS;
			return NULL;
		}
		top = t;
	}
	*ret_result = top ? SIGNAL_SENT : SIGNAL_NO_PROCESS;
	return top;
}

const struct proc *proc_select(struct proc *procs, size_t count, const char *comm,
			       enum signal_result *ret_result)
{
	const struct proc *first;

	qsort(procs, count, sizeof(*procs), by_pid);
	first = first_process(procs, count);
	*ret_result = first ? SIGNAL_SENT : SIGNAL_NO_PROCESS;
	if (!first || !comm[0] || strcmp(first->comm, comm) == 0)
		return first;
	return proc_select_named(procs, count, comm, ret_result);
}
