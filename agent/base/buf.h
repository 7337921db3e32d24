/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Growable bytes with a maximum given at creation. Always wiped when freed or moved: the safe thing
 * is the default. The bytes are followed by a NUL that does not count, so that data can be used as
 * a C string.
 */

#include "base/err.h"

struct buf {
	char *data; /* owned; never NULL after the first byte was added */
	size_t len;
	size_t room;
	size_t max; /* len never exceeds it */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
void buf_reset(struct buf *b); /* empties and wipes; keeps the room */

/* Errors: EXHAUSTED when max would be passed or memory is gone; nothing was added then. */
int buf_add(struct buf *b, const void *data, size_t len, struct err *e) _must_check_;
int buf_add_str(struct buf *b, const char *s, struct err *e) _must_check_;
int buf_printf(struct buf *b, struct err *e, const char *fmt, ...) _printf_(3, 4) _must_check_;

/* Removes the first n bytes. */
void buf_consume(struct buf *b, size_t n);

/* The text, "" when nothing was added. Borrowed until the next change. */
const char *buf_str(const struct buf *b);

#define _cleanup_buf_ _cleanup_(buf_done)
