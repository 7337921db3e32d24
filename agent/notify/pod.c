/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/text.h"
#include "notify/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int pod_members_find(int proc_fd, struct cgroup_members *ret, struct err *e)
{
	_cleanup_close_ int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t pid;

	ret->count = 0;
	if (!d)
		return err_sys(e, "list the processes");
	(void)TAKE_FD(fd);
	while (errno = 0, (entry = readdir(d))) {
		if (text_parse_u64(entry->d_name, 2, INT32_MAX, &pid) < 0)
			continue;
		if (ret->count == LIMIT_PROCESSES)
			return err_set(e, ERR_EXHAUSTED, "more than %d processes", LIMIT_PROCESSES);
		ret->members[ret->count++] = (struct cgroup_member){.pid = (int32_t)pid};
	}
	return errno ? err_sys(e, "list the processes") : 0;
}
