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

static void probe_before_a_swap_is_one_and_ends_with_its_binding(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	s->w.handshake_ms = 5000;
	err_set(&v->refuse, ERR_EXHAUSTED, "the volume is full");
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1000);
	assert_true(holds(v, &s->pair[0]));
	road_pod_gone(s->w.road, v->ref.pod_uid);
	world_turn(&s->w, 10000);
	assert_int_equal(road_count(s->w.road), 0);
}

static void trouble_of_the_source_is_shown_while_it_lasts(void **state)
{
	struct scene *s = *state;
	struct err e;

	(void)deliver_first(s, PLAIN);
	err_set(&e, ERR_DENIED, "may not watch it");
	world_trouble(&s->w, "web", &e);
	world_trouble(&s->w, "web", &e);
	world_turn(&s->w, 1000);
	assert_string_equal(world_problem(&s->w, 1), "may not watch it");
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_UNREADABLE), 1);
	assert_true(metric_value(&count_watch_up, M_LABELS("secrets")) == 0);
	world_trouble(&s->w, "web", NULL);
	assert_string_equal(world_problem(&s->w, 1), "");
	assert_true(metric_value(&count_watch_up, M_LABELS("secrets")) == 1);
}

static void namespace_without_any_right_of_ours_is_told(void **state)
{
	struct scene *s = *state;
	struct err e;

	(void)deliver_first(s, PLAIN);
	err_set(&e, ERR_DENIED, "may not watch it");
	err_set(&s->w.refuse_reviews, ERR_DENIED, "may not ask");
	world_trouble(&s->w, "web", &e);
	world_turn(&s->w, 1000);
	world_trouble(&s->w, "web", &e);
	world_turn(&s->w, 1000);
	assert_int_equal(world_count_events(&s->w, EVENT_NAMESPACE_NOT_COVERED), 1);
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_UNREADABLE), 0);
	/* Mended, and broken again: that is news. */
	world_trouble(&s->w, "web", NULL);
	err_clear(&s->w.refuse_reviews);
	world_trouble(&s->w, "web", &e);
	world_turn(&s->w, 1000);
	assert_int_equal(world_count_events(&s->w, EVENT_NAMESPACE_NOT_COVERED), 1);
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_UNREADABLE), 1);
}

static void question_about_a_namespace_ends_with_what_it_is_about(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);
	struct err e;

	s->w.review_ms = 5000;
	err_set(&e, ERR_DENIED, "may not watch it");
	world_trouble(&s->w, "web", &e);
	world_trouble(&s->w, "web", NULL);
	world_turn(&s->w, 10000);
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_UNREADABLE), 0);
	world_trouble(&s->w, "web", &e);
	road_pod_gone(s->w.road, v->ref.pod_uid);
	world_turn(&s->w, 10000);
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_UNREADABLE), 0);
}

static void pair_that_begins_later_is_published_then(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);
	const struct pki_cert later = {.not_before_s = s->w.clock.wall_ms / 1000 + 3 * 3600};
	struct pki_pair pair;

	pki_issue(&s->pki, &later, PKI_P256, &pair);
	world_put_pair(&s->w, "web", &pair, "101");
	world_turn(&s->w, 2 * 60 * MINUTE_MS);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(world_count_events(&s->w, EVENT_REJECTED), 1);
	world_turn(&s->w, 2 * 60 * MINUTE_MS);
	assert_true(holds(v, &pair));
	assert_in_range(world_secret(&s->w, "web")->reads, 2, 8);
	pki_pair_done(&pair);
}

static double file_date(void)
{
	return metric_value(&count_not_after, M_LABELS("ns", "web", "file"));
}

static void oldest_file_among_the_pods_is_counted(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);
	const struct pki_cert late = {.not_after_s = s->w.clock.wall_ms / 1000 + 200 * 86400};
	struct pki_pair pair;
	double old = file_date();

	assert_true(old == (double)v->record.not_after_s);
	world_pod(&s->w, 2, PLAIN);
	err_set(&v->refuse, ERR_EXHAUSTED, "the volume is full");
	pki_issue(&s->pki, &late, PKI_P256, &pair);
	world_put_pair(&s->w, "web", &pair, "101");
	world_turn(&s->w, 1000);
	assert_true(holds(world_volume(&s->w, 2), &pair));
	assert_true(file_date() == old);
	metrics_reset();
	world_restart(&s->w);
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_pod(&s->w, 2, PLAIN);
	world_settle(&s->w);
	assert_true(file_date() == old);
	road_pod_gone(s->w.road, v->ref.pod_uid);
	assert_true(file_date() == (double)late.not_after_s);
	pki_pair_done(&pair);
}

/* A process that reads its files must not find one volume in the middle of its swap. */
static void signal_waits_for_the_swaps_of_all_volumes(void **state)
{
	static const char *const other[] = {"secret=other", "reload=signal:HUP", NULL};
	struct scene *s = *state;
	struct binding_spec *spec = world_spec(1, SIGNALLED);
	struct binding_spec *second = world_spec(1, other);
	struct binding_spec specs[2] = {*spec, *second};
	struct world_volume *v = world_volume(&s->w, 1);
	struct world_volume *w = world_volume_named(&s->w, 1, "other");

	snprintf(specs[1].ref.name, sizeof(specs[1].ref.name), "other");
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_put_pair(&s->w, "other", &s->pair[1], "100");
	world_hand_up(&s->w);
	road_set_pod(s->w.road, spec->ref.pod_uid, specs, 2);
	world_turn(&s->w, 60000);
	v->signals = w->signals = 0;
	s->w.hand_ms[HAND_PUBLISH] = 500;
	world_put_pair(&s->w, "other", &s->pair[2], "102");
	world_settle(&s->w);
	s->w.hand_ms[HAND_PUBLISH] = 0;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 100);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(v->signals + w->signals, 0);
	world_turn(&s->w, 60000);
	assert_true(holds(w, &s->pair[2]));
	assert_int_equal(v->signals + w->signals, 1);
	free(spec);
	free(second);
}

static void volume_that_the_hand_forgot_is_written_anew(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	world_hand_lost(&s->w);
	v->has_record = false;
	world_hand_up(&s->w);
	world_turn(&s->w, 1000);
	assert_true(v->has_record);
	assert_true(holds(v, &s->pair[0]));
}

static void signal_that_was_recorded_is_not_sent_again(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);

	s->w.hand_ms[HAND_SIGNAL] = 1000;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 100);
	assert_true(holds(v, &s->pair[1]));
	/* The hand sent it and wrote that down, and was killed before it said so. */
	v->record.owed_signal = 0;
	v->signals = 0;
	world_hand_lost(&s->w);
	world_hand_up(&s->w);
	world_turn(&s->w, 60000);
	assert_int_equal(v->signals, 0);
}

static void swap_that_ends_in_an_error_is_signalled(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);

	v->signals = 0;
	err_set(&v->trail, ERR_INTERNAL, "the generation before could not be removed");
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1000);
	assert_int_equal(v->signals, 1);
	assert_int_equal(world_state(&s->w, 1), BINDING_NOTIFIED);
}

static void hand_that_cannot_list_its_records_is_asked_again(void **state)
{
	struct scene *s = *state;

	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_pod(&s->w, 1, PLAIN);
	err_set(&s->w.refuse_adopt, ERR_EXHAUSTED, "no process can be made");
	world_hand_up(&s->w);
	world_turn(&s->w, 20000);
	assert_int_equal(world_state(&s->w, 1), BINDING_WAITING);
	s->w.refuse_adopt = (struct err){0};
	world_turn(&s->w, 20000);
	assert_int_equal(world_state(&s->w, 1), BINDING_DELIVERED);
}

static void no_of_the_api_server_is_asked_about_again_when_its_time_is_over(void **state)
{
	struct scene *s = *state;

	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_secret(&s->w, "web")->allow = "";
	s->w.deny = true;
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 3000);
	/* The pod's status changes, and the no still holds. */
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 1000);
	assert_int_equal(s->w.reviews, 1);
	s->w.deny = false;
	world_turn(&s->w, 20000);
	assert_int_equal(world_state(&s->w, 1), BINDING_DELIVERED);
}

static void pod_that_joins_a_known_secret_gets_it(void **state)
{
	struct scene *s = *state;

	(void)deliver_first(s, PLAIN);
	world_pod(&s->w, 2, PLAIN);
	world_turn(&s->w, 1000);
	assert_true(holds(world_volume(&s->w, 2), &s->pair[0]));
	assert_int_equal(world_state(&s->w, 2), BINDING_DELIVERED);
}

static void volume_that_cannot_be_watched_is_tried_again(void **state)
{
	struct scene *s = *state;
	struct world_volume *v;

	err_set(&s->w.refuse_watch, ERR_EXHAUSTED, "fs.inotify.max_user_watches is used up");
	v = deliver_first(s, PLAIN);
	world_turn(&s->w, 60 * MINUTE_MS);
	assert_false(v->watched);
	assert_in_range(s->w.watches, 10, 24);
	s->w.refuse_watch = (struct err){0};
	world_turn(&s->w, 2 * LIMIT_WATCH_RETRY_MS);
	assert_true(v->watched);
	s->w.watches = 0;
	world_turn(&s->w, 60 * MINUTE_MS);
	assert_int_equal(s->w.watches, 0);
}

/* No answer is no no: the question is asked again as any request is. */
static void review_that_could_not_be_asked_is_no_denial(void **state)
{
	struct scene *s = *state;

	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_secret(&s->w, "web")->allow = "";
	err_set(&s->w.refuse_reviews, ERR_UNAVAILABLE, "the API server is away");
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 100);
	assert_non_null(strstr(world_problem(&s->w, 1), "could not ask"));
	world_turn(&s->w, 6000);
	assert_in_range(s->w.reviews, 2, 4);
	world_turn(&s->w, 10 * MINUTE_MS);
	s->w.refuse_reviews = (struct err){0};
	world_turn(&s->w, 2 * LIMIT_BACKOFF_MAX_MS);
	assert_int_equal(world_state(&s->w, 1), BINDING_DELIVERED);
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_NOT_ALLOWED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(pod_that_joins_a_known_secret_gets_it, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(slow_answer_about_the_process_does_not_end_the_probes,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(rollback_that_fails_is_told_broken, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(signal_after_a_rollback_is_owed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(volume_of_several_containers_is_probed_when_they_start,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(adoption_is_counted_once_for_each_pair, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(probe_before_a_swap_is_one_and_ends_with_its_binding,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(trouble_of_the_source_is_shown_while_it_lasts, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(namespace_without_any_right_of_ours_is_told, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(question_about_a_namespace_ends_with_what_it_is_about,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pair_that_begins_later_is_published_then, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(oldest_file_among_the_pods_is_counted, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(signal_waits_for_the_swaps_of_all_volumes, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(volume_that_the_hand_forgot_is_written_anew, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(signal_that_was_recorded_is_not_sent_again, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(swap_that_ends_in_an_error_is_signalled, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(hand_that_cannot_list_its_records_is_asked_again,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		no_of_the_api_server_is_asked_about_again_when_its_time_is_over, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(volume_that_cannot_be_watched_is_tried_again, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(review_that_could_not_be_asked_is_no_denial, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
