/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A credential that is given as bytes, or as a file that is read again when it changes. For the
 * files of k8s/ alone.
 */

#include "base/secret.h"

struct credential {
	const char *what;    /* for messages: "token"; static */
	char *path;          /* owned; NULL: given as bytes, or not at all */
	struct secret bytes; /* PEM with a NUL behind it that does not count, or the token */
	int64_t seen[5];     /* device, inode, size and time of the file that was read */
	size_t max;
	bool is_token; /* space around it is cut away, and it must fit into a header */
};

void credential_done(struct credential *c);

/* The bytes are given. Errors: INVALID, EXHAUSTED. */
int credential_set(struct credential *c, const void *bytes, size_t len, struct err *e) _must_check_;
int credential_set_base64(struct credential *c, const char *text, struct err *e) _must_check_;

/*
 * Reads the file if it changed since (always: even if it did not). What was read before stays in
 * use when the new file can not be read or is none, as client-go does. ret_changed may be NULL.
 * Errors: as of the file, only when there is nothing from before.
 */
int credential_refresh(struct credential *c, bool always, bool *ret_changed,
		       struct err *e) _must_check_;

/* Appends to the errno in e, when it is a denial, who was denied and what to do. Returns -1. */
int credential_denied(struct err *e);

bool credential_is_set(const struct credential *c); /* a path or bytes */
