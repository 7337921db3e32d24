/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fuzz_watch_stream.h"

#include "base/limits.h"
#include "k8s/json_stream.h"

#include <string.h>

#define MAX_BYTES ((size_t)4 * KIB) /* of one value: small, so that the limit is met */

static void demand(bool is_so)
{
	if (!is_so)
		abort();
}

static void note(struct buf *said, const char *what, struct json *value)
{
	_cleanup_json_ struct json *again = NULL;
	_cleanup_buf_ struct buf text = {.max = LIMIT_BODY};
	_cleanup_buf_ struct buf text_again = {.max = LIMIT_BODY};
	struct err e;

	demand(json_write(value, false, &text, &e) == 0);
	demand(json_parse(text.data, text.len, &again, &e) == 0);
	demand(json_write(again, false, &text_again, &e) == 0);
	demand(strcmp(buf_str(&text), buf_str(&text_again)) == 0);
	demand(buf_printf(said, &e, "%s %s\n", what, buf_str(&text)) == 0);
	json_free(value);
}

static void on_value(void *arg, struct json *value)
{
	note(arg, "value", value);
}

static void on_item(void *arg, struct json *item)
{
	note(arg, "item", item);
}

/* Not by kind: of several faults of a value the one that is seen first counts. */
static void on_bad(void *arg, const struct err *why _unused_)
{
	struct err e;

	demand(buf_add_str(arg, "bad\n", &e) == 0);
}

static void read_all(enum json_stream_mode mode, const char *data, size_t len, size_t piece,
		     struct buf *said)
{
	static const struct json_stream_callbacks callbacks = {on_value, on_bad, on_item};
	_cleanup_(json_stream_freep) struct json_stream *s = NULL;
	struct err e;
	int end;

	demand(json_stream_new(mode, MAX_BYTES, &callbacks, said, &s, &e) == 0);
	for (size_t at = 0; at < len; at += piece)
		json_stream_feed(s, data + at, len - at < piece ? len - at : piece);
	end = json_stream_end(s, &e);
	demand(buf_printf(said, &e, "end %d\n", end) == 0);
}

int fuzz_watch_stream(const uint8_t *data, size_t len)
{
	_cleanup_buf_ struct buf whole = {.max = LIMIT_BODY};
	_cleanup_buf_ struct buf pieces = {.max = LIMIT_BODY};
	enum json_stream_mode mode;

	if (len < 2)
		return 0;
	mode = (enum json_stream_mode)(data[0] % 3);
	read_all(mode, (const char *)data + 2, len - 2, len, &whole);
	read_all(mode, (const char *)data + 2, len - 2, 1 + data[1] % 64, &pieces);
	demand(strcmp(buf_str(&whole), buf_str(&pieces)) == 0);
	return 0;
}
