/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* A hand made of bytes: packets as they may come from its socket, to the head's client of it. */

#include <stddef.h>
#include <stdint.h>

int fuzz_client(const uint8_t *data, size_t len);
