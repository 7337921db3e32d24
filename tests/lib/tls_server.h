/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A server in a child process on a free loopback port, one connection after the other: with TLS as
 * asked for, or with any other behaviour by a function. The child ends with its parent.
 */

#include "base/defs.h"

#include <stdbool.h>
#include <sys/types.h>

#include <openssl/types.h>

struct tls_server {
	pid_t pid;
	uint16_t port;
};

/* What it does with a connection, which is closed afterwards. Runs in the child. */
typedef void (*tls_serve_fn)(int fd, const void *arg);

void tls_server_start(struct tls_server *s, const char *address, tls_serve_fn serve,
		      const void *arg);
void tls_server_stop(struct tls_server *s);

struct tls_identity {
	X509 *const *chain; /* leaf first, NULL-terminated */
	EVP_PKEY *key;
};

/* For tls_serve. All zero but the identity: TLS 1.2 and 1.3, no client certificate. Ends with the
 * client's close. */
struct tls_behaviour {
	struct tls_identity identity;
	const char *other_sni; /* a client that asks for this name gets the other identity */
	struct tls_identity other;
	int version;          /* TLS1_2_VERSION ...: this one alone; 0: both */
	const char *ciphers;  /* of TLS 1.2 */
	const char *dh_group; /* "ffdhe2048": for DHE ciphers */
	const char *alpn;     /* the one protocol it speaks; clients that offer ALPN without it are
			      * refused */
	X509 *client_ca;      /* a client certificate of this CA is needed */
	bool no_tickets;
	bool hang; /* after the handshake it neither reads nor closes */
};

void tls_serve(int fd, const void *behaviour);

#define _cleanup_tls_server_ _cleanup_(tls_server_stop)
