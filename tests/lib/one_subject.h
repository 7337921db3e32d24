/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * For test programs in which each test gets a fresh volume: `s`, set_up and tear_down, and the paths
 * of its entries.
 */

#include "tests/lib/pods.h"

static struct subject s;

_unused_ static int set_up(void **state _unused_)
{
	subject_make(&s, "size=16m,mode=0777");
	return 0;
}

_unused_ static int tear_down(void **state _unused_)
{
	subject_remove(&s);
	return 0;
}

_unused_ static const char *at(const char *name)
{
	return subject_at(&s, name);
}
