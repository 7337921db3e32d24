/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The blocks of a PEM text, one after the other, as OpenSSL's own reader finds them. Text between
 * the blocks is skipped; a block that this reader would overlook because its BEGIN line is damaged
 * makes the text broken, because then the second certificate would pass for the leaf.
 */

#include "base/err.h"

#include <openssl/types.h>

struct pem {
	BIO *bio;
	size_t begun; /* BEGIN lines in the text */
	size_t read;  /* blocks that were read */
};

struct pem_block {
	char *name;
	char *header; /* "" unless there are headers, as an encrypted key has */
	uint8_t *der;
	long len;
};

enum pem_result {
	PEM_BLOCK,
	PEM_END,
	PEM_BROKEN /* or out of memory: see OpenSSL's error queue */
};

/* What is wrong with a text at first sight, for people ("is DER, not PEM"), or NULL. OpenSSL 3 reads
 * over a byte order mark; other programs overlook the block behind it. */
const char *pem_fault(const void *text, size_t len);

/* The text is borrowed until pem_done. */
int pem_init(struct pem *p, const void *text, size_t len, struct err *e) _must_check_;
void pem_done(struct pem *p);

/* The block is owned by the caller: pem_block_done wipes it. */
enum pem_result pem_next(struct pem *p, struct pem_block *ret);
void pem_block_done(struct pem_block *b);

#define _cleanup_pem_ _cleanup_(pem_done)
#define _cleanup_block_ _cleanup_(pem_block_done)
