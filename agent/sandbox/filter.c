/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "sandbox/internal.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Everything that is not named gets EPERM; what glibc tries first and can do without, ENOSYS. */

#define CALL(name) SCMP_SYS(name)

/* Memory, time, itself. mmap, mprotect, clone, prctl and tgkill have rules of their own below. */
static const int common[] = {
    CALL(brk),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(mlock),
    CALL(mlock2),
    CALL(munlock),
    CALL(futex),
    CALL(rseq),
    CALL(set_robust_list),
    CALL(set_tid_address),
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(gettimeofday),
    CALL(time),
    CALL(nanosleep),
    CALL(clock_nanosleep),
    CALL(restart_syscall),
    CALL(getrandom),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(getpid),
    CALL(gettid),
    CALL(getppid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(uname),
    CALL(sysinfo),
    CALL(getrusage),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(sigaltstack),
    CALL(exit),
    CALL(exit_group),
    CALL(wait4),
    CALL(waitid),
    CALL(getcpu),
};

/* Descriptors, and files that were allowed by Landlock or mode. */
static const int files[] = {
    CALL(read),      CALL(write),        CALL(readv),       CALL(writev),      CALL(pread64),
    CALL(pwrite64),  CALL(close),        CALL(close_range), CALL(dup),         CALL(dup2),
    CALL(dup3),      CALL(fcntl),        CALL(openat),      CALL(open),        CALL(openat2),
    CALL(fstat),     CALL(stat),         CALL(lstat),       CALL(newfstatat),  CALL(statx),
    CALL(access),    CALL(faccessat),    CALL(faccessat2),  CALL(lseek),       CALL(getdents64),
    CALL(readlink),  CALL(readlinkat),   CALL(fstatfs),     CALL(ftruncate),   CALL(fsync),
    CALL(fdatasync), CALL(unlink),       CALL(unlinkat),    CALL(rename),      CALL(renameat),
    CALL(renameat2), CALL(memfd_create), CALL(fchmod),      CALL(fchmodat),    CALL(chmod),
    CALL(poll),      CALL(ppoll),        CALL(select),      CALL(pselect6),    CALL(sendmsg),
    CALL(recvmsg),   CALL(accept4),      CALL(getsockopt),  CALL(getsockname), CALL(shutdown),
    CALL(pipe2),
};

/* The world's side: sockets and a loop. */
static const int head_only[] = {
    CALL(bind),           CALL(listen),          CALL(connect),
    CALL(accept),         CALL(setsockopt),      CALL(getpeername),
    CALL(sendto),         CALL(recvfrom),        CALL(sendmmsg),
    CALL(recvmmsg),       CALL(eventfd2),        CALL(epoll_create1),
    CALL(epoll_ctl),      CALL(epoll_wait),      CALL(epoll_pwait),
    CALL(timerfd_create), CALL(timerfd_settime), CALL(signalfd4),
    CALL(umask),          CALL(mkdir),           CALL(mkdirat),
};

/* The pods' side: writing a volume, watching it, looking at processes and signalling one. */
static const int hand_only[] = {
    CALL(mkdirat),          CALL(symlinkat),
    CALL(fchown),           CALL(fchownat),
    CALL(utimensat),        CALL(syncfs),
    CALL(statfs),           CALL(inotify_init),
    CALL(inotify_init1),    CALL(inotify_add_watch),
    CALL(inotify_rm_watch), CALL(signalfd4),
    CALL(pidfd_open),       CALL(pidfd_send_signal),
    CALL(capget),           CALL(capset),
};

#ifdef __SANITIZE_ADDRESS__
#define EXEC_ALLOWED 0
/* What the sanitizers' run time does while it works and reports. */
static const int sanitizer[] = {CALL(sched_getparam), CALL(getrlimit), CALL(personality)};
static bool filtered;
int __lsan_is_turned_off(void);
/* The leak check at exit stops the process by ptrace, which no filter here allows. */
int __lsan_is_turned_off(void)
{
	return filtered;
}
#else
#define EXEC_ALLOWED PROT_EXEC
#endif

static int allow(scmp_filter_ctx ctx, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);

		if (r < 0 && r != -EDOM) /* EDOM: not on this architecture */
			return r;
	}
	return 0;
}

/* The call, where argument n under mask is value. */
static int allow_if(scmp_filter_ctx ctx, int call, unsigned n, uint64_t mask, uint64_t value)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
				SCMP_CMP(n, SCMP_CMP_MASKED_EQ, mask, value));
}

#define ALL_BITS UINT64_MAX
#define LOW_BITS UINT32_MAX
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWCGROUP)

static int allow_common(scmp_filter_ctx ctx)
{
	static const int prctls[] = {PR_SET_NAME, PR_SET_PDEATHSIG, PR_GET_DUMPABLE,
				     0x53564d41 /* PR_SET_VMA */};
	static const unsigned long ioctls[] = {FIONREAD, FIONBIO, TCGETS};
	int r = allow(ctx, common, ARRAY_LEN(common));

	r = r ? r : allow(ctx, files, ARRAY_LEN(files));
	/* Nothing becomes code any more. */
	r = r ? r : allow_if(ctx, CALL(mmap), 2, EXEC_ALLOWED, 0);
	r = r ? r : allow_if(ctx, CALL(mprotect), 2, EXEC_ALLOWED, 0);
	r = r ? r : allow_if(ctx, CALL(clone), 0, NEW_NAMESPACES, 0);
	/* abort() signals its own thread. */
	r = r ? r : allow_if(ctx, CALL(tgkill), 0, ALL_BITS, (uint64_t)getpid());
	/* Reads its own limits, and sets none. */
	r = r ? r
	      : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(prlimit64), 2,
				 SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW_BITS, 0),
				 SCMP_CMP(2, SCMP_CMP_EQ, 0));
	for (size_t i = 0; !r && i < ARRAY_LEN(prctls); i++)
		r = allow_if(ctx, CALL(prctl), 0, LOW_BITS, (uint64_t)prctls[i]);
	for (size_t i = 0; !r && i < ARRAY_LEN(ioctls); i++)
		r = allow_if(ctx, CALL(ioctl), 1, LOW_BITS, ioctls[i]);
	r = r ? r : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
#ifdef __SANITIZE_ADDRESS__
	r = r ? r : allow(ctx, sanitizer, ARRAY_LEN(sanitizer));
	filtered = true;
#endif
	return r;
}

static int allow_head(scmp_filter_ctx ctx)
{
	static const int domains[] = {AF_UNIX, AF_INET, AF_INET6};
	int r = allow(ctx, head_only, ARRAY_LEN(head_only));

	for (size_t i = 0; !r && i < ARRAY_LEN(domains); i++)
		r = allow_if(ctx, CALL(socket), 0, LOW_BITS, (uint64_t)domains[i]);
	return r ? r : allow_if(ctx, CALL(socketpair), 0, LOW_BITS, AF_UNIX);
}

static int allow_hand(scmp_filter_ctx ctx)
{
	int r = allow(ctx, hand_only, ARRAY_LEN(hand_only));

	return r ? r : allow_if(ctx, CALL(socketpair), 0, LOW_BITS, AF_UNIX);
}

static int load(int (*own)(scmp_filter_ctx ctx), bool *ret_on, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	*ret_on = false;
	if (!ctx)
		return err_set(e, ERR_EXHAUSTED, "could not make a seccomp filter");
	/* The errno of the kernel itself, so that a kernel without filters can be told. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	r = r ? r : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = r ? r : allow_common(ctx);
	r = r ? r : own(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	if (r == -ENOSYS || r == -EINVAL)
		return 0;
	if (r < 0)
		return err_sys_num(e, -r, "load the seccomp filter");
	*ret_on = true;
	return 0;
}

int filter_head(bool *ret_on, struct err *e)
{
	return load(allow_head, ret_on, e);
}

int filter_hand(bool *ret_on, struct err *e)
{
	return load(allow_hand, ret_on, e);
}
