/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a request asks for: its path and query read as a Kubernetes request.
 * Source: kubernetes apiserver pkg/endpoints/request RequestInfo; metav1.ListOptions.
 */

#include "tests/apiserver/selector.h"

#include <event2/keyvalq_struct.h>

#define ROUTE_NAME 254

enum route_kind {
	ROUTE_UNKNOWN,     /* 404 page not found */
	ROUTE_NO_RESOURCE, /* of a group that is known: a Status of 404 */
	ROUTE_HEALTH,      /* /healthz, /livez, /readyz */
	ROUTE_VERSION,     /* /version */
	ROUTE_RESOURCE
};

struct route {
	enum route_kind kind;
	const struct resource *resource;
	char ns[ROUTE_NAME];          /* "": cluster scope, or all namespaces */
	char name[ROUTE_NAME];        /* "": a collection */
	char subresource[ROUTE_NAME]; /* "": none */
	const char *verb; /* static: get list watch create update patch delete, as RBAC names it */
	char named[ROUTE_NAME]; /* the name that RBAC judges: the path's, or metadata.name= */
	struct evkeyvalq query; /* owned */
};

/* target: path and query. Errors in the query are found later, by route_options. */
void route_parse(const char *method, const char *target, struct route *ret);
void route_done(struct route *r);

const char *route_query(const struct route *r, const char *key); /* NULL when not there */
bool route_query_true(const struct route *r, const char *key);

/* The options of a LIST or WATCH. Strings are borrowed from the route. */
struct route_options {
	const char *rv; /* NULL when absent or empty */
	uint64_t rv_number;
	const char *match; /* resourceVersionMatch, or NULL */
	const char *continue_token;
	uint64_t limit; /* 0: none */
	bool initial_events;
	bool bookmarks;
	uint64_t timeout_s; /* 0: not given */
	struct selector labels;
	struct selector fields;
};

int route_options(const struct route *r, struct route_options *ret, struct failure *f);
void route_options_done(struct route_options *o);
