/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/json_stream.h"

#include "base/limits.h"
#include "k8s/json_sink.h"

#include <inttypes.h>
#include <string.h>

#define KEY_ROOM 14 /* "managedFields" and a NUL */

enum key {
	KEY_OTHER,
	KEY_MANAGED_FIELDS,
	KEY_ITEMS
};

struct json_stream {
	enum json_stream_mode mode;
	size_t max_bytes;
	const struct json_stream_callbacks *callbacks; /* borrowed */
	void *arg;

	struct sink document;
	struct sink item;
	struct sink *to; /* who gets the bytes: one of both, NULL between values */
	const char *run; /* begin of the bytes that it did not get yet; in the data being fed */
	uint64_t offset; /* of the data being fed */
	const char *data;

	size_t depth;      /* open brackets */
	uint64_t arrays;   /* one bit for each of the first 64: it is a [ */
	size_t items_at;   /* depth of the array "items", 0 outside of it */
	size_t skip_above; /* depth at which a managedFields array began; SIZE_MAX: none */
	bool resync;       /* after a broken value: only a { in column 0 begins the next */
	char last;         /* the byte before */

	bool in_string;
	unsigned escape; /* 1: after a backslash, 2 to 5: before a hex digit of \uXXXX */
	bool escape_is_zero;
	unsigned utf8_more; /* bytes of a sequence that are still to come */
	unsigned char utf8_low;
	unsigned char utf8_high; /* bounds of the next of them */
	char key[KEY_ROOM];
	size_t key_len;
	enum key string; /* the last string, when nothing but space came since */
	enum key member; /* that, and then a colon */
};

static uint64_t offset_of(const struct json_stream *s, const char *p)
{
	return s->offset + (uint64_t)(p - s->data);
}

/* Gives the sink what lies before p. */
static void flush(struct json_stream *s, const char *p)
{
	if (p <= s->run)
		return;
	if (s->to && s->skip_above == SIZE_MAX)
		sink_feed(s->to, s->run, (size_t)(p - s->run), offset_of(s, s->run));
	s->run = p;
}

static void begin(struct json_stream *s, struct sink *k, const char *p)
{
	sink_begin(k, s->max_bytes);
	s->to = k;
	s->run = p;
}

/* The value that k gets ends before p. */
static void finish(struct json_stream *s, struct sink *k, const char *p)
{
	struct json *value;

	flush(s, p);
	if (!k->bad && !k->whole)
		sink_refuse(k, ERR_INVALID, "the value is not whole", offset_of(s, p));
	if (k == &s->document && s->mode != JSON_STREAM_MANY) {
		s->to = NULL; /* told by json_stream_end */
		return;
	}
	s->to = k == &s->item ? &s->document : NULL;
	value = TAKE(k->value);
	if (k->bad)
		s->callbacks->on_bad(s->arg, &k->why);
	else if (k == &s->item)
		s->callbacks->on_item(s->arg, value);
	else
		s->callbacks->on_value(s->arg, value);
	sink_done(k);
}

/* Brackets or quotes do not fit: where the value ends can not be told any more. */
static void lose(struct json_stream *s, const char *what, const char *p)
{
	if (s->to == &s->item) {
		sink_done(&s->item);
		s->to = &s->document;
	}
	sink_refuse(&s->document, ERR_INVALID, what, offset_of(s, p));
	if (s->mode == JSON_STREAM_MANY) {
		s->to = &s->document;
		finish(s, &s->document, p);
	}
	s->to = NULL;
	s->depth = 0;
	s->items_at = 0;
	s->skip_above = SIZE_MAX;
	s->in_string = false;
	s->resync = true;
}

/* Lead byte of a UTF-8 sequence (RFC 3629): how many follow, and the bounds of the first. */
static bool utf8_begin(struct json_stream *s, unsigned char c)
{
	s->utf8_low = 0x80;
	s->utf8_high = 0xbf;
	if (c >= 0xc2 && c <= 0xdf)
		s->utf8_more = 1;
	else if (c >= 0xe0 && c <= 0xef)
		s->utf8_more = 2;
	else if (c >= 0xf0 && c <= 0xf4)
		s->utf8_more = 3;
	else
		return false;
	if (c == 0xe0)
		s->utf8_low = 0xa0;
	else if (c == 0xed)
		s->utf8_high = 0x9f;
	else if (c == 0xf0)
		s->utf8_low = 0x90;
	else if (c == 0xf4)
		s->utf8_high = 0x8f;
	return true;
}

static bool utf8_next(struct json_stream *s, unsigned char c)
{
	bool good = c >= s->utf8_low && c <= s->utf8_high;

	s->utf8_more = good ? s->utf8_more - 1 : 0;
	s->utf8_low = 0x80;
	s->utf8_high = 0xbf;
	return good;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void step_escape(struct json_stream *s, char c, const char *p)
{
	s->key_len = KEY_ROOM;
	if (s->escape == 1) {
		s->escape = c == 'u' ? 2 : 0;
		s->escape_is_zero = true;
		return;
	}
	if (!is_hex(c)) {
		lose(s, "bad \\u escape", p);
		return;
	}
	s->escape_is_zero = s->escape_is_zero && c == '0';
	s->escape = s->escape == 5 ? 0 : s->escape + 1;
	if (s->escape == 0 && s->escape_is_zero)
		sink_refuse(s->to, ERR_INVALID, "NUL in a string", offset_of(s, p));
}

static void string_ends(struct json_stream *s)
{
	s->in_string = false;
	s->string = KEY_OTHER;
	if (s->key_len == 13 && memcmp(s->key, "managedFields", 13) == 0)
		s->string = KEY_MANAGED_FIELDS;
	else if (s->key_len == 5 && memcmp(s->key, "items", 5) == 0)
		s->string = KEY_ITEMS;
}

/* A byte within a string. */
static void step_string(struct json_stream *s, const char *p)
{
	unsigned char c = (unsigned char)*p;
	bool good = true;

	if (s->utf8_more)
		good = utf8_next(s, c);
	else if (c >= 0x80)
		good = utf8_begin(s, c);
	if (!good)
		sink_refuse(s->to, ERR_INVALID, "bytes that are not UTF-8", offset_of(s, p));
	if (c >= 0x80)
		s->key_len = KEY_ROOM;
	else if (c == '\n' || c == '\r')
		lose(s, "a string is not closed", p);
	else if (c < 0x20)
		sink_refuse(s->to, ERR_INVALID, "control character in a string", offset_of(s, p));
	else if (s->escape)
		step_escape(s, (char)c, p);
	else if (c == '\\')
		s->escape = 1;
	else if (c == '"')
		string_ends(s);
	else if (s->key_len < KEY_ROOM)
		s->key[s->key_len++] = (char)c;
}

static void open_bracket(struct json_stream *s, const char *p)
{
	bool array = *p == '[';
	bool skipping = s->skip_above != SIZE_MAX;
	size_t base = s->to == &s->item ? s->items_at : 0;

	if (array && s->member == KEY_MANAGED_FIELDS && !skipping) {
		flush(s, p);
		sink_feed(s->to, "[]", 2, offset_of(s, p));
		s->skip_above = s->depth;
	} else if (array && s->member == KEY_ITEMS && s->mode == JSON_STREAM_LIST &&
		   s->depth == 1) {
		s->items_at = 2;
	} else if (s->items_at && s->depth == s->items_at && s->to == &s->document && !array) {
		flush(s, p);
		sink_feed(&s->document, "null", 4, offset_of(s, p));
		begin(s, &s->item, p);
	}
	if (s->depth < 64) {
		uint64_t bit = UINT64_C(1) << s->depth;

		s->arrays = array ? s->arrays | bit : s->arrays & ~bit;
	}
	s->depth++;
	if (s->depth - base > LIMIT_JSON_DEPTH && s->skip_above == SIZE_MAX)
		sink_refuse(s->to, ERR_EXHAUSTED, "nested too deep", offset_of(s, p));
}

static void close_bracket(struct json_stream *s, const char *p)
{
	if (s->depth == 0 || (s->depth <= 64 && (s->arrays >> (s->depth - 1) & 1) != (*p == ']'))) {
		lose(s, "brackets do not match", p);
		return;
	}
	s->depth--;
	if (s->skip_above != SIZE_MAX) {
		if (s->depth == s->skip_above) {
			s->skip_above = SIZE_MAX;
			s->run = p + 1;
		}
		return;
	}
	if (s->to == &s->item && s->depth == s->items_at)
		finish(s, &s->item, p + 1);
	else if (s->depth == 0)
		finish(s, &s->document, p + 1);
	else if (s->items_at && s->depth < s->items_at)
		s->items_at = 0;
}

/* A byte between two values. True when a value begins with it. */
static bool step_between(struct json_stream *s, const char *p)
{
	bool fits = s->mode == JSON_STREAM_ONE || *p == '{';

	if (s->resync)
		fits = s->mode == JSON_STREAM_MANY && *p == '{' && s->last == '\n';
	else if (s->mode != JSON_STREAM_MANY && (s->document.whole || s->document.bad))
		fits = false;
	if (fits) {
		s->resync = false;
		begin(s, &s->document, p);
		return true;
	}
	if (!s->resync)
		lose(s,
		     s->mode == JSON_STREAM_ONE ? "something follows the value"
						: "no object begins here",
		     p);
	return false;
}

/* A { in column 0 within a value: when json-c does not want it there, the value before was not
 * closed, and this is the next one. */
static void check_unclosed(struct json_stream *s, const char *p)
{
	if (s->mode != JSON_STREAM_MANY || s->last != '\n' || s->skip_above != SIZE_MAX)
		return;
	flush(s, p + 1);
	if (s->document.bad) {
		lose(s, "the value is not whole", p);
		step_between(s, p);
	}
}

/* A byte outside of strings. */
static void step_outside(struct json_stream *s, const char *p)
{
	enum key string = s->string;

	if (s->to && s->last == '.' && (*p < '0' || *p > '9'))
		sink_refuse(s->to, ERR_INVALID, "a digit must follow the point", offset_of(s, p));
	if (sink_is_space(*p) || (!s->to && !step_between(s, p)))
		return;
	s->string = KEY_OTHER;
	if ((*p == ',' || *p == '{' || *p == '[') && s->skip_above == SIZE_MAX &&
	    ++s->to->values > LIMIT_JSON_VALUES)
		sink_refuse(s->to, ERR_EXHAUSTED, "too many values", offset_of(s, p));
	switch (*p) {
	case '"':
		s->in_string = true;
		s->key_len = 0;
		s->escape = 0;
		s->utf8_more = 0;
		break;
	case '{':
		if (s->depth)
			check_unclosed(s, p);
		open_bracket(s, p);
		break;
	case '[':
		open_bracket(s, p);
		break;
	case '}':
	case ']':
		close_bracket(s, p);
		break;
	case ':':
		s->member = string;
		return;
	default:
		if (!*p || !strchr(",0123456789+-.eEtrufalsn", *p))
			sink_refuse(s->to, ERR_INVALID, "unexpected character", offset_of(s, p));
	}
	s->member = KEY_OTHER;
}

void json_stream_feed(struct json_stream *s, const char *data, size_t len)
{
	const char *end = data + len;

	s->data = data;
	s->run = data;
	for (const char *p = data; p < end; p++) {
		if (s->in_string)
			step_string(s, p);
		else
			step_outside(s, p);
		s->last = *p;
	}
	flush(s, end);
	s->offset += len;
	s->data = s->run = NULL;
}

int json_stream_end(struct json_stream *s, struct err *e)
{
	struct sink *k = &s->document;

	if (s->mode == JSON_STREAM_MANY)
		return 0;
	if (s->to == k && s->depth == 0)
		json_stream_feed(s, "\n", 1); /* ends a number */
	if (k->bad) {
		*e = k->why;
		return -1;
	}
	if (!k->whole)
		return err_set(e, ERR_INVALID, "JSON ends after %" PRIu64 " bytes, in the middle",
			       s->offset);
	s->to = NULL;
	s->callbacks->on_value(s->arg, TAKE(k->value));
	return 0;
}

int json_stream_new(enum json_stream_mode mode, size_t max_bytes,
		    const struct json_stream_callbacks *callbacks, void *arg,
		    struct json_stream **ret, struct err *e)
{
	struct json_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "make a JSON parser");
	s->mode = mode;
	s->max_bytes = max_bytes;
	s->callbacks = callbacks;
	s->arg = arg;
	s->skip_above = SIZE_MAX;
	*ret = s;
	return 0;
}

struct json_stream *json_stream_free(struct json_stream *s)
{
	if (s) {
		sink_done(&s->document);
		sink_done(&s->item);
		free(s);
	}
	return NULL;
}
