/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/clock.h"
#include "base/file.h"
#include "volume/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#define DIRECTORY_MODE 0755

void writer_generation(int64_t wall_ms, char ret_name[static GENERATION_NAME])
{
	char text[CLOCK_TEXT];
	uint8_t random[16];
	size_t used;

	clock_text_s(wall_ms, text);
	for (char *p = text; *p; p++)
		if (*p == '-' || *p == ':' || *p == 'T')
			*p = '_';
		else if (*p == 'Z')
			*p = '.';
	used = (size_t)snprintf(ret_name, GENERATION_NAME, "..%s", text);
	/* Never short below 256 bytes once the kernel has seeded itself, and then never failing. */
	while (getrandom(random, sizeof(random), 0) != sizeof(random))
		;
	for (size_t i = 0; i < sizeof(random) && used + 2 < GENERATION_NAME; i++, used += 2)
		snprintf(ret_name + used, GENERATION_NAME - used, "%02x", random[i]);
}

int directory_sync(const struct volume *v, int dirfd, struct err *e)
{
	_cleanup_close_ int fd = -1;

	if (!v->sync)
		return 0;
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "sync a directory");
	return 0;
}

/* Owner first: a mode must never open a file to an owner that it was not meant for. */
static int set_owner(int fd, const struct stat *st, const struct volume_owner *owner, struct err *e)
{
	if ((st->st_uid != owner->uid || st->st_gid != owner->gid) &&
	    fchown(fd, owner->uid, owner->gid) < 0)
		return err_sys(e, "give it to %u:%u", owner->uid, owner->gid);
	if (fchmod(fd, owner->mode) < 0)
		return err_sys(e, "set its mode");
	return 0;
}

static int write_file(const struct volume *v, int dirfd, const struct content_file *f,
		      const struct volume_owner *owner, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = openat(dirfd, f->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "create");
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (file_write_all(fd, f->bytes.data, f->bytes.len, e) < 0 ||
	    set_owner(fd, &st, owner, e) < 0)
		return -1;
	if (v->sync && fsync(fd) < 0)
		return err_sys(e, "sync");
	if (close(TAKE_FD(fd)) < 0 && errno != EINTR)
		return err_sys(e, "close");
	return 0;
}

static int fill(const struct volume *v, const struct content *content,
		const struct volume_plan *plan, struct err *e)
{
	_cleanup_close_ int dirfd = inside_open(v->fd, plan->generation, O_RDONLY | O_DIRECTORY);

	if (dirfd < 0)
		return err_sys(e, "open the new generation");
	for (size_t i = 0; i < content->count; i++)
		if (write_file(v, dirfd, &content->files[i], &plan->owner, e) < 0)
			return err_add(e, "%s", content->files[i].name);
	if (fchmod(dirfd, DIRECTORY_MODE) < 0)
		return err_sys(e, "open the new generation to readers");
	return directory_sync(v, dirfd, e);
}

int generation_make(const struct volume *v, const struct content *content,
		    const struct volume_plan *plan, struct err *e)
{
	if (mkdirat(v->fd, plan->generation, 0700) < 0)
		return err_sys(e, "make the new generation");
	if (fill(v, content, plan, e) == 0)
		return 0;
	(void)remove_generation(v, plan->generation);
	return -1;
}

static int mend_file(int dirfd, const char *name, const struct volume_owner *owner,
		     unsigned *mended, struct err *e)
{
	struct stat st;
	_cleanup_close_ int fd = inside_open_file(dirfd, name, &st, e);

	if (fd < 0)
		return -1;
	if (st.st_nlink != 1)
		return err_set(e, ERR_CONFLICT, "%s has another name", name);
	if (st.st_uid == owner->uid && st.st_gid == owner->gid &&
	    (st.st_mode & 07777) == owner->mode)
		return 0;
	if (set_owner(fd, &st, owner, e) < 0)
		return err_add(e, "%s", name);
	(*mended)++;
	return 0;
}

int generation_mend(const struct volume *v, const char *generation, const struct content *content,
		    const struct volume_owner *owner, unsigned *mended, struct err *e)
{
	_cleanup_close_ int dirfd = inside_open(v->fd, generation, O_RDONLY | O_DIRECTORY);
	struct stat st;

	if (dirfd < 0 || fstat(dirfd, &st) < 0)
		return err_sys(e, "open the generation");
	for (size_t i = 0; i < content->count; i++)
		if (mend_file(dirfd, content->files[i].name, owner, mended, e) < 0)
			return -1;
	if ((st.st_mode & 07777) == DIRECTORY_MODE)
		return 0;
	if (fchmod(dirfd, DIRECTORY_MODE) < 0)
		return err_sys(e, "open the generation to readers");
	(*mended)++;
	return 0;
}
