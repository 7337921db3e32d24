/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What goes into a volume: a few named files, whose bytes are secret. The type that head and hand
 * share. Hashing is left to the caller's library (OpenSSL in the head, libmd in the hand).
 */

#include "base/limits.h"
#include "base/secret.h"

#define FINGERPRINT_SIZE 32
#define FINGERPRINT_HEX (2 * FINGERPRINT_SIZE + 1)

/* SHA-256 of a content, or of a leaf's DER. All zero: none. */
struct fingerprint {
	uint8_t bytes[FINGERPRINT_SIZE];
};

struct content_file {
	char name[LIMIT_FILE_NAME + 1]; /* one path component: see content_name_ok */
	struct secret bytes;            /* owned */
};

struct content {
	struct content_file
	    files[LIMIT_FILES]; /* in bytewise order of names once content_sort was called */
	size_t count;
};

#define _cleanup_content_ _cleanup_(content_done)

/* Wipes and frees the files; the content is empty after it. */
void content_done(struct content *c);

/*
 * Adds a file with a copy of the bytes.
 * Errors:  INVALID    the name is not one path component, starts with "..", or is there already
 *          EXHAUSTED  more than LIMIT_FILES files or LIMIT_CONTENT bytes
 */
int content_add(struct content *c, const char *name, const void *bytes, size_t len,
		struct err *e) _must_check_;

/* The file of that name, or NULL. Borrowed. */
const struct content_file *content_find(const struct content *c, const char *name);

/* One path component of 1 to LIMIT_FILE_NAME bytes of [-._a-zA-Z0-9] that is not "." and does not
 * start with "..". */
bool content_name_ok(const char *name);

void content_sort(struct content *c);

/* Bytes of all files. */
size_t content_size(const struct content *c);

/*
 * Feeds what the content fingerprint is made of to a SHA-256: for each file, in bytewise order of
 * the names, its name, a NUL, its length as 64-bit big-endian, its bytes. Sorts first.
 */
void content_digest(struct content *c, void (*update)(void *hash, const void *bytes, size_t len),
		    void *hash);

bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b);
bool fingerprint_is_set(const struct fingerprint *f);
void fingerprint_hex(const struct fingerprint *f, char ret_hex[static FINGERPRINT_HEX]);
