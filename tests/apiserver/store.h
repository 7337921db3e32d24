/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What etcd and the watch cache are to a real API server: the objects, one counter of
 * resourceVersions for all of them, and the changes of the recent past. Objects are stored without
 * kind and apiVersion, are shared and never changed once they are in.
 */

#include "tests/apiserver/gojson.h"

struct store;

enum change_type {
	CHANGE_ADDED,
	CHANGE_MODIFIED,
	CHANGE_DELETED
};

struct change {
	enum change_type type;
	uint64_t rv;
	const char *plural;           /* static */
	struct json_object *object;   /* after; of a deletion the last state, with its rv */
	struct json_object *previous; /* NULL for ADDED */
};

typedef void (*store_change_fn)(void *arg, const struct change *change);

/* window: how many changes are remembered. on_change is called for each change, after it. */
struct store *store_new(uint64_t first_rv, size_t window, store_change_fn on_change, void *arg);
struct store *store_free(struct store *s);

uint64_t store_rv(const struct store *s);
/* The counter moves without any object, as by what is not modelled here. */
void store_bump(struct store *s);

/* Borrowed; NULL when it is not there. */
struct json_object *store_get(struct store *s, const char *plural, const char *ns,
			      const char *name);
/* Adds or replaces by metadata.namespace and .name; takes the object, stamps its resourceVersion. */
struct json_object *store_put(struct store *s, const char *plural, struct json_object *object);
/* Nothing happens when it is not there. */
void store_delete(struct store *s, const char *plural, const char *ns, const char *name);

/*
 * The objects as they were at rv, as a new array in the order of namespace and name. ns NULL: of
 * all namespaces. NULL when that is compacted. rv 0: now.
 */
struct json_object *store_list(struct store *s, const char *plural, const char *ns, uint64_t rv);

/* False when a watch from rv would miss something: 410. ret_oldest: what the server names then. */
bool store_can_watch(const struct store *s, uint64_t rv, uint64_t *ret_oldest);
/* Calls on_change for each remembered change after rv. */
void store_replay(struct store *s, uint64_t rv, store_change_fn on_change, void *arg);

/* Reads of the past fail from now on. */
void store_compact(struct store *s);
/* The watch cache is new, as after a restart: a watch from any earlier rv gets 410. */
void store_forget(struct store *s);

/* Keeps all objects and the counter aside, and brings them back as a restore of etcd does: without
 * events, the counter goes back. Returns false when nothing was kept. */
void store_save(struct store *s);
bool store_restore(struct store *s);
