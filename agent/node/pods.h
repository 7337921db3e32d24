/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The pods of this node: one LIST + WATCH, each pod read and put on the road.
 */

#include "k8s/watch.h"
#include "report/events.h"
#include "road/road.h"

struct pods;

struct pods_options {
	struct loop *loop; /* all borrowed */
	struct k8s_client *client;
	struct road *road;
	struct events *events;
	const char *node_name;
	struct attributes_defaults defaults;
};

int pods_new(const struct pods_options *options, struct pods **ret, struct err *e) _must_check_;
int pods_start(struct pods *p, struct err *e) _must_check_;
struct pods *pods_free(struct pods *p);

bool pods_synced(const struct pods *p);
/* For how long the watch is down; 0 while it is up. */
int64_t pods_down_ms(const struct pods *p);
