/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * inotify over many volumes through libinotifytools, the only file that knows it. One inotify
 * instance for all; a key of our own per watch that is never used twice. No descriptor of a volume
 * is held: kubelet could not unmount it.
 */

#include "volume/volume.h"

struct volume_watch;

/* Errors: EXHAUSTED (max_user_instances, or a descriptor of 1024 and above). At most one exists in
 * a process: CONFLICT. */
int volume_watch_new(struct volume_watch **ret, struct err *e) _must_check_;
struct volume_watch *volume_watch_free(struct volume_watch *w);

/* The descriptor to poll for reading. Ask again after each volume_watch_take. */
int volume_watch_fd(const struct volume_watch *w);

/*
 * Watches a volume: its root, and the generation that ..data names now; so call it again after a
 * swap. An earlier watch of the same volume ends without a call. ret_key is never 0 and never used
 * twice.
 *
 * Errors: EXHAUSTED (max_user_watches, or LIMIT_BINDINGS watches): look from time to time instead.
 */
int volume_watch_add(struct volume_watch *w, const struct volume *v, uint64_t *ret_key,
		     struct err *e) _must_check_;
void volume_watch_remove(struct volume_watch *w, uint64_t key);

/*
 * Takes what came.
 *
 * on_change    an entry of the root or a file of the generation may have been changed; name is
 *              its name, "" for a directory itself. Our own swaps show up as well: as "..data", and
 *              as the names of generations that were removed.
 * on_gone      the key ended: the directory went away, or it changed so often that its events
 *              cost too much (LIMIT_WATCH_EVENTS), or all watches had to be made anew. Look at the
 *              volume, at the pace of repairs, and watch it again if it is there.
 * on_overflow  events were lost: look at all
 *
 * They may add and remove watches.
 */
struct volume_watch_calls {
	void (*on_change)(void *arg, uint64_t key, const char *name);
	void (*on_gone)(void *arg, uint64_t key);
	void (*on_overflow)(void *arg);
	void *arg;
};
void volume_watch_take(struct volume_watch *w, const struct volume_watch_calls *calls);
