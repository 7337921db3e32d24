/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/shape.h"

#include "base/clock.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

/* The members of an Event in the order of events.k8s.io/v1, by both names. */
static const struct {
	const char *core;
	const char *v1;
} event_members[] = {
    {"eventTime", "eventTime"},
    {"series", "series"},
    {"reportingComponent", "reportingController"},
    {"reportingInstance", "reportingInstance"},
    {"action", "action"},
    {"reason", "reason"},
    {"involvedObject", "regarding"},
    {"related", "related"},
    {"message", "note"},
    {"type", "type"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
};

static const char *const metadata_members[] = {"name",
					       "generateName",
					       "namespace",
					       "uid",
					       "resourceVersion",
					       "generation",
					       "creationTimestamp",
					       "deletionTimestamp",
					       "deletionGracePeriodSeconds",
					       "labels",
					       "annotations",
					       "ownerReferences",
					       "finalizers",
					       "managedFields"};

static bool is_v1_event(const struct resource *r)
{
	return resource_is_event(r) && *r->group;
}

/* Copies a member under another name; it is shared. */
static void share(struct json_object *to, const char *to_key, struct json_object *from,
		  const char *from_key)
{
	struct json_object *value = NULL;
	if (json_object_object_get_ex(from, from_key, &value))
		json_object_object_add(to, to_key, json_object_get(value));
}

static void encode_string_data(struct json_object *input, struct json_object *texts)
{
	struct json_object *data = gojson_copy(gojson_at(input, "data", NULL));
	if (!data)
		data = json_object_new_object();
	json_object_object_foreach(texts, key, value)
	{
		const char *text = json_object_get_string(value);
		int len = json_object_get_string_len(value);
		_cleanup_free_ unsigned char *base64 = malloc((size_t)len * 4 / 3 + 5);
		if (!base64)
			continue;
		EVP_EncodeBlock(base64, (const unsigned char *)text, len);
		gojson_set(data, key, (const char *)base64);
	}
	json_object_object_add(input, "data", data);
}

struct json_object *shape_input(const struct resource *r, struct json_object *sent)
{
	struct json_object *input = json_object_new_object();
	if (!is_v1_event(r)) {
		json_object_object_foreach(sent, key, value)
		    json_object_object_add(input, key, json_object_get(value));
	} else {
		share(input, "metadata", sent, "metadata");
		for (size_t i = 0; i < ARRAY_LEN(event_members); i++)
			share(input, event_members[i].core, sent, event_members[i].v1);
	}
	struct json_object *texts = gojson_at(input, "stringData", NULL);
	if (!strcmp(r->kind, "Secret") && json_object_is_type(texts, json_type_object))
		encode_string_data(input, texts);
	json_object_object_del(input, "stringData");
	return input;
}

static void new_uid(char ret_uid[static 37])
{
	unsigned char b[16] = {0};
	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		abort();
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(ret_uid, 37,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
}

/* {"f:data":{".":{},"f:k":{}}}: which members somebody set. Maps alone have the ".". */
static struct json_object *field_set(struct json_object *object, bool map, int depth)
{
	static const char *const maps[] = {"data", "labels", "annotations", "binaryData"};
	static const char *const left_out[] = {
	    "apiVersion",        "kind",         "name", "namespace", "uid", "resourceVersion",
	    "creationTimestamp", "managedFields"};
	struct json_object *set = json_object_new_object();
	if (map)
		json_object_object_add(set, ".", json_object_new_object());
	json_object_object_foreach(object, key, value)
	{
		bool skip = false;
		bool inner_map = false;
		for (size_t i = 0; !map && depth < 2 && i < ARRAY_LEN(left_out); i++)
			skip = skip || !strcmp(key, left_out[i]);
		for (size_t i = 0; !map && i < ARRAY_LEN(maps); i++)
			inner_map = inner_map || !strcmp(key, maps[i]);
		if (skip)
			continue;
		char name[300];
		snprintf(name, sizeof(name), "f:%s", key);
		bool deep = !map && json_object_is_type(value, json_type_object);
		struct json_object *inner =
		    deep ? field_set(value, inner_map, depth + 1) : json_object_new_object();
		json_object_object_add(set, name, inner);
	}
	_cleanup_gojson_ struct json_object *unsorted = set;
	return gojson_sorted(set);
}

struct json_object *shape_managed(const struct resource *r, struct json_object *input,
				  const char *manager)
{
	char now[CLOCK_TEXT];
	clock_text_s(clock_wall_ms(clock_system()), now);
	char api_version[RESOURCE_API_VERSION];
	struct json_object *entry = json_object_new_object();
	gojson_set(entry, "manager", manager);
	gojson_set(entry, "operation", "Update");
	gojson_set(entry, "apiVersion", resource_api_version(r, api_version));
	gojson_set(entry, "time", now);
	gojson_set(entry, "fieldsType", "FieldsV1");
	json_object_object_add(entry, "fieldsV1", field_set(input, false, 0));
	struct json_object *entries = json_object_new_array();
	json_object_array_add(entries, entry);
	return entries;
}

static struct json_object *stored_metadata(const struct resource *r, struct json_object *input,
					   struct json_object *previous, const char *manager)
{
	char now[CLOCK_TEXT];
	char uid[37];
	clock_text_s(clock_wall_ms(clock_system()), now);
	struct json_object *before = gojson_at(previous, "metadata", NULL);
	_cleanup_gojson_ struct json_object *given = json_object_new_object();
	struct json_object *sent = gojson_at(input, "metadata", NULL);
	if (sent) {
		json_object_object_foreach(sent, key, value)
		    json_object_object_add(given, key, json_object_get(value));
	}
	new_uid(uid);
	gojson_set(given, "uid", before ? gojson_text(before, "uid", NULL) : uid);
	gojson_set(given, "creationTimestamp",
		   before ? gojson_text(before, "creationTimestamp", NULL) : now);
	gojson_set(given, "resourceVersion", "0");
	json_object_object_add(given, "managedFields", shape_managed(r, input, manager));

	struct json_object *metadata = json_object_new_object();
	for (size_t i = 0; i < ARRAY_LEN(metadata_members); i++) {
		const char *key = metadata_members[i];
		struct json_object *value = gojson_at(given, key, NULL);
		bool map = !strcmp(key, "labels") || !strcmp(key, "annotations");
		if (map && json_object_is_type(value, json_type_object)) {
			if (json_object_object_length(value))
				json_object_object_add(metadata, key, gojson_sorted(value));
		} else if (value) {
			json_object_object_add(metadata, key, json_object_get(value));
		}
	}
	return metadata;
}

/* What the server fills in where the client said nothing. */
static void add_defaults(const struct resource *r, struct json_object *input)
{
	static const char *const null_members[] = {"firstTimestamp", "lastTimestamp", "eventTime"};
	static const char *const empty_members[] = {"reportingComponent", "reportingInstance"};
	if (!strcmp(r->kind, "Secret") && !gojson_text(input, "type", NULL))
		gojson_set(input, "type", "Opaque");
	if (!strcmp(r->kind, "Pod") && !gojson_at(input, "status", NULL))
		json_object_object_add(input, "status",
				       json_tokener_parse("{\"phase\":\"Pending\"}"));
	if (!strcmp(r->kind, "Namespace") && !gojson_at(input, "status", NULL))
		json_object_object_add(input, "status",
				       json_tokener_parse("{\"phase\":\"Active\"}"));
	if (!resource_is_event(r))
		return;
	if (!gojson_at(input, "source", NULL))
		json_object_object_add(input, "source", json_object_new_object());
	for (size_t i = 0; i < ARRAY_LEN(null_members); i++)
		if (!gojson_at(input, null_members[i], NULL))
			json_object_object_add(input, null_members[i], NULL);
	for (size_t i = 0; i < ARRAY_LEN(empty_members); i++)
		if (!gojson_at(input, empty_members[i], NULL))
			gojson_set(input, empty_members[i], "");
}

struct json_object *shape_stored(const struct resource *r, struct json_object *input,
				 struct json_object *previous, const char *manager)
{
	struct json_object *stored = json_object_new_object();
	json_object_object_add(stored, "metadata", stored_metadata(r, input, previous, manager));
	add_defaults(r, input);
	for (size_t i = 0; r->fields[i]; i++) {
		struct json_object *value = NULL;
		if (!json_object_object_get_ex(input, r->fields[i], &value))
			continue;
		bool map = !strcmp(r->fields[i], "data") || !strcmp(r->fields[i], "binaryData");
		if (map && json_object_is_type(value, json_type_object))
			value = gojson_sorted(value);
		else
			json_object_get(value);
		json_object_object_add(stored, r->fields[i], value);
	}
	return stored;
}

static void add_type(struct json_object *object, const char *kind, const char *api_version)
{
	gojson_set(object, "kind", kind);
	gojson_set(object, "apiVersion", api_version);
}

struct json_object *shape_shown(const struct resource *r, struct json_object *stored, bool typed)
{
	char api_version[RESOURCE_API_VERSION];
	struct json_object *shown = json_object_new_object();
	if (typed)
		add_type(shown, r->kind, resource_api_version(r, api_version));
	if (is_v1_event(r)) {
		share(shown, "metadata", stored, "metadata");
		for (size_t i = 0; i < ARRAY_LEN(event_members); i++)
			share(shown, event_members[i].v1, stored, event_members[i].core);
		return shown;
	}
	json_object_object_foreach(stored, key, value)
	    json_object_object_add(shown, key, json_object_get(value));
	return shown;
}

struct json_object *shape_partial(struct json_object *stored, bool typed)
{
	struct json_object *partial = json_object_new_object();
	if (typed)
		add_type(partial, "PartialObjectMetadata", "meta.k8s.io/v1");
	share(partial, "metadata", stored, "metadata");
	return partial;
}

static struct json_object *without_history(struct json_object *stored)
{
	struct json_object *copy = gojson_copy(stored);
	struct json_object *metadata = gojson_at(copy, "metadata", NULL);
	if (metadata) {
		json_object_object_del(metadata, "resourceVersion");
		json_object_object_del(metadata, "managedFields");
	}
	return copy;
}

bool shape_same(struct json_object *a, struct json_object *b)
{
	_cleanup_gojson_ struct json_object *left = without_history(a);
	_cleanup_gojson_ struct json_object *right = without_history(b);
	return json_object_equal(left, right);
}
