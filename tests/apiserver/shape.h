/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The forms of an object: as a client sends it, as it is stored, and as an answer shows it. Stored
 * objects have their members in the server's order, no kind and apiVersion, and Events as core/v1
 * names their members.
 */

#include "tests/apiserver/resource.h"

/* Turns what a client sent into the stored names: Events of events.k8s.io, a Secret's stringData.
 * The caller owns the result. */
struct json_object *shape_input(const struct resource *r, struct json_object *sent);

/*
 * The stored form of an input that was checked; the caller owns it. previous is what is stored now
 * (its uid and creationTimestamp stay), or NULL. manager is who wrote it, for managedFields.
 */
struct json_object *shape_stored(const struct resource *r, struct json_object *input,
				 struct json_object *previous, const char *manager);

/* The managedFields of an input that the manager wrote just now; the caller owns it. */
struct json_object *shape_managed(const struct resource *r, struct json_object *input,
				  const char *manager);

/* As the resource shows it; the caller owns it. typed: with kind and apiVersion. */
struct json_object *shape_shown(const struct resource *r, struct json_object *stored, bool typed);
/* Its metadata alone, as PartialObjectMetadata. */
struct json_object *shape_partial(struct json_object *stored, bool typed);

/* True when both differ in nothing but resourceVersion and managedFields. */
bool shape_same(struct json_object *a, struct json_object *b);
