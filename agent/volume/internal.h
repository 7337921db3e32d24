/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What the files of this folder share. All names are single components below a directory that a
 * pod may write; nothing here follows a link or crosses a mount.
 */

#include "volume/writer.h"

#include <sys/stat.h>

#define DATA_LINK "..data"
#define TEMPORARY_LINK "..data_tmp"
#define DATA_PREFIX "..data/"
#define LINK_TEXT (sizeof(DATA_PREFIX) + LIMIT_FILE_NAME)

/* A path of /proc/self/fd that names a descriptor. */
#define FD_PATH 32
void fd_path(int fd, char ret_path[static FD_PATH]);

/* Opens below dirfd without links and without crossing a mount. -1 and errno. */
int inside_open(int dirfd, const char *name, int flags);

/* Opens a file for reading, but only a regular one: nothing else is ever opened (a FIFO would
 * block, a device node would act). */
int inside_open_file(int dirfd, const char *name, struct stat *ret_st, struct err *e) _must_check_;

/* The text of a link, to be compared and never followed. False when it is no link, or too long. */
bool link_text(int dirfd, const char *name, char *ret_text, size_t size);

/* What ..data names, when that is a generation of our own naming; else "". */
void data_generation(const struct volume *v, char ret_name[static GENERATION_NAME]);

/* fsync of a directory, where the volume is not a tmpfs. */
int directory_sync(const struct volume *v, int dirfd, struct err *e) _must_check_;

/* A name that volume_read may open: our grammar, or kubelet's. */
bool volume_readable_generation(const char *name);

/* True for errors that say: what is there is not what we wrote; false when looking itself failed. */
bool is_damage(const struct err *e);

/* generation.c */

/* Makes a whole generation: complete, owned and synced, but not yet visible. Nothing is left of it
 * on failure. */
int generation_make(const struct volume *v, const struct content *content,
		    const struct volume_plan *plan, struct err *e) _must_check_;

/* Gives each file of a generation the owner and mode it should have. CONFLICT: a file is a hard
 * link, and so may be another's. */
int generation_mend(const struct volume *v, const char *generation, const struct content *content,
		    const struct volume_owner *owner, unsigned *mended, struct err *e) _must_check_;

/* links.c */

/* Points ..data at a generation: the commit point. ..data_tmp is free before. */
int data_swap(const struct volume *v, const char *generation, struct err *e) _must_check_;

/* Refuses a directory with entries where the link of a file has to stand, and a tmpfs without
 * inodes for the missing links. */
int links_possible(const struct volume *v, const struct content *content,
		   struct err *e) _must_check_;

/* Makes each link NAME -> ..data/NAME, in place of whatever stands there. */
int links_mend(const struct volume *v, const struct content *content, unsigned *mended,
	       struct err *e) _must_check_;

/* True for a link NAME -> ..data/NAME. */
bool link_is_ours(const struct volume *v, const char *name);

/* sweep.c */

/* Frees a name of ours at once: a directory becomes a leftover of another name first. */
int free_name(const struct volume *v, const char *name, unsigned *swept,
	      struct err *e) _must_check_;

/* Removes a generation. False when something of it is still there. */
bool remove_generation(const struct volume *v, const char *name);

struct sweep {
	const struct volume *v;
	const char *keep[3];           /* generations that stay; NULL or "": none */
	const struct content *content; /* files that are there; other links of ours go. NULL: links
					  stay */
	unsigned budget;               /* entries that may still be looked at */
	unsigned swept, left;
};

bool sweep_keeps(const struct sweep *s, const char *name);

/* Removes leftovers. What cannot be removed is counted, and not an error. */
int sweep_run(struct sweep *s, struct err *e) _must_check_;
