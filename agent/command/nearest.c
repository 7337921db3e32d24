/* SPDX-License-Identifier: Apache-2.0 */
#include "command/nearest.h"

#include "base/limits.h"

#include <string.h>

#define NEAR 3 /* edits that still look like a slip */

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance of two words of at most LIMIT_WORD bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[LIMIT_WORD + 1];
	size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[len];
}

const char *nearest(const char *typed, const char *const *names, size_t count)
{
	const char *best = NULL;
	size_t best_distance = NEAR + 1;

	if (strlen(typed) > LIMIT_WORD)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t d =
		    strlen(names[i]) > LIMIT_WORD ? best_distance : distance(typed, names[i]);

		if (d < best_distance && d * 2 <= strlen(names[i])) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}
