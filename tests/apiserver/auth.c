/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/auth.h"

#include <string.h>

#define ACCOUNT "system:serviceaccount:"

struct auth {
	struct json_object *tokens; /* token -> {"user": name, "groups": [...]} */
	struct json_object *rules;
	struct json_object *anonymous_groups;
	struct json_object *admin_groups;
};

static void add_group(struct json_object *groups, const char *name)
{
	json_object_array_add(groups, json_object_new_string(name));
}

static bool contains(struct json_object *list, const char *text)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(list, i)), text))
			return true;
	return false;
}

/* What every cluster allows: to ask for one's own rights. */
static void add_basic_rule(struct auth *a)
{
	static const char rule[] = "{\"group\":\"system:authenticated\",\"verbs\":[\"create\"],"
				   "\"resources\":[\"selfsubjectaccessreviews\"],"
				   "\"role\":\"system:basic-user\"}";
	auth_add_rule(a, json_tokener_parse(rule));
}

struct auth *auth_new(void)
{
	struct auth *a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->tokens = json_object_new_object();
	a->rules = json_object_new_array();
	a->anonymous_groups = json_object_new_array();
	a->admin_groups = json_object_new_array();
	add_group(a->anonymous_groups, "system:unauthenticated");
	add_group(a->admin_groups, "system:masters");
	add_group(a->admin_groups, "system:authenticated");
	add_basic_rule(a);
	return a;
}

struct auth *auth_free(struct auth *a)
{
	if (!a)
		return NULL;
	json_object_put(a->tokens);
	json_object_put(a->rules);
	json_object_put(a->anonymous_groups);
	json_object_put(a->admin_groups);
	free(a);
	return NULL;
}

struct json_object *auth_groups_of(const char *user, struct json_object *more)
{
	struct json_object *groups = json_object_new_array();
	if (!strncmp(user, ACCOUNT, strlen(ACCOUNT))) {
		const char *ns = user + strlen(ACCOUNT);
		char name[300];
		snprintf(name, sizeof(name), "system:serviceaccounts:%.*s", (int)strcspn(ns, ":"),
			 ns);
		add_group(groups, "system:serviceaccounts");
		add_group(groups, name);
	}
	for (size_t i = 0; more && i < json_object_array_length(more); i++)
		json_object_array_add(groups, json_object_get(json_object_array_get_idx(more, i)));
	if (!contains(groups, "system:authenticated"))
		add_group(groups, "system:authenticated");
	return groups;
}

void auth_add_token(struct auth *a, const char *token, const char *user, struct json_object *groups)
{
	struct json_object *entry = json_object_new_object();
	gojson_set(entry, "user", user);
	json_object_object_add(entry, "groups", auth_groups_of(user, groups));
	json_object_object_add(a->tokens, token, entry);
}

void auth_remove_token(struct auth *a, const char *token)
{
	json_object_object_del(a->tokens, token);
}

void auth_add_rule(struct auth *a, struct json_object *rule)
{
	json_object_array_add(a->rules, rule);
}

static const char *subject_of(struct json_object *rule)
{
	const char *user = gojson_text(rule, "user", NULL);
	return user ? user : gojson_text(rule, "group", NULL);
}

void auth_remove_rules(struct auth *a, const char *subject)
{
	for (size_t i = json_object_array_length(a->rules); i-- > 0;) {
		const char *of = subject_of(json_object_array_get_idx(a->rules, i));
		if (!subject || (of && !strcmp(of, subject)))
			json_object_array_del_idx(a->rules, i, 1);
	}
	if (!subject)
		add_basic_rule(a);
}

bool auth_token_user(struct auth *a, const char *token, struct auth_user *ret)
{
	struct json_object *entry = NULL;
	if (!json_object_object_get_ex(a->tokens, token, &entry))
		return false;
	ret->name = gojson_text(entry, "user", NULL);
	ret->groups = gojson_at(entry, "groups", NULL);
	return true;
}

int auth_identify(struct auth *a, const char *authorization, const char *client_name,
		  struct auth_user *ret, struct failure *f)
{
	if (authorization) {
		const char *token = authorization + 7;
		if (!strncasecmp(authorization, "Bearer ", 7) && auth_token_user(a, token, ret))
			return 0;
		return failure_set(f, 401, "Unauthorized", "Unauthorized");
	}
	*ret = (struct auth_user){"system:anonymous", a->anonymous_groups};
	if (client_name)
		*ret = (struct auth_user){client_name, a->admin_groups};
	return 0;
}

/* A list of a rule takes "*" as all; one that is not there takes all too. */
static bool list_takes(struct json_object *rule, const char *key, const char *text)
{
	struct json_object *list = gojson_at(rule, key, NULL);
	return !list || contains(list, "*") || contains(list, text);
}

static bool rule_allows(struct json_object *rule, const struct auth_user *user,
			const struct auth_wish *wish)
{
	const char *name = gojson_text(rule, "user", NULL);
	const char *group = gojson_text(rule, "group", NULL);
	const char *ns = gojson_text(rule, "namespace", NULL);
	bool subject =
	    (name && !strcmp(name, user->name)) || (group && contains(user->groups, group));
	return subject && gojson_at(rule, "verbs", NULL) && gojson_at(rule, "resources", NULL) &&
	       (!ns || !strcmp(ns, wish->ns)) && list_takes(rule, "verbs", wish->verb) &&
	       list_takes(rule, "groups", wish->group) &&
	       list_takes(rule, "resources", wish->resource) &&
	       list_takes(rule, "names", wish->name);
}

bool auth_allows(struct auth *a, const struct auth_user *user, const struct auth_wish *wish,
		 struct json_object **ret_rule)
{
	*ret_rule = NULL;
	if (contains(user->groups, "system:masters"))
		return true;
	for (size_t i = 0; i < json_object_array_length(a->rules); i++) {
		struct json_object *rule = json_object_array_get_idx(a->rules, i);
		if (rule_allows(rule, user, wish)) {
			*ret_rule = rule;
			return true;
		}
	}
	return false;
}

int auth_require(struct auth *a, const struct auth_user *user, const struct route *r,
		 struct failure *f)
{
	char resource[2 * ROUTE_NAME];
	char scope[ROUTE_NAME + 32] = "at the cluster scope";
	char quoted[ROUTE_NAME + 8] = "";
	struct json_object *rule = NULL;
	snprintf(resource, sizeof(resource), "%s%s%s", r->resource->plural,
		 *r->subresource ? "/" : "", r->subresource);
	const struct auth_wish wish = {.verb = r->verb,
				       .group = r->resource->group,
				       .resource = resource,
				       .ns = r->ns,
				       .name = r->named};
	if (auth_allows(a, user, &wish, &rule))
		return 0;
	if (*r->ns)
		snprintf(scope, sizeof(scope), "in the namespace \"%s\"", r->ns);
	if (*r->named)
		snprintf(quoted, sizeof(quoted), " \"%s\"", r->named);
	failure_set(f, 403, "Forbidden",
		    "%s%s%s%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group "
		    "\"%s\" %s",
		    r->resource->plural, *r->resource->group ? "." : "", r->resource->group, quoted,
		    user->name, r->verb, resource, r->resource->group, scope);
	return failure_details(f, *r->named ? r->named : NULL, r->resource->group,
			       r->resource->plural);
}
