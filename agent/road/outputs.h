/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From a Secret's data to a volume's files: items choose and rename, bundle and combined put key and chain into one file.
 */

#include "cert/gate.h"

struct outputs_item {
	char key[LIMIT_FILE_NAME + 1];
	char path[LIMIT_FILE_NAME + 1];
};

/* All zero: every key under its own name. */
struct outputs {
	struct outputs_item items[LIMIT_FILES];
	size_t item_count;
	char bundle[LIMIT_FILE_NAME +
		    1]; /* file name, "" off: key as PKCS#8, then the chain (KEP-4317) */
	char combined
	    [LIMIT_FILE_NAME +
	     1]; /* file name, "" off: key as stored, newline, chain (cert-manager's CombinedPEM) */
};

/* Parses "key=path,key=path". Errors: INVALID, naming the item. */
int outputs_parse_items(const char *text, struct outputs *ret, struct err *e) _must_check_;

/* No two outputs may have one name. Errors: INVALID, naming it. */
int outputs_check(const struct outputs *o, struct err *e) _must_check_;

/*
 * Makes the volume's content. ret is empty at first and owned by the caller.
 *
 * Errors:  NOT_FOUND  the Secret has not the key that an item names
 *          INVALID    two files of one name, or a key that cannot be put into a bundle
 *          EXHAUSTED  too many files or bytes
 */
int outputs_build(const struct outputs *o, struct gate *gate, const struct content *data,
		  struct content *ret, struct err *e) _must_check_;
