/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fuzz_hand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return fuzz_hand(data, len);
}
