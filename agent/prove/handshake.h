/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The client's side of one TLS handshake, without a socket: bytes in, bytes out. TLS 1.2 with
 * ephemeral keys and TLS 1.3, so that the server signs something fresh with the leaf's key.
 */

#include "prove/probe.h"

struct handshake;

/* Errors: INVALID the client's certificate or key, or a name, cannot be used; EXHAUSTED. */
int handshake_new(const struct probe_target *target, struct handshake **ret,
		  struct err *e) _must_check_;
struct handshake *handshake_free(struct handshake *h);

/* Takes what the server sent. Errors: INVALID more than LIMIT_PROBE_BYTES. */
int handshake_feed(struct handshake *h, const void *bytes, size_t len, struct err *e) _must_check_;

/* The server sends no more. */
void handshake_close(struct handshake *h);

/* Goes on as far as it can. True when nothing more is to be learnt: see handshake_report. */
bool handshake_step(struct handshake *h);

/* What is to be sent; borrowed until handshake_sent takes it off. */
size_t handshake_pending(struct handshake *h, const void **ret);
void handshake_sent(struct handshake *h, size_t len);

/* Fills result (SEEN or BROKEN), leaf, not_after_s, version, client_refused and e. May be asked at
 * any time: once the server's key is proven, the leaf was seen. */
void handshake_report(const struct handshake *h, struct probe_report *ret);
