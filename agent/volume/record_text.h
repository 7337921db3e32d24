/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A record as text: a first line with the version, one "name value" line per field in a fixed
 * order, and a last line with the SHA-256 of all before it. Strict: anything else is damaged.
 */

#include "base/buf.h"
#include "base/record.h"

int record_to_text(const struct record *r, struct buf *to, struct err *e) _must_check_;

/* Errors: INVALID. */
int record_from_text(const char *text, size_t len, struct record *ret, struct err *e) _must_check_;
