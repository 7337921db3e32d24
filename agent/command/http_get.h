/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One GET of plain HTTP on a socket that is connected: of the agent's own pages. */

#include "base/buf.h"

/* Sends and receives give up after LIMIT_HTTP_REQUEST_MS. */
int http_set_deadline(int fd, struct err *e) _must_check_;

/*
 * answer takes the whole answer and is initialised; ret_body is in it.
 *
 * Errors: DENIED (it hung up without a word), TIMEOUT, INVALID (no 200), EXHAUSTED
 */
int http_get(int fd, const char *path, struct buf *answer, const char **ret_body, size_t *ret_len,
	     struct err *e) _must_check_;
