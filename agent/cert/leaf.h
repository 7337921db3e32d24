/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a leaf says, as text and numbers. */

#include "cert/verdict.h"

#include <openssl/types.h>
#include <openssl/x509v3.h>

/* Unfit: BAD_PEM when a date or the key cannot be read. */
int leaf_read(X509 *leaf, struct gate_leaf *ret, struct gate_verdict *v,
	      struct err *e) _must_check_;

/* Seconds since 1970. Returns -1 when it is no date. */
int leaf_time_s(const ASN1_TIME *t, int64_t *ret_s) _must_check_;

/* The name as RFC 2253 writes it, escaped so that it is printable ASCII; cut with "..." when it does
 * not fit. Returns -1 when it was cut. */
int leaf_name(const X509_NAME *name, char *ret, size_t size);

/* The kind of a name in subjectAltName, "DNS", "IP", "URI", "email", and its printable text. Returns
 * 0, 1 when the text had to be cut or masked, -1 for other kinds. */
int leaf_san(const GENERAL_NAME *name, const char **ret_kind, char *ret, size_t size);
