/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON as Kubernetes speaks it, without showing json-c: parse, typed access, build, write. The only
 * user of json-c. Parsing is strict, bounded in depth (LIMIT_JSON_DEPTH), refuses invalid UTF-8 and
 * NUL; of duplicate keys the last wins, as in the API server; "managedFields" arrays are skipped
 * before they cost anything.
 */

#include "base/buf.h"
#include "base/secret.h"

struct json; /* a value; borrowed from its document unless a function says otherwise */

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_DOUBLE,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* Parses exactly one document. ret_json is owned: json_free. Errors: INVALID with the offset;
 * EXHAUSTED. */
int json_parse(const char *data, size_t len, struct json **ret_json, struct err *e) _must_check_;
struct json *json_free(struct json *j); /* of a document; returns NULL */

/* The value at a path of keys that ends with NULL: json_at(pod, "metadata", "name", NULL). NULL
 * when not there. */
const struct json *json_at(const struct json *j, ...) __attribute__((sentinel));
/* The same, as a string; NULL when it is not there or no string. */
const char *json_text(const struct json *j, ...) __attribute__((sentinel));

enum json_type json_type(const struct json *j); /* JSON_NULL for NULL */
const char *json_string(const struct json *j);  /* NULL unless a string */
size_t json_string_length(const struct json *j);
int64_t json_int(const struct json *j, int64_t otherwise);
bool json_bool(const struct json *j, bool otherwise);

size_t json_length(const struct json *j); /* of an array or object; 0 for others */
const struct json *json_item(const struct json *j, size_t i); /* of an array */

/* Calls on_member for each member of an object until it returns non-zero, which is returned. */
int json_each(const struct json *j,
	      int (*on_member)(void *arg, const char *key, const struct json *value), void *arg);

/*
 * Decodes a string as standard base64 straight into secret memory. Newlines, spaces and bad padding
 * are refused. Errors: INVALID (no string, or no base64), EXHAUSTED (more than max bytes).
 */
int json_base64(const struct json *j, size_t max, struct secret *ret, struct err *e) _must_check_;

/* Building. Setters take ownership of value, also on failure; they return -1 when memory is gone.
 */
struct json *json_new_object(void);
struct json *json_new_array(void);
int json_set(struct json *object, const char *key, struct json *value);
int json_set_string(struct json *object, const char *key,
		    const char *value); /* NULL: nothing is set */
int json_set_int(struct json *object, const char *key, int64_t value);
int json_set_bool(struct json *object, const char *key, bool value);
int json_append(struct json *array, struct json *value);
int json_append_string(struct json *array, const char *value);

/* Appends the document as compact or indented text. */
int json_write(const struct json *j, bool pretty, struct buf *b, struct err *e) _must_check_;

static inline void json_freep(struct json **j)
{
	*j = json_free(*j);
}
#define _cleanup_json_ _cleanup_(json_freep)
