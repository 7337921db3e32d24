/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One flag's value: from text into the settings. */

#include "command/options.h"

/* Converts and stores; returns -1 when the text is none of the option's type, or out of bounds. */
int value_store(const struct option *o, const char *text, void *settings) _must_check_;

/* What would have been right: "a duration such as 90s or 1h30m, from 1s to 24h". */
void value_describe(const struct option *o, char *to, size_t size);
