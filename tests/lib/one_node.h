/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * For test programs in which each test gets a node of its own: set_up and tear_down, and node_of for the test itself,
 * which skips where that needs root.
 */

#include "tests/lib/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

_unused_ static int set_up(void **state)
{
	struct node_scene *n = calloc(1, sizeof(*n));

	assert_non_null(n);
	if (geteuid() != 0) {
		free(n);
		*state = NULL;
		return 0;
	}
	node_scene_start(n);
	*state = n;
	return 0;
}

_unused_ static int tear_down(void **state)
{
	struct node_scene *n = *state;

	if (n) {
		node_scene_stop(n);
		free(n);
	}
	return 0;
}

_unused_ static struct node_scene *node_of(void **state)
{
	if (!*state) {
		fprintf(stderr, "SKIP: needs root\n");
		skip();
	}
	return *state;
}
