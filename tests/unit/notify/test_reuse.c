/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The pid that was chosen becomes another process's before the signal is sent: at every system call
 * of process_signal in turn, by a tracer; and in a storm of forks where pids are short.
 */
#include "tests/unit/notify/scene.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define TRACE_MAX 2000 /* system calls of one process_signal, far above what it makes */

static const struct target_plan nginx = {.comm = "nginx", .handler = true};

/* Calls process_signal under the eyes of its parent; its exit status is the result. */
static _Noreturn void be_traced(struct scene *s)
{
	const struct process_query q = query_for("nginx");
	enum signal_result result;
	struct process p;
	struct err e;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(100);
	raise(SIGSTOP);
	if (process_signal(&s->host, &q, SIGHUP, &p, &result, &e) < 0) {
		fprintf(stderr, "%s\n", e.message);
		_exit(101);
	}
	_exit((int)result);
}

static bool next_stop(pid_t pid, int *status)
{
	return ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 && waitpid(pid, status, 0) == pid &&
	       WIFSTOPPED(*status);
}

/* Starts it and stops it at the entry of its n-th system call. Returns 0 when it made fewer. */
static pid_t trace_to(struct scene *s, int n, int *status)
{
	pid_t pid = fork();

	if (pid == 0)
		be_traced(s);
	assert_int_equal(waitpid(pid, status, 0), pid);
	assert_true(WIFSTOPPED(*status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL), 0);
	if (!next_stop(pid, status))
		return 0;
	for (int stop = 0; stop < 2 * n; stop++)
		if (!next_stop(pid, status))
			return 0;
	return pid;
}

static enum signal_result run_to_end(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, SIGNAL_RESULTS - 1);
	return (enum signal_result)WEXITSTATUS(status);
}

/* What takes the place of the target at the n-th call: where, and with the same pid or any. */
struct swap {
	const char *group;
	bool same_pid;
	void (*check)(const struct target *after, enum signal_result result);
};

/* Returns false when process_signal makes fewer calls. *ret_swapped: the pid could be had. */
static bool swap_at(const struct swap *swap, int n, bool *ret_swapped)
{
	struct target before;
	struct target after = {0};
	struct target_plan plan = nginx;
	struct scene s;
	int status;
	pid_t pid;

	scene_open(&s, "");
	scene_start(&s, &before, GROUP_A, nginx);
	pid = trace_to(&s, n, &status);
	if (pid) {
		plan.pid = swap->same_pid ? before.pid : 0;
		plan.cgroup = test_cgroup_make(&s.groups, swap->group);
		target_stop(&before);
		*ret_swapped = target_start(&after, &plan);
		if (*ret_swapped)
			swap->check(&after, run_to_end(pid));
		else
			run_to_end(pid);
	} else {
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), SIGNAL_SENT);
		target_stop(&before);
	}
	target_stop(&after);
	scene_close(&s);
	return pid != 0;
}

static void swap_at_every_call(const struct swap *swap)
{
	int swaps = 0;
	int n = 0;
	bool swapped;

	while (n < TRACE_MAX && swap_at(swap, n, &swapped)) {
		swaps += swapped;
		n++;
	}
	assert_in_range(n, 20, TRACE_MAX - 1);
	assert_true(swaps > n / 2); /* outside a pid namespace somebody may take the pid */
}

static void check_innocent(const struct target *after, enum signal_result result)
{
	assert_int_equal(target_hits(after, 0), 0);
	assert_int_not_equal(result, SIGNAL_NO_HANDLER);
}

static void E9_reused_pid_is_not_signalled_at_any_system_call(void **state _unused_)
{
	swap_at_every_call(&(struct swap){GROUP_B, true, check_innocent});
}

static void check_restarted(const struct target *after, enum signal_result result)
{
	assert_true(target_hits(after, 0) <= 1);
	assert_int_equal(result, SIGNAL_SENT);
}

static void E9_restarted_container_process_is_found_again_at_any_system_call(void **state _unused_)
{
	swap_at_every_call(&(struct swap){GROUP_A, false, check_restarted});
}

/* The storm. */

#define STORM_PID_MAX 348 /* pids from 300 to here are in use again and again */
#define STORM_FORKERS 6

struct storm {
	atomic_uint right;
	atomic_uint wrong;
	atomic_uint forks;
};
static struct storm *storm;

static void on_right(int signal _unused_)
{
	storm->right++;
}

static void on_wrong(int signal _unused_)
{
	storm->wrong++;
}

/* Forks processes that live for a moment, all named nginx and with a handler; in a group. */
static _Noreturn void fork_for_ever(const char *group, bool enter_each, void (*handler)(int))
{
	const struct timespec moment = {.tv_nsec = 200000};

	signal(SIGHUP, handler);
	prctl(PR_SET_NAME, "nginx");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!enter_each && !test_cgroup_write(group, "cgroup.procs", "0"))
		_exit(1);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			if (enter_each && !test_cgroup_write(group, "cgroup.procs", "0"))
				_exit(1);
			nanosleep(&moment, NULL);
			_exit(0);
		}
		storm->forks++;
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static bool narrow_pids(void)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", STORM_PID_MAX);
	int fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, (size_t)n) == n;

	close(fd);
	return done;
}

/* Runs as the first process of a pid namespace; all in it ends with it. */
static _Noreturn void be_in_the_storm(struct scene *s, const char *a, const char *b, long tries)
{
	const struct process_query q = query_for("");
	unsigned results[SIGNAL_RESULTS] = {0};
	struct notify_host host;
	struct err e;

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0 || !narrow_pids() ||
	    notify_host_open(s->groups.root, "/proc", &host, &e) < 0)
		_exit(1);
	for (int i = 0; i < STORM_FORKERS; i++)
		if (fork() == 0)
			fork_for_ever(i % 3 ? b : a, i % 3 == 0, i % 3 ? on_wrong : on_right);
	/* On a busy machine it takes more tries until the pids have been used again and again. */
	for (long i = 0; i < tries || storm->forks <= 2 * STORM_PID_MAX || !storm->right; i++) {
		enum signal_result result;
		struct process p;

		if (process_signal(&host, &q, SIGHUP, &p, &result, &e) < 0) {
			fprintf(stderr, "%s\n", e.message);
			_exit(2);
		}
		results[result]++;
	}
	fprintf(stderr, "storm: %u sent, %u gone, %u without process, %u of no handler, %u forks\n",
		results[SIGNAL_SENT], results[SIGNAL_GONE], results[SIGNAL_NO_PROCESS],
		results[SIGNAL_NO_HANDLER], storm->forks);
	_exit(results[SIGNAL_SENT] ? 0 : 3);
}

/* Before 6.14 pid_max was the whole machine's: not ours to change. */
static bool pid_max_is_of_the_namespace(void)
{
	struct utsname u;
	long major;
	long minor;
	char *end;

	uname(&u);
	major = strtol(u.release, &end, 10);
	minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	return major > 6 || (major == 6 && minor >= 14);
}

static void E9_fork_storm_with_few_pids_hits_nobody_else(void **state _unused_)
{
	long tries = getenv("CERTHUP_SOAK") ? 100000 : 2000;
	char a[2 * PATH_MAX];
	char b[2 * PATH_MAX];
	struct scene s;
	int status;
	pid_t pid;

	if (!pid_max_is_of_the_namespace()) {
		fprintf(stderr, "SKIP: pid_max belongs to the whole machine before Linux 6.14\n");
		skip();
	}
	scene_open(&s, "");
	snprintf(a, sizeof(a), "%s", test_cgroup_make(&s.groups, GROUP_A));
	snprintf(b, sizeof(b), "%s", test_cgroup_make(&s.groups, GROUP_B));
	storm =
	    mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(storm, MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		pid_t init = unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 ? -1 : fork();

		if (init == 0)
			be_in_the_storm(&s, a, b, tries);
		waitpid(init, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(storm->wrong, 0);
	munmap(storm, sizeof(*storm));
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(E9_reused_pid_is_not_signalled_at_any_system_call),
	    cmocka_unit_test(E9_restarted_container_process_is_found_again_at_any_system_call),
	    cmocka_unit_test(E9_fork_storm_with_few_pids_hits_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
