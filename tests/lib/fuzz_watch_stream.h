/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A fuzz target: reads the bytes as a JSON stream, whole and in pieces, and aborts when both do not
 * say the same, or when something that was taken is not taken when it is written and read again.
 * First byte: the mode; second: the size of the pieces.
 */
int fuzz_watch_stream(const uint8_t *data, size_t len);
