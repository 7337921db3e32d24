/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * inotify over many volumes through libinotifytools, the only file that knows it. One inotify
 * instance for all; a key of our own per watch that is never used twice.
 */

#include "volume/volume.h"

struct volume_watch;

/* Errors: EXHAUSTED (max_user_instances, or a descriptor of 1024 and above). At most one exists in
 * a process. */
int volume_watch_new(struct volume_watch **ret, struct err *e) _must_check_;
struct volume_watch *volume_watch_free(struct volume_watch *w);

/* The descriptor to poll for reading. */
int volume_watch_fd(const struct volume_watch *w);

/* Watches the root directory of a volume. ret_key is never 0 and never used twice. Errors:
 * EXHAUSTED (max_user_watches). */
int volume_watch_add(struct volume_watch *w, const struct volume *v, uint64_t *ret_key,
		     struct err *e) _must_check_;
void volume_watch_remove(struct volume_watch *w, uint64_t key);

/*
 * Takes what came. on_change: something other than our own swap may have changed (name of the
 * entry); on_gone: the directory went away; overflow: events were lost, look at all.
 */
void volume_watch_take(struct volume_watch *w,
		       void (*on_change)(void *arg, uint64_t key, const char *name),
		       void (*on_gone)(void *arg, uint64_t key), void (*on_overflow)(void *arg),
		       void *arg);
