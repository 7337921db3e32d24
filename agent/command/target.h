/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where init and sidecar write: a directory of their own below the volume that their pod mounts.
 * In a sticky directory that all may write (an emptyDir) others may not follow our links
 * (fs.protected_symlinks), below a 0755 directory of ours they may.
 */

#include "base/record.h"

#include <limits.h>

struct target {
	char path[PATH_MAX];
	struct volume_owner owner;
};

/*
 * Makes dir/subdir where it is not there yet. subdir "" or ".": dir itself.
 *
 * mode  of the files; 0: 0440 where dir is setgid (fsGroup: the group reads), else 0444
 *
 * Errors: NOT_FOUND (no dir), DENIED (it cannot be written), INVALID (subdir is no plain name, or
 * something else stands there), CONFLICT (it belongs to another uid)
 */
int target_prepare(const char *dir, const char *subdir, uint32_t mode, struct target *ret,
		   struct err *e) _must_check_;
