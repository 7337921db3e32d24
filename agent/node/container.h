/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers of a pod's JSON: which one mounts a volume, whether it runs, and its id. Pure.
 */

#include "base/limits.h"
#include "k8s/json.h"

struct container_choice {
	char name[LIMIT_CONTAINER_NAME + 1]; /* "" none */
	char id[LIMIT_CONTAINER_ID + 1];     /* 64 hex digits; "" while it does not run */
	bool running;                        /* it runs; where none was chosen: any does */
	bool ambiguous;                      /* several mount the volume and none was named */
	bool missing;                        /* the one that was named is not in the pod */
	const char *sub_path; /* a container that mounts it by subPath; borrowed; NULL none */
};

/* wanted: the name asked for, "" for the only one that mounts the volume. Sidecars (restartable init containers) count. */
void container_choose(const struct json *pod, const char *volume, const char *wanted,
		      struct container_choice *ret);

/* True when an init container runs with --wait-for among its command or args. */
bool container_waits_for_pair(const struct json *pod);
