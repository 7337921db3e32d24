/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * The reading half: what is in a volume directory. No inotify and no writing, so that inspect and
 * verify use it in the head as well.
 */

#include "volume/volume.h"

/*
 * Reads the files of one generation, opened once and read from that descriptor (so that a swap
 * cannot mix them). generation NULL: the one that ..data names; only a name of our own grammar or
 * kubelet's is opened, and it is opened beneath v without following links.
 *
 * ret_generation  GENERATION_NAME bytes; may be NULL
 * Errors: NOT_FOUND (no ..data), INVALID (not a generation, a file that is none), EXHAUSTED (too
 * many or too large)
 */
int volume_read(const struct volume *v, const char *generation, struct content *ret,
		char *ret_generation, struct err *e) _must_check_;

/* Opens any directory by path for volume_read: for people (inspect DIR), follows links on the way.
 */
int volume_open_path(const char *path, struct volume *ret, struct err *e) _must_check_;

struct volume_entry {
	char name[LIMIT_FILE_NAME + 1];
	uint32_t mode, uid, gid;
	uint64_t size;
};

/* Mode, owner and size of the files of the generation that ..data names, in order of names. */
int volume_list(const struct volume *v, struct volume_entry ret[LIMIT_FILES], size_t *ret_count,
		struct err *e) _must_check_;
