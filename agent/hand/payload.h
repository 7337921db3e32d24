/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A content in a sealed memfd: a header with count and lengths, then names and bytes. Written by
 * one side, checked in every field by the other.
 */

#include "base/content.h"

/* The descriptor is sealed against writing, growing and shrinking; owned by the caller. */
int payload_write(const struct content *c, int *ret_fd, struct err *e) _must_check_;

/* What the header claims that the files take on a tmpfs, in whole pages; no file is read. Errors: as payload_read. */
int payload_measure(int fd, uint64_t *ret_bytes, struct err *e) _must_check_;

/* Errors: INVALID when the seals are not all there, or a field is off. fd is borrowed. */
int payload_read(int fd, struct content *ret, struct err *e) _must_check_;
