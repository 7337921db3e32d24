/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* What the hand opens before it makes itself small: the only paths that it ever takes from outside. */

#include "hand/options.h"
#include "hand/server.h"

struct roots {
	struct hand_options options; /* its descriptors are owned by this */
	int lock_fd;                 /* held while it runs: one hand per state directory */
};

/*
 * Errors: INVALID (a directory is not what it should be, with what to set), CONFLICT (another hand
 * runs on this state), DENIED, NOT_FOUND.
 */
int roots_open(const struct hand_flags *flags, struct roots *ret, struct err *e) _must_check_;
void roots_done(struct roots *r);
