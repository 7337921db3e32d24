/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/record.h"

#include <string.h>

static bool only(const char *s, const char *allowed, size_t min, size_t max)
{
	size_t len = strspn(s, allowed);

	return s[len] == '\0' && len >= min && len <= max;
}

bool volume_ref_ok(const struct volume_ref *ref)
{
	const char *n = ref->name;

	if (!memchr(ref->pod_uid, '\0', sizeof(ref->pod_uid)) ||
	    !memchr(n, '\0', sizeof(ref->name)))
		return false;
	return only(ref->pod_uid, "0123456789abcdef-", 32, 36) &&
	       only(n, "abcdefghijklmnopqrstuvwxyz0123456789-", 1, LIMIT_VOLUME_NAME) &&
	       n[0] != '-' && n[strlen(n) - 1] != '-';
}

bool volume_ref_equal(const struct volume_ref *a, const struct volume_ref *b)
{
	return strcmp(a->pod_uid, b->pod_uid) == 0 && strcmp(a->name, b->name) == 0;
}

bool volume_owner_equal(const struct volume_owner *a, const struct volume_owner *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->mode == b->mode;
}
