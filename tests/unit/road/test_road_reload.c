/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a process is signalled, and what waits for that.
 */

#include "tests/unit/road/scene.h"

#include <signal.h>

static void nothing_is_signalled_unless_asked(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 60000);
	assert_int_equal(v->swaps, 2);
	assert_int_equal(v->signals, 0);
}

static void no_swap_while_a_reload_is_under_way(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);
	char rv[32];

	s->w.server_reads_ms = 4000;
	for (unsigned i = 1; i <= 40; i++) {
		snprintf(rv, sizeof(rv), "%u", 200 + i);
		world_put_pair(&s->w, "web", &s->pair[i % 5], rv);
		world_turn(&s->w, 700);
	}
	world_turn(&s->w, 10000);
	assert_false(s->w.torn);
	assert_true(holds(v, &s->pair[0]));
	assert_in_range(v->swaps, 4, 9);
}

static void window_closes_early_when_the_pair_is_adopted(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	for (unsigned i = 1; i <= 5; i++) {
		char rv[32];

		snprintf(rv, sizeof(rv), "%u", 200 + i);
		world_put_pair(&s->w, "web", &s->pair[i], rv);
		world_turn(&s->w, 2000);
		assert_true(holds(v, &s->pair[i]));
		assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	}
}

static void signals_to_one_process_keep_their_interval(void **state)
{
	struct scene *s = *state;
	struct world_volume *v =
	    deliver_first(s, (const char *const[]){"secret=web", "reload=signal:HUP",
						   "min-interval=30s", "settle=1s", NULL});
	int64_t last;

	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 100);
	last = v->signal_ms;
	world_put_pair(&s->w, "web", &s->pair[2], "102");
	world_turn(&s->w, 100000);
	assert_true(holds(v, &s->pair[2]));
	assert_true(v->signal_ms - last >= 30000);
}

static void interval_keeps_back_the_signal_and_not_the_files(void **state)
{
	struct scene *s = *state;
	struct world_volume *v =
	    deliver_first(s, (const char *const[]){"secret=web", "reload=signal:HUP",
						   "min-interval=10m", "settle=5s", NULL});
	unsigned signals;

	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 6000);
	signals = v->signals;
	for (unsigned i = 2; i < 5; i++) {
		char rv[32];

		snprintf(rv, sizeof(rv), "%u", 100 + i);
		world_put_pair(&s->w, "web", &s->pair[i], rv);
		world_turn(&s->w, 6000);
		assert_true(holds(v, &s->pair[i]));
	}
	assert_int_equal(v->signals, signals);
	world_turn(&s->w, 600000);
	assert_int_equal(v->signals, signals + 1);
}

/* The server reads its files by itself, while min-interval keeps the second signal back. */
static void signal_that_a_late_adoption_makes_needless_is_not_sent(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(
	    s, (const char *const[]){"secret=web", "reload=signal:HUP", "probe=tls:8443",
				     "min-interval=10m", "settle=5s", NULL});
	unsigned signals;

	world_turn(&s->w, 600000);
	v->server = SERVER_DEAF;
	signals = v->signals;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 10000);
	assert_int_equal(v->signals, signals + 1);
	assert_int_equal(world_state(&s->w, 1), BINDING_STALE);
	v->served = s->pair[1].leaf;
	world_turn(&s->w, 300000);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	world_turn(&s->w, 1200000);
	assert_int_equal(v->signals, signals + 1);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

static void E14_a_secret_that_changes_all_the_time_is_coalesced(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->signals = 0;
	for (unsigned i = 0; i < 1000; i++) {
		char rv[32];

		snprintf(rv, sizeof(rv), "%u", 1000 + i);
		world_put_pair(&s->w, "web", &s->pair[i % 6], rv);
		world_turn(&s->w, 10);
	}
	world_turn(&s->w, 10000);
	assert_in_range(v->signals, 5, 12);
	assert_true(holds(v, &s->pair[999 % 6]));
}

static void splay_waits_before_later_rotations_only(void **state)
{
	struct scene *s = *state;
	struct world_volume *v;
	int64_t start;

	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	world_pod(&s->w, 1, (const char *const[]){"secret=web", "splay=10m", NULL});
	world_turn(&s->w, 100);
	v = world_volume(&s->w, 1);
	assert_true(holds(v, &s->pair[0]));
	start = s->w.clock.mono_ms;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 600000);
	assert_true(holds(v, &s->pair[1]));
	assert_true(v->swap_ms > start);
}

/* A server that takes 4 s to read was just told of the second pair, and the third is there when the agent ends. */
static struct world_volume *end_while_it_reads(struct scene *s)
{
	struct world_volume *v = deliver_first(s, SIGNALLED);

	s->w.server_reads_ms = 4000;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1000);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(v->record.owed_signal, 0);
	world_put_pair(&s->w, "web", &s->pair[2], "102");
	return v;
}

static void expect_swap_after_settle(struct scene *s, const struct world_volume *v)
{
	int64_t told_ms = v->signal_ms;

	world_turn(&s->w, LIMIT_SETTLE_MS);
	assert_true(holds(v, &s->pair[2]));
	assert_false(s->w.torn);
	assert_in_range(v->swap_ms - told_ms, LIMIT_SETTLE_MS, LIMIT_SETTLE_MS + 50);
}

static void no_swap_after_a_restart_while_a_reload_is_under_way(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = end_while_it_reads(s);

	world_hand_lost(&s->w);
	world_restart(&s->w);
	world_pod(&s->w, 1, SIGNALLED);
	world_turn(&s->w, 500);
	world_hand_up(&s->w);
	expect_swap_after_settle(s, v);
}

static void no_swap_after_a_changed_wish_while_a_reload_is_under_way(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = end_while_it_reads(s);

	world_pod(&s->w, 1, (const char *const[]){"secret=web", NULL});
	expect_swap_after_settle(s, v);
}

/* The clock of the machine was set back meanwhile: settle, and no longer. */
static void window_after_a_restart_is_never_longer_than_settle(void **state)
{
	struct scene *s = *state;
	const struct world_volume *v = end_while_it_reads(s);
	int64_t start_ms;

	s->w.clock.wall_ms -= 3600000;
	world_restart(&s->w);
	world_hand_up(&s->w);
	start_ms = s->w.clock.mono_ms;
	world_pod(&s->w, 1, SIGNALLED);
	world_turn(&s->w, LIMIT_SETTLE_MS);
	assert_true(holds(v, &s->pair[2]));
	assert_in_range(v->swap_ms - start_ms, LIMIT_SETTLE_MS - 50, LIMIT_SETTLE_MS);
}

/* It was sent, and the hand was killed before it could note that. */
static void no_swap_after_a_signal_that_nobody_noted(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	s->w.server_reads_ms = 4000;
	v->server = SERVER_DEAF;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1000);
	v->record.owed_signal = SIGHUP;
	v->record.signalled_wall_ms = 0;
	world_put_pair(&s->w, "web", &s->pair[2], "102");
	world_hand_lost(&s->w);
	world_restart(&s->w);
	world_pod(&s->w, 1, PROVEN);
	world_turn(&s->w, 10);
	world_hand_up(&s->w);
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[2]));
	assert_false(s->w.torn);
}

static void owed_signal_is_sent_after_a_restart(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);

	v->record.owed_signal = SIGHUP;
	v->signals = 0;
	world_restart(&s->w);
	world_hand_up(&s->w);
	world_pod(&s->w, 1, SIGNALLED);
	world_turn(&s->w, 5000);
	assert_int_equal(v->signals, 1);
	assert_int_equal(v->record.owed_signal, 0);
}

static void owed_signal_is_not_sent_when_the_leaf_is_served(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->record.owed_signal = SIGHUP;
	v->signals = 0;
	world_restart(&s->w);
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PROVEN);
	world_turn(&s->w, 60000);
	assert_int_equal(v->signals, 0);
	assert_int_equal(v->record.owed_signal, 0);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

static void owed_signal_is_sent_when_another_leaf_is_served(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->record.owed_signal = SIGHUP;
	v->served = s->pair[3].leaf;
	v->signals = 0;
	world_restart(&s->w);
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PROVEN);
	world_turn(&s->w, 60000);
	assert_int_equal(v->signals, 1);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

static void process_without_handler_is_told_and_not_tried_again(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);
	unsigned failed = world_count_events(&s->w, EVENT_RELOAD_FAILED);

	v->signal_result = SIGNAL_NO_HANDLER;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(world_count_events(&s->w, EVENT_RELOAD_FAILED), failed + 1);
	assert_int_equal(world_state(&s->w, 1), BINDING_DELIVERED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(nothing_is_signalled_unless_asked, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(no_swap_while_a_reload_is_under_way, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(window_closes_early_when_the_pair_is_adopted, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(signals_to_one_process_keep_their_interval, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(interval_keeps_back_the_signal_and_not_the_files,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(signal_that_a_late_adoption_makes_needless_is_not_sent,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E14_a_secret_that_changes_all_the_time_is_coalesced,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(splay_waits_before_later_rotations_only, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(no_swap_after_a_restart_while_a_reload_is_under_way,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		no_swap_after_a_changed_wish_while_a_reload_is_under_way, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(window_after_a_restart_is_never_longer_than_settle,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(no_swap_after_a_signal_that_nobody_noted, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(owed_signal_is_sent_after_a_restart, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(owed_signal_is_not_sent_when_the_leaf_is_served, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(owed_signal_is_sent_when_another_leaf_is_served, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(process_without_handler_is_told_and_not_tried_again,
					    set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
