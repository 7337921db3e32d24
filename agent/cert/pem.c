/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/pem.h"

#include "base/limits.h"

#include <limits.h>
#include <string.h>

#include <openssl/pem.h>

/* A PEM line has 64 characters, but text beside the blocks may be anything. */
#define LINE_MEAN 16
#define LINES_FREE 1024

static const char begin[] = "-----BEGIN";

/* How many blocks the text claims to have; stops at one more than any limit allows. */
static size_t count_blocks(const void *text, size_t len)
{
	const uint8_t *p = text;
	const uint8_t *end = p + len;
	size_t count = 0;

	while (count <= LIMIT_CA_BLOCKS &&
	       (p = memmem(p, (size_t)(end - p), begin, sizeof(begin) - 1)) != NULL) {
		p += sizeof(begin) - 1;
		count++;
	}
	return count;
}

/* OpenSSL's reader takes lines one by one, at a price for each. */
static bool has_short_lines(const uint8_t *text, size_t len)
{
	size_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines > len / LINE_MEAN + LINES_FREE;
}

const char *pem_fault(const void *text, size_t len)
{
	const uint8_t *p = text;

	if (len == 0)
		return "is empty";
	if (len > 2 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		return "starts with a byte order mark";
	if (has_short_lines(p, len))
		return "has too many short lines";
	if (count_blocks(text, len) > 0)
		return NULL;
	if (len > 1 && p[0] == 0x30 && (p[1] & 0x80))
		return "is DER, not PEM";
	return "has no PEM block";
}

int pem_init(struct pem *p, const void *text, size_t len, struct err *e)
{
	*p = (struct pem){.begun = count_blocks(text, len)};
	if (len > INT_MAX)
		return err_set(e, ERR_INVALID, "a PEM text of %zu bytes", len);
	p->bio = BIO_new_mem_buf(text, (int)len);
	return p->bio ? 0 : err_set(e, ERR_EXHAUSTED, "could not open a PEM text");
}

void pem_done(struct pem *p)
{
	BIO_free(p->bio);
	p->bio = NULL;
}

enum pem_result pem_next(struct pem *p, struct pem_block *ret)
{
	unsigned flags = PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE;

	*ret = (struct pem_block){0};
	if (p->read == p->begun)
		return PEM_END;
	if (PEM_read_bio_ex(p->bio, &ret->name, &ret->header, &ret->der, &ret->len, flags)) {
		p->read++;
		return PEM_BLOCK;
	}
	return PEM_BROKEN;
}

void pem_block_done(struct pem_block *b)
{
	OPENSSL_secure_clear_free(b->der, (size_t)b->len);
	OPENSSL_secure_free(b->name);
	OPENSSL_secure_free(b->header);
	*b = (struct pem_block){0};
}
