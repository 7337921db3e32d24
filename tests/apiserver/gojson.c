/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/gojson.h"

#include "base/limits.h"

#include <stdarg.h>
#include <string.h>

/* Deeper than any client may accept, so that nesting can be served as a fault. */
#define DEPTH_MAX 10000

static void write_string(const char *s, size_t len, struct evbuffer *out)
{
	evbuffer_add(out, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		size_t plain = 0;
		while (i + plain < len && (unsigned char)s[i + plain] >= 0x20 &&
		       !strchr("\"\\<>&", s[i + plain]))
			plain++;
		if (plain) {
			evbuffer_add(out, s + i, plain);
			i += plain - 1;
			continue;
		}
		switch (c) {
		case '"':
		case '\\':
			evbuffer_add_printf(out, "\\%c", c);
			break;
		case '\n':
			evbuffer_add(out, "\\n", 2);
			break;
		case '\r':
			evbuffer_add(out, "\\r", 2);
			break;
		case '\t':
			evbuffer_add(out, "\\t", 2);
			break;
		default:
			evbuffer_add_printf(out, "\\u%04x", c);
		}
	}
	evbuffer_add(out, "\"", 1);
}

static void write_break(int depth, struct evbuffer *out)
{
	if (depth < 0)
		return;
	evbuffer_add(out, "\n", 1);
	for (int i = 0; i < depth; i++)
		evbuffer_add(out, "  ", 2);
}

static void write_value(struct json_object *value, int depth, struct evbuffer *out);

/* Before the n-th member of what is open. */
static void write_separator(size_t n, int depth, struct evbuffer *out)
{
	if (n)
		evbuffer_add(out, ",", 1);
	write_break(depth, out);
}

static void write_object(struct json_object *object, int depth, struct evbuffer *out)
{
	int inner = depth < 0 ? -1 : depth + 1;
	size_t n = 0;
	evbuffer_add(out, "{", 1);
	json_object_object_foreach(object, key, member)
	{
		write_separator(n++, inner, out);
		write_string(key, strlen(key), out);
		evbuffer_add(out, ": ", depth < 0 ? 1 : 2);
		write_value(member, inner, out);
	}
	if (n)
		write_break(depth, out);
	evbuffer_add(out, "}", 1);
}

static void write_array(struct json_object *array, int depth, struct evbuffer *out)
{
	int inner = depth < 0 ? -1 : depth + 1;
	size_t n = 0;
	evbuffer_add(out, "[", 1);
	for (; n < json_object_array_length(array); n++) {
		write_separator(n, inner, out);
		write_value(json_object_array_get_idx(array, n), inner, out);
	}
	if (n)
		write_break(depth, out);
	evbuffer_add(out, "]", 1);
}

/* depth is that of the value, or negative for compact text. */
static void write_value(struct json_object *value, int depth, struct evbuffer *out)
{
	const char *text = NULL;
	switch (json_object_get_type(value)) {
	case json_type_string:
		write_string(json_object_get_string(value),
			     (size_t)json_object_get_string_len(value), out);
		return;
	case json_type_object:
		write_object(value, depth, out);
		return;
	case json_type_array:
		write_array(value, depth, out);
		return;
	default:
		text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
		evbuffer_add(out, text, strlen(text));
	}
}

void gojson_write(struct json_object *value, bool pretty, struct evbuffer *out)
{
	write_value(value, pretty ? 0 : -1, out);
}

static int parse_error(const char *data, size_t len, size_t offset, struct err *e)
{
	while (offset < len && data[offset] && strchr(" \t\r\n", data[offset]))
		offset++;
	if (offset >= len)
		return err_set(e, ERR_INVALID, "unexpected end of JSON input");
	unsigned char c = (unsigned char)data[offset];
	if (c < 0x20 || c >= 0x7f)
		return err_set(e, ERR_INVALID,
			       "invalid character '\\u%04x' looking for beginning of value", c);
	return err_set(e, ERR_INVALID, "invalid character '%c' looking for beginning of value", c);
}

struct json_object *gojson_parse(const char *data, size_t len, struct err *e)
{
	struct json_tokener *t = json_tokener_new_ex(DEPTH_MAX);
	if (!t || len > INT32_MAX) {
		if (t)
			json_tokener_free(t);
		err_set(e, ERR_EXHAUSTED, "no room for a JSON parser");
		return NULL;
	}
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	struct json_object *value = json_tokener_parse_ex(t, data, (int)len);
	enum json_tokener_error error = json_tokener_get_error(t);
	size_t offset = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	if (error == json_tokener_continue)
		offset = len;
	if (error != json_tokener_success || !value) {
		parse_error(data, len, offset, e);
		json_object_put(value);
		return NULL;
	}
	return value;
}

static struct json_object *walk(struct json_object *value, va_list keys)
{
	const char *key = NULL;
	while (value && (key = va_arg(keys, const char *)))
		if (!json_object_is_type(value, json_type_object) ||
		    !json_object_object_get_ex(value, key, &value))
			return NULL;
	return value;
}

struct json_object *gojson_at(struct json_object *value, ...)
{
	va_list keys;
	va_start(keys, value);
	value = walk(value, keys);
	va_end(keys);
	return value;
}

const char *gojson_text(struct json_object *value, ...)
{
	va_list keys;
	va_start(keys, value);
	value = walk(value, keys);
	va_end(keys);
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

int64_t gojson_int(struct json_object *object, const char *key, int64_t otherwise)
{
	struct json_object *value = gojson_at(object, key, NULL);
	return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : otherwise;
}

bool gojson_bool(struct json_object *object, const char *key, bool otherwise)
{
	struct json_object *value = gojson_at(object, key, NULL);
	return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value)
							     : otherwise;
}

void gojson_set(struct json_object *object, const char *key, const char *text)
{
	if (text)
		json_object_object_add(object, key, json_object_new_string(text));
}

struct json_object *gojson_copy(struct json_object *value)
{
	struct json_object *copy = NULL;
	json_object_deep_copy(value, &copy, NULL);
	return copy;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct json_object *gojson_sorted(struct json_object *object)
{
	struct json_object *sorted = json_object_new_object();
	size_t count = (size_t)json_object_object_length(object);
	_cleanup_free_ const char **keys = calloc(count + 1, sizeof(*keys));
	if (!keys)
		return sorted;
	size_t n = 0;
	json_object_object_foreach(object, key, unused)
	{
		(void)unused;
		keys[n++] = key;
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++)
		json_object_object_add(sorted, keys[i],
				       json_object_get(json_object_object_get(object, keys[i])));
	return sorted;
}
