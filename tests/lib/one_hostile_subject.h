/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * For test programs about a pod that works against the writer: beside the fresh volume a tree outside of it, which
 * nobody may have touched when the test ends.
 */

#include "base/clock.h"
#include "tests/lib/decoy.h"
#include "tests/lib/one_subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct decoy decoy;

_unused_ static int set_up_here(void **state)
{
	decoy_make(&decoy);
	return set_up(state);
}

_unused_ static int tear_down_here(void **state)
{
	tear_down(state);
	decoy_untouched(&decoy);
	decoy_remove(&decoy);
	return 0;
}

/* Does it within a second, or the test ends. */
_unused_ static void in_time(void (*fn)(int n), int n)
{
	int64_t start = clock_mono_ms(clock_system());

	alarm(20);
	fn(n);
	alarm(0);
	assert_true(clock_mono_ms(clock_system()) - start < SECOND_MS);
}

_unused_ static void published(int n)
{
	subject_published(&s, n);
}
