/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A certificate by its grammar alone: everything is parsed but the key, which costs OpenSSL 3.0 ten
 * times as much as all the rest. It tells what the certificate would cost to use, so that nothing
 * is computed with numbers that somebody chose to be slow.
 */

#include "cert/verdict.h"

/* What may be spent on the certificates of one file, and what was. */
struct shape_budget {
	size_t max_count;    /* certificates */
	size_t max_elements; /* ASN.1 items, which is what parsing costs */
	bool use; /* they will be decoded and verified: look at keys and extensions too */

	size_t count;
	size_t elements;
	/* With use: */
	size_t bytes;
	size_t names;       /* items in subjectAltName */
	size_t constraints; /* items in nameConstraints */
	uint64_t verify_us; /* to check signatures by the keys of all but the first */
};

#define SHAPE_PAIR                                                                                 \
	((struct shape_budget){                                                                    \
	    .max_count = LIMIT_PEM_BLOCKS, .max_elements = LIMIT_CHAIN_ELEMENTS, .use = true})
#define SHAPE_BUNDLE                                                                               \
	((struct shape_budget){.max_count = LIMIT_CA_BLOCKS, .max_elements = LIMIT_CA_ELEMENTS})

/*
 * Reads one certificate and takes it off the budget. file names it in the verdict: "tls.crt".
 * Unfit: BAD_PEM not a certificate; BAD_KEY explicit curve parameters; TOO_COMPLEX the budget.
 */
int shape_check(struct shape_budget *budget, const char *file, const uint8_t *der, size_t len,
		struct gate_verdict *v, struct err *e) _must_check_;
