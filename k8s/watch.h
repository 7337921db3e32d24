/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Watches. Both kinds heal by themselves (reconnect, backoff, credentials, liveness) until they are
 * freed, and say how they are through on_state. Freeing a watch cancels it; a callback may free its
 * own watch.
 */

#include "k8s/client.h"

struct k8s_watch;

/* Why a watch is not up; also the label of certhup_watch_restarts_total. */
struct k8s_watch_state {
	bool up; /* the server answered 200 and the stream is open, or a GET every 60 s works (no
		    watch right) */
	bool denied;         /* 401 or 403 */
	const struct err *e; /* NULL when up */
	int64_t retry_ms;    /* until the next try, when not up */
};

struct k8s_watch_callbacks {
	/*
	 * The object as it is now. Same uid and resourceVersion as before are dropped (object
	 * watch). at_ms: monotonic time at which the last byte of it had been read.
	 */
	void (*on_object)(void *arg, const struct json *object, int64_t at_ms);
	/* Object watch: it is not there (DELETED, or 404). List watch: this one left; object is its
	 * last state, or after a relist only its metadata.namespace, name and uid. */
	void (*on_gone)(void *arg, const struct json *object_or_null);
	/* List watch: everything that exists has been told since the last (re)list; what was not
	 * told is gone already. */
	void (*on_synced)(void *arg);
	/* One object could not be taken (too large, bad JSON, bad UTF-8): the others go on. */
	void (*on_bad_object)(void *arg, const struct err *e);
	void (*on_state)(void *arg, const struct k8s_watch_state *state);
};

/*
 * Watches one object by name (fieldSelector=metadata.name=, so that resourceNames rights suffice).
 * Every opening is without a resourceVersion; where no event follows the 200 within
 * LIMIT_WATCH_FIRST_EVENT_MS one GET decides, and only its 404 means absent. Without the right to
 * watch: a GET every 60 s.
 *
 * collection  "/api/v1/namespaces/x/secrets"
 */
int k8s_watch_object(struct k8s_client *c, const char *collection, const char *name,
		     const struct k8s_watch_callbacks *callbacks, void *arg, struct k8s_watch **ret,
		     struct err *e) _must_check_;

/*
 * LIST + WATCH of a collection with a selector, by the reflector's rules: pages, bookmarks, 410 in
 * each of its places, backoff. on_gone is called for objects that a relist no longer has.
 *
 * field_selector  "spec.nodeName=n1", or NULL
 */
int k8s_watch_list(struct k8s_client *c, const char *collection, const char *field_selector,
		   const struct k8s_watch_callbacks *callbacks, void *arg, struct k8s_watch **ret,
		   struct err *e) _must_check_;

struct k8s_watch *k8s_watch_free(struct k8s_watch *w);

/* Reads the object again now, outside the stream (object watch): on_object or on_gone follows, same
 * uid and resourceVersion included. Used for repair and for the proof of a ResourceVersionReset. */
int k8s_watch_reread(struct k8s_watch *w, struct err *e) _must_check_;

/* timeoutSeconds of watches that are opened from now on: jittered between both. Default
 * LIMIT_WATCH_TIMEOUT_*. */
void k8s_watch_timeout(struct k8s_client *c, int min_s, int max_s);
