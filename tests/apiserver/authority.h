/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The server's certificates: a CA of its own, what it issues, and the wrong ones that a client must
 * not take.
 */

#include "base/err.h"

#include <openssl/ssl.h>

struct authority;

enum authority_certificate {
	AUTHORITY_GOOD,
	AUTHORITY_EXPIRED,
	AUTHORITY_NOT_YET,
	AUTHORITY_OTHER_CA,  /* of a CA that nobody has */
	AUTHORITY_WRONG_NAME /* example.com, no address */
};

/*
 * Reads ca.crt and ca.key in the directory, or makes them; writes client.crt and client.key (common
 * name admin) anew. extra_name: one more DNS name or address of the server's certificate, or NULL.
 */
int authority_new(int dirfd, const char *extra_name, struct authority **ret, struct err *e);
struct authority *authority_free(struct authority *a);

/* For new connections. Borrowed. */
SSL_CTX *authority_context(struct authority *a);

/* Serves such a certificate from now on. */
int authority_use(struct authority *a, enum authority_certificate which, struct err *e);
/* A new CA: ca.crt and the client pair are written again, the server's certificate is of it. */
int authority_rotate(struct authority *a, struct err *e);
