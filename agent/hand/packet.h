/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* One packet of a SOCK_SEQPACKET socket, with at most PACKET_FDS descriptors; never blocks. */

#include "base/err.h"

#define PACKET_FDS 2

struct packet {
	size_t len;
	int fds[PACKET_FDS]; /* owned; -1 where there is none */
	bool waiting;        /* nothing is there now */
	bool ended;          /* the peer is gone */
};

/*
 * Receives into data. A packet that is larger, or that lost its descriptors, has len 0 and is no
 * error: the caller's check refuses it.
 *
 * Errors: UNAVAILABLE (connection broke).
 */
int packet_receive(int fd, void *data, size_t size, struct packet *ret, struct err *e) _must_check_;
void packet_done(struct packet *p); /* closes what was not taken */

/*
 * fds are borrowed; -1 entries are left out. ret_sent false: the socket is full, try again when it
 * is writable. Errors: UNAVAILABLE (the peer is gone).
 */
int packet_send(int fd, const void *data, size_t len, const int fds[static PACKET_FDS],
		bool *ret_sent, struct err *e) _must_check_;

#define _cleanup_packet_ _cleanup_(packet_done)
