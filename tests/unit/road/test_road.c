/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The road with a world in memory: the order of the stations, the principles, and what becomes of each failure.
 */

#include "tests/unit/road/scene.h"

#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void first_delivery_waits_for_secret_and_hand(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = world_volume(&s->w, 1);

	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 1000);
	assert_int_equal(world_state(&s->w, 1), BINDING_WAITING);
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_NOT_FOUND), 1);
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_turn(&s->w, 1000);
	assert_false(v->has_record);
	world_hand_up(&s->w);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(world_state(&s->w, 1), BINDING_DELIVERED);
	assert_int_equal(world_count_events(&s->w, EVENT_ROTATED), 1);
}

static void rotation_is_delivered_signalled_and_proven(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	v->signals = 0;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1000);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(v->signals, 1);
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	assert_string_equal(world_problem(&s->w, 1), "");
}

static void same_content_writes_and_signals_nothing(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);
	unsigned signals = v->signals;

	world_put_pair(&s->w, "web", &s->pair[0], "140");
	world_turn(&s->w, 60000);
	assert_int_equal(v->swaps, 1);
	assert_int_equal(v->signals, signals);
}

static void unfit_pair_is_refused_and_the_last_good_one_stays(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);
	_cleanup_content_ struct content mixed = {0};

	pki_content(&mixed, s->pair[1].tls_crt, s->pair[2].tls_key, NULL);
	world_put(&s->w, "web", &mixed, "101");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(world_count_events(&s->w, EVENT_REJECTED), 1);
	assert_non_null(strstr(world_problem(&s->w, 1), "key_mismatch"));
	assert_int_equal(world_state(&s->w, 1), BINDING_ADOPTED);
	world_put_pair(&s->w, "web", &s->pair[1], "102");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[1]));
	assert_string_equal(world_problem(&s->w, 1), "");
}

#define SKEW_S 3600

/* A pod, with a tolerance of an hour, whose Secret holds a pair that begins 10 min after that tolerance. */
static struct world_volume *put_too_early(struct scene *s, struct pki_pair *early)
{
	static const struct gate_policy tolerant = {.skew_s = SKEW_S};
	const struct pki_cert later = {
	    .not_before_s = clock_wall_ms(&s->w.clock.clock) / 1000 + SKEW_S + 600,
	};
	struct err e;

	s->w.gate = gate_free(s->w.gate);
	assert_int_equal(gate_new(&tolerant, &s->w.gate, &e), 0);
	world_restart(&s->w);
	pki_issue(&s->pki, &later, PKI_P256, early);
	world_put_pair(&s->w, "web", early, "100");
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 599000);
	assert_false(world_volume(&s->w, 1)->has_record);
	return world_volume(&s->w, 1);
}

static void pair_that_begins_later_comes_when_the_skew_allows_it(void **state)
{
	struct scene *s = *state;
	_cleanup_pair_ struct pki_pair early = {0};
	const struct world_volume *v = put_too_early(s, &early);

	world_turn(&s->w, 2000);
	assert_true(holds(v, &early));
}

static void fit_pair_does_not_wait_for_one_that_begins_later(void **state)
{
	struct scene *s = *state;
	_cleanup_pair_ struct pki_pair early = {0};
	const struct world_volume *v = put_too_early(s, &early);

	world_put_pair(&s->w, "web", &s->pair[0], "101");
	world_turn(&s->w, 10);
	assert_true(holds(v, &s->pair[0]));
	/* The look at the other one is not due any more. */
	world_turn(&s->w, 60000);
	assert_int_equal(v->swaps, 1);
	assert_string_equal(world_problem(&s->w, 1), "");
}

static void deleted_secret_leaves_the_files(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	world_delete_secret(&s->w, "web");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(world_count_events(&s->w, EVENT_SECRET_NOT_FOUND), 1);
}

static void older_resource_version_is_never_published(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	world_put_pair(&s->w, "web", &s->pair[1], "205");
	world_turn(&s->w, 1000);
	world_put_pair(&s->w, "web", &s->pair[2], "199");
	world_turn(&s->w, 5000);
	assert_true(holds(v, &s->pair[1]));
	/* The lagging server caught up before it was believed. */
	world_put_pair(&s->w, "web", &s->pair[3], "206");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[3]));
	assert_int_equal(world_count_events(&s->w, EVENT_RV_RESET), 0);
}

static void reset_of_resource_versions_is_proven_by_two_reads(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	world_put_pair(&s->w, "web", &s->pair[1], "30");
	world_turn(&s->w, 9000);
	assert_true(holds(v, &s->pair[0]));
	world_turn(&s->w, 3000);
	assert_true(holds(v, &s->pair[1]));
	assert_int_equal(world_count_events(&s->w, EVENT_RV_RESET), 1);
	world_put_pair(&s->w, "web", &s->pair[2], "31");
	world_turn(&s->w, 3000);
	assert_true(holds(v, &s->pair[2]));
}

static void order_outlives_a_restart(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	world_restart(&s->w);
	world_put_pair(&s->w, "web", &s->pair[1], "99");
	world_hand_up(&s->w);
	world_pod(&s->w, 1, PLAIN);
	world_turn(&s->w, 5000);
	assert_true(holds(v, &s->pair[0]));
}

static void damaged_volume_is_written_again(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);

	v->damaged = true;
	road_damaged(s->w.road, &v->ref);
	world_turn(&s->w, 60000);
	assert_false(v->damaged);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(world_count_events(&s->w, EVENT_VOLUME_DAMAGED), 1);
}

static void lost_hand_is_caught_up_with(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);

	world_hand_lost(&s->w);
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[0]));
	world_hand_up(&s->w);
	world_turn(&s->w, 10000);
	assert_true(holds(v, &s->pair[1]));
}

static void hand_lost_in_mid_publish_is_caught_up_with(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, SIGNALLED);

	v->signals = 0;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	while (TAILQ_EMPTY(&s->w.jobs)) {
		struct world_secret *secret = world_secret(&s->w, "web");

		assert_true(secret->read_again);
		world_turn(&s->w, 0);
		if (holds(v, &s->pair[1]))
			break;
	}
	world_hand_lost(&s->w);
	world_hand_up(&s->w);
	world_turn(&s->w, 20000);
	assert_true(holds(v, &s->pair[1]));
	assert_true(v->signals >= 1);
}

static void full_volume_is_tried_again(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	err_set(&v->refuse, ERR_EXHAUSTED, "no space");
	v->refuse.sys = 28;
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 60000);
	assert_true(holds(v, &s->pair[0]));
	assert_int_equal(world_count_events(&s->w, EVENT_VOLUME_NOT_WRITABLE), 1);
	v->refuse.kind = ERR_NONE;
	world_turn(&s->w, 120000);
	assert_true(holds(v, &s->pair[1]));
}

static void budget_is_told_by_its_own_name(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	err_set(&v->refuse, ERR_EXHAUSTED, "the namespace has its budget");
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 60000);
	assert_int_equal(world_count_events(&s->w, EVENT_BUDGET_EXCEEDED), 1);
}

static void fifty_pods_share_one_secret(void **state)
{
	struct scene *s = *state;

	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	for (unsigned n = 1; n <= 50; n++)
		world_pod(&s->w, n, SIGNALLED);
	world_turn(&s->w, 60000);
	world_put_pair(&s->w, "web", &s->pair[1], "101");
	world_turn(&s->w, 1000);
	for (unsigned n = 1; n <= 50; n++) {
		assert_true(holds(world_volume(&s->w, n), &s->pair[1]));
		assert_int_equal(world_volume(&s->w, n)->swaps, 2);
	}
}

static void pod_that_goes_takes_its_record_along(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PROVEN);

	road_pod_gone(s->w.road, v->ref.pod_uid);
	world_turn(&s->w, 60000);
	assert_false(v->has_record);
	assert_int_equal(road_count(s->w.road), 0);
}

static void record_of_a_pod_that_went_meanwhile_is_retired(void **state)
{
	struct scene *s = *state;
	struct world_volume *v = deliver_first(s, PLAIN);

	world_restart(&s->w);
	world_hand_up(&s->w);
	world_turn(&s->w, 1000);
	assert_true(v->has_record);
	road_pods_synced(s->w.road);
	world_turn(&s->w, 1000);
	assert_false(v->has_record);
}

/* 400 days of renewals, one in 20 days, for 20 pods; now and then the hand is away for a day. */
static void years_of_renewals_pass_in_a_moment(void **state)
{
	struct scene *s = *state;
	const int64_t day = 86400000;

	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	for (unsigned n = 1; n <= 20; n++)
		world_pod(&s->w, n, PROVEN);
	for (unsigned d = 1; d <= 20; d++) {
		struct pki_cert cert = {.not_before_s = s->w.clock.wall_ms / 1000 - 60,
					.not_after_s = s->w.clock.wall_ms / 1000 + 60 * 86400};
		EVP_PKEY *key = pki_key(PKI_P256, d % 4);
		X509 *x = pki_sign(&cert, key, NULL, key);
		struct pki_pair pair = {.tls_crt = pki_cert_pem(x),
					.tls_key = pki_key_pem(key, PKI_PKCS8)};
		char rv[32];

		pki_leaf_fingerprint(x, &pair.leaf);
		X509_free(x);
		snprintf(rv, sizeof(rv), "%u", 1000 + d);
		world_put_pair(&s->w, "web", &pair, rv);
		world_turn(&s->w, 60000);
		for (unsigned n = 1; n <= 20; n++) {
			assert_true(holds(world_volume(&s->w, n), &pair));
			assert_int_equal(world_state(&s->w, n), BINDING_ADOPTED);
		}
		pki_pair_done(&pair);
		world_turn(&s->w, 20 * day);
		if (d % 7 == 0) {
			world_hand_lost(&s->w);
			world_turn(&s->w, day);
			world_hand_up(&s->w);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(first_delivery_waits_for_secret_and_hand, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(rotation_is_delivered_signalled_and_proven, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(same_content_writes_and_signals_nothing, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(unfit_pair_is_refused_and_the_last_good_one_stays,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pair_that_begins_later_comes_when_the_skew_allows_it,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(fit_pair_does_not_wait_for_one_that_begins_later,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(deleted_secret_leaves_the_files, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(older_resource_version_is_never_published, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(reset_of_resource_versions_is_proven_by_two_reads,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(order_outlives_a_restart, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(damaged_volume_is_written_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(lost_hand_is_caught_up_with, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(hand_lost_in_mid_publish_is_caught_up_with, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(full_volume_is_tried_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(budget_is_told_by_its_own_name, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(fifty_pods_share_one_secret, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pod_that_goes_takes_its_record_along, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(record_of_a_pod_that_went_meanwhile_is_retired, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(years_of_renewals_pass_in_a_moment, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
