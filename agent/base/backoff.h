/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A capped, doubling delay with jitter. Pure: the caller brings the time and the random number.
 */

#include "base/defs.h"

struct backoff {
	int64_t first_ms;
	int64_t cap_ms;        /* before jitter */
	int64_t reset_ms;      /* of success before the delay starts again at first_ms */
	int64_t next_ms;       /* 0: first_ms */
	int64_t good_since_ms; /* monotonic; -1 while it fails */
};

void backoff_init(struct backoff *b, int64_t first_ms, int64_t cap_ms, int64_t reset_ms);

/* The delay to wait now, jittered to d .. 2d by random (any 32 bits), and the next one doubles. */
int64_t backoff_fail(struct backoff *b, int64_t now_ms, uint32_t random);

/* Says that it works; only after reset_ms of that does the delay start again. */
void backoff_good(struct backoff *b, int64_t now_ms);

/* 32 random bits from the kernel, for jitter. */
uint32_t backoff_random(void);
