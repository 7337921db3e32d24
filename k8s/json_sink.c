/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/json_sink.h"

#include "base/limits.h"
#include "k8s/json_c.h"

#include <inttypes.h>

void sink_done(struct sink *k)
{
	if (k->tokener)
		json_tokener_free(k->tokener);
	json_free(k->value);
	*k = (struct sink){0};
}

void sink_refuse(struct sink *k, enum err_kind kind, const char *what, uint64_t offset)
{
	if (k->bad)
		return;
	sink_done(k);
	k->bad = true;
	err_set(&k->why, kind, "JSON at byte %" PRIu64 ": %s", offset, what);
}

/* A tokener for each value: one that is used again keeps the last string, which may be a key. */
void sink_begin(struct sink *k, size_t max_bytes)
{
	sink_done(k);
	k->max_bytes = max_bytes;
	k->tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH + 2);
	if (k->tokener)
		json_tokener_set_flags(k->tokener, JSON_TOKENER_STRICT);
	else
		sink_refuse(k, ERR_EXHAUSTED, "no memory to parse it", 0);
}

/* Returns how much of it belongs to the value; all of it while the value is not whole. */
static size_t parse(struct sink *k, const char *data, size_t len, uint64_t offset)
{
	struct json_object *value = json_tokener_parse_ex(k->tokener, data, (int)len);
	enum json_tokener_error r = json_tokener_get_error(k->tokener);
	size_t used = json_tokener_get_parse_end(k->tokener);

	if (r == json_tokener_continue)
		return len;
	if (r != json_tokener_success) {
		sink_refuse(k, r == json_tokener_error_depth ? ERR_EXHAUSTED : ERR_INVALID,
			    json_tokener_error_desc(r), offset + used);
		return len;
	}
	k->value = (struct json *)value;
	k->whole = true;
	return used;
}

void sink_feed(struct sink *k, const char *data, size_t len, uint64_t offset)
{
	size_t used = 0;

	if (k->bad)
		return;
	k->bytes += len;
	if (k->bytes > k->max_bytes) {
		sink_refuse(k, ERR_EXHAUSTED, "the value is larger than allowed", offset);
		return;
	}
	if (!k->whole)
		used = parse(k, data, len, offset);
	for (; used < len && !k->bad; used++)
		if (!sink_is_space(data[used]))
			sink_refuse(k, ERR_INVALID, "something follows the value", offset + used);
}
