/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is left to the hand. */
#include "sandbox/sandbox.h"

#include "tests/lib/confined.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define HEAD_UID 27100
#define CAP_BIT(n) (UINT64_C(1) << (n))
#define FILE_CAPS (CAP_BIT(0) | CAP_BIT(1) | CAP_BIT(3)) /* CHOWN, DAC_OVERRIDE, FOWNER */

static void set_ambient(int cap, bool on)
{
	CHECK(prctl(PR_CAP_AMBIENT, on ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER, cap, 0, 0) ==
	      0);
}

static void enter_hand(bool may_chown, bool may_kill, const int *writes, size_t count)
{
	struct sandbox_hand options = {
	    .chown = may_chown, .kill = may_kill, .write_fds = writes, .writes = count};
	struct sandbox_report report;
	struct err e;

	if (sandbox_begin(count ? writes[0] : -1, &e) < 0 ||
	    sandbox_hand(&options, &report, &e) < 0)
		say(e.message);
	CHECK(report.seccomp);
}

static void hand_caps_only(void *arg _unused_)
{
	struct err e;

	enter_hand(true, true, NULL, 0);
	CHECK(effective_caps() == (FILE_CAPS | CAP_BIT(5)));
	CHECK(sandbox_hand_child(true, false, &e) == 0);
	CHECK(effective_caps() == FILE_CAPS);
	CHECK(sandbox_hand_child(true, true, &e) == 0);
	CHECK(effective_caps() == FILE_CAPS); /* what is gone stays away */
	CHECK(sandbox_hand_child(false, false, &e) == 0);
	CHECK(effective_caps() == 0);
}

static void hand_of_another_user(void *arg _unused_)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	static const int caps[] = {CAP_CHOWN, CAP_FOWNER, CAP_DAC_OVERRIDE};

	CHECK(sandbox_hand_is_able());
	CHECK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
	CHECK(setresuid(HEAD_UID, HEAD_UID, HEAD_UID) == 0);
	CHECK(!sandbox_hand_is_able());
	CHECK(syscall(SYS_capget, &header, data) == 0);
	for (size_t i = 0; i < ARRAY_LEN(caps); i++)
		data[0].inheritable |= 1u << caps[i];
	CHECK(syscall(SYS_capset, &header, data) == 0);
	for (size_t i = 0; i < ARRAY_LEN(caps); i++)
		set_ambient(caps[i], true);
	CHECK(sandbox_hand_is_able());
	set_ambient(CAP_FOWNER, false);
	CHECK(!sandbox_hand_is_able());
}

static void hand_is_able_as_root_or_by_ambient_capabilities(void **state)
{
	(void)state;
	in_child(hand_of_another_user, NULL);
}

static void hand_keeps_its_capabilities_only(void **state)
{
	(void)state;
	in_child(hand_caps_only, NULL);
}

static void hand_refusals(void *arg)
{
	const int *dir = arg;
	char *const argv[] = {(char[]){"true"}, NULL};
	pid_t pid;
	int status;

	enter_hand(true, true, dir, 1);
	REFUSED(socket(AF_INET, SOCK_STREAM, 0));
	REFUSED(socket(AF_INET6, SOCK_DGRAM, 0));
	REFUSED(socket(AF_NETLINK, SOCK_RAW, 0));
	REFUSED(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0}));
	REFUSED(execve("/bin/true", argv, NULL));
	REFUSED(mount("x", "/tmp", "tmpfs", 0, NULL));
	REFUSED(unshare(CLONE_NEWNS));
	REFUSED(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	REFUSED(kill(getppid(), SIGHUP));
	REFUSED(chroot("/"));
	REFUSED(mknodat(*dir, "node", S_IFIFO | 0600, 0));
	REFUSED(setresuid(1, 1, 1));
	if (has_landlock()) {
		REFUSED(open("/etc/passwd", O_RDONLY));
		REFUSED(open("/proc/1/environ", O_RDONLY));
		REFUSED(mkdirat(AT_FDCWD, "/tmp/elsewhere", 0700));
	}
	CHECK(mkdirat(*dir, "d", 0700) == 0);
	CHECK(fchownat(*dir, "d", 1234, 1234, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(symlinkat("x", *dir, "l") == 0);
	CHECK(unlinkat(*dir, "l", 0) == 0 && unlinkat(*dir, "d", AT_REMOVEDIR) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, (int[2]){0}) == 0);
	CHECK(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING) >= 0);
	pid = fork();
	if (pid == 0)
		_exit(7);
	CHECK(pid > 0);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
}

static void hand_reaches_its_directories_and_no_network(void **state)
{
	char root[] = "/tmp/sandbox-XXXXXX";
	int dir;

	(void)state;
	assert_non_null(mkdtemp(root));
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	in_child(hand_refusals, &dir);
	close(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hand_is_able_as_root_or_by_ambient_capabilities),
	    cmocka_unit_test(hand_keeps_its_capabilities_only),
	    cmocka_unit_test(hand_reaches_its_directories_and_no_network),
	};

	if (confined_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("sandbox/sandbox", tests, NULL, NULL);
}
