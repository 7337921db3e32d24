/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The real stations behind the road's table of functions.
 */

#include "node/link.h"
#include "road/ops.h"

struct ports {
	struct loop *loop;
	struct k8s_client *client;
	struct link *link;
	struct events *events;
	unsigned probes; /* under way, at most LIMIT_PROBES */
};

/* To be passed with a struct ports as its argument; static. */
const struct road_ops *ports_ops(void);
