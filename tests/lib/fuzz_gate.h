/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A fuzz target: judges a pair, and aborts when the verdict does not hold together. An input is one
 * byte of flags, and then tls.crt, tls.key and ca.crt, parted by the four bytes "|||\n". With
 * FUZZ_DER they are DER, and become PEM blocks first: mutated base64 seldom means anything.
 */
int fuzz_gate(const uint8_t *data, size_t len);
