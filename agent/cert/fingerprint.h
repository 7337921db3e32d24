/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The head's SHA-256: of contents, and of a leaf's DER. The hand has its own by libmd
 * (volume/fingerprint.h). */

#include "base/content.h"

int cert_content_fingerprint(struct content *c, struct fingerprint *ret,
			     struct err *e) _must_check_;
