/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/server.h"

#include "tests/lib/hands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct hands h;

static int set_up(void **state)
{
	(void)state;
	hands_make(&h);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hands_remove(&h);
	return 0;
}

static void expect(enum err_kind got, enum err_kind want)
{
	if (got != want)
		fail_msg("%s instead of %s: %s", err_meaning(got)->label, err_meaning(want)->label,
			 h.reply.err.message);
}

static void publish_writes_the_pair_and_tells_when(void **state)
{
	struct volume_ref ref = hands_volume(&h, 1, "size=1m");

	(void)state;
	hands_start(&h, NULL);
	expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	assert_int_equal(hands_seen(&h, &ref), 1);
	assert_true(h.reply.changed);
	assert_true(h.reply.renamed_mono_ms > 0);
	assert_true(h.reply.has_record);
	assert_string_equal(h.reply.record.resource_version, "10");
	expect(hands_publish(&h, &ref, 2, 11), ERR_NONE);
	assert_int_equal(hands_seen(&h, &ref), 2);
	assert_int_equal(hands_stop(&h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(publish_writes_the_pair_and_tells_when, set_up,
					    tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/server", tests, NULL, NULL);
}
