/* SPDX-License-Identifier: Apache-2.0 */
#include "command/print.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <string.h>

#define OUTPUT_SIZE 65536 /* bytes of one complaint */

/* The code point of the well-formed sequence at s, and its length. */
static uint32_t code_point(const unsigned char *s, size_t *ret_len)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t c = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	*ret_len = len;
	return c;
}

/* Controls, and what hides or turns text (zero width, bidirectional, line separators). */
static bool is_hostile(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}

int print_clean(struct buf *b, const char *text, struct err *e)
{
	bool utf8 = text_is_utf8(text, strlen(text));
	size_t len;

	for (const unsigned char *s = (const unsigned char *)text; *s; s += len) {
		uint32_t c = *s;
		int r = 0;

		len = 1;
		if (utf8)
			c = code_point(s, &len);
		if (!is_hostile(c) && (utf8 || c < 0x80))
			r = buf_add(b, s, len, e);
		else
			for (size_t i = 0; i < len && r == 0; i++)
				r = buf_printf(b, e, "\\x%02x", s[i]);
		if (r < 0)
			return -1;
	}
	return 0;
}

int print_out(const struct buf *b, int code)
{
	struct err e = {0};

	if (file_write_all(STDOUT_FILENO, b->data, b->len, &e) < 0) {
		err_add(&e, "standard output");
		return complain(&e, CODE_FAILURE);
	}
	return code;
}

int complain(const struct err *e, int code)
{
	_cleanup_buf_ struct buf b;
	struct err ignored;

	buf_init(&b, OUTPUT_SIZE);
	if (buf_add_str(&b, "error: ", &ignored) == 0 &&
	    print_clean(&b, e->message, &ignored) == 0 && buf_add_str(&b, "\n", &ignored) == 0)
		(void)!file_write_all(STDERR_FILENO, b.data, b.len, &ignored);
	return code;
}

int print_end(int r, const struct buf *b, int code, const struct err *e)
{
	return r < 0 ? complain(e, CODE_FAILURE) : print_out(b, code);
}

/* Columns that a text takes: its code points. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* The cell as it is printed. */
static int cell(const char *text, struct buf *ret, struct err *e)
{
	buf_reset(ret);
	return print_clean(ret, text && *text ? text : "<none>", e);
}

static int widest(const char *const *cells, size_t columns, size_t rows, size_t column, size_t *ret,
		  struct err *e)
{
	_cleanup_buf_ struct buf text;

	buf_init(&text, OUTPUT_SIZE);
	*ret = 0;
	for (size_t r = 0; r < rows; r++) {
		size_t w;

		if (cell(cells[r * columns + column], &text, e) < 0)
			return -1;
		w = width(buf_str(&text));
		*ret = w > *ret ? w : *ret;
	}
	return 0;
}

#define COLUMNS 16

static int row(struct buf *b, const char *const *cells, const size_t *widths, size_t columns,
	       struct err *e)
{
	_cleanup_buf_ struct buf text;

	buf_init(&text, OUTPUT_SIZE);
	for (size_t c = 0; c < columns; c++) {
		int pad;

		if (cell(cells[c], &text, e) < 0 || buf_add(b, text.data, text.len, e) < 0)
			return -1;
		pad = (int)(widths[c] - width(buf_str(&text))) + 3;
		if (buf_printf(b, e, "%*s", c + 1 < columns ? pad : 0, "") < 0)
			return -1;
	}
	return buf_add_str(b, "\n", e);
}

int print_table(struct buf *b, const char *const *cells, size_t columns, size_t rows, struct err *e)
{
	size_t widths[COLUMNS];

	if (columns > COLUMNS)
		return err_set(e, ERR_INTERNAL, "a table of %zu columns", columns);
	for (size_t c = 0; c < columns; c++)
		if (widest(cells, columns, rows, c, &widths[c], e) < 0)
			return -1;
	for (size_t r = 0; r < rows; r++)
		if (row(b, cells + r * columns, widths, columns, e) < 0)
			return -1;
	return 0;
}

int print_field(struct buf *b, const char *name, const char *text, struct err *e)
{
	if (buf_printf(b, e, "%s:%*s", name, (int)(strlen(name) < 15 ? 15 - strlen(name) : 1), "") <
		0 ||
	    print_clean(b, text && *text ? text : "<none>", e) < 0)
		return -1;
	return buf_add_str(b, "\n", e);
}

void print_when(int64_t at_s, int64_t now_s, char ret_text[static PRINT_WHEN])
{
	int64_t away = at_s > now_s ? at_s - now_s : now_s - at_s;
	char at[CLOCK_TEXT];
	char span[TEXT_DURATION];

	clock_text_s(at_s * 1000, at);
	if (away >= (int64_t)48 * 3600)
		snprintf(span, sizeof(span), "%lldd", (long long)(away / 86400));
	else
		text_duration((away >= 3600 ? away / 60 * 60 : away) * 1000, span);
	snprintf(ret_text, PRINT_WHEN, at_s > now_s ? "%s (in %s)" : "%s (%s ago)", at, span);
}
