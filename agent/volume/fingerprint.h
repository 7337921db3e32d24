/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* The hand's SHA-256, by libmd. */

#include "base/content.h"

void volume_fingerprint(struct content *c, struct fingerprint *ret);
void volume_hash(const void *bytes, size_t len, struct fingerprint *ret);
