/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * How kubelet and the container runtimes name control groups, and the search for one container's
 * processes below the host's cgroup root. Nothing outside notify/ includes it.
 *
 *     cgroupfs   kubepods[/burstable|/besteffort]/pod<uid>/[<runtime>-]<id>
 *     systemd    kubepods.slice[/...]/<prefix>-pod<uid with _>.slice/<runtime>-<id>.scope
 *     mixed      .../<prefix>-pod<uid with _>.slice:<runtime>:<id>
 *
 * with anything in front (kind's "kubelet.slice/kubelet-", a container of a container) and below
 * the container's (crun's "container", what systemd makes as its init). The outermost name of a pod
 * decides: whatever a pod makes below its own group cannot pass for another pod.
 *
 * Source: kubelet pkg/kubelet/cm, containerd, CRI-O, crun.
 */

#include "base/process.h"

struct cgroup_identity {
	char pod_uid[LIMIT_UID + 1];               /* with "-"; "": no pod */
	char container_id[LIMIT_CONTAINER_ID + 1]; /* "": none */
};

/* Reads one name of a path. False where it is no pod's, or no container's (or its monitor's). */
bool cgroup_name_pod(const char *name, size_t len, char ret_uid[static LIMIT_UID + 1]);
bool cgroup_name_container(const char *name, size_t len,
			   char ret_id[static LIMIT_CONTAINER_ID + 1]);

/* The outermost pod of a path, and the container right below it. */
void cgroup_path_identify(const char *path, size_t len, struct cgroup_identity *ret);

/*
 * Whether the text of a /proc/PID/cgroup is that of a process of the container: a line says so and
 * none speaks of another. The "/../" that a cgroup namespace of our own puts in front is no matter.
 */
bool cgroup_file_is_of(const char *text, size_t len, const struct process_query *q);

struct cgroup_member {
	int32_t pid;
	bool frozen;
};

struct cgroup_members {
	size_t count;
	struct cgroup_member members[LIMIT_PROCESSES];
};

/*
 * The processes of the container, its groups below included, from the first hierarchy that has any:
 * the unified one, or v1's and a hybrid's in a fixed order. None is no error.
 * Errors: EXHAUSTED when LIMIT_PROCESSES or LIMIT_CGROUPS are passed.
 */
int cgroup_members_find(int cgroup_fd, const struct process_query *q, struct cgroup_members *ret,
			struct err *e) _must_check_;

/* The same in one hierarchy whose root is tree_fd. freezer_fd: v1's freezer, or -1. */
struct cgroup_tree {
	int tree_fd;
	int unified_fd; /* says "frozen" in cgroup.events; or -1 */
	int freezer_fd; /* says it in freezer.state; or -1 */
};
int cgroup_tree_find(const struct cgroup_tree *t, const struct process_query *q,
		     struct cgroup_members *ret, struct err *e) _must_check_;

/* Whether a directory's file system is a cgroup hierarchy, of v1 or v2. */
bool cgroup_is_hierarchy(int fd, bool *ret_unified);
