/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Whole files, read with a maximum. For our own files only: nothing here is safe in a directory that
 * a pod can write (see volume/).
 */

#include "base/buf.h"
#include "base/secret.h"

/* Appends a whole file to a buffer whose max is the limit. Follows links (a token is one). dirfd
 * may be AT_FDCWD. */
int file_read(int dirfd, const char *path, struct buf *ret, struct err *e) _must_check_;

/* The same into secret memory, up to max bytes. */
int file_read_secret(int dirfd, const char *path, size_t max, struct secret *ret,
		     struct err *e) _must_check_;

/* Writes all, through EINTR and short writes. */
int file_write_all(int fd, const void *data, size_t len, struct err *e) _must_check_;
