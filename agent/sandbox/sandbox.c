/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "sandbox/sandbox.h"

#include "base/limits.h"
#include "sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* 0, 1 and 2 must be taken, or a file that is opened later gets the log. */
static int open_std(struct err *e)
{
	for (;;) {
		int fd = open("/dev/null", O_RDWR); /* NOLINT: inherited on purpose */

		if (fd < 0)
			return err_sys(e, "open /dev/null");
		if (fd > 2) {
			close(fd);
			return 0;
		}
	}
}

static int close_inherited(int keep_fd, struct err *e)
{
	unsigned keep = keep_fd > 2 ? (unsigned)keep_fd : 2;

	if ((keep > 3 && close_range(3, keep - 1, 0) < 0) || close_range(keep + 1, ~0u, 0) < 0)
		return err_sys(e, "close inherited descriptors");
	return 0;
}

static int raise_limit(int which, rlim_t atmost, struct err *e)
{
	struct rlimit l;

	if (getrlimit(which, &l) < 0)
		return err_sys(e, "read a limit");
	l.rlim_cur = l.rlim_max < atmost ? l.rlim_max : atmost;
	if (setrlimit(which, &l) < 0)
		return err_sys(e, "raise a limit");
	return 0;
}

int sandbox_begin(int keep_fd, struct err *e)
{
	static const struct rlimit no_core;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return err_sys(e, "turn core dumps off");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "turn new privileges off");
	umask(077);
	if (open_std(e) < 0 || close_inherited(keep_fd, e) < 0)
		return -1;
	/* Keys are locked in memory, and payloads wait as descriptors. */
	if (raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY, e) < 0)
		return -1;
	return raise_limit(RLIMIT_NOFILE, 16384, e);
}

static int change_user(int64_t uid, int64_t gid, struct err *e)
{
	uid_t u = (uid_t)uid;
	gid_t g = (gid_t)gid;

	if (gid >= 0) {
		if (geteuid() == 0 && setgroups(0, NULL) < 0)
			return err_sys(e, "drop the supplementary groups");
		if (setresgid(g, g, g) < 0)
			return err_sys(e, "change to group %u", g);
	}
	if (uid >= 0 && setresuid(u, u, u) < 0)
		return err_sys(e, "change to user %u", u);
	/* The change of user made it dumpable as /proc/sys/fs/suid_dumpable says. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "turn core dumps off");
	return 0;
}

struct rules {
	struct landlock_rule rule[LIMIT_SANDBOX_PATHS];
	size_t count;
};

static void rules_done(struct rules *r)
{
	for (size_t i = 0; i < r->count; i++)
		closep(&r->rule[i].fd);
}

static int add_path(struct rules *r, const char *path, bool write, struct err *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, "open %s for the sandbox", path);
	if (r->count == LIMIT_SANDBOX_PATHS) {
		close(fd);
		return err_set(e, ERR_EXHAUSTED, "more than %d paths for the sandbox",
			       LIMIT_SANDBOX_PATHS);
	}
	r->rule[r->count++] = (struct landlock_rule){.fd = fd, .write = write};
	return 0;
}

static int add_paths(struct rules *r, const char *const *paths, bool write, struct err *e)
{
	for (; paths && *paths; paths++)
		if (add_path(r, *paths, write, e) < 0)
			return -1;
	return 0;
}

int sandbox_head(const struct sandbox_head *options, struct sandbox_report *ret, struct err *e)
{
	_cleanup_(rules_done) struct rules rules = {0};

	*ret = (struct sandbox_report){0};
	if (add_paths(&rules, options->read_paths, false, e) < 0 ||
	    add_paths(&rules, options->write_paths, true, e) < 0 ||
	    add_path(&rules, "/proc/self", false, e) < 0)
		return -1;
	if (caps_drop_bounding(e) < 0 || change_user(options->uid, options->gid, e) < 0 ||
	    caps_limit(0, e) < 0 ||
	    landlock_limit(rules.rule, rules.count, true, &ret->landlock_abi, e) < 0 ||
	    filter_head(&ret->seccomp, e) < 0)
		return err_add(e, "sandbox");
	ret->landlock = ret->landlock_abi > 0;
	return 0;
}

static uint64_t hand_caps(bool chown, bool kill)
{
	uint64_t mask = 0;

	if (chown)
		mask |= 1ull << CAP_CHOWN | 1ull << CAP_FOWNER | 1ull << CAP_DAC_OVERRIDE;
	if (kill)
		mask |= 1ull << CAP_KILL;
	return mask;
}

bool sandbox_hand_is_able(void)
{
	return caps_pass_on(hand_caps(true, false));
}

int sandbox_hand(const struct sandbox_hand *options, struct sandbox_report *ret, struct err *e)
{
	_cleanup_(rules_done) struct rules rules = {0};

	*ret = (struct sandbox_report){0};
	if (add_path(&rules, "/proc/self", false, e) < 0)
		return -1;
	if (options->writes + options->reads + rules.count > LIMIT_SANDBOX_PATHS)
		return err_set(e, ERR_EXHAUSTED, "more than %d paths for the sandbox",
			       LIMIT_SANDBOX_PATHS);
	for (size_t i = 0; i < options->writes + options->reads; i++) {
		bool write = i < options->writes;
		int fd = write ? options->write_fds[i] : options->read_fds[i - options->writes];
		int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

		if (own < 0)
			return err_sys(e, "sandbox");
		rules.rule[rules.count++] = (struct landlock_rule){.fd = own, .write = write};
	}
	/* Its signals are meant to leave the sandbox. */
	if (caps_drop_bounding(e) < 0 ||
	    caps_limit(hand_caps(options->chown, options->kill), e) < 0 ||
	    landlock_limit(rules.rule, rules.count, false, &ret->landlock_abi, e) < 0 ||
	    filter_hand(&ret->seccomp, e) < 0)
		return err_add(e, "sandbox");
	ret->landlock = ret->landlock_abi > 0;
	return 0;
}

int sandbox_hand_child(bool chown, bool kill, struct err *e)
{
	return caps_limit(hand_caps(chown, kill), e);
}
