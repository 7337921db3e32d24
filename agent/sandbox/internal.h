/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* The three parts of a sandbox, each of which can be missing in a kernel. */

#include "sandbox/sandbox.h"

/* Needs SETPCAP, which a change of user takes away: before it. Without, the set stays, and
 * no_new_privs makes it useless. */
int caps_drop_bounding(struct err *e) _must_check_;

/* Whether a program that we start has all of these, no_new_privs or not. */
bool caps_pass_on(uint64_t mask);

/* Permitted and effective become what is in them and in mask (bit per capability); inheritable and
 * ambient become empty. */
int caps_limit(uint64_t mask, struct err *e) _must_check_;

/* fds are O_PATH directories. ret_abi 0: the kernel has none, nothing was done. */
struct landlock_rule {
	int fd;
	bool write; /* make, write and remove beneath it; else only read */
};
int landlock_limit(const struct landlock_rule *rules, size_t count, bool scope_signals,
		   int *ret_abi, struct err *e) _must_check_;

/* ret_on false: the kernel has no seccomp filters, nothing was done. */
int filter_head(bool *ret_on, struct err *e) _must_check_;
int filter_hand(bool *ret_on, struct err *e) _must_check_;
