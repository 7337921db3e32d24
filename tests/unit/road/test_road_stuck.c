/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The road when something fails, comes late or comes twice: no binding stays where it is for ever, and nothing is counted that
 * was not so.
 */

#include "report/counts.h"
#include "tests/lib/world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PLAIN ((const char *const[]){"secret=web", NULL})
#define SIGNALLED ((const char *const[]){"secret=web", "reload=signal:HUP", NULL})
#define PROVEN ((const char *const[]){"secret=web", "reload=signal:HUP", "probe=tls:8443", NULL})

struct scene {
	struct world w;
	struct pki pki;
	struct pki_pair pair[3];
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	metrics_reset();
	pki_init(&s->pki);
	for (size_t i = 0; i < ARRAY_LEN(s->pair); i++)
		pki_issue(&s->pki, NULL, PKI_P256, &s->pair[i]);
	world_init(&s->w);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	world_done(&s->w);
	for (size_t i = 0; i < ARRAY_LEN(s->pair); i++)
		pki_pair_done(&s->pair[i]);
	pki_done(&s->pki);
	free(s);
	return 0;
}

static bool holds(const struct world_volume *v, const struct pki_pair *pair)
{
	return fingerprint_equal(&v->record.leaf, &pair->leaf);
}

/* One pod whose first pair is delivered, and adopted where it is probed. */
static struct world_volume *deliver_first(struct scene *s, const char *const *attributes)
{
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	world_pod(&s->w, 1, attributes);
	world_turn(&s->w, 60000);
	assert_true(world_volume(&s->w, 1)->has_record);
	return world_volume(&s->w, 1);
}

static void slow_answer_about_the_process_does_not_end_the_probes(void **state)
{
	struct scene *s = *state;

	(void)deliver_first(s, PROVEN);
	s->w.hand_ms[HAND_FIND] = 3000;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1500);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	world_put_pair(&s->w, "web", &s->pair[2], "102");
	world_turn(&s->w, 10000);
	assert_true(holds(world_volume(&s->w, 1), &s->pair[2]));
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
}

static void rollback_that_fails_is_told_broken(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->server = SERVER_BREAKS;
	s->w.hand_ms[HAND_ROLL_BACK] = 20;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 50);
	v->record.previous[0] = '\0'; /* the pod took it away */
	world_turn(&s->w, 200000);
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 0);
	assert_int_equal(world_state(&s->w, 1), BINDING_BROKEN);
}

static void signal_after_a_rollback_is_owed(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	v->server = SERVER_BREAKS;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 100);
	s->w.hand_ms[HAND_SIGNAL] = 100000;
	world_turn(&s->w, 10000);
	assert_int_equal(world_count_events(&s->w, EVENT_ROLLED_BACK), 1);
	assert_int_equal(v->record.owed_signal, SIGHUP);
}

static void volume_of_several_containers_is_probed_when_they_start(void **state)
{
	struct scene *s = *state;
	struct binding_spec *spec =
	    world_spec(1, (const char *const[]){"secret=web", "probe=tls:8443", NULL});

	spec->container[0] = '\0';
	spec->container_id[0] = '\0';
	spec->running = false;
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	road_set_pod(s->w.road, spec->ref.pod_uid, spec, 1);
	world_turn(&s->w, 60000);
	assert_int_equal(world_state(&s->w, 1), BINDING_DELIVERED);
	spec->running = true;
	road_set_pod(s->w.road, spec->ref.pod_uid, spec, 1);
	world_turn(&s->w, 60000);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	free(spec);
}

static void adoption_is_counted_once_for_each_pair(void **state)
{
	struct scene *s = *state;

	(void)deliver_first(s, PROVEN);
	assert_true(metric_value(&count_adoption_latency, M_LABELS(NULL)) == 1);
	world_turn(&s->w, 24 * 60 * MINUTE_MS);
	world_hand_lost(&s->w);
	world_hand_up(&s->w);
	world_turn(&s->w, 60000);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	assert_true(metric_value(&count_adoption_latency, M_LABELS(NULL)) == 1);
	assert_int_equal(world_count_events(&s->w, EVENT_ADOPTED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(slow_answer_about_the_process_does_not_end_the_probes,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(rollback_that_fails_is_told_broken, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(signal_after_a_rollback_is_owed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(volume_of_several_containers_is_probed_when_they_start,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(adoption_is_counted_once_for_each_pair, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
