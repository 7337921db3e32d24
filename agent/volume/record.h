/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What must outlive a restart, one record per volume: <state>/<pod uid>/<volume>. No keys. Written
 * by tmp + rename before the swap that it describes. A bad record is set aside alone (<volume>.bad)
 * and never stops the others.
 */

#include "base/record.h"

/* state_fd: the state directory (0700). Errors of writing: EXHAUSTED, DENIED, INTERNAL. */
int record_write(int state_fd, const struct record *r, struct err *e) _must_check_;

/* Errors: NOT_FOUND; INVALID when it was damaged (it is set aside then). */
int record_read(int state_fd, const struct volume_ref *ref, struct record *ret,
		struct err *e) _must_check_;
int record_remove(int state_fd, const struct volume_ref *ref, struct err *e) _must_check_;

/* Calls for each record that can be read; bad ones are set aside and told by on_bad. */
int record_each(int state_fd, void (*on_record)(void *arg, const struct record *r),
		void (*on_bad)(void *arg, const char *name, const struct err *e), void *arg,
		struct err *e) _must_check_;

/* Makes all records written so far outlive the machine. */
int record_sync(int state_fd, struct err *e) _must_check_;
