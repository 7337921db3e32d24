/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "sandbox/sandbox.h"

#include "tests/lib/confined.h"
#include "tests/lib/old_kernel.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#define HEAD_UID 27100

static void enter_head(const char *const *read_paths, const char *const *write_paths)
{
	struct sandbox_head options = {
	    .read_paths = read_paths, .write_paths = write_paths, .uid = HEAD_UID, .gid = HEAD_UID};
	struct sandbox_report report;
	struct err e;

	if (sandbox_begin(-1, &e) < 0 || sandbox_head(&options, &report, &e) < 0)
		say(e.message);
	CHECK(report.seccomp);
}

static void begin(void *arg)
{
	int *keep = arg;
	struct rlimit core;
	struct err e;
	int other = open("/", O_RDONLY);

	CHECK(other > 2);
	close(0);
	CHECK(sandbox_begin(*keep, &e) == 0);
	CHECK(fcntl(*keep, F_GETFD) >= 0);
	CHECK(fcntl(other, F_GETFD) < 0);
	CHECK(fcntl(0, F_GETFD) >= 0);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0);
	CHECK(umask(0) == 077);
}

static void begin_leaves_nothing_inherited_and_no_core(void **state)
{
	int keep = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	keep = fcntl(keep, F_DUPFD_CLOEXEC, 20);
	in_child(begin, &keep);
	close(keep);
}

static void no_privilege(void *arg _unused_)
{
	static const char *const fields[] = {"CapEff:\t", "CapPrm:\t", "CapInh:\t", "CapBnd:\t",
					     "CapAmb:\t"};
	char text[128];

	enter_head(NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		read_status(fields[i], text, sizeof(text));
		CHECK(strcmp(text, "0000000000000000\n") == 0);
	}
	CHECK(getuid() == HEAD_UID && geteuid() == HEAD_UID && getgid() == HEAD_UID);
	read_status("Seccomp:\t", text, sizeof(text));
	CHECK(text[0] == '2');
	read_status("Groups:", text, sizeof(text));
	CHECK(strspn(text, " \t\n") == strlen(text));
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static void head_has_no_privilege(void **state)
{
	(void)state;
	in_child(no_privilege, NULL);
}

/* A process of the head's own uid, as hostPID makes them meet: it is dumpable and holds a secret. */
struct neighbour {
	pid_t pid;
	char *secret;
};

static pid_t start_neighbour(void)
{
	int pipes[2];
	char ready;
	pid_t pid;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (setresgid(HEAD_UID, HEAD_UID, HEAD_UID) < 0 ||
		    setresuid(HEAD_UID, HEAD_UID, HEAD_UID) < 0)
			_exit(1);
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)!write(pipes[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &ready, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	return pid;
}

static void beside(void *arg)
{
	const struct neighbour *n = arg;
	char bytes[16] = "";
	struct iovec ours = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct iovec theirs = {.iov_base = n->secret, .iov_len = sizeof(bytes)};
	static const char *const files[] = {"mem", "maps",   "environ", "root/etc/passwd",
					    "fd",  "status", "cmdline"};
	char path[64];

	enter_head(NULL, NULL);
	CHECK(strcmp(n->secret, "the key") == 0); /* our own copy of the page */
	for (int sig = 0; sig <= SIGUSR2; sig++)
		REFUSED(kill(n->pid, sig));
	REFUSED(kill(-1, SIGTERM));
	REFUSED(syscall(SYS_tkill, n->pid, SIGTERM));
	REFUSED(syscall(SYS_tgkill, n->pid, n->pid, SIGTERM));
	REFUSED(syscall(SYS_rt_sigqueueinfo, n->pid, SIGTERM, NULL));
	REFUSED(syscall(SYS_pidfd_open, n->pid, 0));
	REFUSED(syscall(SYS_pidfd_send_signal, 0, SIGTERM, NULL, 0));
	REFUSED(syscall(SYS_pidfd_getfd, 0, 0, 0));
	REFUSED(ptrace(PTRACE_ATTACH, n->pid, NULL, NULL));
	REFUSED(ptrace(PTRACE_SEIZE, n->pid, NULL, NULL));
	REFUSED(process_vm_readv(n->pid, &ours, 1, &theirs, 1, 0));
	REFUSED(process_vm_writev(n->pid, &ours, 1, &theirs, 1, 0));
	REFUSED(syscall(SYS_process_madvise, 0, &theirs, 1, MADV_COLD, 0));
	REFUSED(syscall(SYS_kcmp, getpid(), n->pid, 0, 0, 0));
	REFUSED(syscall(SYS_prlimit64, n->pid, RLIMIT_NOFILE, NULL, NULL));
	REFUSED(setpriority(PRIO_PROCESS, (id_t)n->pid, 19));
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", n->pid, files[i]);
		REFUSED(open(path, O_RDONLY));
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", n->pid);
	REFUSED(open(path, O_RDWR));
}

static void E20_captured_head_reads_and_signals_no_process_of_its_own_uid(void **state)
{
	struct neighbour n = {
	    .secret = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
	int status;

	(void)state;
	memcpy(n.secret, "the key", 8);
	n.pid = start_neighbour();
	in_child(beside, &n);
	assert_int_equal(waitpid(n.pid, &status, WNOHANG), 0); /* it lives, and was not stopped */
	kill(n.pid, SIGKILL);
	waitpid(n.pid, NULL, 0);
	munmap(n.secret, 4096);
}

static void no_way_out(void *arg _unused_)
{
	char *const argv[] = {(char[]){"true"}, NULL};
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	enter_head(NULL, NULL);
	REFUSED(execve("/bin/true", argv, NULL));
	REFUSED(syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, NULL, 0));
	REFUSED(mount("x", "/tmp", "tmpfs", 0, NULL));
	REFUSED(umount2("/tmp", 0));
	REFUSED(unshare(CLONE_NEWUSER));
	REFUSED(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0));
	REFUSED(setns(0, 0));
	REFUSED(chroot("/"));
	REFUSED(syscall(SYS_bpf, 0, NULL, 0));
	REFUSED(syscall(SYS_io_uring_setup, 1, NULL));
	REFUSED(syscall(SYS_userfaultfd, 0));
	REFUSED(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
	REFUSED(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	REFUSED(socket(AF_NETLINK, SOCK_RAW, 0));
	REFUSED(socket(AF_PACKET, SOCK_RAW, 0));
	REFUSED(setresuid(0, 0, 0));
#ifndef __SANITIZE_ADDRESS__
	REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC));
	REFUSED(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
#endif
	CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	CHECK(socket(AF_UNIX, SOCK_SEQPACKET, 0) >= 0);
}

static void head_cannot_start_mount_or_become_anything(void **state)
{
	(void)state;
	in_child(no_way_out, NULL);
}

struct places {
	char in[64], out[64], sockets[64];
};

static void paths(void *arg)
{
	const struct places *p = arg;
	const char *const reads[] = {p->in, "/nowhere", NULL};
	const char *const writes[] = {p->sockets, NULL};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char path[96];
	int fd;

	enter_head(reads, writes);
	snprintf(path, sizeof(path), "%s/token", p->in);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	REFUSED(open(path, O_WRONLY));
	snprintf(path, sizeof(path), "%s/token", p->out);
	REFUSED(open(path, O_RDONLY));
	REFUSED(open("/etc/passwd", O_RDONLY));
	REFUSED(open("/proc/1/status", O_RDONLY));
	REFUSED(open("/proc", O_RDONLY | O_DIRECTORY));
	CHECK(open("/proc/self/status", O_RDONLY) >= 0);
	REFUSED(open("/sys", O_RDONLY | O_DIRECTORY));
	snprintf(path, sizeof(path), "%s/../out", p->in);
	REFUSED(open(path, O_RDONLY | O_DIRECTORY));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/status.sock", p->sockets);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(fd >= 0);
	CHECK(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(unlink(a.sun_path) == 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/status.sock", p->out);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(fd >= 0);
	REFUSED(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

static void head_opens_only_its_own_paths(void **state)
{
	char root[] = "/tmp/sandbox-XXXXXX";
	struct places p;
	char path[96];
	int fd;

	(void)state;
	if (!has_landlock()) {
		fprintf(stderr, "SKIP: the kernel has no Landlock\n");
		skip();
	}
	assert_non_null(mkdtemp(root));
	assert_int_equal(chmod(root, 0755), 0);
	snprintf(p.in, sizeof(p.in), "%s/in", root);
	snprintf(p.out, sizeof(p.out), "%s/out", root);
	snprintf(p.sockets, sizeof(p.sockets), "%s/sockets", root);
	for (int i = 0; i < 3; i++) {
		const char *dir = i == 0 ? p.in : i == 1 ? p.out : p.sockets;

		assert_int_equal(mkdir(dir, 0777), 0);
		assert_int_equal(chmod(dir, 0777), 0);
		snprintf(path, sizeof(path), "%s/token", dir);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
		assert_int_equal(fchmod(fd, 0666), 0);
		close(fd);
	}
	in_child(paths, &p);
}

static void die_by_abort(void *arg _unused_)
{
	enter_head(NULL, NULL);
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void abort_still_works(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		die_by_abort(NULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_false(WCOREDUMP(status));
}

static void without_both(void *arg _unused_)
{
	struct sandbox_head head = {.uid = HEAD_UID, .gid = HEAD_UID};
	struct sandbox_hand hand = {.chown = true};
	struct sandbox_report report;
	struct err e;

	CHECK(old_kernel_become() == 0);
	if (sandbox_hand(&hand, &report, &e) < 0)
		say(e.message);
	CHECK(!report.seccomp && !report.landlock && report.landlock_abi == 0);
	/* SETUID went with the hand's capabilities; the head of another start has it. */
	head.uid = head.gid = -1;
	CHECK(sandbox_head(&head, &report, &e) == 0);
	CHECK(!report.seccomp && !report.landlock);
	CHECK(effective_caps() == 0);
}

static void F9_missing_seccomp_and_landlock_are_reported_and_not_fatal(void **state)
{
	(void)state;
	in_child(without_both, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(begin_leaves_nothing_inherited_and_no_core),
	    cmocka_unit_test(head_has_no_privilege),
	    cmocka_unit_test(E20_captured_head_reads_and_signals_no_process_of_its_own_uid),
	    cmocka_unit_test(head_cannot_start_mount_or_become_anything),
	    cmocka_unit_test(head_opens_only_its_own_paths),
	    cmocka_unit_test(abort_still_works),
	    cmocka_unit_test(F9_missing_seccomp_and_landlock_are_reported_and_not_fatal),
	};

	if (confined_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("sandbox/sandbox", tests, NULL, NULL);
}
