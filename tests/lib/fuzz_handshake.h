/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A fuzz target: what a hostile server says to a probe, in pieces of the size that the first byte
 * names. Aborts when a leaf counts as seen: nobody can sign for a key without it.
 */
int fuzz_handshake(const uint8_t *data, size_t len);
