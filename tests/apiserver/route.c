/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/route.h"

#include "base/text.h"

#include <event2/http.h>
#include <string.h>

#define PARTS_MAX 12

void route_done(struct route *r)
{
	evhttp_clear_headers(&r->query);
}

const char *route_query(const struct route *r, const char *key)
{
	const char *value = evhttp_find_header(&r->query, key);
	return value && *value ? value : NULL;
}

bool route_query_true(const struct route *r, const char *key)
{
	const char *value = route_query(r, key);
	return value && (!strcmp(value, "true") || !strcmp(value, "1"));
}

static void copy_name(char to[static ROUTE_NAME], const char *from)
{
	if (text_copy(to, ROUTE_NAME, from) < 0)
		*to = '\0';
}

static const char *verb_of(const char *method, const struct route *r)
{
	static const struct {
		const char *method;
		const char *verb;
	} verbs[] = {
	    {"POST", "create"}, {"PUT", "update"}, {"PATCH", "patch"}, {"DELETE", "delete"}};
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(method, verbs[i].method))
			return verbs[i].verb;
	if (route_query_true(r, "watch"))
		return "watch";
	return *r->name ? "get" : "list";
}

/* parts: "api", "v1", ... or "apis", "group", "version", ... */
static void read_parts(struct route *r, char **parts, size_t count)
{
	bool core = !strcmp(parts[0], "api");
	size_t at = core ? 1 : 2;
	if ((!core && strcmp(parts[0], "apis") != 0) || count < at + 2)
		return;
	const char *version = parts[at++];
	bool in_namespace = count >= at + 3 && !strcmp(parts[at], "namespaces");
	if (in_namespace) {
		copy_name(r->ns, parts[at + 1]);
		at += 2;
	}
	const char *group = core ? "" : parts[1];
	if (resource_has_group(group, version))
		r->kind = ROUTE_NO_RESOURCE;
	r->resource = resource_find(group, version, parts[at++]);
	if (!r->resource || in_namespace != (r->resource->namespaced && in_namespace))
		return;
	if (at < count)
		copy_name(r->name, parts[at++]);
	if (at < count)
		copy_name(r->subresource, parts[at++]);
	if (at == count)
		r->kind = ROUTE_RESOURCE;
}

static void read_path(struct route *r, char *path)
{
	char *parts[PARTS_MAX] = {path};
	size_t count = 0;
	char *rest = path + (*path == '/');
	for (char *part; count < PARTS_MAX && (part = strsep(&rest, "/"));)
		parts[count++] = part;
	if (!strcmp(parts[0], "healthz") || !strcmp(parts[0], "livez") ||
	    !strcmp(parts[0], "readyz"))
		r->kind = ROUTE_HEALTH;
	else if (!strcmp(parts[0], "version"))
		r->kind = ROUTE_VERSION;
	else if (!rest)
		read_parts(r, parts, count);
}

void route_parse(const char *method, const char *target, struct route *ret)
{
	*ret = (struct route){.kind = ROUTE_UNKNOWN};
	const char *question = strchr(target, '?');
	evhttp_parse_query_str(question ? question + 1 : "", &ret->query);
	_cleanup_free_ char *raw =
	    strndup(target, question ? (size_t)(question - target) : strlen(target));
	_cleanup_free_ char *path = raw ? evhttp_uridecode(raw, 0, NULL) : NULL;
	if (path)
		read_path(ret, path);
	ret->verb = verb_of(method, ret);
	copy_name(ret->named, ret->name);
	if (ret->kind != ROUTE_RESOURCE || *ret->name || !strcmp(ret->verb, "create"))
		return;
	struct selector fields;
	_cleanup_failure_ struct failure ignored = {0};
	if (selector_parse_fields(ret->resource, route_query(ret, "fieldSelector"), &fields,
				  &ignored) == 0) {
		selector_name(&fields, ret->named, sizeof(ret->named));
		selector_done(&fields);
	}
}

static int refuse_option(struct failure *f, const char *field, const char *why)
{
	char message[160];
	snprintf(message, sizeof(message), "Forbidden: %s", why);
	failure_set(f, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: %s: %s", field,
		    message);
	failure_details(f, NULL, "meta.k8s.io", "ListOptions");
	return failure_cause(f, "FieldValueForbidden", message, field);
}

static int check_match(const struct route_options *o, bool watch, bool initial, struct failure *f)
{
	bool not_older = o->match && !strcmp(o->match, "NotOlderThan");
	bool exact = o->match && !strcmp(o->match, "Exact");
	if (initial && !watch)
		return refuse_option(f, "sendInitialEvents",
				     "sendInitialEvents is forbidden for list");
	if (watch && initial)
		return not_older ? 0
				 : refuse_option(f, "resourceVersionMatch",
						 "sendInitialEvents requires setting "
						 "resourceVersionMatch to NotOlderThan");
	if (!o->match)
		return 0;
	if (watch)
		return refuse_option(f, "resourceVersionMatch",
				     "resourceVersionMatch is forbidden for watch unless "
				     "sendInitialEvents is provided");
	if (!o->rv)
		return refuse_option(
		    f, "resourceVersionMatch",
		    "resourceVersionMatch is forbidden unless resourceVersion is provided");
	if (o->continue_token)
		return refuse_option(f, "resourceVersionMatch",
				     "resourceVersionMatch is forbidden when continue is provided");
	if (exact && !strcmp(o->rv, "0"))
		return refuse_option(f, "resourceVersionMatch",
				     "resourceVersionMatch \"exact\" is forbidden for "
				     "resourceVersion \"0\"");
	if (!exact && !not_older)
		return refuse_option(f, "resourceVersionMatch",
				     "supported values: \"Exact\", \"NotOlderThan\"");
	return 0;
}

static int check_rv(struct route_options *o, bool watch, struct failure *f)
{
	if (!o->rv || text_parse_u64(o->rv, 0, UINT64_MAX, &o->rv_number) == 0)
		return 0;
	char why[256];
	snprintf(why, sizeof(why),
		 "resourceVersion: Invalid value: \"%.64s\": strconv.ParseUint: parsing "
		 "\"%.64s\": invalid syntax",
		 o->rv, o->rv);
	if (watch)
		return failure_set(f, 500, NULL, "%s", why);
	return failure_bad_request(f, "invalid resource version: %s", why);
}

int route_options(const struct route *r, struct route_options *ret, struct failure *f)
{
	bool watch = !strcmp(r->verb, "watch");
	bool initial_given = route_query(r, "sendInitialEvents") != NULL;
	*ret = (struct route_options){
	    .rv = route_query(r, "resourceVersion"),
	    .match = route_query(r, "resourceVersionMatch"),
	    .continue_token = route_query(r, "continue"),
	    .initial_events = route_query_true(r, "sendInitialEvents"),
	    .bookmarks = route_query_true(r, "allowWatchBookmarks"),
	};
	const char *limit = route_query(r, "limit");
	const char *timeout = route_query(r, "timeoutSeconds");
	if (limit && text_parse_u64(limit, 0, UINT32_MAX, &ret->limit) < 0)
		return failure_bad_request(f, "strconv.ParseInt: parsing \"%s\": invalid syntax",
					   limit);
	if (timeout && text_parse_u64(timeout, 0, UINT32_MAX, &ret->timeout_s) < 0)
		return failure_bad_request(f, "strconv.ParseInt: parsing \"%s\": invalid syntax",
					   timeout);
	if (check_match(ret, watch, ret->initial_events, f) < 0 || check_rv(ret, watch, f) < 0)
		return -1;
	/* Since 1.34 a watch from "" or "0" is one with initial events. */
	if (watch && !initial_given && (!ret->rv || !strcmp(ret->rv, "0")))
		ret->initial_events = true;
	if (selector_parse_labels(route_query(r, "labelSelector"), &ret->labels, f) < 0)
		return -1;
	return selector_parse_fields(r->resource, route_query(r, "fieldSelector"), &ret->fields, f);
}

void route_options_done(struct route_options *o)
{
	selector_done(&o->labels);
	selector_done(&o->fields);
}
