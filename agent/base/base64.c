/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/base64.h"

#include <string.h>

/* All ones when lo <= c <= hi, else zero; without a branch. */
static unsigned between(unsigned c, unsigned lo, unsigned hi)
{
	return ((lo - 1 - c) & (c - hi - 1)) >> 31 ? ~0u : 0u;
}

/* Value of a letter of the alphabet, 64 for anything else. */
static unsigned value_of(unsigned char letter)
{
	unsigned c = letter;
	unsigned upper = between(c, 'A', 'Z');
	unsigned lower = between(c, 'a', 'z');
	unsigned digit = between(c, '0', '9');
	unsigned plus = between(c, '+', '+');
	unsigned slash = between(c, '/', '/');
	unsigned none = ~(upper | lower | digit | plus | slash);

	return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) |
	       (plus & 62u) | (slash & 63u) | (none & 64u);
}

/* Three bytes from four letters. Returns non-zero when one of the four is no letter. */
static unsigned decode_group(const char in[4], uint8_t out[3])
{
	unsigned v[4];

	for (int i = 0; i < 4; i++)
		v[i] = value_of((unsigned char)in[i]);
	out[0] = (uint8_t)(v[0] << 2 | v[1] >> 4);
	out[1] = (uint8_t)(v[1] << 4 | v[2] >> 2);
	out[2] = (uint8_t)(v[2] << 6 | v[3]);
	return (v[0] | v[1] | v[2] | v[3]) & 64u;
}

/* The same for the last group, of which pad letters are padding: 3 - pad bytes. Bits behind them
 * must not be set. */
static unsigned decode_last(const char in[4], size_t pad, uint8_t *out)
{
	char letters[4];
	uint8_t bytes[3];
	unsigned bad;

	memcpy(letters, in, sizeof(letters));
	memset(letters + 4 - pad, 'A', pad);
	bad = decode_group(letters, bytes);
	for (size_t i = 3 - pad; i < 3; i++)
		bad |= bytes[i];
	memcpy(out, bytes, 3 - pad);
	explicit_bzero(letters, sizeof(letters));
	explicit_bzero(bytes, sizeof(bytes));
	return bad;
}

static size_t padding(const char *text, size_t len)
{
	size_t pad = 0;

	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	return pad;
}

int base64_decode(const char *text, size_t len, size_t max, struct secret *ret, struct err *e)
{
	_cleanup_secret_ struct secret s = {0};
	size_t pad = padding(text, len);
	size_t size = len / 4 * 3 - pad;
	unsigned bad = 0;

	if (len % 4 != 0)
		return err_set(e, ERR_INVALID, "no base64: its length is no multiple of 4");
	if (size > max)
		return err_set(e, ERR_EXHAUSTED, "base64 of %zu bytes, more than %zu", size, max);
	if (secret_alloc(&s, size, e) < 0)
		return -1;
	for (size_t i = 0; i + 1 < len / 4; i++)
		bad |= decode_group(text + 4 * i, s.data + 3 * i);
	if (len)
		bad |= decode_last(text + len - 4, pad, s.data + size - (3 - pad));
	if (bad)
		return err_set(e, ERR_INVALID, "no base64: a letter or its padding is wrong");
	*ret = s;
	s = (struct secret){0};
	return 0;
}
