/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/failure.h"

#include "tests/apiserver/resource.h"

#include <stdarg.h>
#include <string.h>

void failure_done(struct failure *f)
{
	free(f->message);
	free(f->continue_token);
	json_object_put(f->object);
	*f = (struct failure){0};
}

static void set_message(struct failure *f, const char *fmt, va_list ap) _printf_(2, 0);
static void set_message(struct failure *f, const char *fmt, va_list ap)
{
	char *message = NULL;
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	free(f->message);
	f->message = message;
}

int failure_set(struct failure *f, int code, const char *reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	set_message(f, fmt, ap);
	va_end(ap);
	f->code = code;
	f->reason = reason;
	return -1;
}

int failure_bad_request(struct failure *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	set_message(f, fmt, ap);
	va_end(ap);
	f->code = 400;
	f->reason = "BadRequest";
	return -1;
}

int failure_details(struct failure *f, const char *name, const char *group, const char *kind)
{
	if (!f->object)
		f->object = json_object_new_object();
	gojson_set(f->object, "name", name && *name ? name : NULL);
	gojson_set(f->object, "group", group && *group ? group : NULL);
	gojson_set(f->object, "kind", kind);
	return -1;
}

int failure_cause(struct failure *f, const char *reason, const char *message, const char *field)
{
	if (!f->object)
		f->object = json_object_new_object();
	struct json_object *causes = gojson_at(f->object, "causes", NULL);
	if (!causes) {
		causes = json_object_new_array();
		json_object_object_add(f->object, "causes", causes);
	}
	struct json_object *cause = json_object_new_object();
	gojson_set(cause, "reason", reason);
	gojson_set(cause, "message", message);
	gojson_set(cause, "field", field);
	json_object_array_add(causes, cause);
	return -1;
}

int failure_retry_after(struct failure *f, int seconds)
{
	if (!f->object)
		f->object = json_object_new_object();
	json_object_object_add(f->object, "retryAfterSeconds", json_object_new_int(seconds));
	f->header_name = "Retry-After";
	snprintf(f->header_value, sizeof(f->header_value), "%d", seconds);
	return -1;
}

int failure_not_found(struct failure *f, const struct resource *r, const char *name)
{
	failure_set(f, 404, "NotFound", "%s%s%s \"%s\" not found", r->plural, *r->group ? "." : "",
		    r->group, name);
	return failure_details(f, name, r->group, r->plural);
}

int failure_no_resource(struct failure *f)
{
	failure_set(f, 404, "NotFound", "the server could not find the requested resource");
	return failure_details(f, NULL, NULL, NULL);
}

int failure_not_allowed(struct failure *f)
{
	failure_set(f, 405, "MethodNotAllowed",
		    "the server does not allow this method on the requested resource");
	return failure_details(f, NULL, NULL, NULL);
}

int failure_media_type(struct failure *f)
{
	failure_set(f, 415, "UnsupportedMediaType", "415: Unsupported Media Type");
	return failure_details(f, NULL, NULL, NULL);
}

int failure_expired(struct failure *f, const char *message)
{
	return failure_set(f, 410, "Expired", "%s", message);
}

struct json_object *failure_status(const struct failure *f)
{
	struct json_object *status = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	gojson_set(metadata, "continue", f->continue_token);
	gojson_set(status, "kind", "Status");
	gojson_set(status, "apiVersion", "v1");
	json_object_object_add(status, "metadata", metadata);
	gojson_set(status, "status", "Failure");
	gojson_set(status, "message", f->message);
	gojson_set(status, "reason", f->reason);
	if (f->object)
		json_object_object_add(status, "details", json_object_get(f->object));
	json_object_object_add(status, "code", json_object_new_int(f->code));
	return status;
}

static const char *reason_of(int code)
{
	static const struct {
		int code;
		const char *reason;
	} reasons[] = {{400, "BadRequest"},
		       {401, "Unauthorized"},
		       {403, "Forbidden"},
		       {404, "NotFound"},
		       {409, "Conflict"},
		       {410, "Expired"},
		       {413, "RequestEntityTooLarge"},
		       {429, "TooManyRequests"},
		       {500, "InternalError"},
		       {503, "ServiceUnavailable"},
		       {504, "Timeout"}};
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].code == code)
			return reasons[i].reason;
	return NULL;
}

struct json_object *failure_plain_status(int code, const char *message)
{
	struct failure f = {.code = code, .reason = reason_of(code), .message = strdup(message)};
	struct json_object *status = failure_status(&f);
	failure_done(&f);
	return status;
}
