/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What certhup selftest wants to know of the node agent: where its pages are, and what they say. */

#include "command/ask.h"

#define AGENT_ADDRESS 64 /* "[2001:db8::1]:9402" */

/*
 * The address of the agent's pages: of the pod with these labels on this node.
 *
 * Errors: NOT_FOUND (no such pod has an address), those of ask
 */
int agent_find(struct asker *a, const char *node, const char *labels, uint16_t port,
	       char ret_address[static AGENT_ADDRESS], struct err *e) _must_check_;

/*
 * The value of a series of its /metrics, as "name{label=\"value\"}" writes it.
 *
 * Errors: NOT_FOUND (no such series), those of http_get
 */
int agent_metric(const char *address, const char *series, double *ret, struct err *e) _must_check_;
