/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/connect.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define CHILD_SOCKET 3
#define ARGV_SIZE 64

int hand_program(char *ret_path, size_t size, struct err *e)
{
	static const char name[] = "certhup-hand";
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return err_sys(e, "read /proc/self/exe");
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash || (size_t)(slash + 1 - self) + sizeof(name) > size)
		return err_set(e, ERR_EXHAUSTED, "the path of the program is too long");
	slash[1] = '\0';
	snprintf(ret_path, size, "%s%s", self, name);
	return 0;
}

static int start(const char *program, const char *const argv[static ARGV_SIZE], int fd,
		 pid_t *ret_pid, struct err *e)
{
	char *plain[ARGV_SIZE];
	char *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	memcpy(plain, argv, sizeof(plain)); /* posix_spawn changes none of them, but says not so */
	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return err_set(e, ERR_EXHAUSTED, "could not prepare to start %s", program);
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return err_set(e, ERR_EXHAUSTED, "could not prepare to start %s", program);
	}
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn_file_actions_adddup2(&actions, fd, CHILD_SOCKET);
	if (r == 0)
		r = posix_spawn(ret_pid, program, &actions, &attr, plain, environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? 0 : err_sys_num(e, r, "start %s", program);
}

int hand_spawn(const char *program, const char *const *args, struct hand_child *ret, struct err *e)
{
	_cleanup_close_ int ours = -1;
	_cleanup_close_ int theirs = -1;
	const char *argv[ARGV_SIZE] = {"certhup-hand", "--socket-fd", "3"};
	int pair[2];

	for (size_t i = 0; args && args[i]; i++) {
		if (i + 4 == ARGV_SIZE)
			return err_set(e, ERR_INVALID, "too many arguments for %s", program);
		argv[3 + i] = args[i];
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socket pair for the hand");
	ours = pair[0];
	/* dup2 onto itself would leave close-on-exec set, so it must not be CHILD_SOCKET by chance. */
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, CHILD_SOCKET + 1);
	close(pair[1]);
	if (theirs < 0)
		return err_sys(e, "socket pair for the hand");
	if (start(program, argv, theirs, &ret->pid, e) < 0)
		return -1;
	ret->fd = TAKE_FD(ours);
	return 0;
}

int hand_child_wait(pid_t pid, int64_t timeout_ms, int *ret_status, struct err *e)
{
	int64_t end_ms = clock_mono_ms(clock_system()) + timeout_ms;

	for (;;) {
		pid_t got = waitpid(pid, ret_status, WNOHANG);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return err_sys(e, "wait for the hand");
		if (clock_mono_ms(clock_system()) >= end_ms)
			return err_set(e, ERR_TIMEOUT, "the hand has not ended");
		poll(NULL, 0, 5);
	}
}

int hand_connect(const char *path, int *ret_fd, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;

	if (text_copy(a.sun_path, sizeof(a.sun_path), path) < 0)
		return err_set(e, ERR_INVALID, "the path of the hand's socket is too long");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, "connect to the hand at %s", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
