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
	n = (size_t)snprintf(ret_text, CLOCK_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d",
			     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			     tm.tm_sec);
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

/* The number that the digits of a pattern ("dd") stand for; -1 when text does not fit it. */
static int digits(const char *text, size_t count)
{
	int n = 0;

	for (size_t i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n;
}

/* Seconds since 1970 of "YYYY-MM-DDTHH:MM:SS"; -1 when it is no such time. */
static int parse_seconds(const char *text, int64_t *ret_s)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	struct tm tm = {0};
	struct tm day;

	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] == 'd' ? digits(text + i, 1) < 0 : text[i] != shape[i])
			return -1;
	tm.tm_year = digits(text, 4) - 1900;
	tm.tm_mon = digits(text + 5, 2) - 1;
	tm.tm_mday = digits(text + 8, 2);
	day = tm;
	*ret_s = timegm(&day);
	if (day.tm_mon != tm.tm_mon || day.tm_mday != tm.tm_mday)
		return -1;
	tm.tm_hour = digits(text + 11, 2);
	tm.tm_min = digits(text + 14, 2);
	tm.tm_sec = digits(text + 17, 2);
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -1;
	*ret_s += tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
	return 0;
}

int clock_parse(const char *text, int64_t *ret_wall_ms)
{
	const char *rest = text + strlen("YYYY-MM-DDTHH:MM:SS");
	int64_t ms = 0;
	int64_t s;

	if (parse_seconds(text, &s) < 0)
		return -1;
	if (*rest == '.') {
		int64_t unit = 100;

		if (digits(++rest, 1) < 0)
			return -1;
		for (; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			ms += (*rest - '0') * unit;
	}
	if (strcmp(rest, "Z") != 0)
		return -1;
	*ret_wall_ms = s * 1000 + ms;
	return 0;
}
