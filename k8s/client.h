/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Requests to the API server, on the loop. Nothing above knows connections, libcurl or credentials.
 * Freeing a request cancels it.
 */

#include "event/loop.h"
#include "k8s/config.h"
#include "k8s/json.h"

struct k8s_client;
struct k8s_request;

/* config is borrowed and outlives the client. user_agent: "certhup/0.1.0"; must not start with curl
 * or Mozilla. */
int k8s_client_new(struct loop *loop, struct k8s_config *config, const char *user_agent,
		   struct k8s_client **ret, struct err *e) _must_check_;
struct k8s_client *
k8s_client_free(struct k8s_client *c); /* its requests and watches must be freed before */

/* One call. Strings are borrowed until k8s_request_start returns. */
struct k8s_call {
	const char *verb;  /* "GET", "POST", "PATCH", "DELETE" */
	const char *path;  /* "/api/v1/namespaces/x/secrets/y": built with k8s_path */
	const char *query; /* "limit=1&..." already percent-encoded, or NULL */
	const char *body;  /* JSON or NULL */
	size_t body_len;
	const char *content_type; /* NULL: application/json */
	const char *accept;       /* NULL: application/json */
	int64_t deadline_ms;      /* 0: LIMIT_REQUEST_MS */
	bool retry; /* try again on 429 and 5xx with Retry-After, on 401 once with a fresh token,
		     * and on a connection that could not be made, within the deadline */
};

/* What came back. */
struct k8s_answer {
	int code;                  /* HTTP status, 0 when none came */
	const struct json *object; /* borrowed during the callback; NULL when there is none */
	int64_t retry_after_ms;    /* -1 when the server said nothing */
};

/*
 * Called once, on the loop, unless the request is freed first. e is NULL on 2xx; else its kind
 * follows from the Status: 400/422 INVALID, 401/403 DENIED, 404 NOT_FOUND, 409 CONFLICT, 410
 * EXPIRED, 413 EXHAUSTED, 429/5xx UNAVAILABLE, 504 TIMEOUT; no connection UNAVAILABLE; and its
 * message holds the server's words. The request may be freed in it; if it is not, it stays owned by
 * the caller.
 */
typedef void (*k8s_done_fn)(void *arg, const struct k8s_answer *answer, const struct err *e);

int k8s_request_start(struct k8s_client *c, const struct k8s_call *call, k8s_done_fn done,
		      void *arg, struct k8s_request **ret, struct err *e) _must_check_;
struct k8s_request *k8s_request_free(struct k8s_request *r); /* cancels; returns NULL */

/*
 * Joins path segments, each percent-encoded: k8s_path(&b, &e, "api", "v1", "namespaces", ns,
 * "secrets", NULL). Errors: INVALID when a segment is empty, "." or "..".
 */
int k8s_path(struct buf *b, struct err *e, ...) __attribute__((sentinel)) _must_check_;

/* Appends text with all but letters, digits and "-._~" percent-encoded: a value in a query. */
int k8s_escape(struct buf *b, const char *text, struct err *e) _must_check_;

/* True when a request got any HTTP status within the last minute. */
bool k8s_client_is_up(const struct k8s_client *c);

static inline void k8s_client_freep(struct k8s_client **c)
{
	*c = k8s_client_free(*c);
}
