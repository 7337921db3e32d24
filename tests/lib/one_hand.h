/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * For test programs in which each test gets a kubelet's root of its own, and a hand for it: `h`, set_up and tear_down.
 */

#include "base/clock.h"
#include "tests/lib/hands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct hands h;

_unused_ static int set_up(void **state _unused_)
{
	hands_make(&h);
	return 0;
}

_unused_ static int tear_down(void **state _unused_)
{
	hands_remove(&h);
	return 0;
}

/* What the hand answered last. */
_unused_ static void expect(enum err_kind got, enum err_kind want)
{
	if (got != want)
		fail_msg("%s instead of %s: %s", err_meaning(got)->label, err_meaning(want)->label,
			 h.reply.err.message);
}

_unused_ static int64_t now_ms(void)
{
	return clock_mono_ms(clock_system());
}
