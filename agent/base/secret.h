/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Secret memory: pages of their own, locked where RLIMIT_MEMLOCK lets them be, left out of core
 * dumps, wiped before they go back. There is no function that prints one, and no log field that
 * takes one.
 */

#include "base/err.h"

struct secret {
	uint8_t *data; /* owned; NULL when empty */
	size_t len;    /* bytes in use */
	size_t room;   /* bytes mapped */
};

/* Maps room for at least len bytes; len is set and the bytes are zero. What s held is not looked
 * at. Errors: EXHAUSTED. */
int secret_alloc(struct secret *s, size_t len, struct err *e) _must_check_;

/* Copies len bytes in. Errors: EXHAUSTED. */
int secret_copy(struct secret *s, const void *from, size_t len, struct err *e) _must_check_;

/* Wipes and unmaps; s is empty after it. Accepts an empty one. */
void secret_done(struct secret *s);

/* Compares in constant time for equal lengths. */
bool secret_equal(const struct secret *a, const struct secret *b);

#define _cleanup_secret_ _cleanup_(secret_done)
