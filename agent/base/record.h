/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A volume, and what is remembered of it: the types that head and hand share. No keys.
 */

#include "base/content.h"

/* Which volume. Checked against the grammar before anything is opened. */
struct volume_ref {
	char pod_uid[LIMIT_UID + 1];      /* [0-9a-f-], 32 to 36 characters */
	char name[LIMIT_VOLUME_NAME + 1]; /* RFC 1123 label */
};

bool volume_ref_ok(const struct volume_ref *ref);
bool volume_ref_equal(const struct volume_ref *a, const struct volume_ref *b);

#define GENERATION_NAME 56 /* "..YYYY_MM_DD_HH_MM_SS." + 32 hex + NUL */

struct volume_owner {
	uint32_t uid;
	uint32_t gid;
	uint32_t mode; /* of the files, 0 to 0777 */
};

bool volume_owner_equal(const struct volume_owner *a, const struct volume_owner *b);

/* One volume's record: what must outlive a restart. Strings are "" and numbers 0 where there is nothing. */
struct record {
	struct volume_ref ref;
	char pod_namespace[LIMIT_NAMESPACE + 1];
	char pod_name[LIMIT_OBJECT_NAME + 1];
	char secret[LIMIT_OBJECT_NAME + 1];
	char secret_uid[LIMIT_UID + 1];
	char resource_version[LIMIT_RESOURCE_VERSION + 1]; /* the highest that was published */
	struct fingerprint content;
	struct fingerprint leaf;
	int64_t not_after_s;
	char generation[GENERATION_NAME];
	char previous[GENERATION_NAME]; /* kept for rollback; "" none */
	struct fingerprint previous_content;
	struct fingerprint previous_leaf;
	int64_t previous_not_after_s;
	struct volume_owner owner;
	uint64_t
	    bytes; /* what it counts for in the budget: its generation, and one like it or larger that is kept or will be */
	int64_t signalled_wall_ms; /* the last signal about it; 0 none */
	int32_t owed_signal;       /* a signal that was not confirmed as sent; 0 none */
	char quarantine_rv[LIMIT_RESOURCE_VERSION +
			   1]; /* rolled back from: not published again by itself */
	struct fingerprint quarantine_content;
};
