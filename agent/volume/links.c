/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

void data_generation(const struct volume *v, char ret_name[static GENERATION_NAME])
{
	if (!link_text(v->fd, DATA_LINK, ret_name, GENERATION_NAME) ||
	    !volume_generation_ok(ret_name))
		ret_name[0] = '\0';
}

/* Puts a link at a name, in place of anything but a directory, in one step. */
static int put_link(const struct volume *v, const char *target, const char *name, struct err *e)
{
	if (symlinkat(target, v->fd, TEMPORARY_LINK) < 0)
		return err_sys(e, "make " TEMPORARY_LINK);
	if (renameat(v->fd, TEMPORARY_LINK, v->fd, name) < 0) {
		err_sys(e, "put the link %s", name);
		(void)unlinkat(v->fd, TEMPORARY_LINK, 0);
		return -1;
	}
	return 0;
}

int data_swap(const struct volume *v, const char *generation, struct err *e)
{
	unsigned swept = 0;
	struct stat st;

	if (fstatat(v->fd, DATA_LINK, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	    free_name(v, DATA_LINK, &swept, e) < 0)
		return -1;
	return put_link(v, generation, DATA_LINK, e);
}

static void data_path(const char *name, char ret_text[static LINK_TEXT])
{
	snprintf(ret_text, LINK_TEXT, DATA_PREFIX "%.*s", LIMIT_FILE_NAME, name);
}

bool link_is_ours(const struct volume *v, const char *name)
{
	char want[LINK_TEXT];
	char text[LINK_TEXT];

	data_path(name, want);
	return link_text(v->fd, name, text, sizeof(text)) && strcmp(text, want) == 0;
}

/* An empty directory is removed, which costs nobody anything. */
static int refuse_directory(const struct volume *v, const char *name, struct err *e)
{
	if (unlinkat(v->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTDIR)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY)
		return err_sys(e, "remove the directory %s", name);
	return err_set(e, ERR_CONFLICT,
		       "%s is a directory with entries, where the file of that name should be: "
		       "remove it, or give the file another name",
		       name);
}

int links_possible(const struct volume *v, const struct content *content, struct err *e)
{
	uint64_t missing = 1; /* ..data_tmp */
	struct statfs fs;

	for (size_t i = 0; i < content->count; i++) {
		const char *name = content->files[i].name;
		struct stat st;

		if (fstatat(v->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			missing++;
		else if (S_ISDIR(st.st_mode) && refuse_directory(v, name, e) < 0)
			return -1;
	}
	if (fstatfs(v->fd, &fs) < 0)
		return err_sys(e, "stat the volume");
	if (fs.f_files && fs.f_ffree < missing)
		return err_sys_num(e, ENOSPC, "make %llu links", (unsigned long long)missing);
	return 0;
}

static int mend_link(const struct volume *v, const char *name, struct err *e)
{
	char target[LINK_TEXT];
	struct stat st;

	data_path(name, target);
	if (fstatat(v->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (symlinkat(target, v->fd, name) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(e, "make the link %s", name);
	} else if (S_ISDIR(st.st_mode) && refuse_directory(v, name, e) < 0) {
		return -1;
	}
	return put_link(v, target, name, e);
}

int links_mend(const struct volume *v, const struct content *content, unsigned *mended,
	       struct err *e)
{
	for (size_t i = 0; i < content->count; i++) {
		const char *name = content->files[i].name;

		if (link_is_ours(v, name))
			continue;
		if (mend_link(v, name, e) < 0)
			return -1;
		(*mended)++;
	}
	return 0;
}
