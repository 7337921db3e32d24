/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/volume.h"

#include "volume/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

static int open_beneath(int dirfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
	    .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve,
	};
	long fd;

	for (int i = 0; i < LIMIT_OPEN_TRIES; i++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

int inside_open(int dirfd, const char *name, int flags)
{
	return open_beneath(dirfd, name, flags | O_NOFOLLOW, RESOLVE_NO_XDEV);
}

void fd_path(int fd, char ret_path[static FD_PATH])
{
	snprintf(ret_path, FD_PATH, "/proc/self/fd/%d", fd);
}

int inside_open_file(int dirfd, const char *name, struct stat *ret_st, struct err *e)
{
	_cleanup_close_ int path_fd = inside_open(dirfd, name, O_PATH);
	char path[FD_PATH];
	int fd;

	if (path_fd < 0)
		return err_sys(e, "open %s", name);
	if (fstat(path_fd, ret_st) < 0)
		return err_sys(e, "stat %s", name);
	if (!S_ISREG(ret_st->st_mode))
		return err_set(e, ERR_INVALID, "%s is not a regular file", name);
	fd_path(path_fd, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_sys(e, "open %s for reading", name);
	return fd;
}

bool link_text(int dirfd, const char *name, char *ret_text, size_t size)
{
	ssize_t n = readlinkat(dirfd, name, ret_text, size);

	if (n < 0 || (size_t)n >= size)
		return false;
	ret_text[n] = '\0';
	return true;
}

/* True when s has the shape: 0 a digit, the rest as they are; and ends after it. */
static const char *after_shape(const char *s, const char *shape)
{
	for (; *shape; s++, shape++)
		if (*shape == '0' ? *s < '0' || *s > '9' : *s != *shape)
			return NULL;
	return s;
}

bool volume_generation_ok(const char *name)
{
	const char *random = after_shape(name, "..0000_00_00_00_00_00.");

	return random && strspn(random, "0123456789abcdef") == 32 && random[32] == '\0';
}

/* kubelet's: the same time and a decimal number. */
static bool kubelet_generation_ok(const char *name)
{
	const char *random = after_shape(name, "..0000_00_00_00_00_00.");
	size_t digits = random ? strspn(random, "0123456789") : 0;

	return digits >= 1 && digits <= 20 && random[digits] == '\0';
}

bool volume_readable_generation(const char *name)
{
	return volume_generation_ok(name) || kubelet_generation_ok(name);
}

/* kubelet makes the marker once the tmpfs is mounted; before, the directory is not yet the
 * volume. */
static int check_ready(int pod_fd, const char *name, struct err *e)
{
	char path[LIMIT_VOLUME_NAME + 64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "plugins/kubernetes.io~empty-dir/%s/ready", name);
	fd = open_beneath(pod_fd, path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_UNAVAILABLE, "kubelet has not set up the volume yet");
	if (fd < 0)
		return err_sys(e, "look for kubelet's ready marker");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, ERR_INVALID, "kubelet's ready marker is not a file");
	}
	close(fd);
	return 0;
}

/* Fills the volume from a directory's descriptor, which it takes. */
static int take_root(int fd, bool any_fs, struct volume *ret, struct err *e)
{
	_cleanup_close_ int root = fd;
	struct statfs fs;
	struct stat st;
	bool tmpfs;

	if (fstatfs(root, &fs) < 0 || fstat(root, &st) < 0)
		return err_sys(e, "stat the volume");
	tmpfs = fs.f_type == TMPFS_MAGIC;
	if (!tmpfs && !any_fs)
		return err_set(e, ERR_INVALID,
			       "the volume is not memory-backed: keys would reach a disk");
	*ret = (struct volume){.fd = TAKE_FD(root), .sync = !tmpfs, .dev = st.st_dev};
	return 0;
}

int volume_open(const struct volume_tree *tree, const struct volume_ref *ref, struct volume *ret,
		struct err *e)
{
	char path[LIMIT_VOLUME_NAME + 64];
	_cleanup_close_ int pod_fd = -1;
	int fd;

	ret->fd = -1;
	if (tree->flat) {
		fd = open_beneath(tree->pods_fd, ".", O_PATH | O_DIRECTORY, 0);
		if (fd < 0)
			return err_sys(e, "open the directory");
		return take_root(fd, tree->any_fs, ret, e);
	}
	if (!volume_ref_ok(ref))
		return err_set(e, ERR_INVALID, "not the name of a pod's volume");
	pod_fd = open_beneath(tree->pods_fd, ref->pod_uid, O_PATH | O_DIRECTORY, 0);
	if (pod_fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "the pod has no directory on this node");
	if (pod_fd < 0)
		return err_sys(e, "open the pod's directory");
	snprintf(path, sizeof(path), "volumes/kubernetes.io~empty-dir/%s", ref->name);
	fd = open_beneath(pod_fd, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "the pod has no emptyDir '%s'", ref->name);
	if (fd < 0) {
		err_sys(e, "open the volume");
		e->kind = errno == ENOTDIR ? ERR_INVALID : e->kind;
		return -1;
	}
	if (check_ready(pod_fd, ref->name, e) < 0) {
		close(fd);
		return -1;
	}
	return take_root(fd, tree->any_fs, ret, e);
}

void volume_close(struct volume *v)
{
	closep(&v->fd);
}
