/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/fingerprint.h"

#include <openssl/evp.h>

struct hash {
	EVP_MD_CTX *ctx;
	bool failed;
};

static void update(void *arg, const void *bytes, size_t len)
{
	struct hash *h = arg;

	if (!EVP_DigestUpdate(h->ctx, bytes, len))
		h->failed = true;
}

int cert_content_fingerprint(struct content *c, struct fingerprint *ret, struct err *e)
{
	struct hash h = {.ctx = EVP_MD_CTX_new()};

	h.failed = !h.ctx || !EVP_DigestInit_ex(h.ctx, EVP_sha256(), NULL);
	if (!h.failed)
		content_digest(c, update, &h);
	if (!h.failed && !EVP_DigestFinal_ex(h.ctx, ret->bytes, NULL))
		h.failed = true;
	EVP_MD_CTX_free(h.ctx);
	return h.failed ? err_set(e, ERR_EXHAUSTED, "could not make a SHA-256") : 0;
}
