/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A process of a container, and what became of a signal to it: the types that head and hand share.
 */

#include "base/err.h"
#include "base/limits.h"

struct process_query {
	char pod_uid[LIMIT_UID + 1];
	char container_id[LIMIT_CONTAINER_ID + 1]; /* 64 hex digits */
	char comm[LIMIT_COMM + 1];                 /* exact; "": the container's first process */
};

struct process {
	int32_t pid;          /* in the host's namespace */
	uint64_t start_ticks; /* field 22 of stat: with the pid it names the process for ever */
	char comm[LIMIT_COMM + 1];
};

enum signal_result {
	SIGNAL_SENT,
	SIGNAL_NO_PROCESS, /* no process of the container matches */
	SIGNAL_AMBIGUOUS,  /* several match the name and none is the parent of the others */
	SIGNAL_NO_HANDLER, /* SigCgt has not the bit: it would die, or ignore it */
	SIGNAL_STOPPED,    /* stopped or frozen: sent, but it will not be handled now */
	SIGNAL_GONE,       /* it ended meanwhile, twice */
	SIGNAL_DENIED,     /* EPERM */
	SIGNAL_RESULTS
};
const char *signal_result_label(enum signal_result r);
