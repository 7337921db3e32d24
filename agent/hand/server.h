/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * The hand itself: a poll loop that takes requests from one head, and does the work of each volume
 * in a child of its own with a deadline, so that no volume can hold up the others and key bytes
 * live only in processes that end.
 */

#include "hand/protocol.h"
#include "notify/process.h"
#include "sandbox/sandbox.h"
#include "volume/volume.h"

struct hand_options {
	int socket_fd;     /* connected to the head; or -1 */
	int listen_fd;     /* listening; or -1 */
	uint32_t head_uid; /* the only uid that is answered; (uint32_t)-1: any */
	struct volume_tree tree;
	int state_fd;                           /* -1: no records (init, sidecar) */
	struct notify_host host;                /* proc_fd -1: signals are off */
	uint32_t ops;                           /* bit per operation that is switched on */
	uint64_t budget_namespace, budget_node; /* bytes */
	struct sandbox_report sandbox;          /* what HELLO tells */
	int64_t operation_ms; /* deadline of one operation; 0: LIMIT_HAND_OPERATION_MS */
};

/* Serves until the head (socket_fd) goes away, or SIGTERM; 0 then. */
int hand_serve(const struct hand_options *options, struct err *e) _must_check_;
