/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* The command line of certhup-hand. */

#include "base/err.h"
#include "base/log.h"

struct hand_flags {
	int socket_fd; /* -1: none */
	const char *socket;
	uint32_t head_uid; /* UINT32_MAX: any */
	const char *kubelet_root, *driver;
	const char *state_dir; /* NULL: below the kubelet's root */
	const char *dir;       /* flat: this directory is the volume, there are no records */
	const char *cgroup_root, *proc;
	bool pod_processes; /* with dir: those of proc may be signalled, there are no cgroups */
	uint32_t ops;       /* bit per operation */
	uint64_t budget_namespace, budget_node;
	enum log_level log_level;
	enum log_format log_format;
	bool help, version;
};

/* Values point into argv. Errors: INVALID, with what to write. */
int flags_parse(int argc, char *const *argv, struct hand_flags *ret, struct err *e) _must_check_;

void flags_help(FILE *to);
