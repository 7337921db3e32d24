/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head starts anew, and pods come and go while the hand still lists what it holds.
 */

#include "tests/unit/road/scene.h"

#define LISTING_MS 1000

/* The hand has said what it holds of the first pod, and is not at the end of its list. */
static void restart_while_it_lists(struct scene *s)
{
	world_restart(&s->w);
	s->w.adopt_last_ms = LISTING_MS;
	world_hand_up(&s->w);
}

static void record_that_comes_before_its_pod_is_kept(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);
	unsigned rotated = world_count_events(&s->w, EVENT_ROTATED);
	unsigned signals = v->signals;

	restart_while_it_lists(s);
	world_pod(&s->w, 1, SIGNALLED);
	world_turn(&s->w, LISTING_MS + 60000);
	assert_int_equal(v->signals, signals);
	assert_int_equal(v->swaps, 1);
	assert_int_equal(world_count_events(&s->w, EVENT_ROTATED), rotated);
	assert_int_equal(world_state(&s->w, 1), BINDING_DELIVERED);
}

/* Nothing is known of it before the list is at its end: then it is new. */
static void pod_without_a_record_waits_for_the_end_of_the_list(void **state)
{
	struct scene *s = *state;

	(void)deliver_first(s, SIGNALLED);
	restart_while_it_lists(s);
	world_pod(&s->w, 2, PLAIN);
	world_turn(&s->w, LISTING_MS / 2);
	assert_false(world_volume(&s->w, 2)->has_record);
	world_turn(&s->w, LISTING_MS);
	assert_true(holds(world_volume(&s->w, 2), &s->pair[0]));
}

static void record_of_a_pod_that_goes_meanwhile_goes_too(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	restart_while_it_lists(s);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, LISTING_MS / 2);
	road_pod_gone(s->w.road, v->ref.pod_uid);
	world_turn(&s->w, LISTING_MS);
	assert_false(v->has_record);
}

static void record_whose_pod_was_never_told_of_goes_too(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	restart_while_it_lists(s);
	road_pod_gone(s->w.road, v->ref.pod_uid);
	world_turn(&s->w, LISTING_MS);
	assert_false(v->has_record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(record_that_comes_before_its_pod_is_kept, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(pod_without_a_record_waits_for_the_end_of_the_list,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(record_of_a_pod_that_goes_meanwhile_goes_too, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(record_whose_pod_was_never_told_of_goes_too, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
