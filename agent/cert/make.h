/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Pairs of our own making: self-signed leaves for certhup selftest. */

#include "cert/gate.h"

enum make_key {
	MAKE_P256,
	MAKE_ED25519
};

struct make_leaf {
	enum make_key key;
	const char *name; /* the subject's CN and the one DNS name */
	int64_t not_before_s;
	int64_t not_after_s;
};

/*
 * Makes a new key and a leaf (CA:FALSE) that it signs. ret gets tls.crt and tls.key in PEM; it is empty before, and to be freed also
 * after an error.
 *
 * Errors: INVALID (a name that no certificate can have), EXHAUSTED
 */
int make_pair(const struct make_leaf *leaf, struct content *ret, struct err *e) _must_check_;
