/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A directory with a keypair, as people name it on the command line: one that certhup or kubelet
 * fills (with ..data), or plain files.
 */

#include "cert/gate.h"
#include "volume/read.h"

struct directory {
	struct content files;
	char generation[GENERATION_NAME]; /* what ..data names; "": plain files */
	struct volume_entry entries[LIMIT_FILES];
	size_t entry_count;
};

/*
 * Appends to a NOT_FOUND, where it is so, that the pair is in the directory certhup below: where init
 * and sidecar write. Returns -1.
 */
int directory_hint(const char *path, struct err *e);

/*
 * Reads it; of plain files only those named *.crt, *.key and *.pem. ret is to be freed also after
 * an error.
 *
 * Errors: NOT_FOUND, DENIED, EXHAUSTED (more or larger files than a volume may have)
 */
int directory_read(const char *path, struct directory *ret, struct err *e) _must_check_;
void directory_done(struct directory *d);
#define _cleanup_directory_ _cleanup_(directory_done)

/*
 * The pair among files, whatever they are named: ret gets tls.crt (certificates only), tls.key and,
 * where there, ca.crt, as the gate wants them. Files of these names come before others; a bundle
 * serves as both.
 *
 * Errors: NOT_FOUND, naming what is missing
 */
int pair_find(const struct content *files, struct content *ret, struct err *e) _must_check_;
