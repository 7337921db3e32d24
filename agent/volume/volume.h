/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A volume's directory, opened so that nothing a pod does can lead elsewhere: descriptors only,
 * openat2 with RESOLVE_BENEATH, NO_SYMLINKS and NO_MAGICLINKS, and no text that is read back is
 * ever followed.
 */

#include "base/record.h"

/* Where volumes are. */
struct volume_tree {
	int pods_fd; /* <kubelet root>/pods, O_PATH; or the directory itself when flat */
	bool flat;   /* init and sidecar: the volume is pods_fd itself, on any file system, without
			kubelet's marker */
	bool any_fs; /* not only tmpfs: then files and directories are synced */
};

struct volume {
	int fd;    /* the volume's root, O_PATH|O_DIRECTORY */
	bool sync; /* fsync, because it is not tmpfs */
	uint64_t dev;
};

/*
 * Opens pods/<uid>/volumes/kubernetes.io~empty-dir/<name>. May block on a foreign mount: call it in
 * a child.
 *
 * Errors:  NOT_FOUND    the pod or its volume is not there (any more)
 *          UNAVAILABLE  kubelet's ready marker is not there yet
 *          INVALID      not a tmpfs, or not a directory, or a link stands where a directory should
 */
int volume_open(const struct volume_tree *tree, const struct volume_ref *ref, struct volume *ret,
		struct err *e) _must_check_;
void volume_close(struct volume *v);
#define _cleanup_volume_ _cleanup_(volume_close)

/* True for a name of our own grammar: "..YYYY_MM_DD_HH_MM_SS." and 32 hex digits. */
bool volume_generation_ok(const char *name);
