/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From a pod's JSON to what the road needs: its bindings, and what is wrong with its wishes. Pure.
 */

#include "k8s/json.h"
#include "road/road.h"

#define POD_ANNOTATION "certhup.io/volumes"

/* Something that the pod's owner is to be told. */
struct pod_complaint {
	enum event_reason reason;
	char text[ERR_MESSAGE_SIZE];
};

struct pod {
	char namespace_[LIMIT_NAMESPACE + 1];
	char name[LIMIT_OBJECT_NAME + 1];
	char uid[LIMIT_UID + 1]; /* metadata.uid, which only the API server gives */
	struct binding_spec specs[LIMIT_BINDINGS_POD];
	size_t count;
	bool over; /* its work is: it wants nothing any more */
	struct pod_complaint complaints[LIMIT_POD_COMPLAINTS];
	size_t complaint_count;
};

/*
 * Reads a pod. One without the annotation, or whose work is over, has no bindings; one bad volume never spoils the others: it is a
 * complaint. The struct is large: keep it on the heap.
 *
 * Errors: INVALID when it is no pod.
 */
int pod_read(const struct json *json, const struct attributes_defaults *defaults, struct pod *ret,
	     struct err *e) _must_check_;
