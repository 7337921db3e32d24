/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/client.h"

#include <stdarg.h>
#include <string.h>

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

int k8s_escape(struct buf *b, const char *text, struct err *e)
{
	for (; *text; text++) {
		int r = is_plain(*text) ? buf_add(b, text, 1, e)
					: buf_printf(b, e, "%%%02X", (unsigned char)*text);

		if (r < 0)
			return -1;
	}
	return 0;
}

int k8s_path(struct buf *b, struct err *e, ...)
{
	const char *segment;
	va_list segments;
	int r = 0;

	va_start(segments, e);
	while (r == 0 && (segment = va_arg(segments, const char *))) {
		if (!*segment || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
			r = err_set(e, ERR_INVALID, "'%s' can be no part of an API path", segment);
		else if (buf_add_str(b, "/", e) < 0 || k8s_escape(b, segment, e) < 0)
			r = -1;
	}
	va_end(segments);
	return r;
}
