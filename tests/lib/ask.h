/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A blocking HTTP client for tests that says exactly what it is told.
 */

#include "base/buf.h"

#define ASK_WAIT_MS 10000

/* A connection to 127.0.0.1, or to a unix socket when path is given. -1 when it cannot be. */
int ask_connect(uint16_t port, const char *path);

/* Reads until the other side closes, or ASK_WAIT_MS without a byte. Returns the HTTP status; 0 when
 * there is none. Adds all to answer, which may be NULL. */
int ask_read(int fd, struct buf *answer);

/* Sends the bytes on a connection of its own, and reads. */
int ask_raw(uint16_t port, const char *bytes, size_t len, struct buf *answer);

/* "GET path", and its body alone. */
int ask_get(uint16_t port, const char *path, struct buf *body);

/* What stands behind the empty line. */
const char *ask_body(const struct buf *answer);
