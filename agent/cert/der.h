/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Looks into DER without decoding it: to count and to measure before anything is handed to OpenSSL
 * that costs memory or mathematics. Refuses indefinite lengths, which DER does not have.
 */

#include "base/defs.h"

#include <stdbool.h>

/* What is still to be read. */
struct der {
	const uint8_t *data; /* borrowed */
	size_t len;
};

struct der_item {
	int tag;
	int class; /* V_ASN1_UNIVERSAL, V_ASN1_CONTEXT_SPECIFIC ... */
	bool constructed;
	struct der body;
};

/* Takes the next item off d. Returns -1 when there is none, or it is malformed. */
int der_next(struct der *d, struct der_item *ret) _must_check_;

/* The same, and it must be universal and of that tag. */
int der_expect(struct der *d, int tag, struct der *ret_body) _must_check_;

/* Counts the items at all depths; stops and returns more than max when there are more than max.
 * Returns 0 when the bytes are malformed or nest too deep. */
size_t der_count(struct der d, size_t max);

/* The NID of an OBJECT IDENTIFIER's body; NID_undef when it is not known. */
int der_nid(const struct der *oid);

/* Significant bits of a positive INTEGER's body; 0 for zero and negatives. */
size_t der_bits(const struct der *integer);
