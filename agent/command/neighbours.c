/* SPDX-License-Identifier: Apache-2.0 */
#include "command/neighbours.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* One line's value in /proc/PID/status: "PPid:\t1". */
static int status_value(const char *status, const char *key, char *to, size_t size)
{
	const char *line = strstr(status, key);

	if (!line)
		return -1;
	line += strlen(key);
	line += strspn(line, " \t");
	snprintf(to, size, "%.*s", (int)strcspn(line, "\n"), line);
	return 0;
}

static int read_process(const char *proc, uint64_t pid, uint64_t *ret_parent, char *ret_name,
			size_t name_size, struct err *e)
{
	_cleanup_buf_ struct buf status;
	char path[PATH_MAX];
	char parent[32];

	buf_init(&status, LIMIT_PROC_FILE);
	snprintf(path, sizeof(path), "%s/%llu/status", proc, (unsigned long long)pid);
	if (file_read(AT_FDCWD, path, &status, e) < 0)
		return -1;
	if (status_value(buf_str(&status), "\nPPid:", parent, sizeof(parent)) < 0 ||
	    text_parse_u64(parent, 0, INT32_MAX, ret_parent) < 0 ||
	    status_value(buf_str(&status), "Name:", ret_name, name_size) < 0)
		return err_set(e, ERR_INTERNAL, "%s is none that we know", path);
	return 0;
}

/*
 * In a namespace of its own a container's first process is process 1. In a shared one that is the
 * pod's sandbox (pause), and each container's first process has a parent that cannot be seen.
 */
static int descends_from_one(const char *proc, bool *ret, struct err *e)
{
	uint64_t pid = (uint64_t)getpid();
	uint64_t parent = 0;
	char name[32];

	for (int depth = 0; depth < LIMIT_PARENTS && pid > 1; depth++) {
		if (read_process(proc, pid, &parent, name, sizeof(name), e) < 0)
			return -1;
		if (parent == 0)
			break;
		pid = parent;
	}
	*ret = pid == 1;
	return 0;
}

int neighbours_shared(const char *proc, struct err *e)
{
	uint64_t parent = 0;
	char name[32] = "";
	bool own;
	struct err none;

	/* The kernel's own threads are seen in the node's namespace only. */
	if (read_process(proc, 2, &parent, name, sizeof(name), &none) == 0 && parent == 0 &&
	    strcmp(name, "kthreadd") == 0)
		return err_set(e, ERR_INVALID,
			       "this is the node's process namespace (hostPID: true), where a "
			       "process' name proves nothing; use shareProcessNamespace: true");
	if (descends_from_one(proc, &own, e) < 0)
		return -1;
	if (own)
		return err_set(e, ERR_INVALID,
			       "the containers of this pod do not share a process namespace; set "
			       "shareProcessNamespace: true in the pod's spec");
	return 0;
}
