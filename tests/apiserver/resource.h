/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The resources that the stand-in has. One row each; two rows with one plural share their objects
 * (Events are seen through two groups).
 */

#include "tests/apiserver/gojson.h"

enum resource_role {
	ROLE_STORED,
	ROLE_REVIEW /* create only, answered at once, nothing is kept */
};

struct resource {
	const char *group; /* "" for core */
	const char *version;
	const char *plural;
	const char *kind;
	bool namespaced;
	enum resource_role role;
	const char *const *fields; /* top-level members in the server's order, NULL at the end */
	const char *const *field_labels; /* field selectors beside metadata.name and .namespace */
	const char *bookmark;            /* more members of a bookmark's object, as JSON, or NULL */
};

/* NULL when there is none. */
const struct resource *resource_find(const char *group, const char *version, const char *plural);
bool resource_has_group(const char *group, const char *version);

/* By the apiVersion and kind of an object; NULL when there is none. */
const struct resource *resource_of_kind(const char *api_version, const char *kind);
/* The first row with this plural (what admin commands name); NULL when there is none. */
const struct resource *resource_by_plural(const char *plural);

bool resource_is_event(const struct resource *r);

/* "v1", "events.k8s.io/v1". */
#define RESOURCE_API_VERSION 64
const char *resource_api_version(const struct resource *r,
				 char ret_text[static RESOURCE_API_VERSION]);
