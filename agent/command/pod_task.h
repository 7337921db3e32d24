/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The run of init and sidecar: a loop, the delivery, a deadline for its first success, signals. */

#include "command/pod_options.h"

struct pod_task {
	struct loop *loop;
	struct delivery *delivery;
	struct loop_timer *deadline, *last_chance;
	struct loop_signal *term, *interrupt;
	bool stay;      /* go on after the first delivery, until a signal: then that is success */
	bool delivered; /* at least once */
	int code;       /* -1: not decided yet */
	struct err e;   /* why, unless CODE_DONE */
};

/* timeout_ms: for the first delivery; 0: for ever. t is to be given to pod_task_done also after an
 * error. */
int pod_task_start(struct pod_task *t, const struct pod_settings *s,
		   const struct attributes *attributes, int64_t timeout_ms,
		   struct err *e) _must_check_;
void pod_task_done(struct pod_task *t);
#define _cleanup_pod_task_ _cleanup_(pod_task_done)

/* Runs until it is decided; says the last sentence and returns the exit code. */
int pod_task_run(struct pod_task *t, const struct pod_settings *s);

/* Decides. e NULL: CODE_DONE needs no words. The first decision holds. */
void pod_task_finish(struct pod_task *t, int code, const struct err *e);
