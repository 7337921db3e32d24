/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/file.h"
#include "notify/cgroup.h"
#include "notify/find.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

static bool is_allowed(int signal)
{
	return signal == SIGHUP || signal == SIGUSR1 || signal == SIGUSR2;
}

static int pidfd_open(int32_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int pidfd_send(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static int is_of_container(const struct notify_host *h, int dir_fd, const struct process_query *q,
			   bool *ret, struct err *e)
{
	_cleanup_buf_ struct buf text;

	*ret = true;
	if (h->shared_processes)
		return 0;
	buf_init(&text, LIMIT_PROC_FILE);
	if (file_read(dir_fd, "cgroup", &text, e) < 0)
		return -1;
	*ret = cgroup_file_is_of(buf_str(&text), text.len, q);
	return 0;
}

static int send(int pidfd, int signal, const struct proc *p, enum signal_result *ret_result,
		struct err *e)
{
	*ret_result = proc_is_stopped(p) ? SIGNAL_STOPPED : SIGNAL_SENT;
	if (pidfd_send(pidfd, signal) == 0)
		return 0;
	if (errno != ESRCH && errno != EPERM)
		return err_sys(e, "signal %d to process %d", signal, p->pid);
	*ret_result = errno == ESRCH ? SIGNAL_GONE : SIGNAL_DENIED;
	return 0;
}

/*
 * The pidfd is opened before anything is read, so whatever takes the pid later is either what we
 * read and signal, or the signal finds nobody.
 */
static int signal_one(const struct notify_host *h, const struct process_query *q, int signal,
		      const struct proc *chosen, enum signal_result *ret_result, struct err *e)
{
	_cleanup_close_ int pidfd = pidfd_open(chosen->pid);
	_cleanup_close_ int dir_fd = -1;
	struct proc now;
	bool ours;

	*ret_result = SIGNAL_GONE;
	if (pidfd < 0) /* EINVAL, ENOENT: the number is a thread's by now */
		return errno == ESRCH || errno == EINVAL || errno == ENOENT
			   ? 0
			   : err_sys(e, "hold process %d", chosen->pid);
	if (proc_open(h->proc_fd, chosen->pid, &dir_fd, e) < 0 || proc_read(dir_fd, &now, e) < 0 ||
	    is_of_container(h, dir_fd, q, &ours, e) < 0)
		return e->kind == ERR_NOT_FOUND ? 0 : -1;
	if (!ours || now.start_ticks != chosen->start_ticks ||
	    strcmp(now.comm, chosen->comm) != 0 || proc_is_dead(&now))
		return 0;
	if (!(now.caught & (UINT64_C(1) << (signal - 1)))) {
		*ret_result = SIGNAL_NO_HANDLER;
		return 0;
	}
	now.frozen = chosen->frozen;
	return send(pidfd, signal, &now, ret_result, e);
}

int process_signal(const struct notify_host *h, const struct process_query *q, int signal,
		   struct process *ret, enum signal_result *ret_result, struct err *e)
{
	struct proc p = {0};

	*ret = (struct process){0};
	if (!is_allowed(signal))
		return err_set(e, ERR_INVALID, "signal %d is not HUP, USR1 or USR2", signal);
	if (query_check(q, e) < 0)
		return -1;
	for (int try = 0; try < 2; try++) {
		if (proc_find(h, q, &p, ret_result, e) < 0)
			break;
		if (*ret_result == SIGNAL_SENT) {
			*ret = process_of(&p);
			if (signal_one(h, q, signal, &p, ret_result, e) < 0)
				break;
		}
		if (*ret_result != SIGNAL_GONE || try == 1)
			return 0;
	}
	return err_add(e, "signal a process of container %.12s", q->container_id);
}
