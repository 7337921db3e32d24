/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one pod, Secret or namespace can cost the others on the road.
 */

#include "tests/unit/road/scene.h"

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The look before a swap goes on while the publish fails and is tried again. */
static void one_look_before_a_swap_at_a_time(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	s->w.handshake_ms = LIMIT_PROBE_MS;
	err_set(&v->refuse, ERR_CONFLICT, "the pod changes it");
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 3000);
	assert_int_equal(s->w.probing, 1);
	road_pod_gone(s->w.road, v->ref.pod_uid);
	assert_int_equal(s->w.probing, 0);
}

/* A server that takes its time holds a place; all of one tenant's together leave places to others. */
static void slow_servers_of_one_namespace_leave_places_to_others(void **state)
{
	struct scene *s = *state;
	const unsigned pods = 2 * LIMIT_PROBES;

	s->w.handshake_ms = LIMIT_PROBE_MS;
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	for (unsigned n = 1; n <= pods; n++) {
		world_volume(&s->w, n)->server = SERVER_AWAY;
		world_pod(&s->w, n, PROVEN);
	}
	world_turn(&s->w, LIMIT_SETTLE_PROBE_MS);
	assert_in_range(s->w.probing_most, 1, LIMIT_PROBES_NAMESPACE);
	world_turn(&s->w, 30 * MINUTE_MS);
	for (unsigned n = 1; n <= pods; n++)
		assert_int_equal(world_state(&s->w, n), BINDING_UNCONFIRMED);
	for (unsigned n = 1; n <= pods; n++)
		road_pod_gone(s->w.road, world_volume(&s->w, n)->ref.pod_uid);
	assert_int_equal(s->w.probing, 0);
}

static void deliver_own_secret(struct scene *s, unsigned n)
{
	char name[32];
	char wish[48];

	snprintf(name, sizeof(name), "web-%u", n);
	snprintf(wish, sizeof(wish), "secret=%s", name);
	world_put_pair(&s->w, name, &s->pair[0], "100");
	world_secret(&s->w, name)->allow = "";
	world_pod(&s->w, n, (const char *const[]){wish, NULL});
	world_settle(&s->w);
	assert_true(holds(world_volume(&s->w, n), &s->pair[0]));
}

/* One more pod must not cost the head seconds because there are many answers already. */
static void right_of_one_more_pod_is_asked_about_at_once(void **state)
{
	struct scene *s = *state;
	const unsigned pods = 600;
	int64_t before_ms;

	world_hand_up(&s->w);
	world_settle(&s->w);
	for (unsigned n = 1; n <= pods; n++)
		deliver_own_secret(s, n);
	world_turn(&s->w, 2 * LIMIT_REVIEW_MS);
	before_ms = cpu_ms();
	deliver_own_secret(s, pods + 1);
	assert_in_range(cpu_ms() - before_ms, 0, 100);
	assert_int_equal(s->w.reviews, pods + 1);
}

/* Large Secrets of one tenant that all wait for reviews: some are held, the others are read again. */
static void held_secrets_are_bounded_in_all(void **state)
{
	struct scene *s = *state;
	const unsigned pods = 12;
	_cleanup_free_ char *large = calloc(1, MIB - 64 * KIB);
	unsigned reads = 0;
	struct err e;

	assert_non_null(large);
	s->w.review_ms = 100;
	world_hand_up(&s->w);
	for (unsigned n = 1; n <= pods; n++) {
		struct world_secret *secret;
		char name[32];
		char wish[48];

		snprintf(name, sizeof(name), "web-%u", n);
		snprintf(wish, sizeof(wish), "secret=%s", name);
		world_put_pair(&s->w, name, &s->pair[0], "100");
		secret = world_secret(&s->w, name);
		secret->allow = "";
		assert_int_equal(content_add(&secret->data, "large", large, MIB - 64 * KIB, &e), 0);
		world_pod(&s->w, n, (const char *const[]){wish, NULL});
	}
	world_turn(&s->w, 1000);
	for (unsigned n = 1; n <= pods; n++) {
		char name[32];

		snprintf(name, sizeof(name), "web-%u", n);
		reads += world_secret(&s->w, name)->reads;
		assert_true(holds(world_volume(&s->w, n), &s->pair[0]));
	}
	assert_int_equal(s->w.reviews, pods);
	assert_int_equal(reads - pods, pods - LIMIT_HELD / (MIB - 64 * KIB));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(one_look_before_a_swap_at_a_time, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(slow_servers_of_one_namespace_leave_places_to_others,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(right_of_one_more_pod_is_asked_about_at_once, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(held_secrets_are_bounded_in_all, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
