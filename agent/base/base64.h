/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Standard base64 (RFC 4648, section 4), decoded straight into secret memory and without a table
 * that the bytes of a key would index.
 */

#include "base/secret.h"

/*
 * Newlines, spaces, other alphabets, missing or wrong padding and set bits behind the last byte are
 * refused. Errors: INVALID, EXHAUSTED (more than max bytes, or memory is gone).
 */
int base64_decode(const char *text, size_t len, size_t max, struct secret *ret,
		  struct err *e) _must_check_;
