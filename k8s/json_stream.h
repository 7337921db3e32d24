/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON values as they come in, in pieces cut anywhere. A scanner that knows strings and brackets
 * finds where each value begins and ends, and feeds its bytes to a json-c tokener of its own; so a
 * value that cannot be taken is refused alone and the next one is read. "managedFields" arrays are
 * replaced by empty ones before json-c sees them.
 */

#include "k8s/json.h"

struct json_stream;

enum json_stream_mode {
	JSON_STREAM_ONE,  /* exactly one document */
	JSON_STREAM_MANY, /* documents one after the other: a watch */
	JSON_STREAM_LIST  /* one document; the elements of its array "items" are told one by one,
			   * and stand as null in the document that is told last */
};

struct json_stream_callbacks {
	/* A whole value, owned by the callee; NULL is JSON's null. */
	void (*on_value)(void *arg, struct json *value);
	/* A value was refused; the stream goes on with the next. Not called for JSON_STREAM_ONE and
	 * the outer document of a list: there json_stream_end fails. */
	void (*on_bad)(void *arg, const struct err *e);
	/* JSON_STREAM_LIST: an element; owned by the callee. */
	void (*on_item)(void *arg, struct json *item);
};

/* max_bytes: of one value (of an element in a list). The callbacks are borrowed. */
int json_stream_new(enum json_stream_mode mode, size_t max_bytes,
		    const struct json_stream_callbacks *callbacks, void *arg,
		    struct json_stream **ret, struct err *e) _must_check_;
struct json_stream *json_stream_free(struct json_stream *s);

/* Never fails: what is wrong is told by on_bad or json_stream_end. Callbacks must not free the
 * stream. */
void json_stream_feed(struct json_stream *s, const char *data, size_t len);

/* Nothing more comes. Errors: INVALID when the document is not whole or was refused (with the
 * reason); in JSON_STREAM_MANY an unfinished value is no error: it is dropped. */
int json_stream_end(struct json_stream *s, struct err *e) _must_check_;

static inline void json_stream_freep(struct json_stream **s)
{
	*s = json_stream_free(*s);
}
