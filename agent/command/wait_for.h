/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/content.h"

/*
 * Waits until DIR/..data holds a fit pair that somebody else delivers. Needs no API and no hand.
 *
 * leaf        only a pair with this leaf is meant; NULL: any
 * timeout_ms  0: for ever
 *
 * Returns CODE_DONE; or, with e filled in, CODE_NEVER, CODE_UNFIT (a pair came, and is not fit), or
 * CODE_FAILURE (a signal, or the directory cannot be read).
 */
int wait_for(const char *dir, const struct fingerprint *leaf, int64_t timeout_ms, struct err *e);
