/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Private keys: RSA, ECDSA on the NIST curves, Ed25519; PKCS#1, SEC1, PKCS#8. Keeps one decoder for
 * each combination, made at its first use: a new one costs OpenSSL 3.0 a millisecond, a used one 30
 * microseconds.
 */

#include "cert/verdict.h"

#include <openssl/types.h>

struct key_reader;

int key_reader_new(struct key_reader **ret, struct err *e) _must_check_;
struct key_reader *key_reader_free(struct key_reader *r);

/*
 * The first private key of a PEM text, as other programs choose it; its private part belongs to its
 * public part. Owned by the caller.
 * Unfit: BAD_PEM, BAD_KEY, TOO_COMPLEX.
 */
int key_read(struct key_reader *r, const struct secret *pem, EVP_PKEY **ret, struct gate_verdict *v,
	     struct err *e) _must_check_;

/* "RSA 2048", "ECDSA P-256", "Ed25519", or OpenSSL's name of the type. */
void key_name(const EVP_PKEY *key, char *ret, size_t size);
