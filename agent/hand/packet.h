/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* One packet of a SOCK_SEQPACKET socket, with at most one descriptor; never blocks. */

#include "base/err.h"

struct packet {
	size_t len;
	int fd;       /* owned; -1: none came */
	bool waiting; /* nothing is there now */
	bool ended;   /* the peer is gone */
};

/*
 * Receives into data. A packet that is larger than size, or that had more than one descriptor, has
 * len 0 and is no error: the caller's check refuses it.
 *
 * Errors: UNAVAILABLE (connection broke).
 */
int packet_receive(int fd, void *data, size_t size, struct packet *ret, struct err *e) _must_check_;
void packet_done(struct packet *p); /* closes what was not taken */

/*
 * attached is borrowed, -1: none. ret_sent false: the socket is full, try again when it is
 * writable. Errors: UNAVAILABLE (the peer is gone).
 */
int packet_send(int fd, const void *data, size_t len, int attached, bool *ret_sent,
		struct err *e) _must_check_;

#define _cleanup_packet_ _cleanup_(packet_done)
