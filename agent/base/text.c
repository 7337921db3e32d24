/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

size_t text_utf8_length(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;
	uint32_t c;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > len)
		return 0;
	c = s[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) ||
	    (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return n;
}

bool text_is_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = s[i] ? text_utf8_length(s + i, len - i) : 0;

		if (!n)
			return false;
		i += n;
	}
	return true;
}

int text_json_string(struct buf *b, const char *s, size_t len, struct err *e)
{
	if (buf_add(b, "\"", 1, e) < 0)
		return -1;
	for (size_t i = 0; i < len;) {
		size_t n = text_utf8_length(s + i, len - i);
		unsigned char c = (unsigned char)s[i];
		int r;

		if (n == 0)
			r = buf_add_str(b, "\\ufffd", e);
		else if (c == '"' || c == '\\')
			r = buf_printf(b, e, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			r = buf_printf(b, e, "\\u%04x", c);
		else if (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0)
			r = buf_printf(b, e, "\\u%04x", (unsigned char)s[i + 1]);
		else
			r = buf_add(b, s + i, n, e);
		if (r < 0)
			return -1;
		i += n ? n : 1;
	}
	return buf_add(b, "\"", 1, e);
}

int text_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		unsigned d = (unsigned)(*s - '0');

		if (d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))
			return -1;
	}
	if (v < min || v > max)
		return -1;
	*ret = v;
	return 0;
}

int text_parse_mode(const char *s, uint32_t *ret)
{
	const char *list = TEXT_MODES;
	size_t len = strlen(s);

	if (len == 4 && s[0] == '0') {
		s++;
		len--;
	}
	for (; *list; list += strspn(list, ", ")) {
		if (len == 3 && memcmp(list + 1, s, len) == 0) {
			*ret = (uint32_t)strtoul(s, NULL, 8);
			return 0;
		}
		list += strcspn(list, ",");
	}
	return -1;
}

/* Milliseconds of the unit at *s, which is moved behind it; 0 when there is none. */
static int64_t unit_ms(const char **s)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t n = strlen(units[i].name);

		if (strncmp(*s, units[i].name, n) == 0) {
			*s += n;
			return units[i].ms;
		}
	}
	return 0;
}

int text_parse_duration(const char *s, int64_t max_ms, int64_t *ret_ms)
{
	int64_t sum = 0;

	if (strcmp(s, "0") == 0) {
		*ret_ms = 0;
		return 0;
	}
	if (!*s)
		return -1;
	while (*s) {
		int64_t whole = 0;
		int64_t milli = 0;
		int64_t place = 100;
		int64_t unit;

		if (*s < '0' || *s > '9')
			return -1;
		for (; *s >= '0' && *s <= '9'; s++)
			if (whole <= max_ms)
				whole = whole * 10 + (*s - '0');
		if (*s == '.')
			for (s++; *s >= '0' && *s <= '9'; s++, place /= 10)
				milli += (*s - '0') * place;
		unit = unit_ms(&s);
		if (!unit || whole > max_ms / unit)
			return -1;
		sum += whole * unit + milli * unit / 1000;
		if (sum > max_ms)
			return -1;
	}
	*ret_ms = sum;
	return 0;
}

void text_duration(int64_t ms, char ret_text[static TEXT_DURATION])
{
	int64_t h = ms / 3600000;
	int64_t m = ms / 60000 % 60;
	int64_t s = ms / 1000 % 60;
	size_t n = 0;

	ret_text[0] = '\0';
	if (h)
		n += (size_t)snprintf(ret_text + n, TEXT_DURATION - n, "%" PRId64 "h", h);
	if (m)
		n += (size_t)snprintf(ret_text + n, TEXT_DURATION - n, "%" PRId64 "m", m);
	if (s)
		n += (size_t)snprintf(ret_text + n, TEXT_DURATION - n, "%" PRId64 "s", s);
	if (ms % 1000)
		n += (size_t)snprintf(ret_text + n, TEXT_DURATION - n, "%" PRId64 "ms", ms % 1000);
	if (!n)
		snprintf(ret_text, TEXT_DURATION, "0s");
}

int text_copy(char *to, size_t size, const char *from)
{
	size_t len = strlen(from);

	if (len >= size)
		return -1;
	memcpy(to, from, len + 1);
	return 0;
}

bool text_is_dns(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.");

	return len && !s[len] && s[0] != '-' && s[0] != '.' && s[len - 1] != '-' &&
	       s[len - 1] != '.';
}

bool text_is_rv(const char *s)
{
	size_t len = strspn(s, "0123456789");

	return len > 0 && s[len] == '\0' && s[0] != '0';
}

int text_compare_rv(const char *a, const char *b)
{
	size_t la = strlen(a);
	size_t lb = strlen(b);

	if (la != lb)
		return la < lb ? -1 : 1;
	return strcmp(a, b);
}

uint64_t text_hash(uint64_t h, const char *s)
{
	if (!h)
		h = 14695981039346656037u;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}
