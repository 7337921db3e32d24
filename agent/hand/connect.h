/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * How the head gets its connection: it starts the hand as its child, or connects to one that runs.
 * A child that dies shows as the end of the connection (hand_client: on_lost).
 */

#include "base/err.h"

#include <sys/types.h>

struct hand_child {
	pid_t pid;
	int fd; /* connected; owned, give it to hand_client_new */
};

/* The certhup-hand that lies beside the running program. Errors: EXHAUSTED (too long). */
int hand_program(char *ret_path, size_t size, struct err *e) _must_check_;

/*
 * Starts the program with these arguments (NULL-terminated, without the name) and an empty
 * environment; "--socket-fd 3" is put in front of them. The child ends when the caller does. Call it
 * before the sandbox. Errors: NOT_FOUND, DENIED, EXHAUSTED.
 */
int hand_spawn(const char *program, const char *const *args, struct hand_child *ret,
	       struct err *e) _must_check_;

/*
 * Waits for the end of a child whose connection is closed already; ret_status as waitpid gives it.
 * Errors: TIMEOUT.
 */
int hand_child_wait(pid_t pid, int64_t timeout_ms, int *ret_status, struct err *e) _must_check_;

/* Connects to the socket of a hand. Errors: UNAVAILABLE, NOT_FOUND, DENIED, INVALID (the path is
 * too long). */
int hand_connect(const char *path, int *ret_fd, struct err *e) _must_check_;
