/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * The only place that reads a clock. Times are arguments everywhere else, so that a test turns the
 * hands itself. Monotonic milliseconds drive timers, wall seconds judge certificates and are shown
 * to people.
 */

#include "base/defs.h"

#include <stdbool.h>

struct clock {
	int64_t (*mono_ms)(void *arg); /* never jumps; 0 is some moment in the past */
	int64_t (*wall_ms)(void *arg); /* milliseconds since 1970, UTC */
	void *arg;
};

/* The machine's own: CLOCK_BOOTTIME (counts suspension) and CLOCK_REALTIME. Borrowed, static. */
const struct clock *clock_system(void);

/* A clock whose hands stand where the test puts them. */
struct clock_fake {
	struct clock clock;
	int64_t mono_ms;
	int64_t wall_ms;
};
void clock_fake_init(struct clock_fake *f, int64_t mono_ms, int64_t wall_ms);
void clock_fake_turn(struct clock_fake *f, int64_t ms); /* both hands */

static inline int64_t clock_mono_ms(const struct clock *c)
{
	return c->mono_ms(c->arg);
}

static inline int64_t clock_wall_ms(const struct clock *c)
{
	return c->wall_ms(c->arg);
}

#define CLOCK_TEXT 32

/* "2026-01-02T03:04:05Z", or with ms "2026-01-02T03:04:05.678Z", or with us as Kubernetes MicroTime
 * wants it. */
void clock_text_s(int64_t wall_ms, char ret_text[static CLOCK_TEXT]);
void clock_text_ms(int64_t wall_ms, char ret_text[static CLOCK_TEXT]);
void clock_text_us(int64_t wall_ms, char ret_text[static CLOCK_TEXT]);

/* Parses RFC 3339 in UTC ("...Z", optional fraction). Returns -1 and leaves the result alone when
 * it is none. */
int clock_parse(const char *text, int64_t *ret_wall_ms) _must_check_;
