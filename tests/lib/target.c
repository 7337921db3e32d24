/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/target.h"

#include "base/defs.h"
#include "tests/lib/cgroups.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ANSWER_MS 10000

static volatile sig_atomic_t hits;

static void on_signal(int signal _unused_)
{
	hits++;
}

/* fork() that can choose the pid, and a pid namespace. */
static pid_t start(const struct target_plan *plan)
{
	pid_t pid = plan->pid;
	struct clone_args args = {
	    .flags = plan->own_pid_namespace ? CLONE_NEWPID : 0,
	    .exit_signal = SIGCHLD,
	    .set_tid = pid ? (uint64_t)(uintptr_t)&pid : 0,
	    .set_tid_size = pid ? 1 : 0,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Answers each byte with what was counted; ends when the test does. */
static _Noreturn void serve(int control)
{
	char ask;

	if (write(control, &(int){0}, sizeof(int)) != sizeof(int))
		_exit(1);
	for (;;) {
		ssize_t n = read(control, &ask, 1);
		int count = hits;

		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1 || write(control, &count, sizeof(count)) != sizeof(count))
			_exit(0);
	}
}

static void become(const char *comm, const char *cgroup)
{
	if (cgroup && !test_cgroup_write(cgroup, "cgroup.procs", "0"))
		_exit(1);
	prctl(PR_SET_NAME, comm);
}

static _Noreturn void run(const struct target_plan *plan, const int *controls)
{
	static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2};
	struct sigaction action = {.sa_handler = plan->handler ? on_signal : SIG_DFL,
				   .sa_flags = SA_RESTART};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	hits = 0;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &action, NULL);
	become(plan->comm, plan->cgroup);
	for (unsigned i = 1; i <= plan->workers && i <= TARGET_WORKERS; i++) {
		pid_t worker = _Fork();

		if (worker < 0)
			_exit(1);
		if (worker == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			become(plan->worker_comm, plan->worker_cgroup);
			serve(controls[i]);
		}
	}
	serve(controls[0]);
}

static bool answer(int control, int *ret)
{
	struct pollfd p = {.fd = control, .events = POLLIN};

	return poll(&p, 1, ANSWER_MS) == 1 && read(control, ret, sizeof(*ret)) == sizeof(*ret);
}

bool target_start(struct target *t, const struct target_plan *plan)
{
	int theirs[1 + TARGET_WORKERS] = {0};
	bool ready = true;

	*t = (struct target){.count = 1 + plan->workers};
	for (unsigned i = 0; i < t->count; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		t->control[i] = pair[0];
		theirs[i] = pair[1];
	}
	t->pid = start(plan);
	if (t->pid == 0) {
		for (unsigned i = 0; i < t->count; i++)
			close(t->control[i]);
		run(plan, theirs);
	}
	for (unsigned i = 0; i < t->count; i++) {
		int none;

		close(theirs[i]);
		ready = ready && t->pid > 0 && answer(t->control[i], &none);
	}
	if (!ready)
		target_stop(t);
	return ready;
}

int target_hits(const struct target *t, unsigned index)
{
	int count;

	if (write(t->control[index], "?", 1) != 1 || !answer(t->control[index], &count))
		return -1;
	return count;
}

void target_stop(struct target *t)
{
	for (unsigned i = 0; i < t->count; i++)
		closep(&t->control[i]);
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
	*t = (struct target){0};
}
