/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a rollback comes: not while the server may still be reading its files, and not where the pair had worked.
 */

#include "tests/unit/road/scene.h"

#define QUICK                                                                                      \
	((const char *const[]){"secret=web", "reload=signal:HUP", "probe=tls:8443", "settle=2s",   \
			       NULL})

/* An adopted pair, and then one on which the server breaks. Returns when its signal was sent. */
static int64_t break_server(struct scene *s, const char *const *attributes)
{
	struct world_volume *v = deliver_first(s, attributes);

	world_turn(&s->w, 3600000);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	v->server = SERVER_BREAKS;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 20);
	assert_true(holds(v, &s->pair[1]));
	return v->signal_ms;
}

static void rollback_waits_while_a_server_may_read_its_files(void **state)
{
	struct scene *s = *state;
	int64_t signal_ms;

	s->w.server_reads_ms = LIMIT_SETTLE_MS - 100;
	signal_ms = break_server(s, PROVEN);
	world_turn(&s->w, 60000);
	assert_false(s->w.torn);
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 1);
	assert_true(holds(world_volume(&s->w, 1), &s->pair[0]));
	assert_in_range(world_volume(&s->w, 1)->swap_ms - signal_ms, LIMIT_SETTLE_MS,
			LIMIT_SETTLE_MS + 200);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

static void rollback_does_not_wait_longer_than_settle(void **state)
{
	struct scene *s = *state;
	int64_t signal_ms = break_server(s, QUICK);

	world_turn(&s->w, 1900);
	assert_true(holds(world_volume(&s->w, 1), &s->pair[1]));
	world_turn(&s->w, 10000);
	assert_true(holds(world_volume(&s->w, 1), &s->pair[0]));
	assert_in_range(world_volume(&s->w, 1)->swap_ms - signal_ms, 2000, 2200);
}

static void server_that_heals_meanwhile_is_not_rolled_back(void **state)
{
	struct scene *s = *state;
	struct world_volume *v;

	(void)break_server(s, PROVEN);
	v = world_volume(&s->w, 1);
	world_turn(&s->w, 3000);
	v->served = s->pair[1].leaf;
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 0);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

/* The process is told of another volume meanwhile, and reads everything once more. */
static void rollback_waits_for_the_signal_of_another_volume(void **state)
{
	static const char *const other[] = {"secret=api", "reload=signal:USR1", NULL};
	struct scene *s = *state;
	struct world_volume *w = world_volume_named(&s->w, 1, "other");

	w->server = SERVER_AWAY;
	(void)break_server(s, PROVEN);
	world_turn(&s->w, 3000);
	world_put_pair(&s->w, "api", &s->pair[2], "100");
	world_pod_of(&s->w, 1, (const char *const *const[]){PROVEN, other, NULL},
		     (const char *const[]){"tls", "other"});
	world_turn(&s->w, 60000);
	assert_int_equal(w->signals, 1);
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 1);
	assert_in_range(world_volume(&s->w, 1)->swap_ms - w->signal_ms, LIMIT_SETTLE_MS,
			LIMIT_SETTLE_MS + 200);
}

/* The pod's other volume gets its first pair, and its signal, while the older pair is put back. */
static void signal_of_another_volume_is_sent_after_the_rollback(void **state)
{
	static const char *const other[] = {"secret=api", "reload=signal:USR1", NULL};
	struct scene *s = *state;
	struct world_volume *w = world_volume_named(&s->w, 1, "other");

	w->server = SERVER_AWAY;
	(void)break_server(s, PROVEN);
	s->w.hand_ms[HAND_ROLL_BACK] = 1000;
	world_turn(&s->w, LIMIT_SETTLE_MS + 100);
	world_put_pair(&s->w, "api", &s->pair[2], "100");
	world_pod_of(&s->w, 1, (const char *const *const[]){PROVEN, other, NULL},
		     (const char *const[]){"tls", "other"});
	world_turn(&s->w, 500);
	assert_true(w->has_record);
	assert_int_equal(w->signals, 0);
	assert_true(holds(world_volume(&s->w, 1), &s->pair[1]));
	world_turn(&s->w, 60000);
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 1);
	assert_int_equal(w->signals, 1);
	assert_in_range(w->signal_ms - world_volume(&s->w, 1)->swap_ms, 0, 50);
}

/* Another process serves now: what it does says nothing of the pair; the outcome is told in time. */
static void server_that_is_another_process_now_is_told_broken(void **state)
{
	struct scene *s = *state;

	(void)break_server(s, PROVEN);
	s->w.process_starts++;
	world_turn(&s->w, LIMIT_SETTLE_PROBE_MS + 1000);
	assert_int_equal(world_count_events(&s->w, EVENT_BROKEN), 1);
	world_turn(&s->w, LIMIT_SIGNALS_AGAIN * LIMIT_SETTLE_PROBE_MS);
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 0);
	assert_int_equal(world_state(&s->w, 1), BINDING_BROKEN);
}

/* A pair that was served is not the reason why the server breaks later. */
static void pair_that_was_served_is_not_rolled_back(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 60000);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	v->server = SERVER_BROKEN;
	v->served = (struct fingerprint){0};
	world_hand_lost(&s->w);
	world_hand_up(&s->w);
	world_turn(&s->w, (1 + LIMIT_SIGNALS_AGAIN) * LIMIT_SETTLE_PROBE_MS + 1000);
	assert_int_equal(world_state(&s->w, 1), BINDING_BROKEN);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(rollback_waits_while_a_server_may_read_its_files,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(rollback_does_not_wait_longer_than_settle, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(server_that_heals_meanwhile_is_not_rolled_back, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(rollback_waits_for_the_signal_of_another_volume, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(signal_of_another_volume_is_sent_after_the_rollback,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(server_that_is_another_process_now_is_told_broken,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pair_that_was_served_is_not_rolled_back, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
