/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who sent a request, and what he may do: bearer tokens, client certificates, and a small table of
 * rules in place of Roles and RoleBindings.
 *
 * A rule is a JSON object; a member that is not there allows everything of its kind, but verbs and
 * resources must be named:
 *
 *     {"user": "system:serviceaccount:tr:default",   or "group": "system:authenticated"
 *      "verbs": ["get", "list", "watch"],            "*" is any
 *      "resources": ["secrets"],                     "*" is any
 *      "namespace": "tr",
 *      "names": ["a"],
 *      "role": "r"}                                  named in the reason of reviews
 */

#include "tests/apiserver/failure.h"
#include "tests/apiserver/route.h"

struct auth;

struct auth_user {
	const char *name;           /* borrowed */
	struct json_object *groups; /* borrowed array of strings */
};

/* What somebody wants to do. Strings are borrowed; "" where there is none. */
struct auth_wish {
	const char *verb;
	const char *group;
	const char *resource;
	const char *ns;
	const char *name;
};

struct auth *auth_new(void);
struct auth *auth_free(struct auth *a);

/* groups: array or NULL; system:authenticated is added. A service account's are known by its name. */
void auth_add_token(struct auth *a, const char *token, const char *user,
		    struct json_object *groups);
/* The token is unknown from now on: 401. */
void auth_remove_token(struct auth *a, const char *token);
/* Takes the rule. */
void auth_add_rule(struct auth *a, struct json_object *rule);
/* Removes the rules of a user or group; NULL: all but what every cluster allows. */
void auth_remove_rules(struct auth *a, const char *subject);

/*
 * The user of a request by its Authorization header (NULL: none) and the name in its client
 * certificate (NULL: none). Without both he is system:anonymous. 401 for a token that is unknown.
 */
int auth_identify(struct auth *a, const char *authorization, const char *client_name,
		  struct auth_user *ret, struct failure *f);

/* The user that a token stands for; false when it is unknown. */
bool auth_token_user(struct auth *a, const char *token, struct auth_user *ret);

/* Groups that a user name brings with it, as a new array. */
struct json_object *auth_groups_of(const char *user, struct json_object *more);

/* ret_rule: the rule that allows it, borrowed; NULL for system:masters or when it is denied. */
bool auth_allows(struct auth *a, const struct auth_user *user, const struct auth_wish *wish,
		 struct json_object **ret_rule);

/* 403 unless it is allowed. */
int auth_require(struct auth *a, const struct auth_user *user, const struct route *r,
		 struct failure *f);
