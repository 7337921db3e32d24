/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON as Go's encoding/json writes and reads it, because a client sees those bytes from a real API
 * server: the order of keys is kept, "<", ">" and "&" are escaped, indented text has two spaces,
 * and what cannot be parsed is named in Go's words.
 */

#include "base/err.h"

#include <event2/buffer.h>
#include <json-c/json.h>

/* Appends the value. No newline follows. */
void gojson_write(struct json_object *value, bool pretty, struct evbuffer *out);

/* Parses exactly one document; the caller owns it. NULL on failure, with Go's message. A document
 * that is "null" counts as failure: nobody sends it. */
struct json_object *gojson_parse(const char *data, size_t len, struct err *e);

/* The value at a path of keys that ends with NULL, borrowed; NULL when it is not there. */
struct json_object *gojson_at(struct json_object *value, ...) __attribute__((sentinel));
/* The same as a string; NULL when it is not there or is no string. */
const char *gojson_text(struct json_object *value, ...) __attribute__((sentinel));

/* A member as a number or truth; "otherwise" when it is not there. */
int64_t gojson_int(struct json_object *object, const char *key, int64_t otherwise);
bool gojson_bool(struct json_object *object, const char *key, bool otherwise);

/* Sets a member; a NULL text sets nothing. */
void gojson_set(struct json_object *object, const char *key, const char *text);

/* A deep copy; the caller owns it. */
struct json_object *gojson_copy(struct json_object *value);

/* A copy of an object with its keys in bytewise order, as Go writes maps; the values are shared. */
struct json_object *gojson_sorted(struct json_object *object);

static inline void gojson_putp(struct json_object **value)
{
	json_object_put(*value);
	*value = NULL;
}
#define _cleanup_gojson_ _cleanup_(gojson_putp)

static inline void gojson_evbuffer_freep(struct evbuffer **b)
{
	if (*b)
		evbuffer_free(*b);
	*b = NULL;
}
#define _cleanup_evbuffer_ _cleanup_(gojson_evbuffer_freep)
