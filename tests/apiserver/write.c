/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/api.h"

#include "tests/apiserver/shape.h"
#include "tests/apiserver/validate.h"

#include <openssl/rand.h>
#include <string.h>

const char *call_manager(const struct call *c, char ret[static CALL_MANAGER])
{
	const char *manager = route_query(&c->route, "fieldManager");
	const char *agent = wire_header(c->x, "User-Agent");
	if (!manager)
		manager = agent && *agent ? agent : "unknown";
	snprintf(ret, CALL_MANAGER, "%.*s", (int)strcspn(manager, "/ "), manager);
	return ret;
}

static struct json_object *current(const struct call *c)
{
	const struct route *r = &c->route;
	return store_get(c->api->store, r->resource->plural, r->ns, r->name);
}

static struct json_object *metadata_of(struct json_object *input)
{
	struct json_object *metadata = gojson_copy(gojson_at(input, "metadata", NULL));
	if (!metadata)
		metadata = json_object_new_object();
	json_object_object_add(input, "metadata", metadata);
	return metadata;
}

/* The namespace of the path is the object's; another one is refused. */
static int set_namespace(const struct route *r, struct json_object *metadata, struct failure *f)
{
	const char *ns = gojson_text(metadata, "namespace", NULL);
	if (ns && *ns && strcmp(ns, r->ns) != 0)
		return failure_bad_request(f, "the namespace of the provided object does not match "
					      "the namespace sent on the request");
	if (*r->ns)
		gojson_set(metadata, "namespace", r->ns);
	return 0;
}

static void generate_name(struct json_object *metadata)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	const char *prefix = gojson_text(metadata, "generateName", NULL);
	const char *name = gojson_text(metadata, "name", NULL);
	unsigned char random[5];
	char full[ROUTE_NAME];
	if (!prefix || (name && *name) || RAND_bytes(random, sizeof(random)) != 1)
		return;
	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (unsigned char)letters[random[i] % (sizeof(letters) - 1)];
	snprintf(full, sizeof(full), "%.200s%.5s", prefix, (const char *)random);
	gojson_set(metadata, "name", full);
}

static int require_namespace(struct call *c, struct failure *f)
{
	const char *ns = c->route.ns;
	if (!*ns || store_get(c->api->store, "namespaces", "", ns))
		return 0;
	return failure_not_found(f, resource_by_plural("namespaces"), ns);
}

static int check_media_type(struct call *c, struct failure *f)
{
	const char *type = wire_header(c->x, "Content-Type");
	if (!type || !strncmp(type, "application/json", 16))
		return 0;
	return failure_media_type(f);
}

/* Validates and stores; nothing is written when nothing changes. ret is borrowed. */
static int keep(struct call *c, struct json_object *input, struct json_object *previous,
		struct json_object **ret, struct failure *f)
{
	char manager[CALL_MANAGER];
	const struct resource *r = c->route.resource;
	if (validate_object(r, input, previous, f) < 0)
		return -1;
	struct json_object *stored = shape_stored(r, input, previous, call_manager(c, manager));
	if (previous && shape_same(stored, previous)) {
		json_object_put(stored);
		*ret = previous;
		return 0;
	}
	*ret = store_put(c->api->store, r->plural, stored);
	return 0;
}

static int create(struct call *c, struct json_object *sent, struct failure *f)
{
	const struct route *r = &c->route;
	_cleanup_gojson_ struct json_object *input = shape_input(r->resource, sent);
	struct json_object *metadata = metadata_of(input);
	struct json_object *stored = NULL;
	if (set_namespace(r, metadata, f) < 0 || require_namespace(c, f) < 0)
		return -1;
	generate_name(metadata);
	json_object_object_del(metadata, "managedFields");
	if (!strcmp(r->resource->plural, "pods"))
		json_object_object_del(input, "status");
	const char *name = gojson_text(metadata, "name", NULL);
	if (name && store_get(c->api->store, r->resource->plural, r->ns, name)) {
		failure_set(f, 409, "AlreadyExists", "%s%s%s \"%s\" already exists",
			    r->resource->plural, *r->resource->group ? "." : "", r->resource->group,
			    name);
		return failure_details(f, name, r->resource->group, r->resource->plural);
	}
	if (keep(c, input, NULL, &stored, f) < 0)
		return -1;
	call_answer(c, 201, call_show(c, stored, true));
	return 0;
}

void write_create(struct call *c)
{
	_cleanup_failure_ struct failure f = {0};
	_cleanup_gojson_ struct json_object *sent = NULL;
	bool in_namespace = !c->route.resource->namespaced || *c->route.ns;
	if (!in_namespace) {
		failure_not_allowed(&f);
		call_fail(c, &f);
		return;
	}
	if (check_media_type(c, &f) < 0 || call_body(c, &sent, &f) < 0 || create(c, sent, &f) < 0)
		call_fail(c, &f);
}

/* A write that names a resourceVersion or uid wants just that state. */
static int check_precondition(struct call *c, struct json_object *metadata,
			      struct json_object *previous, struct failure *f)
{
	static const char *const keys[] = {"resourceVersion", "uid"};
	const struct resource *r = c->route.resource;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *wanted = gojson_text(metadata, keys[i], NULL);
		const char *is = gojson_text(previous, "metadata", keys[i], NULL);
		if (!wanted || !*wanted || !strcmp(wanted, "0") || !strcmp(wanted, is))
			continue;
		failure_set(f, 409, "Conflict",
			    "Operation cannot be fulfilled on %s%s%s \"%s\": the object has been "
			    "modified; please apply your changes to the latest version and try "
			    "again",
			    r->plural, *r->group ? "." : "", r->group, c->route.name);
		return failure_details(f, c->route.name, r->group, r->plural);
	}
	return 0;
}

/* With the subresource status only the status is written, else all but the status. */
static void guard_status(const struct call *c, struct json_object *input,
			 struct json_object *previous)
{
	bool status = !strcmp(c->route.subresource, "status");
	struct json_object *before = gojson_at(previous, "status", NULL);
	struct json_object *spec = gojson_at(previous, "spec", NULL);
	struct json_object *metadata = gojson_at(previous, "metadata", NULL);
	if (!before && !status)
		return;
	if (!status) {
		json_object_object_add(input, "status", json_object_get(before));
		return;
	}
	json_object_object_add(input, "metadata", json_object_get(metadata));
	if (spec)
		json_object_object_add(input, "spec", json_object_get(spec));
}

static int replace(struct call *c, struct json_object *input, struct json_object *previous,
		   struct failure *f)
{
	const struct route *r = &c->route;
	struct json_object *metadata = metadata_of(input);
	const char *name = gojson_text(metadata, "name", NULL);
	struct json_object *stored = NULL;
	if (set_namespace(r, metadata, f) < 0)
		return -1;
	if (!name || strcmp(name, r->name) != 0)
		return failure_bad_request(f,
					   "the name of the object (%s) does not match the name on "
					   "the URL (%s)",
					   name ? name : "", r->name);
	if (check_precondition(c, metadata, previous, f) < 0)
		return -1;
	guard_status(c, input, previous);
	if (keep(c, input, previous, &stored, f) < 0)
		return -1;
	call_answer(c, 200, call_show(c, stored, true));
	return 0;
}

void write_update(struct call *c)
{
	_cleanup_failure_ struct failure f = {0};
	_cleanup_gojson_ struct json_object *sent = NULL;
	_cleanup_gojson_ struct json_object *input = NULL;
	struct json_object *previous = current(c);
	if (!previous)
		failure_not_found(&f, c->route.resource, c->route.name);
	else if (check_media_type(c, &f) == 0 && call_body(c, &sent, &f) == 0) {
		input = shape_input(c->route.resource, sent);
		if (replace(c, input, previous, &f) == 0)
			return;
	}
	call_fail(c, &f);
}

struct json_object *write_merged(struct json_object *object, struct json_object *patch)
{
	if (!json_object_is_type(patch, json_type_object))
		return gojson_copy(patch);
	struct json_object *merged = json_object_is_type(object, json_type_object)
					 ? gojson_copy(object)
					 : json_object_new_object();
	json_object_object_foreach(patch, key, value)
	{
		if (!value)
			json_object_object_del(merged, key);
		else
			json_object_object_add(merged, key,
					       write_merged(gojson_at(merged, key, NULL), value));
	}
	return merged;
}

enum patch_type {
	PATCH_OTHER,
	PATCH_MERGE,
	PATCH_APPLY
};

static enum patch_type patch_type_of(const struct call *c)
{
	const char *type = wire_header(c->x, "Content-Type");
	if (type && !strncmp(type, "application/merge-patch+json", 28))
		return PATCH_MERGE;
	if (type && !strncmp(type, "application/apply-patch+yaml", 28))
		return PATCH_APPLY;
	return PATCH_OTHER;
}

static int patch(struct call *c, enum patch_type type, struct failure *f)
{
	const struct resource *r = c->route.resource;
	_cleanup_gojson_ struct json_object *sent = NULL;
	struct json_object *previous = current(c);
	if (type == PATCH_OTHER)
		return failure_media_type(f);
	if (type == PATCH_APPLY && !route_query(&c->route, "fieldManager"))
		return failure_bad_request(f, "PatchOptions.meta.k8s.io \"\" is invalid: "
					      "fieldManager: Required value: is required for apply "
					      "patch");
	if (call_body(c, &sent, f) < 0)
		return -1;
	if (!previous && type == PATCH_APPLY)
		return create(c, sent, f);
	if (!previous)
		return failure_not_found(f, r, c->route.name);
	_cleanup_gojson_ struct json_object *before = shape_shown(r, previous, true);
	struct json_object *metadata = metadata_of(before);
	json_object_object_del(metadata, "resourceVersion");
	json_object_object_del(metadata, "managedFields");
	_cleanup_gojson_ struct json_object *merged = write_merged(before, sent);
	_cleanup_gojson_ struct json_object *input = shape_input(r, merged);
	return replace(c, input, previous, f);
}

void write_patch(struct call *c)
{
	_cleanup_failure_ struct failure f = {0};
	if (patch(c, patch_type_of(c), &f) < 0)
		call_fail(c, &f);
}

static struct json_object *deleted_status(const struct route *r, struct json_object *stored)
{
	struct json_object *status = json_object_new_object();
	struct json_object *details = json_object_new_object();
	gojson_set(details, "name", r->name);
	gojson_set(details, "group", *r->resource->group ? r->resource->group : NULL);
	gojson_set(details, "kind", r->resource->plural);
	gojson_set(details, "uid", gojson_text(stored, "metadata", "uid", NULL));
	gojson_set(status, "kind", "Status");
	gojson_set(status, "apiVersion", "v1");
	json_object_object_add(status, "metadata", json_object_new_object());
	gojson_set(status, "status", "Success");
	json_object_object_add(status, "details", details);
	return status;
}

void write_delete(struct call *c)
{
	const struct route *r = &c->route;
	_cleanup_failure_ struct failure f = {0};
	_cleanup_gojson_ struct json_object *stored = json_object_get(current(c));
	_cleanup_gojson_ struct json_object *options = NULL;
	struct err ignored;
	size_t len = 0;
	const char *body = wire_body(c->x, &len);
	if (len)
		options = gojson_parse(body, len, &ignored);
	if (!stored)
		failure_not_found(&f, r->resource, r->name);
	if (!stored ||
	    check_precondition(c, gojson_at(options, "preconditions", NULL), stored, &f) < 0) {
		call_fail(c, &f);
		return;
	}
	store_delete(c->api->store, r->resource->plural, r->ns, r->name);
	bool pod = !strcmp(r->resource->plural, "pods");
	call_answer(c, 200, pod ? call_show(c, stored, true) : deleted_status(r, stored));
}

int write_whole(struct api *a, struct json_object *object, struct failure *f)
{
	const char *kind = gojson_text(object, "kind", NULL);
	const char *api_version = gojson_text(object, "apiVersion", NULL);
	const struct resource *r =
	    kind ? resource_of_kind(api_version ? api_version : "v1", kind) : NULL;
	if (!r || r->role != ROLE_STORED)
		return failure_bad_request(f, "there is no kind '%s'", kind ? kind : "");
	if (!gojson_text(object, "metadata", "name", NULL))
		return failure_bad_request(f, "an object needs metadata.name");
	_cleanup_gojson_ struct json_object *input = shape_input(r, object);
	struct json_object *metadata = metadata_of(input);
	if (r->namespaced && !gojson_text(metadata, "namespace", NULL))
		gojson_set(metadata, "namespace", "default");
	const char *ns = gojson_text(metadata, "namespace", NULL);
	const char *name = gojson_text(metadata, "name", NULL);
	struct json_object *previous = store_get(a->store, r->plural, ns, name);
	store_put(a->store, r->plural, shape_stored(r, input, previous, "admin"));
	return 0;
}
