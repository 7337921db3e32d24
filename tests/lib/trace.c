/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/trace.h"

#include "base/defs.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <cmocka.h>

#ifdef __x86_64__

bool trace_possible(void)
{
	return true;
}

struct tracee {
	pid_t pid;
	struct user_regs_struct regs;
	bool
	    short_next; /* TRACE_SHORT: the next read or write does one byte; else it is interrupted */
	bool fails;     /* the call under way was replaced */
	int error;
};

static long call_number(struct tracee *c)
{
	assert_int_equal(ptrace(PTRACE_GETREGS, c->pid, NULL, &c->regs), 0);
	return (long)c->regs.orig_rax;
}

static void write_back(struct tracee *c)
{
	assert_int_equal(ptrace(PTRACE_SETREGS, c->pid, NULL, &c->regs), 0);
}

/* Number -1: the kernel does nothing, and the answer is put in at the exit. */
static void make_fail(struct tracee *c, int error)
{
	c->regs.orig_rax = (unsigned long long)-1;
	write_back(c);
	c->fails = true;
	c->error = error;
}

static void make_short(struct tracee *c, long nr)
{
	if (nr != SYS_read && nr != SYS_write)
		return;
	if (!c->short_next) {
		make_fail(c, EINTR);
	} else if (c->regs.rdx > 1) {
		c->regs.rdx = 1;
		write_back(c);
	}
	c->short_next = !c->short_next;
}

static void on_entry(struct tracee *c, const struct trace *t, struct trace_result *ret)
{
	long nr = call_number(c);
	unsigned number;

	if (t->wanted && !t->wanted(nr))
		return;
	number = ret->count++;
	if (t->act == TRACE_SHORT)
		make_short(c, nr);
	if (number != t->at && !(t->lasting && number > t->at))
		return;
	if (t->act != TRACE_SHORT && t->act != TRACE_NOTHING)
		ret->nr = nr;
	if (t->act == TRACE_KILL)
		kill(c->pid, SIGKILL);
	else if (t->act == TRACE_ERROR)
		make_fail(c, t->error);
	else if (t->act == TRACE_MEANWHILE)
		t->meanwhile();
}

static void on_exit_of_call(struct tracee *c)
{
	if (!c->fails)
		return;
	(void)call_number(c);
	c->regs.rax = (unsigned long long)-(long long)c->error;
	write_back(c);
	c->fails = false;
}

static void follow(struct tracee *c, const struct trace *t, struct trace_result *ret)
{
	bool inside = false;
	int status;

	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, c->pid, NULL, NULL), 0);
		assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
		if (!WIFSTOPPED(status))
			break;
		assert_int_equal(WSTOPSIG(status), SIGTRAP | 0x80);
		inside = !inside;
		if (inside)
			on_entry(c, t, ret);
		else
			on_exit_of_call(c);
		if (ret->nr >= 0 && t->act == TRACE_KILL) {
			assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
			break;
		}
	}
	ret->killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	assert_true(ret->killed || WIFEXITED(status));
	ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void trace_run(int (*fn)(void *arg), void *arg, const struct trace *t, struct trace_result *ret)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	struct tracee c = {.pid = fork()};
	int status;

	*ret = (struct trace_result){.nr = -1};
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
			_exit(126);
		_exit(fn(arg));
	}
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(syscall(SYS_ptrace, PTRACE_SETOPTIONS, c.pid, 0L, options), 0);
	follow(&c, t, ret);
}

static bool is_one_of(long nr, const long *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (calls[i] == nr)
			return true;
	return false;
}

bool trace_is_name_call(long nr)
{
	static const long calls[] = {
	    SYS_open,       SYS_openat,   SYS_openat2,   SYS_mkdirat,  SYS_newfstatat,
	    SYS_symlinkat,  SYS_renameat, SYS_renameat2, SYS_unlinkat, SYS_readlink,
	    SYS_readlinkat, SYS_rename,   SYS_mkdir,     SYS_unlink,   SYS_statx,
	};

	return is_one_of(nr, calls, ARRAY_LEN(calls));
}

bool trace_is_file_call(long nr)
{
	static const long calls[] = {
	    SYS_read,       SYS_write,  SYS_close,  SYS_fstat, SYS_fstatfs,
	    SYS_getdents64, SYS_fchown, SYS_fchmod, SYS_fsync, SYS_fcntl,
	};

	return trace_is_name_call(nr) || is_one_of(nr, calls, ARRAY_LEN(calls));
}

#else

bool trace_possible(void)
{
	return false;
}

void trace_run(int (*fn)(void *arg), void *arg, const struct trace *t, struct trace_result *ret)
{
	(void)t;
	*ret = (struct trace_result){.nr = -1, .code = fn(arg)};
}

bool trace_is_file_call(long nr)
{
	return nr >= 0;
}

bool trace_is_name_call(long nr)
{
	return nr >= 0;
}

#endif
