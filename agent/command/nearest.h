/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* The name that a mistyped word most likely meant, or NULL when none is near. Borrowed. */
const char *nearest(const char *typed, const char *const *names, size_t count);
