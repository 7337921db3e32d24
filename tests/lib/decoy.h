/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A tree outside the volume that nobody may touch: looked at before and after, and watched
 * meanwhile. Every function asserts.
 */

struct decoy {
	char path[64];
	char shadow[80]; /* a file in it */
	char *before;    /* owned */
	int watch_fd;
};

void decoy_make(struct decoy *d);
void decoy_remove(struct decoy *d);

/* Fails the test when anything in the tree was written, changed, removed or opened. */
void decoy_untouched(struct decoy *d);
