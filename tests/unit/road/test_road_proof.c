/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the handshakes after a swap show, and going back to the pair that worked.
 */

#include "tests/unit/road/scene.h"

static void deaf_server_is_signalled_again_and_told_stale(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->server = SERVER_DEAF;
	v->signals = 0;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 300000);
	assert_int_equal(world_state(&s->w, 1), BINDING_STALE);
	assert_int_equal(v->signals, 3);
	assert_int_equal(world_count_events(&s->w, EVENT_STALE), 1);
	/* It still gets every newer pair. */
	world_put_pair(&s->w, "web", &s->pair[2], "102");
	world_turn(&s->w, 1000);
	assert_true(holds(v, &s->pair[2]));
	/* And when it wakes up, that is seen. */
	v->served = s->pair[2].leaf;
	world_turn(&s->w, 1300000);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

static void E11_signal_that_does_nothing_is_told_unconfirmed(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->server = SERVER_AWAY;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 40000);
	assert_int_equal(world_state(&s->w, 1), BINDING_UNCONFIRMED);
	assert_int_equal(world_count_events(&s->w, EVENT_RELOAD_UNCONFIRMED), 1);
	assert_int_equal(world_count_events(&s->w, EVENT_BROKEN), 0);
}

static void broken_server_is_rolled_back_and_the_newer_pair_quarantined(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	world_turn(&s->w, 3600000);
	v->server = SERVER_BREAKS;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 20000);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 1);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	assert_string_equal(v->record.quarantine_rv, "101");
	/* Not published again by itself, also after a restart. */
	world_turn(&s->w, 3600000);
	world_restart(&s->w);
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PROVEN);
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[0]));
	/* A newer one is. */
	v->server = SERVER_GOOD;
	world_put_pair(&s->w, "web", &s->pair[2], "102");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[2]));
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

static void rollback_that_does_not_heal_goes_forward_again(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->server = SERVER_BROKEN;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 300000);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(world_state(&s->w, 1), BINDING_BROKEN);
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 1);
	assert_true(world_count_events(&s->w, EVENT_BROKEN) >= 1);
	assert_string_equal(v->record.quarantine_rv, "");
}

static void nothing_is_rolled_back_without_a_proof_before_the_swap(void **state)
{
	struct scene *s = *state;
	struct world_volume *v;

	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	v = world_volume(&s->w, 1);
	v->server = SERVER_AWAY;
	world_pod(&s->w, 1, PROVEN);
	world_turn(&s->w, 60000);
	v->server = SERVER_BROKEN;
	v->served = (struct fingerprint){0};
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 120000);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 0);
	assert_int_equal(world_state(&s->w, 1), BINDING_BROKEN);
}

static void rollback_can_be_declined(void **state)
{
	struct scene *s = *state;
	struct world_volume *v =
	    deliver_first(s, (const char *const[]){"secret=web", "reload=signal:HUP",
						   "probe=tls:8443", "rollback=false", NULL});

	v->server = SERVER_BREAKS;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 120000);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(deaf_server_is_signalled_again_and_told_stale, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E11_signal_that_does_nothing_is_told_unconfirmed,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		broken_server_is_rolled_back_and_the_newer_pair_quarantined, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(rollback_that_does_not_heal_goes_forward_again, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(nothing_is_rolled_back_without_a_proof_before_the_swap,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(rollback_can_be_declined, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
