/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The annotation of a pod changes while the pod runs: what is known of its volumes is not forgotten.
 */

#include "tests/unit/road/scene.h"

#include <signal.h>

#define SLOWER                                                                                     \
	((const char *const[]){"secret=web", "reload=signal:HUP", "probe=tls:8443", "settle=40s",  \
			       NULL})
#define OFTENER ((const char *const[]){"secret=web", "reload=signal:HUP", "min-interval=2s", NULL})

/* The pod stays, and no volume is asked for. */
static void ask_for_nothing(struct scene *s, const struct world_volume *v)
{
	road_set_pod(s->w.road, v->ref.pod_uid, NULL, 0);
	world_turn(&s->w, 1000);
	assert_int_equal(road_count(s->w.road), 0);
}

static void changed_wish_keeps_the_quarantine(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->server = SERVER_BREAKS;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[0]));
	world_pod(&s->w, 1, SLOWER);
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[0]));
	assert_string_equal(v->record.quarantine_rv, "101");
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

static void changed_wish_keeps_the_order(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	world_put_pair(&s->w, "web", &s->pair[1], "99");
	world_pod(&s->w, 1, SLOWER);
	world_turn(&s->w, 5000);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(v->swaps, 1);
	assert_int_equal(world_count_events(&s->w, EVENT_ROTATED), 1);
}

static void changed_wish_keeps_what_is_owed(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);

	v->signals = 0;
	s->w.hand_ms[HAND_SIGNAL] = 100000;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 100);
	assert_int_equal(v->record.owed_signal, SIGHUP);
	s->w.hand_ms[HAND_SIGNAL] = 0;
	world_pod(&s->w, 1, OFTENER);
	world_turn(&s->w, 5000);
	assert_int_equal(v->signals, 1);
	assert_int_equal(v->record.owed_signal, 0);
}

static void changed_owner_is_given_the_files(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);
	struct binding_spec *spec = world_spec(1, PLAIN);

	spec->owner = (struct volume_owner){.uid = 101, .mode = 0400};
	road_set_pod(s->w.road, spec->ref.pod_uid, spec, 1);
	world_turn(&s->w, 1000);
	assert_int_equal(v->record.owner.uid, 101);
	assert_int_equal(v->swaps, 1);
	free(spec);
}

/* The wish changes while the first files are being written. */
static void changed_wish_during_a_publish_is_caught_up_with(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = world_volume(&s->w, 1);

	s->w.hand_ms[HAND_PUBLISH] = 100;
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	world_pod(&s->w, 1, SIGNALLED);
	world_turn(&s->w, 50);
	world_pod(&s->w, 1, OFTENER);
	world_turn(&s->w, 1000);
	assert_true(holds(v, &s->pair[0]));
	ask_for_nothing(s, v);
	road_pod_gone(s->w.road, v->ref.pod_uid);
	world_settle(&s->w);
	assert_false(v->has_record);
}

static void look_at_generation(void *arg, const struct binding_view *view)
{
	char *generation = arg;

	memcpy(generation, view->record->generation, sizeof(view->record->generation));
}

/* The swap that was under way ends with the pair that is wanted: only the hand's record tells of it. */
static void record_is_read_again_where_damage_cannot_be_watched_for(void **state)
{
	struct scene *s = *state;
	struct world_volume *v;
	char generation[sizeof(v->record.generation)] = "";

	err_set(&s->w.refuse_watch, ERR_EXHAUSTED, "fs.inotify.max_user_watches is used up");
	v = deliver_first(s, SIGNALLED);
	world_pod(&s->w, 1, OFTENER);
	snprintf(v->record.generation, sizeof(v->record.generation), "..generation.new");
	world_turn(&s->w, 20);
	road_each(s->w.road, look_at_generation, generation);
	assert_string_equal(generation, "..generation.new");
	assert_int_equal(v->swaps, 1);
}

/* Its files stay in the pod and in the budget, and what is known of them too. */
static void volume_that_is_asked_for_no_more_keeps_files_and_record(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	assert_true(v->watched);
	ask_for_nothing(s, v);
	assert_true(v->has_record);
	assert_false(v->watched);
	road_pods_synced(s->w.road);
	world_turn(&s->w, 1000);
	assert_true(v->has_record);
	world_hand_lost(&s->w);
	world_hand_up(&s->w);
	world_turn(&s->w, 1000);
	assert_true(v->has_record);
	world_put_pair(&s->w, "web", &s->pair[1], "99");
	world_pod(&s->w, 1, PROVEN);
	world_turn(&s->w, 5000);
	assert_true(holds(v, &s->pair[0]));
	assert_true(v->watched);
}

static void record_goes_with_the_pod_that_asks_for_nothing(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	ask_for_nothing(s, v);
	road_pod_gone(s->w.road, v->ref.pod_uid);
	world_settle(&s->w);
	assert_false(v->has_record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(changed_wish_keeps_the_quarantine, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(changed_wish_keeps_the_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(changed_wish_keeps_what_is_owed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(changed_owner_is_given_the_files, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(changed_wish_during_a_publish_is_caught_up_with, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(record_is_read_again_where_damage_cannot_be_watched_for,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(volume_that_is_asked_for_no_more_keeps_files_and_record,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(record_goes_with_the_pod_that_asks_for_nothing, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
