/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/base64.h"

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

/* Three bytes from four letters; the unused ones of a padded group are zero letters ('A'). Returns
 * the bits that were lost to no letter: non-zero when one of the four is none. */
static unsigned decode_group(const unsigned char in[4], uint8_t out[3])
{
	unsigned v[4];

	for (int i = 0; i < 4; i++)
		v[i] = value_of(in[i]);
	out[0] = (uint8_t)(v[0] << 2 | v[1] >> 4);
	out[1] = (uint8_t)(v[1] << 4 | v[2] >> 2);
	out[2] = (uint8_t)(v[2] << 6 | v[3]);
	return (v[0] | v[1] | v[2] | v[3]) & 64u;
}

int base64_decode(const char *text, size_t len, size_t max, struct secret *ret, struct err *e)
{
	_cleanup_secret_ struct secret s = {0};
	size_t pad = 0;
	size_t size;
	unsigned bad = 0;

	if (len % 4 != 0)
		return err_set(e, ERR_INVALID, "no base64: its length is no multiple of 4");
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	size = len / 4 * 3 - pad;
	if (size > max)
		return err_set(e, ERR_EXHAUSTED, "base64 of %zu bytes, more than %zu", size, max);
	if (secret_alloc(&s, size, e) < 0)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		unsigned char in[4];
		uint8_t out[3];
		bool last = i + 4 == len;
		size_t keep = last ? 3 - pad : 3;

		for (size_t j = 0; j < 4; j++)
			in[j] = last && j >= 4 - pad ? 'A' : (unsigned char)text[i + j];
		bad |= decode_group(in, out);
		for (size_t j = 0; j < 3; j++) {
			if (j < keep)
				s.data[i / 4 * 3 + j] = out[j];
			else
				bad |= out[j];
		}
	}
	if (bad)
		return err_set(e, ERR_INVALID, "no base64: a letter or its padding is wrong");
	*ret = s;
	s = (struct secret){0};
	return 0;
}
