/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/validate.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#define SUBDOMAIN_WORDS                                                                            \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "  \
	"or '.', and must start and end with an alphanumeric character (e.g. 'example.com', "      \
	"regex used for validation is "                                                            \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define KEY_WORDS                                                                                  \
	"a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "       \
	"'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "                \
	"'[-._a-zA-Z0-9]+')"
#define NAME_PART_WORDS                                                                            \
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start and "  \
	"end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "  \
	"used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define TIME_LAYOUT "2006-01-02T15:04:05.000000Z07:00"
#define NAME_MAX_LEN 253
#define EVENT_FIELD_MAX 128
#define EVENT_NOTE_MAX 1024

struct checks {
	struct failure *f;
	const char *kind;
	const char *name;
	char *words; /* the errors so far, joined with ", " */
	size_t count;
};

static void refuse(struct checks *c, const char *field, const char *reason, const char *fmt, ...)
    _printf_(4, 5);
static void refuse(struct checks *c, const char *field, const char *reason, const char *fmt, ...)
{
	char message[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (!c->count)
		failure_details(c->f, c->name, NULL, c->kind);
	failure_cause(c->f, reason, message, field);
	char *words = NULL;
	if (asprintf(&words, "%s%s%s: %s", c->words ? c->words : "", c->words ? ", " : "", field,
		     message) >= 0) {
		free(c->words);
		c->words = words;
	}
	c->count++;
}

static void refuse_value(struct checks *c, const char *field, const char *value, const char *why)
{
	refuse(c, field, "FieldValueInvalid", "Invalid value: \"%s\": %s", value, why);
}

static void require(struct checks *c, const char *field, const char *value)
{
	if (!value || !*value)
		refuse(c, field, "FieldValueRequired", "Required value");
	else if (strlen(value) > EVENT_FIELD_MAX)
		refuse_value(c, field, "", "can have at most 128 characters");
}

static int finish(struct checks *c)
{
	_cleanup_free_ char *words = c->words;
	if (!c->count)
		return 0;
	return failure_set(c->f, 422, "Invalid", "%s \"%s\" is invalid: %s%s%s", c->kind, c->name,
			   c->count > 1 ? "[" : "", words, c->count > 1 ? "]" : "");
}

static bool is_subdomain(const char *name)
{
	bool boundary = true; /* the last character was a dot, or there was none */
	for (const char *p = name; *p; p++) {
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
		bool inner = *p == '-' || *p == '.';
		if (!letter && !inner)
			return false;
		bool at_end = !p[1] || p[1] == '.';
		if (inner && (boundary || (*p == '-' && at_end) || !p[1]))
			return false;
		boundary = *p == '.';
	}
	return *name && strlen(name) <= NAME_MAX_LEN;
}

static void check_name(struct checks *c, struct json_object *input)
{
	const char *name = gojson_text(input, "metadata", "name", NULL);
	if (!name || !*name)
		refuse(c, "metadata.name", "FieldValueRequired",
		       "Required value: name or generateName is required");
	else if (!is_subdomain(name))
		refuse_value(c, "metadata.name", name, SUBDOMAIN_WORDS);
}

/* Decoded length of standard base64, or -1 with the offset of the first byte that is none. */
static int64_t base64_length(const char *text, size_t len, size_t *ret_bad)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t digits = 0;
	size_t padding = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\r' || text[i] == '\n')
			continue;
		bool pad = text[i] == '=' && digits % 4 >= 2;
		bool digit = !padding && text[i] && strchr(alphabet, text[i]);
		if (!pad && !digit) {
			*ret_bad = i;
			return -1;
		}
		digits += digit;
		padding += pad;
	}
	if ((digits + padding) % 4) {
		*ret_bad = len;
		return -1;
	}
	return (int64_t)(digits * 3 / 4);
}

/* Decoding: shape and base64 of data, in the order of the keys. */
static int decode_data(struct json_object *data, int64_t *ret_bytes, struct failure *f)
{
	*ret_bytes = 0;
	if (!data)
		return 0;
	if (!json_object_is_type(data, json_type_object))
		return failure_bad_request(f, "Secret in version \"v1\" cannot be handled as a "
					      "Secret: json: cannot unmarshal into Go struct field "
					      "Secret.data of type map[string][]uint8");
	json_object_object_foreach(data, key, value)
	{
		(void)key;
		size_t bad = 0;
		if (!value)
			continue;
		if (!json_object_is_type(value, json_type_string))
			return failure_bad_request(f, "Secret in version \"v1\" cannot be handled "
						      "as a Secret: json: cannot unmarshal into Go "
						      "struct field Secret.data of type []uint8");
		int64_t bytes = base64_length(json_object_get_string(value),
					      (size_t)json_object_get_string_len(value), &bad);
		if (bytes < 0)
			return failure_bad_request(
			    f,
			    "Secret in version \"v1\" cannot be handled as "
			    "a Secret: illegal base64 data at input byte %zu",
			    bad);
		*ret_bytes += bytes;
	}
	return 0;
}

static bool is_config_key(const char *key)
{
	if (!*key || !strcmp(key, ".") || !strncmp(key, "..", 2))
		return false;
	for (const char *p = key; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-._", *p))
			return false;
	return true;
}

static void check_tls_keys(struct checks *c, struct json_object *data)
{
	static const char *const keys[] = {"tls.crt", "tls.key"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char field[32];
		snprintf(field, sizeof(field), "data[%s]", keys[i]);
		if (!data || !json_object_object_get_ex(data, keys[i], NULL))
			refuse(c, field, "FieldValueRequired", "Required value");
	}
}

static void check_secret_update(struct checks *c, struct json_object *input,
				struct json_object *previous)
{
	static const char why[] = "Forbidden: field is immutable when `immutable` is set";
	const char *type = gojson_text(input, "type", NULL);
	const char *old_type = gojson_text(previous, "type", NULL);
	if (strcmp(type ? type : "Opaque", old_type ? old_type : "Opaque") != 0)
		refuse_value(c, "type", type ? type : "Opaque", "field is immutable");
	if (!gojson_bool(previous, "immutable", false))
		return;
	if (!gojson_bool(input, "immutable", false))
		refuse(c, "immutable", "FieldValueForbidden", "%s", why);
	if (!json_object_equal(gojson_at(input, "data", NULL), gojson_at(previous, "data", NULL)))
		refuse(c, "data", "FieldValueForbidden", "%s", why);
}

static int validate_secret(struct checks *c, struct json_object *input,
			   struct json_object *previous)
{
	struct json_object *data = gojson_at(input, "data", NULL);
	const char *type = gojson_text(input, "type", NULL);
	int64_t bytes = 0;
	if (decode_data(data, &bytes, c->f) < 0)
		return -1;
	check_name(c, input);
	if (data) {
		json_object_object_foreach(data, key, value)
		{
			(void)value;
			char field[300];
			snprintf(field, sizeof(field), "data[%s]", key);
			if (!is_config_key(key))
				refuse_value(c, field, key, KEY_WORDS);
		}
	}
	if (bytes > VALIDATE_SECRET_BYTES)
		refuse(c, "data", "FieldValueTooLong", "Too long: may not be more than %d bytes",
		       VALIDATE_SECRET_BYTES);
	if (type && !strcmp(type, "kubernetes.io/tls"))
		check_tls_keys(c, data);
	if (previous)
		check_secret_update(c, input, previous);
	return finish(c);
}

/* A MicroTime has exactly six fractional digits. */
static int decode_micro_time(const char *text, struct failure *f)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
	size_t i = 0;
	while (pattern[i] && text[i]) {
		bool fits =
		    pattern[i] == 'd' ? isdigit((unsigned char)text[i]) : text[i] == pattern[i];
		if (!fits)
			break;
		i++;
	}
	if (!pattern[i] && !text[i])
		return 0;
	const char *part = i < 19 ? "2006" : i < 26 ? ".000000" : "Z07:00";
	const char *rest = text + (i < 19 ? 0 : i < 26 ? 19 : i);
	return failure_bad_request(
	    f,
	    "Event in version \"v1\" cannot be handled as a Event: parsing time \"%s\" as "
	    "\"" TIME_LAYOUT "\": cannot parse \"%s\" as \"%s\"",
	    text, rest, part);
}

static void check_qualified_name(struct checks *c, const char *field, const char *value)
{
	const char *name = strchr(value, '/');
	name = name ? name + 1 : value;
	bool good = isalnum((unsigned char)*name) != 0;
	for (const char *p = name; *p; p++)
		good = good && (isalnum((unsigned char)*p) || (p[1] && strchr("-_.", *p)));
	if (!*name)
		refuse_value(c, field, value, "name part must be non-empty");
	if (!good)
		refuse_value(c, field, value, NAME_PART_WORDS);
}

static void check_event_members(struct checks *c, const struct resource *r,
				struct json_object *input)
{
	const char *controller_field = *r->group ? "reportingController" : "reportingComponent";
	const char *controller = gojson_text(input, "reportingComponent", NULL);
	require(c, controller_field, controller);
	check_qualified_name(c, controller_field, controller ? controller : "");
	require(c, "reportingInstance", gojson_text(input, "reportingInstance", NULL));
	require(c, "action", gojson_text(input, "action", NULL));
	require(c, "reason", gojson_text(input, "reason", NULL));
	const char *note = gojson_text(input, "message", NULL);
	if (note && strlen(note) > EVENT_NOTE_MAX)
		refuse_value(c, *r->group ? "note" : "message", "",
			     "can have at most 1024 characters");
}

static void check_event_v1(struct checks *c, struct json_object *input, const char *time)
{
	static const struct {
		const char *member;
		const char *field;
	} unset[] = {{"firstTimestamp", "firstTimestamp"},
		     {"lastTimestamp", "lastTimestamp"},
		     {"count", "count"},
		     {"source", "source"}};
	const char *type = gojson_text(input, "type", NULL);
	check_name(c, input);
	if (!time)
		refuse(c, "eventTime", "FieldValueRequired", "Required value");
	if (!type || (strcmp(type, "Normal") != 0 && strcmp(type, "Warning") != 0))
		refuse_value(c, "type", "", "has invalid value: ");
	for (size_t i = 0; i < ARRAY_LEN(unset); i++) {
		struct json_object *value = gojson_at(input, unset[i].member, NULL);
		bool empty = json_object_is_type(value, json_type_object) &&
			     !json_object_object_length(value);
		if (value && !empty)
			refuse_value(c, unset[i].field, "", "needs to be unset");
	}
}

/* What events.k8s.io does not let an update change, as far as it is text. */
static void check_event_stays(struct checks *c, struct json_object *input,
			      struct json_object *previous)
{
	static const struct {
		const char *member;
		const char *field;
	} fixed[] = {{"reason", "reason"},
		     {"message", "message"},
		     {"type", "type"},
		     {"action", "action"},
		     {"reportingComponent", "reportingController"},
		     {"reportingInstance", "reportingInstance"}};
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		const char *now = gojson_text(input, fixed[i].member, NULL);
		const char *before = gojson_text(previous, fixed[i].member, NULL);
		if (strcmp(now ? now : "", before ? before : "") != 0)
			refuse_value(c, fixed[i].field, now ? now : "", "field is immutable");
	}
}

static int validate_event(struct checks *c, const struct resource *r, struct json_object *input,
			  struct json_object *previous)
{
	const char *time = gojson_text(input, "eventTime", NULL);
	const char *ns = gojson_text(input, "metadata", "namespace", NULL);
	const char *about = gojson_text(input, "involvedObject", "namespace", NULL);
	if (time && decode_micro_time(time, c->f) < 0)
		return -1;
	bool cluster_scoped = !about || !*about;
	if (cluster_scoped ? strcmp(ns, "default") != 0 && strcmp(ns, "kube-system") != 0
			   : strcmp(ns, about) != 0)
		refuse_value(c, "involvedObject.namespace", about ? about : "",
			     "does not match event.namespace");
	if (time)
		check_event_members(c, r, input);
	if (*r->group && !previous)
		check_event_v1(c, input, time);
	if (*r->group && previous)
		check_event_stays(c, input, previous);
	return finish(c);
}

int validate_object(const struct resource *r, struct json_object *input,
		    struct json_object *previous, struct failure *f)
{
	const char *name = gojson_text(input, "metadata", "name", NULL);
	struct checks c = {.f = f, .kind = r->kind, .name = name ? name : ""};
	if (!strcmp(r->kind, "Secret"))
		return validate_secret(&c, input, previous);
	if (resource_is_event(r))
		return validate_event(&c, r, input, previous);
	check_name(&c, input);
	return finish(&c);
}
