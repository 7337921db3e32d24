/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The status socket: GET /status on a Unix socket answers JSON, to root and to our own uid only (SO_PEERCRED).
 */

#include "base/buf.h"
#include "event/loop.h"

struct status_server;

/* write_status fills the body with the JSON document. A socket file that nobody listens on is replaced. */
int status_server_new(struct loop *loop, const char *path,
		      int (*write_status)(void *arg, struct buf *body, struct err *e), void *arg,
		      struct status_server **ret, struct err *e) _must_check_;
struct status_server *status_server_free(struct status_server *s);
