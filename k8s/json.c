/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/json.h"

#include "base/base64.h"
#include "base/limits.h"
#include "k8s/json_c.h"
#include "k8s/json_stream.h"

#include <stdarg.h>
#include <string.h>

/* A struct json is a struct json_object under another name, which json-c wants without const even
 * where it only reads. */
static struct json_object *in(const struct json *j)
{
	const union {
		const struct json *ours;
		struct json_object *theirs;
	} both = {.ours = j};

	return both.theirs;
}

static struct json *out(struct json_object *o)
{
	return (struct json *)o;
}

static void take_value(void *arg, struct json *value)
{
	struct json **to = arg;

	*to = value;
}

int json_parse(const char *data, size_t len, struct json **ret_json, struct err *e)
{
	static const struct json_stream_callbacks callbacks = {.on_value = take_value};
	_cleanup_(json_stream_freep) struct json_stream *s = NULL;

	if (len > LIMIT_BODY)
		return err_set(e, ERR_EXHAUSTED, "JSON of %zu bytes, more than %d", len,
			       LIMIT_BODY);
	if (json_stream_new(JSON_STREAM_ONE, LIMIT_BODY, &callbacks, ret_json, &s, e) < 0)
		return -1;
	json_stream_feed(s, data, len);
	return json_stream_end(s, e);
}

struct json *json_free(struct json *j)
{
	if (j)
		json_object_put(in(j));
	return NULL;
}

static const struct json *member(const struct json *j, const char *key)
{
	struct json_object *value;

	if (json_type(j) != JSON_OBJECT || !json_object_object_get_ex(in(j), key, &value))
		return NULL;
	return out(value);
}

/* Member by member, to the NULL. */
static const struct json *descend(const struct json *j, va_list keys)
{
	const char *key;

	while (j && (key = va_arg(keys, const char *)))
		j = member(j, key);
	return j;
}

const struct json *json_at(const struct json *j, ...)
{
	va_list keys;

	va_start(keys, j);
	j = descend(j, keys);
	va_end(keys);
	return j;
}

const char *json_text(const struct json *j, ...)
{
	va_list keys;

	va_start(keys, j);
	j = descend(j, keys);
	va_end(keys);
	return json_string(j);
}

enum json_type json_type(const struct json *j)
{
	switch (json_object_get_type(in(j))) {
	case json_type_boolean:
		return JSON_BOOL;
	case json_type_int:
		return JSON_INT;
	case json_type_double:
		return JSON_DOUBLE;
	case json_type_string:
		return JSON_STRING;
	case json_type_array:
		return JSON_ARRAY;
	case json_type_object:
		return JSON_OBJECT;
	case json_type_null:
	default:
		return JSON_NULL;
	}
}

const char *json_string(const struct json *j)
{
	return json_type(j) == JSON_STRING ? json_object_get_string(in(j)) : NULL;
}

size_t json_string_length(const struct json *j)
{
	return json_type(j) == JSON_STRING ? (size_t)json_object_get_string_len(in(j)) : 0;
}

int64_t json_int(const struct json *j, int64_t otherwise)
{
	return json_type(j) == JSON_INT ? json_object_get_int64(in(j)) : otherwise;
}

bool json_bool(const struct json *j, bool otherwise)
{
	return json_type(j) == JSON_BOOL ? json_object_get_boolean(in(j)) != 0 : otherwise;
}

size_t json_length(const struct json *j)
{
	switch (json_type(j)) {
	case JSON_ARRAY:
		return json_object_array_length(in(j));
	case JSON_OBJECT:
		return (size_t)json_object_object_length(in(j));
	case JSON_NULL:
	case JSON_BOOL:
	case JSON_INT:
	case JSON_DOUBLE:
	case JSON_STRING:
	default:
		return 0;
	}
}

const struct json *json_item(const struct json *j, size_t i)
{
	return json_type(j) == JSON_ARRAY ? out(json_object_array_get_idx(in(j), i)) : NULL;
}

int json_each(const struct json *j,
	      int (*on_member)(void *arg, const char *key, const struct json *value), void *arg)
{
	struct json_object_iterator it;
	struct json_object_iterator end;
	int r = 0;

	if (json_type(j) != JSON_OBJECT)
		return 0;
	it = json_object_iter_begin(in(j));
	end = json_object_iter_end(in(j));
	for (; r == 0 && !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
		r = on_member(arg, json_object_iter_peek_name(&it),
			      out(json_object_iter_peek_value(&it)));
	return r;
}

int json_base64(const struct json *j, size_t max, struct secret *ret, struct err *e)
{
	const char *text = json_string(j);

	if (!text)
		return err_set(e, ERR_INVALID, "no base64: not a string");
	return base64_decode(text, json_string_length(j), max, ret, e);
}

struct json *json_new_object(void)
{
	return out(json_object_new_object());
}

struct json *json_new_array(void)
{
	return out(json_object_new_array());
}

int json_set(struct json *object, const char *key, struct json *value)
{
	if (json_object_object_add(in(object), key, in(value)) == 0)
		return 0;
	json_free(value);
	return -1;
}

/* The same for a value that can not be NULL unless memory is gone. */
static int set_new(struct json *object, const char *key, struct json_object *value)
{
	return value ? json_set(object, key, out(value)) : -1;
}

int json_set_string(struct json *object, const char *key, const char *value)
{
	return value ? set_new(object, key, json_object_new_string(value)) : 0;
}

int json_set_int(struct json *object, const char *key, int64_t value)
{
	return set_new(object, key, json_object_new_int64(value));
}

int json_set_bool(struct json *object, const char *key, bool value)
{
	return set_new(object, key, json_object_new_boolean(value));
}

int json_append(struct json *array, struct json *value)
{
	if (json_object_array_add(in(array), in(value)) == 0)
		return 0;
	json_free(value);
	return -1;
}

int json_append_string(struct json *array, const char *value)
{
	struct json_object *s = json_object_new_string(value);

	return s ? json_append(array, out(s)) : -1;
}

int json_write(const struct json *j, bool pretty, struct buf *b, struct err *e)
{
	int flags =
	    JSON_C_TO_STRING_NOSLASHESCAPE |
	    (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN);
	size_t len = 4;
	const char *text = j ? json_object_to_json_string_length(in(j), flags, &len) : "null";

	if (!text)
		return err_set(e, ERR_EXHAUSTED, "no memory to write JSON");
	return buf_add(b, text, len, e);
}
