/* SPDX-License-Identifier: Apache-2.0 */
#include "command/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Opens or makes the directory; a link in its place is not followed. */
static int open_subdir(int dirfd, const char *subdir, bool setgid, int *ret_fd, struct err *e)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_close_ int fd = -1;
	bool made = mkdirat(dirfd, subdir, 0755) == 0;

	if (!made && errno != EEXIST)
		return err_sys(e, "make %s", subdir);
	fd = openat(dirfd, subdir, flags);
	if (fd < 0)
		return err_sys(e, "%s is no directory of ours", subdir);
	if (made && fchmod(fd, setgid ? 02755 : 0755) < 0)
		return err_sys(e, "mode of %s", subdir);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int check_owner(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (st.st_uid != geteuid() && geteuid() != 0)
		return err_set(e, ERR_CONFLICT,
			       "belongs to uid %u, we are uid %u; choose another --subdir",
			       (unsigned)st.st_uid, (unsigned)geteuid());
	return 0;
}

static int prepare_subdir(int dirfd, const char *subdir, bool setgid, struct err *e)
{
	_cleanup_close_ int fd = -1;

	if (!content_name_ok(subdir))
		return err_set(e, ERR_INVALID, "--subdir %s is no plain name", subdir);
	if (open_subdir(dirfd, subdir, setgid, &fd, e) < 0)
		return -1;
	return check_owner(fd, e) < 0 ? err_add(e, "%s", subdir) : 0;
}

int target_prepare(const char *dir, const char *subdir, uint32_t mode, struct target *ret,
		   struct err *e)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool own = *subdir && strcmp(subdir, ".") != 0;
	struct stat st;
	bool setgid;
	int n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "--dir %s", dir);
	setgid = st.st_mode & S_ISGID;
	if (own && prepare_subdir(fd, subdir, setgid, e) < 0)
		return err_add(e, "--dir %s", dir);
	n = snprintf(ret->path, sizeof(ret->path), "%s/%s", dir, own ? subdir : ".");
	if (n < 0 || (size_t)n >= sizeof(ret->path))
		return err_set(e, ERR_INVALID, "--dir %.64s... is too long", dir);
	ret->owner = (struct volume_owner){
	    .uid = geteuid(),
	    .gid = setgid ? st.st_gid : getegid(),
	    .mode = mode     ? mode
		    : setgid ? 0440
			     : 0444,
	};
	return 0;
}
