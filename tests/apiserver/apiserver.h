/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The stand-in Kubernetes API server: what certhup asks of a real one, over TLS and HTTP/1.1, and
 * every fault that it must bear. It runs in the program `apiserver`, or in a test's own event loop.
 */

#include "base/err.h"

#include <event2/event.h>

struct apiserver;

struct apiserver_options {
	const char *dir;        /* exists; see apiserver_new */
	const char *address;    /* IPv4; NULL: 127.0.0.1 */
	uint16_t port;          /* 0: any free one */
	const char *extra_name; /* one more name or address of the certificate, or NULL */
	const char *rules;      /* file with a JSON array of rules (auth.h), or NULL */
	size_t window;          /* changes that a watch can go back; 0: 4096 */
};

/*
 * Starts to serve. Writes into the directory: kubeconfig (contexts admin, by token; admin-file, by
 * tokenFile; admin-cert, by client certificate), ca.crt, client.crt, client.key, token, port,
 * admin.sock. A CA and token of an earlier start in that directory are used again.
 */
int apiserver_new(struct event_base *base, const struct apiserver_options *options,
		  struct apiserver **ret, struct err *e);
struct apiserver *apiserver_free(struct apiserver *s);

uint16_t apiserver_port(const struct apiserver *s);
