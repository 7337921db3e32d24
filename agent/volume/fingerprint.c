/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/fingerprint.h"

#include <sha2.h>
#include <string.h>

static void update(void *hash, const void *bytes, size_t len)
{
	SHA256Update(hash, bytes, len);
}

void volume_fingerprint(struct content *c, struct fingerprint *ret)
{
	SHA2_CTX hash;

	SHA256Init(&hash);
	content_digest(c, update, &hash);
	SHA256Final(ret->bytes, &hash);
	explicit_bzero(&hash, sizeof(hash));
}

void volume_hash(const void *bytes, size_t len, struct fingerprint *ret)
{
	SHA2_CTX hash;

	SHA256Init(&hash);
	if (len)
		SHA256Update(&hash, bytes, len);
	SHA256Final(ret->bytes, &hash);
	explicit_bzero(&hash, sizeof(hash));
}
