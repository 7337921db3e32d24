/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/api.h"
#include "tests/apiserver/shape.h"

#include <string.h>

/* "system:serviceaccount:tr:default" is told as ServiceAccount "default/tr". */
static void reason_of(struct json_object *rule, const char *user, char *ret, size_t size)
{
	static const char account[] = "system:serviceaccount:";
	const char *role = gojson_text(rule, "role", NULL);
	const char *ns = gojson_text(rule, "namespace", NULL);
	char who[600];
	if (!rule) {
		*ret = '\0';
		return;
	}
	snprintf(who, sizeof(who), "User \"%s\"", user);
	if (!strncmp(user, account, sizeof(account) - 1)) {
		const char *name = user + sizeof(account) - 1;
		int ns_len = (int)strcspn(name, ":");
		snprintf(who, sizeof(who), "ServiceAccount \"%s/%.*s\"",
			 name[ns_len] ? name + ns_len + 1 : "", ns_len, name);
	}
	if (!role)
		role = "role";
	if (ns)
		snprintf(ret, size, "RBAC: allowed by RoleBinding \"%s/%s\" of Role \"%s\" to %s",
			 role, ns, role, who);
	else
		snprintf(ret, size,
			 "RBAC: allowed by ClusterRoleBinding \"%s\" of ClusterRole \"%s\" to %s",
			 role, role, who);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static struct json_object *judge(struct call *c, struct json_object *spec,
				 const struct auth_user *user)
{
	char reason[1024];
	char resource[2 * ROUTE_NAME];
	struct json_object *rule = NULL;
	struct json_object *attributes = gojson_at(spec, "resourceAttributes", NULL);
	const char *subresource = gojson_text(attributes, "subresource", NULL);
	snprintf(resource, sizeof(resource), "%s%s%s",
		 or_empty(gojson_text(attributes, "resource", NULL)), subresource ? "/" : "",
		 or_empty(subresource));
	const struct auth_wish wish = {
	    .verb = or_empty(gojson_text(attributes, "verb", NULL)),
	    .group = or_empty(gojson_text(attributes, "group", NULL)),
	    .resource = resource,
	    .ns = or_empty(gojson_text(attributes, "namespace", NULL)),
	    .name = or_empty(gojson_text(attributes, "name", NULL)),
	};
	bool allowed = auth_allows(c->api->auth, user, &wish, &rule);
	struct json_object *status = json_object_new_object();
	json_object_object_add(status, "allowed", json_object_new_boolean(allowed));
	reason_of(rule, user->name, reason, sizeof(reason));
	if (*reason)
		gojson_set(status, "reason", reason);
	return status;
}

/* The review of another user: "user" and "groups" in the spec. */
static struct json_object *judge_other(struct call *c, struct json_object *spec)
{
	const char *name = or_empty(gojson_text(spec, "user", NULL));
	struct json_object *given = gojson_at(spec, "groups", NULL);
	_cleanup_gojson_ struct json_object *groups =
	    given ? json_object_get(given) : json_object_new_array();
	const struct auth_user user = {name, groups};
	return judge(c, spec, &user);
}

static struct json_object *judge_token(struct call *c, struct json_object *spec)
{
	struct auth_user user;
	struct json_object *status = json_object_new_object();
	const char *token = or_empty(gojson_text(spec, "token", NULL));
	if (!auth_token_user(c->api->auth, token, &user)) {
		json_object_object_add(status, "user", json_object_new_object());
		gojson_set(status, "error", "invalid bearer token");
		return status;
	}
	struct json_object *about = json_object_new_object();
	gojson_set(about, "username", user.name);
	json_object_object_add(about, "groups", json_object_get(user.groups));
	json_object_object_add(status, "authenticated", json_object_new_boolean(true));
	json_object_object_add(status, "user", about);
	return status;
}

static int check_namespace(const struct call *c, struct json_object *spec, struct failure *f)
{
	const char *ns = or_empty(gojson_text(spec, "resourceAttributes", "namespace", NULL));
	static const char field[] = "spec.resourceAttributes.namespace";
	static const char why[] = "must match metadata.namespace";
	char message[400];
	if (!strcmp(ns, c->route.ns))
		return 0;
	snprintf(message, sizeof(message), "Invalid value: \"%s\": %s", ns, why);
	failure_set(f, 422, "Invalid",
		    "LocalSubjectAccessReview.authorization.k8s.io \"\" is invalid: %s: %s", field,
		    message);
	failure_details(f, NULL, c->route.resource->group, c->route.resource->kind);
	return failure_cause(f, "FieldValueInvalid", message, field);
}

void review_create(struct call *c)
{
	_cleanup_failure_ struct failure f = {0};
	_cleanup_gojson_ struct json_object *sent = NULL;
	const char *kind = c->route.resource->kind;
	char api_version[RESOURCE_API_VERSION];
	char manager[CALL_MANAGER];
	if (call_body(c, &sent, &f) < 0) {
		call_fail(c, &f);
		return;
	}
	struct json_object *spec = gojson_at(sent, "spec", NULL);
	if (!strcmp(kind, "LocalSubjectAccessReview") && check_namespace(c, spec, &f) < 0) {
		call_fail(c, &f);
		return;
	}
	struct json_object *status = NULL;
	if (!strcmp(kind, "TokenReview"))
		status = judge_token(c, spec);
	else if (!strcmp(kind, "SelfSubjectAccessReview"))
		status = judge(c, spec, &c->user);
	else
		status = judge_other(c, spec);
	struct json_object *review = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	gojson_set(review, "kind", kind);
	gojson_set(review, "apiVersion", resource_api_version(c->route.resource, api_version));
	json_object_object_add(review, "metadata", metadata);
	if (*c->route.ns)
		gojson_set(metadata, "namespace", c->route.ns);
	json_object_object_add(metadata, "managedFields",
			       shape_managed(c->route.resource, sent, call_manager(c, manager)));
	json_object_object_add(review, "spec", json_object_get(spec));
	json_object_object_add(review, "status", status);
	call_answer(c, 201, review);
}
