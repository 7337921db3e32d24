/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * `sidecar --quit-with`: notices that another container of the pod has ended for good, so that the
 * sidecar of a Job ends with it. Asks the own pod's status; where that is not allowed it looks for
 * the container's process in the shared process namespace.
 */

#include "command/delivery.h"

struct quit;

struct quit_options {
	const char *container;
	const char *pod;              /* our own; NULL: not known */
	const char *process;          /* comm of the container's process; NULL: not known */
	const struct err *not_shared; /* kind NONE: the pod's containers share their processes */
};

struct quit_events {
	void (*on_ended)(void *arg);
	/* It cannot be noticed: e says what to change. */
	void (*on_blind)(void *arg, const struct err *e);
};

/* Strings of options are borrowed until quit_free. */
int quit_new(struct loop *loop, struct delivery *delivery, const struct quit_options *options,
	     const struct quit_events *events, void *arg, struct quit **ret,
	     struct err *e) _must_check_;
struct quit *quit_free(struct quit *q); /* before the delivery */
