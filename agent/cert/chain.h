/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The certificates of tls.crt, and those of ca.crt. */

#include "cert/verdict.h"

#include <openssl/x509.h>

/*
 * Reads all certificates of a PEM text, leaf first; at least one. Owned by the caller (chain_free).
 * Unfit: BAD_PEM, BAD_KEY, TOO_COMPLEX.
 */
int chain_read(const void *pem, size_t len, STACK_OF(X509) * *ret, struct gate_verdict *v,
	       struct err *e) _must_check_;
void chain_free(STACK_OF(X509) * *chain);

/*
 * Each certificate is signed by the one behind it, and nothing stands there that has no part in it:
 * what `openssl verify -partial_chain` says with the last one trusted, and the same order.
 * Unfit: CHAIN_ORDER, BAD_CHAIN.
 */
int chain_check_order(STACK_OF(X509) * chain, struct gate_verdict *v, struct err *e) _must_check_;

/* Dates of all but a self-signed certificate at the end, which is the clients' matter.
 * Unfit: EXPIRED, NOT_YET_VALID. */
int chain_check_dates(STACK_OF(X509) * chain, int64_t now_s, int64_t skew_s, struct gate_verdict *v,
		      struct err *e) _must_check_;

/* The certificates of ca.crt are well-formed: nothing is computed with them, and who is in there is
 * the clients' matter. Unfit: BAD_PEM, TOO_COMPLEX. */
int chain_check_bundle(const struct secret *pem, struct gate_verdict *v,
		       struct err *e) _must_check_;

/* Is it the last one, and self-signed? Then clients know it already. */
bool chain_is_root(STACK_OF(X509) * chain, int i);
