/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Makes a process small. Called once, after everything that needs more was opened and before
 * anybody is answered.
 */

#include "base/err.h"

/* First thing in main of both programs: not dumpable, no core, umask 077, no new privileges, std
 * descriptors open, inherited ones closed (but keep_fd, -1: none). */
int sandbox_begin(int keep_fd, struct err *e) _must_check_;

/* What the kernel could not do; said in log and status (F9). */
struct sandbox_report {
	bool seccomp;
	bool landlock;
	int landlock_abi;
};

struct sandbox_head {
	/* Directories (not files: Landlock holds to the inode, and a file that is replaced has another),
	 * NULL-terminated: token and CA directories, configuration. One that is missing is left out. */
	const char *const *read_paths;
	const char *const *write_paths; /* directories in which sockets are made */
	int64_t uid, gid;               /* to change to, when started as root; -1: stay */
};

/* No capability, seccomp without kill, ptrace, process_vm_*, pidfd_*; Landlock: only these paths
 * and its own /proc. */
int sandbox_head(const struct sandbox_head *options, struct sandbox_report *ret,
		 struct err *e) _must_check_;

struct sandbox_hand {
	bool chown;           /* keep CHOWN, FOWNER, DAC_OVERRIDE */
	bool kill;            /* keep KILL */
	const int *write_fds; /* directories beneath which it writes */
	const int *read_fds;  /* directories beneath which it reads */
	size_t writes, reads;
};

/* Whether a hand that this process starts would have CHOWN, FOWNER and DAC_OVERRIDE, without which it
 * can write into no pod: those of root, or else the ambient ones. */
bool sandbox_hand_is_able(void);

/* Its capabilities only, no socket(), no exec, no mount; Landlock: only these directories and its own
 * /proc. */
int sandbox_hand(const struct sandbox_hand *options, struct sandbox_report *ret,
		 struct err *e) _must_check_;

/* In a child of the hand: keeps of the hand's capabilities only those that its operation needs. */
int sandbox_hand_child(bool chown, bool kill, struct err *e) _must_check_;
