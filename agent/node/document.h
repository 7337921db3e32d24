/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The status document: what docs/reference.md calls the status schema.
 */

#include "base/buf.h"
#include "road/road.h"

struct document_facts {
	const char *node;
	bool ready;
	const char *why; /* not ready: a sentence */
	bool hand_up;
	bool api_up;
	const char *const
	    *weak; /* sentences about protection that the kernel does not give, NULL-terminated */
};

/* Appends the JSON document of all bindings, troubles first. */
int document_write(struct road *road, const struct document_facts *facts, struct buf *body,
		   struct err *e) _must_check_;
