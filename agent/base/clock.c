/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_mono(void *arg _unused_)
{
	return read_ms(CLOCK_BOOTTIME);
}

static int64_t system_wall(void *arg _unused_)
{
	return read_ms(CLOCK_REALTIME);
}

const struct clock *clock_system(void)
{
	static const struct clock c = {.mono_ms = system_mono, .wall_ms = system_wall};

	return &c;
}

static int64_t fake_mono(void *arg)
{
	return ((struct clock_fake *)arg)->mono_ms;
}

static int64_t fake_wall(void *arg)
{
	return ((struct clock_fake *)arg)->wall_ms;
}

void clock_fake_init(struct clock_fake *f, int64_t mono_ms, int64_t wall_ms)
{
	f->clock = (struct clock){.mono_ms = fake_mono, .wall_ms = fake_wall, .arg = f};
	f->mono_ms = mono_ms;
	f->wall_ms = wall_ms;
}

void clock_fake_turn(struct clock_fake *f, int64_t ms)
{
	f->mono_ms += ms;
	f->wall_ms += ms;
}

static void text(int64_t wall_ms, int digits, char *ret_text)
{
	int64_t s = wall_ms / 1000;
	int64_t ms = wall_ms % 1000;
	time_t t;
	struct tm tm;
	size_t n;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	t = (time_t)s;
	gmtime_r(&t, &tm);
	n = strftime(ret_text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	if (digits == 3)
		snprintf(ret_text + n, CLOCK_TEXT - n, ".%03dZ", (int)ms);
	else if (digits == 6)
		snprintf(ret_text + n, CLOCK_TEXT - n, ".%03d000Z", (int)ms);
	else
		snprintf(ret_text + n, CLOCK_TEXT - n, "Z");
}

void clock_text_s(int64_t wall_ms, char ret_text[static CLOCK_TEXT])
{
	text(wall_ms, 0, ret_text);
}

void clock_text_ms(int64_t wall_ms, char ret_text[static CLOCK_TEXT])
{
	text(wall_ms, 3, ret_text);
}

void clock_text_us(int64_t wall_ms, char ret_text[static CLOCK_TEXT])
{
	text(wall_ms, 6, ret_text);
}

int clock_parse(const char *text, int64_t *ret_wall_ms)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t ms = 0;

	if (!rest)
		return -1;
	if (*rest == '.') {
		int64_t unit = 100;

		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			ms += (*rest - '0') * unit;
	}
	if (strcmp(rest, "Z") != 0)
		return -1;
	*ret_wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return 0;
}
