/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One TLS handshake with a workload, to see which leaf it serves. Certificate and CertificateVerify
 * of the server are what counts (principle 13): whatever the server then thinks of our client
 * certificate, the leaf was seen. It does not verify a chain: the served leaf is compared with the
 * delivered one.
 */

#include "base/content.h"
#include "event/loop.h"

struct probe;

struct probe_target {
	char address[64]; /* numeric IPv4 or IPv6 */
	char other[64];   /* tried where that one takes no connection; "" none */
	uint16_t port;
	const char *sni;  /* NULL: none is sent; borrowed until the probe ends */
	const char *alpn; /* comma-separated protocols, "h2,http/1.1"; NULL: none */
	const struct secret
	    *client_cert; /* PEM chain and key, or NULL; borrowed until the probe ends */
	const struct secret *client_key;
	int64_t deadline_ms; /* 0: LIMIT_PROBE_MS */
};

enum probe_result {
	PROBE_SEEN,          /* the server proved the key of this leaf */
	PROBE_NO_CONNECTION, /* refused, timed out, no route: says nothing about the certificate */
	PROBE_BROKEN, /* connected, but no proven leaf: alert, garbage, closed, wrong signature */
};

struct probe_report {
	enum probe_result result;
	struct fingerprint leaf; /* PROBE_SEEN */
	int64_t not_after_s;     /* PROBE_SEEN */
	char version[16];        /* "TLSv1.3" */
	bool connected;          /* the port took the connection */
	bool client_refused;     /* leaf seen, but the server then refused our client certificate */
	int64_t took_ms;
	struct err e; /* unless PROBE_SEEN */
};

/* Called once, on the loop, unless the probe is freed first; may free the probe. */
typedef void (*probe_done_fn)(void *arg, const struct probe_report *report);

int probe_start(struct loop *loop, const struct probe_target *target, probe_done_fn done, void *arg,
		struct probe **ret, struct err *e) _must_check_;
struct probe *probe_free(struct probe *p); /* cancels; returns NULL */
