/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of one pod: which of them wait while a process of the pod reloads (principle 5), and which do not.
 */

#include "tests/unit/road/scene.h"

#define FIRST "tls"
#define SECOND "other"

/* A pod with two volumes, each of a Secret of its own; both have their first pair, and all windows are over. */
static void deliver_two(struct scene *s, const char *const *first, const char *const *second)
{
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_put_pair(&s->w, "api", &s->pair[1], "100");
	world_hand_up(&s->w);
	world_volume_named(&s->w, 1, SECOND)->server = SERVER_AWAY;
	world_pod_of(&s->w, 1, (const char *const *const[]){first, second, NULL},
		     (const char *const[]){FIRST, SECOND});
	world_turn(&s->w, 60000);
	assert_true(world_volume_named(&s->w, 1, FIRST)->has_record);
	assert_true(world_volume_named(&s->w, 1, SECOND)->has_record);
}

/* Rotates the first, and right after its signal the second. Returns how long the second one's swap waited. */
static int64_t second_waits_ms(struct scene *s)
{
	struct world_volume *v = world_volume_named(&s->w, 1, FIRST);
	struct world_volume *w = world_volume_named(&s->w, 1, SECOND);
	unsigned signals = v->signals;
	int64_t start;

	world_put_pair(&s->w, "web", &s->pair[2], "101");
	world_turn(&s->w, 20);
	assert_true(holds(v, &s->pair[2]));
	assert_int_equal(v->signals, signals + 1);
	start = s->w.clock.mono_ms;
	world_put_pair(&s->w, "api", &s->pair[3], "101");
	world_turn(&s->w, 60000);
	assert_true(holds(w, &s->pair[3]));
	return w->swap_ms - start;
}

static void volumes_of_one_process_wait_whatever_their_signal(void **state)
{
	deliver_two(*state, (const char *const[]){"secret=web", "reload=signal:HUP", NULL},
		    (const char *const[]){"secret=api", "reload=signal:USR1", NULL});
	assert_in_range(second_waits_ms(*state), LIMIT_SETTLE_MS - 50, LIMIT_SETTLE_MS);
}

static void volume_without_reload_waits_for_the_process_that_reads_it(void **state)
{
	deliver_two(*state, (const char *const[]){"secret=web", "reload=signal:HUP", NULL},
		    (const char *const[]){"secret=api", NULL});
	assert_in_range(second_waits_ms(*state), LIMIT_SETTLE_MS - 50, LIMIT_SETTLE_MS);
}

/* Whose process it is cannot be told: it may be the one that reloads. */
static void volume_of_nobody_known_waits(void **state)
{
	struct scene *s = *state;

	s->w.no_container = SECOND;
	deliver_two(s, (const char *const[]){"secret=web", "reload=signal:HUP", NULL},
		    (const char *const[]){"secret=api", NULL});
	assert_in_range(second_waits_ms(s), LIMIT_SETTLE_MS - 50, LIMIT_SETTLE_MS);
}

static void first_process_may_be_the_one_that_is_named(void **state)
{
	deliver_two(*state,
		    (const char *const[]){"secret=web", "reload=signal:HUP", "process=nginx", NULL},
		    (const char *const[]){"secret=api", NULL});
	assert_in_range(second_waits_ms(*state), LIMIT_SETTLE_MS - 50, LIMIT_SETTLE_MS);
}

static void volumes_of_other_processes_do_not_wait(void **state)
{
	deliver_two(
	    *state, (const char *const[]){"secret=web", "reload=signal:HUP", "process=nginx", NULL},
	    (const char *const[]){"secret=api", "reload=signal:HUP", "process=envoy", NULL});
	assert_int_equal(second_waits_ms(*state), 0);
}

static void volumes_of_other_containers_do_not_wait(void **state)
{
	deliver_two(
	    *state, (const char *const[]){"secret=web", "reload=signal:HUP", NULL},
	    (const char *const[]){"secret=api", "reload=signal:HUP", "container=envoy", NULL});
	assert_int_equal(second_waits_ms(*state), 0);
}

static void window_ends_with_the_proof_of_the_volume_that_was_told_of(void **state)
{
	deliver_two(
	    *state,
	    (const char *const[]){"secret=web", "reload=signal:HUP", "probe=tls:8443", NULL},
	    (const char *const[]){"secret=api", "reload=signal:USR1", NULL});
	assert_in_range(second_waits_ms(*state), 0, 200);
}

/* The volume that was told of is not asked for any more; its process goes on reading. */
static void window_stays_when_its_volume_is_asked_for_no_more(void **state)
{
	static const char *const told[] = {"secret=web", "reload=signal:HUP", NULL};
	static const char *const other[] = {"secret=api", NULL};
	struct scene *s = *state;
	const struct world_volume *w = world_volume_named(&s->w, 1, SECOND);
	int64_t told_ms;

	deliver_two(s, told, other);
	world_put_pair(&s->w, "web", &s->pair[2], "101");
	world_turn(&s->w, 20);
	told_ms = world_volume_named(&s->w, 1, FIRST)->signal_ms;
	world_pod_of(&s->w, 1, (const char *const *const[]){other, NULL},
		     (const char *const[]){SECOND});
	world_put_pair(&s->w, "api", &s->pair[3], "101");
	world_turn(&s->w, 60000);
	assert_true(holds(w, &s->pair[3]));
	assert_in_range(w->swap_ms - told_ms, LIMIT_SETTLE_MS, LIMIT_SETTLE_MS + 50);
}

/* The process was not told of anything: there is no reload that a swap could disturb. */
static void nothing_waits_where_nothing_is_notified(void **state)
{
	struct scene *s = *state;
	struct world_volume *v =
	    deliver_first(s, (const char *const[]){"secret=web", "probe=tls:8443", NULL});

	v->server = SERVER_DEAF;
	for (unsigned i = 1; i <= 3; i++) {
		char rv[32];

		snprintf(rv, sizeof(rv), "%u", 200 + i);
		world_put_pair(&s->w, "web", &s->pair[i], rv);
		world_turn(&s->w, 100);
		assert_true(holds(v, &s->pair[i]));
	}
}

/* It is no next generation, and no pair is there of which a server could find half. */
static void first_delivery_does_not_wait_for_the_reload_of_another(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);
	struct world_volume *w = world_volume_named(&s->w, 1, SECOND);

	world_put_pair(&s->w, "api", &s->pair[1], "100");
	world_put_pair(&s->w, "web", &s->pair[2], "101");
	world_turn(&s->w, 20);
	assert_true(holds(v, &s->pair[2]));
	assert_false(w->has_record);
	world_pod_of(&s->w, 1,
		     (const char *const *const[]){SIGNALLED,
						  (const char *const[]){"secret=api", NULL}, NULL},
		     (const char *const[]){FIRST, SECOND});
	world_turn(&s->w, 20);
	assert_true(w->has_record);
}

/* The process may have read everything before the second volume's first pair was there. */
static void first_pair_that_comes_during_a_signal_has_one_of_its_own(void **state)
{
	static const char *const other[] = {"secret=api", "reload=signal:HUP", NULL};
	struct scene *s = *state;
	const struct world_volume *v = deliver_first(s, SIGNALLED);
	const struct world_volume *w = world_volume_named(&s->w, 1, SECOND);
	unsigned signals = v->signals;

	s->w.hand_ms[HAND_SIGNAL] = 500;
	world_put_pair(&s->w, "api", &s->pair[1], "100");
	world_put_pair(&s->w, "web", &s->pair[2], "101");
	world_turn(&s->w, 100);
	world_pod_of(&s->w, 1, (const char *const *const[]){SIGNALLED, other, NULL},
		     (const char *const[]){FIRST, SECOND});
	world_turn(&s->w, 100);
	assert_true(holds(v, &s->pair[2]));
	assert_true(w->has_record);
	assert_int_equal(v->signals + w->signals, signals);
	world_turn(&s->w, 60000);
	assert_int_equal(v->signals, signals + 1);
	assert_int_equal(w->signals, 1);
	assert_int_equal(w->record.owed_signal, 0);
}

/* It is asked for no more while the hand swaps it: the process is not told in the middle of that. */
static void signal_waits_for_the_swap_of_a_volume_that_leaves(void **state)
{
	static const char *const other[] = {"secret=api", NULL};
	struct scene *s = *state;
	const struct world_volume *v = world_volume_named(&s->w, 1, FIRST);
	unsigned signals;

	deliver_two(s, SIGNALLED, other);
	signals = v->signals;
	s->w.hand_ms[HAND_PUBLISH] = 500;
	world_put_pair(&s->w, "api", &s->pair[3], "101");
	world_settle(&s->w);
	s->w.hand_ms[HAND_PUBLISH] = 0;
	world_put_pair(&s->w, "web", &s->pair[2], "101");
	world_turn(&s->w, 10);
	assert_true(holds(v, &s->pair[2]));
	world_pod_of(&s->w, 1, (const char *const *const[]){SIGNALLED, NULL},
		     (const char *const[]){FIRST});
	world_turn(&s->w, 490);
	assert_int_equal(v->signals, signals);
	world_turn(&s->w, 2000);
	assert_int_equal(v->signals, signals + 1);
}

static void splay_is_the_same_for_all_volumes_of_a_process(void **state)
{
	struct scene *s = *state;
	int64_t first_ms;
	int64_t second_ms;
	int64_t start;

	deliver_two(s, (const char *const[]){"secret=web", "reload=signal:HUP", "splay=10m", NULL},
		    (const char *const[]){"secret=api", "reload=signal:USR1", "splay=10m", NULL});
	start = s->w.clock.mono_ms;
	world_put_pair(&s->w, "web", &s->pair[2], "101");
	world_put_pair(&s->w, "api", &s->pair[3], "101");
	world_turn(&s->w, 600000);
	first_ms = world_volume_named(&s->w, 1, FIRST)->swap_ms;
	second_ms = world_volume_named(&s->w, 1, SECOND)->swap_ms;
	assert_true(first_ms > start + LIMIT_SETTLE_MS);
	/* The one that comes second finds the reload of the other, and nothing else holds it. */
	assert_in_range(first_ms > second_ms ? first_ms - second_ms : second_ms - first_ms, 0,
			LIMIT_SETTLE_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(volumes_of_one_process_wait_whatever_their_signal,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		volume_without_reload_waits_for_the_process_that_reads_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(volume_of_nobody_known_waits, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(first_process_may_be_the_one_that_is_named, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(volumes_of_other_processes_do_not_wait, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(volumes_of_other_containers_do_not_wait, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(
		window_ends_with_the_proof_of_the_volume_that_was_told_of, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(window_stays_when_its_volume_is_asked_for_no_more,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nothing_waits_where_nothing_is_notified, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(first_delivery_does_not_wait_for_the_reload_of_another,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		first_pair_that_comes_during_a_signal_has_one_of_its_own, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(signal_waits_for_the_swap_of_a_volume_that_leaves,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(splay_is_the_same_for_all_volumes_of_a_process, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
