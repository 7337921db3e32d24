/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One JSON value on its way through json-c; for k8s/json_stream.c alone. */

#include "k8s/json.h"

struct json_tokener;

struct sink {
	struct json_tokener *tokener;
	struct json *value; /* owned, once whole */
	size_t bytes;
	size_t values; /* about: commas and brackets */
	size_t max_bytes;
	bool whole;
	bool bad;
	struct err why; /* when bad */
};

void sink_begin(struct sink *k, size_t max_bytes);
void sink_done(struct sink *k);

/* offset: of data in the stream, for messages. */
void sink_feed(struct sink *k, const char *data, size_t len, uint64_t offset);

/* Drops what is there; the first reason stays. */
void sink_refuse(struct sink *k, enum err_kind kind, const char *what, uint64_t offset);

static inline bool sink_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
