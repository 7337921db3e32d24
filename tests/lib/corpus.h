/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

#include "base/defs.h"

/*
 * Gives each file of tests/fuzz/corpus/NAME, found from the program's own place, to a fuzz target's
 * function, as a fuzzer does. Ends the program when there is none. Returns how many there were.
 */
size_t corpus_replay(const char *name, int (*target)(const uint8_t *data, size_t len));
