/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/backoff.h"

#include <sys/random.h>

void backoff_init(struct backoff *b, int64_t first_ms, int64_t cap_ms, int64_t reset_ms)
{
	*b = (struct backoff){
	    .first_ms = first_ms, .cap_ms = cap_ms, .reset_ms = reset_ms, .good_since_ms = -1};
}

int64_t backoff_fail(struct backoff *b, int64_t now_ms, uint32_t random)
{
	int64_t d;

	if (b->good_since_ms >= 0 && now_ms - b->good_since_ms >= b->reset_ms)
		b->next_ms = 0;
	b->good_since_ms = -1;
	d = b->next_ms ? b->next_ms : b->first_ms;
	b->next_ms = d * 2 > b->cap_ms ? b->cap_ms : d * 2;
	return d + (int64_t)((uint64_t)d * random >> 32);
}

void backoff_good(struct backoff *b, int64_t now_ms)
{
	if (b->good_since_ms < 0)
		b->good_since_ms = now_ms;
}

uint32_t backoff_random(void)
{
	uint32_t r = 0;

	(void)!getrandom(&r, sizeof(r), 0);
	return r;
}
