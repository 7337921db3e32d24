/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A captured head, made of bytes: requests as they may come from the socket, payloads, and how the
 * operations end. What the hand answers must always be a reply. Aborts where it is not.
 */

#include <stddef.h>
#include <stdint.h>

int fuzz_hand(const uint8_t *data, size_t len);
