/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "notify/process.h"

#include "base/file.h"
#include "notify/cgroup.h"
#include "notify/find.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

static bool is_text(const char *s, size_t size, const char *of, size_t min, size_t max)
{
	size_t len = strnlen(s, size);

	return len < size && len >= min && len <= max && strspn(s, of) == len;
}

int query_check(const struct process_query *q, struct err *e)
{
	static const char hex[] = "0123456789abcdef";

	if (!is_text(q->pod_uid, sizeof(q->pod_uid), "0123456789abcdef-", 32, 36))
		return err_set(e, ERR_INVALID, "this is no pod's uid");
	if (!is_text(q->container_id, sizeof(q->container_id), hex, LIMIT_CONTAINER_ID,
		     LIMIT_CONTAINER_ID))
		return err_set(e, ERR_INVALID, "this is no container's id");
	if (strnlen(q->comm, sizeof(q->comm)) == sizeof(q->comm))
		return err_set(e, ERR_INVALID, "this is no process' name");
	return 0;
}

/* A hierarchy itself (v2), or a directory that holds some (v1, hybrid). */
static bool has_hierarchies(int fd)
{
	static const char *const any[] = {"pids", "memory", "systemd", "unified"};
	bool unified;

	if (cgroup_is_hierarchy(fd, &unified))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(any); i++) {
		_cleanup_close_ int below = openat(fd, any[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (below >= 0 && cgroup_is_hierarchy(below, &unified))
			return true;
	}
	return false;
}

/* Pids are those of our own namespace, so the proc must be one of it too. */
static bool is_our_proc(int fd)
{
	char self[16];
	char pid[16];
	struct statfs fs;
	ssize_t n;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	n = readlinkat(fd, "self", self, sizeof(self) - 1);
	if (n < 0)
		return false;
	self[n] = '\0';
	snprintf(pid, sizeof(pid), "%d", getpid());
	return strcmp(self, pid) == 0;
}

int notify_host_open(const char *cgroup_path, const char *proc_path, struct notify_host *ret,
		     struct err *e)
{
	_cleanup_close_ int cgroup_fd = -1;
	_cleanup_close_ int proc_fd = -1;

	if (cgroup_path)
		cgroup_fd = open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup_path && cgroup_fd < 0)
		return err_sys(e, "open %s", cgroup_path);
	if (cgroup_path && !has_hierarchies(cgroup_fd))
		return err_set(e, ERR_INVALID,
			       "%s holds no cgroups: mount the host's /sys/fs/cgroup", cgroup_path);
	proc_fd = open(proc_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return err_sys(e, "open %s", proc_path);
	if (!is_our_proc(proc_fd))
		return err_set(e, ERR_INVALID, "%s is not the proc of our own pid namespace",
			       proc_path);
	*ret = (struct notify_host){TAKE_FD(cgroup_fd), TAKE_FD(proc_fd), !cgroup_path};
	return 0;
}

void notify_host_close(struct notify_host *h)
{
	closep(&h->cgroup_fd);
	closep(&h->proc_fd);
}

/* Reads those that are still there. Returns their number, or -1. */
static ssize_t read_all(const struct notify_host *h, const struct cgroup_members *m,
			struct proc *procs, struct err *e)
{
	ssize_t count = 0;

	for (size_t i = 0; i < m->count; i++) {
		_cleanup_close_ int fd = -1;
		struct proc *p = &procs[count];

		if (proc_open(h->proc_fd, m->members[i].pid, &fd, e) < 0 ||
		    proc_read(fd, p, e) < 0) {
			if (e->kind == ERR_NOT_FOUND)
				continue;
			return -1;
		}
		p->frozen = m->members[i].frozen;
		count++;
	}
	return count;
}

static int choose(const struct notify_host *h, const struct cgroup_members *m, const char *comm,
		  struct proc *ret, enum signal_result *ret_result, struct err *e)
{
	struct proc *procs = calloc(m->count, sizeof(*procs));
	const struct proc *chosen = NULL;
	ssize_t count;

	if (!procs)
		return err_sys(e, "table of processes");
	count = read_all(h, m, procs, e);
	if (count >= 0)
		chosen = h->shared_processes
			     ? proc_select_named(procs, (size_t)count, comm, ret_result)
			     : proc_select(procs, (size_t)count, comm, ret_result);
	if (chosen)
		*ret = *chosen;
	else if (*ret_result == SIGNAL_NO_PROCESS && count < (ssize_t)m->count)
		*ret_result = SIGNAL_GONE;
	free(procs);
	return count < 0 ? -1 : 0;
}

int proc_find(const struct notify_host *h, const struct process_query *q, struct proc *ret,
	      enum signal_result *ret_result, struct err *e)
{
	struct cgroup_members m;

	*ret_result = SIGNAL_NO_PROCESS;
	if ((h->shared_processes ? pod_members_find(h->proc_fd, &m, e)
				 : cgroup_members_find(h->cgroup_fd, q, &m, e)) < 0)
		return -1;
	return m.count ? choose(h, &m, q->comm, ret, ret_result, e) : 0;
}

int process_find(const struct notify_host *h, const struct process_query *q, struct process *ret,
		 enum signal_result *ret_result, struct err *e)
{
	struct proc p = {0};

	*ret = (struct process){0};
	if (query_check(q, e) < 0)
		return -1;
	if (proc_find(h, q, &p, ret_result, e) < 0)
		return err_add(e, "find process of container %.12s", q->container_id);
	if (*ret_result != SIGNAL_SENT)
		return 0;
	*ret = process_of(&p);
	if (proc_is_dead(&p))
		*ret_result = SIGNAL_GONE;
	return 0;
}
