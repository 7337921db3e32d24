/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose right it is to have a Secret.
 */

#include "tests/unit/road/scene.h"

static void denied_account_gets_nothing_until_it_may(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = world_volume(&s->w, 1);

	s->w.deny = true;
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_secret(&s->w, "web")->allow = "other, defaultx";
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 120000);
	assert_false(v->has_record);
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_NOT_ALLOWED), 1);
	/* 10 s, doubling: 0, 10, 30, 70 s */
	assert_int_equal(s->w.reviews, 4);
	s->w.deny = false;
	world_turn(&s->w, 300000);
	assert_true(holds(v, &s->pair[0]));
	assert_string_equal(world_problem(&s->w, 1), "");
}

static void denied_secret_is_asked_about_again_when_it_changes(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	world_secret(&s->w, "web")->allow = "";
	s->w.deny = true;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1000);
	assert_true(holds(v, &s->pair[0]));
	s->w.deny = false;
	world_put_pair(&s->w, "web", &s->pair[2], "102");
	world_turn(&s->w, 100);
	assert_true(holds(v, &s->pair[2]));
}

static void a_yes_holds_for_a_minute_and_unchanged_volumes_are_not_asked_about(void **state)
{
	struct scene *s = *state;
	struct world_volume *v;

	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_secret(&s->w, "web")->allow = "";
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 1000);
	v = world_volume(&s->w, 1);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(s->w.reviews, 1);
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1000);
	assert_int_equal(s->w.reviews, 1);
	world_turn(&s->w, 60000);
	world_put_pair(&s->w, "web", &s->pair[2], "102");
	world_turn(&s->w, 1000);
	assert_int_equal(s->w.reviews, 2);
	world_restart(&s->w);
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 1000);
	assert_int_equal(s->w.reviews, 2);
	assert_true(holds(v, &s->pair[2]));
}

/* It comes while the answer about another account is awaited. */
static void named_account_gets_what_is_held_for_another(void **state)
{
	struct scene *s = *state;
	struct binding_spec *named = world_spec(2, PLAIN);

	snprintf(named->account, sizeof(named->account), "named");
	s->w.deny = true;
	s->w.review_ms = 1000;
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_secret(&s->w, "web")->allow = "other, named";
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 100);
	road_set_pod(s->w.road, named->ref.pod_uid, named, 1);
	world_turn(&s->w, 2000);
	assert_true(holds(world_volume(&s->w, 2), &s->pair[0]));
	assert_false(world_volume(&s->w, 1)->has_record);
	assert_int_equal(s->w.reviews, 1);
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_NOT_ALLOWED), 1);
	free(named);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(denied_account_gets_nothing_until_it_may, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(denied_secret_is_asked_about_again_when_it_changes,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_yes_holds_for_a_minute_and_unchanged_volumes_are_not_asked_about, set_up,
		tear_down),
	    cmocka_unit_test_setup_teardown(named_account_gets_what_is_held_for_another, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
