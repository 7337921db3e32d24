/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Opens a listening socket by its text: "127.0.0.1:9402", "[::1]:9402", ":9402" (all addresses, of
 * IPv6 too where there is any), "unix:/run/x.sock" (0600; one that nobody listens on any more is
 * replaced). No names: that would need a resolver.
 */

#include "base/err.h"

struct listening {
	int fd;        /* owned */
	uint16_t port; /* 0 for unix */
	char *path;    /* owned; NULL for TCP */
};

/* Whether it is such a text, of TCP. */
bool listening_is_address(const char *text);

/* Errors: INVALID (address), CONFLICT (in use), DENIED. */
int listening_open(const char *address, struct listening *ret, struct err *e) _must_check_;

/* Closes, and removes the socket's file. */
void listening_close(struct listening *l);
