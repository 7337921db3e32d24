/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/roots.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

/* A directory that is reached without any link on the way. -1 and errno. */
static int open_plain(int dirfd, const char *path, int flags)
{
	struct open_how how = {.flags = (uint32_t)(flags | O_DIRECTORY | O_CLOEXEC),
			       .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* A link would let whoever may change it choose where keys are written. */
static int explain_root(const char *root, int sys, struct err *e)
{
	char real[PATH_MAX];

	if (sys == ENOENT)
		return err_set(e, ERR_INVALID,
			       "there is no kubelet root %s: set --kubelet-root to the kubelet's "
			       "--root-dir",
			       root);
	if (sys == ELOOP && realpath(root, real))
		return err_set(e, ERR_INVALID,
			       "the kubelet root %s lies behind a symbolic link: set "
			       "--kubelet-root=%s",
			       root, real);
	if (sys == ENOTDIR)
		return err_set(e, ERR_INVALID,
			       "the kubelet root %s is not a directory: set --kubelet-root to the "
			       "kubelet's --root-dir",
			       root);
	return err_sys_num(e, sys, "open the kubelet root %s", root);
}

static int open_root(const char *root, int *ret_root, int *ret_pods, struct err *e)
{
	if (root[0] != '/')
		return err_set(e, ERR_INVALID, "--kubelet-root takes an absolute path");
	*ret_root = open_plain(AT_FDCWD, root, O_PATH);
	if (*ret_root < 0)
		return explain_root(root, errno, e);
	*ret_pods = open_plain(*ret_root, "pods", O_PATH);
	if (*ret_pods < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return err_set(e, ERR_INVALID,
			       "%s has no directory pods, so it is not a kubelet's: set "
			       "--kubelet-root to the kubelet's --root-dir",
			       root);
	if (*ret_pods < 0)
		return err_sys(e, "open %s/pods", root);
	return 0;
}

static int enter(int *fd, const char *name, mode_t mode, struct err *e)
{
	int below;

	if (mkdirat(*fd, name, mode) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", name);
	below = open_plain(*fd, name, O_RDONLY);
	if (below < 0)
		return err_sys(e, "open %s", name);
	close(*fd);
	*fd = below;
	return 0;
}

static int make_private(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "state directory");
	if (st.st_uid != geteuid())
		return err_set(e, ERR_DENIED, "the state directory belongs to uid %u", st.st_uid);
	if (fchmod(fd, 0700) < 0)
		return err_sys(e, "state directory");
	return 0;
}

static int open_state(const struct hand_flags *f, int root_fd, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = -1;

	if (f->state_dir) {
		if (mkdir(f->state_dir, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "make the state directory %s", f->state_dir);
		fd = open_plain(AT_FDCWD, f->state_dir, O_RDONLY);
		if (fd < 0)
			return err_sys(e, "open the state directory %s: set --state-dir",
				       f->state_dir);
	} else {
		fd = open_plain(root_fd, ".", O_RDONLY);
		if (fd < 0)
			return err_sys(e, "open %s", f->kubelet_root);
		if (enter(&fd, "plugins", 0750, e) < 0 || enter(&fd, f->driver, 0750, e) < 0 ||
		    enter(&fd, "state", 0700, e) < 0)
			return err_add(e, "state directory below %s", f->kubelet_root);
	}
	if (make_private(fd, e) < 0)
		return -1;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

#define LOCK_NAP_MS 20

/*
 * A descriptor of its own: the children of this hand must not hold the lock of the next one. The children of a hand that was
 * killed may hold it for the moment in which they die with it.
 */
static int lock(int state_fd, int *ret_fd, struct err *e)
{
	const struct timespec nap = {.tv_nsec = LOCK_NAP_MS * 1000000};

	*ret_fd = openat(state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_sys(e, "open the state directory");
	for (int waited = 0; waited <= LIMIT_HAND_LOCK_MS; waited += LOCK_NAP_MS) {
		if (flock(*ret_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return err_sys(e, "lock the state directory");
		nanosleep(&nap, NULL);
	}
	return err_set(e, ERR_CONFLICT, "another certhup-hand runs on this state directory");
}

static int open_flat(const struct hand_flags *f, struct hand_options *o, struct err *e)
{
	o->tree.pods_fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (o->tree.pods_fd < 0)
		return err_sys(e, "open the directory %s", f->dir);
	o->tree.flat = o->tree.any_fs = true;
	return f->pod_processes ? notify_host_open(NULL, f->proc, &o->host, e) : 0;
}

static int open_tree(const struct hand_flags *f, struct roots *r, struct err *e)
{
	struct hand_options *o = &r->options;
	_cleanup_close_ int root = -1;
	uint32_t signals = 1u << HAND_FIND | 1u << HAND_SIGNAL;

	if (f->dir)
		return open_flat(f, o, e);
	if (open_root(f->kubelet_root, &root, &o->tree.pods_fd, e) < 0 ||
	    open_state(f, root, &o->state_fd, e) < 0 || lock(o->state_fd, &r->lock_fd, e) < 0)
		return -1;
	if ((f->ops & signals) && notify_host_open(f->cgroup_root, f->proc, &o->host, e) < 0) {
		o->host = (struct notify_host){.cgroup_fd = -1, .proc_fd = -1};
		return err_tail(e, "set --cgroup-root and --proc, or leave find and signal out of "
				   "--ops");
	}
	return 0;
}

/* Anybody may connect, and is refused by uid: the peer's, not the file's mode, is what holds. */
static int listen_at(const char *path, int *ret_fd, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	mode_t mask;
	int r;

	if (text_copy(a.sun_path, sizeof(a.sun_path), path) < 0)
		return err_set(e, ERR_INVALID, "--socket: the path is too long");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "remove the old socket %s", path);
	mask = umask(0111);
	r = bind(fd, (struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (r < 0 || listen(fd, 4) < 0)
		return err_sys(e, "listen at %s", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int check_socket(int fd, struct err *e)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		return err_set(e, ERR_INVALID, "--socket-fd %d is not a SOCK_SEQPACKET socket", fd);
	return 0;
}

int roots_open(const struct hand_flags *flags, struct roots *ret, struct err *e)
{
	struct hand_options *o = &ret->options;

	*ret = (struct roots){.lock_fd = -1,
			      .options = {.socket_fd = -1,
					  .listen_fd = -1,
					  .head_uid = flags->head_uid,
					  .tree.pods_fd = -1,
					  .state_fd = -1,
					  .host = {.cgroup_fd = -1, .proc_fd = -1},
					  .ops = flags->ops,
					  .budget_namespace = flags->budget_namespace,
					  .budget_node = flags->budget_node}};
	if (flags->socket_fd >= 0 && check_socket(flags->socket_fd, e) < 0)
		return -1;
	o->socket_fd = flags->socket_fd;
	if (open_tree(flags, ret, e) < 0)
		return -1;
	return flags->socket ? listen_at(flags->socket, &o->listen_fd, e) : 0;
}

void roots_done(struct roots *r)
{
	closep(&r->options.socket_fd);
	closep(&r->options.listen_fd);
	closep(&r->options.tree.pods_fd);
	closep(&r->options.state_fd);
	closep(&r->lock_fd);
	if (r->options.host.proc_fd >= 0)
		notify_host_close(&r->options.host);
}
