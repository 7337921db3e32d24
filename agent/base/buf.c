/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4};
}

void buf_done(struct buf *b)
{
	if (b->data) {
		explicit_bzero(b->data, b->room);
		free(b->data);
	}
	*b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->len + 1);
	b->len = 0;
}

/* Makes room for more bytes and the NUL. realloc would leave a copy behind, so the move is done by
 * hand. */
static int reserve(struct buf *b, size_t more, struct err *e)
{
	size_t room = b->room ? b->room : 256;
	char *data;

	if (more > b->max || b->len > b->max - more)
		return err_set(e, ERR_EXHAUSTED, "more than %zu bytes", b->max);
	if (b->room > b->len + more)
		return 0;
	while (room <= b->len + more)
		room = room > b->max / 2 ? b->max + 1 : room * 2;
	data = malloc(room);
	if (!data)
		return err_sys(e, "buffer of %zu bytes", room);
	if (b->data) {
		memcpy(data, b->data, b->len);
		explicit_bzero(b->data, b->room);
		free(b->data);
	}
	b->data = data;
	b->room = room;
	return 0;
}

int buf_add(struct buf *b, const void *data, size_t len, struct err *e)
{
	if (reserve(b, len, e) < 0)
		return -1;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_add_str(struct buf *b, const char *s, struct err *e)
{
	return buf_add(b, s, strlen(s), e);
}

int buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
{
	va_list ap;
	int need;

	va_start(ap, fmt);
	need = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (need < 0)
		return err_set(e, ERR_INTERNAL, "format a text");
	if (reserve(b, (size_t)need, e) < 0)
		return -1;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)need + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)need;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_reset(b);
		return;
	}
	memmove(b->data, b->data + n, b->len - n);
	explicit_bzero(b->data + b->len - n, n);
	b->len -= n;
	b->data[b->len] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}
