/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct table t;
static struct err e;

static int set_up(void **state)
{
	(void)state;
	table_init(&t, 32 * MIB, 128 * MIB);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	table_done(&t);
	return 0;
}

static struct entry *entry(unsigned n)
{
	struct volume_ref ref = {.name = "tls"};
	struct entry *got = NULL;

	snprintf(ref.pod_uid, sizeof(ref.pod_uid), "%08x-0000-4000-8000-000000000000", n);
	assert_int_equal(table_get(&t, &ref, &got, &e), 0);
	return got;
}

static struct job *job_of(struct entry *at, enum hand_op op, uint64_t id)
{
	struct hand_request r = {.op = op, .id = id, .volume = at->ref};
	struct job *job = job_new(&r, 1);

	assert_non_null(job);
	return job;
}

static void add(struct entry *at, enum hand_op op, uint64_t id)
{
	struct job *replaced;

	assert_int_equal(table_add(&t, at, job_of(at, op, id), &replaced, &e), 0);
	assert_null(replaced);
}

/* The id of the next job, 0: none; it is done at once when wanted. */
static uint64_t next(bool done)
{
	struct entry *at;
	struct job *job = table_next(&t, &at);
	uint64_t id = job ? job->request.id : 0;

	if (job && done)
		table_free_turn(&t, at);
	job_free(job);
	return id;
}

static void volumes_take_turns(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		add(entry(1), HAND_VERIFY, 10 + i);
	add(entry(2), HAND_VERIFY, 20);
	add(entry(3), HAND_VERIFY, 30);
	assert_int_equal(next(true), 10);
	assert_int_equal(next(true), 20);
	assert_int_equal(next(true), 30);
	assert_int_equal(next(true), 11);
	assert_int_equal(next(true), 12);
	assert_int_equal(next(true), 0);
}

static void busy_volume_waits_and_others_go_on(void **state)
{
	(void)state;
	add(entry(1), HAND_VERIFY, 10);
	add(entry(1), HAND_VERIFY, 11);
	add(entry(2), HAND_VERIFY, 20);
	assert_int_equal(next(false), 10);
	assert_int_equal(next(true), 20);
	assert_int_equal(next(true), 0);
	table_free_turn(&t, entry(1));
	assert_int_equal(next(true), 11);
}

static void newest_publish_replaces_the_one_that_waits(void **state)
{
	struct job *replaced;

	(void)state;
	add(entry(1), HAND_PUBLISH, 1);
	add(entry(1), HAND_VERIFY, 2);
	assert_int_equal(table_add(&t, entry(1), job_of(entry(1), HAND_PUBLISH, 3), &replaced, &e),
			 0);
	assert_int_equal(replaced->request.id, 1);
	job_free(replaced);
	assert_int_equal(next(true), 2);
	assert_int_equal(next(true), 3);
	assert_int_equal(next(true), 0);
}

static void one_volume_cannot_fill_the_queue(void **state)
{
	struct job *job = job_of(entry(1), HAND_VERIFY, 1000);
	struct job *replaced;

	(void)state;
	for (uint64_t i = 1; i <= LIMIT_HAND_VOLUME_QUEUE; i++)
		add(entry(1), HAND_VERIFY, i);
	assert_int_equal(table_add(&t, entry(1), job, &replaced, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	job_free(job);
	add(entry(2), HAND_VERIFY, 2000);
}

static void entries_are_bounded_and_forgotten(void **state)
{
	struct volume_ref more = {.pod_uid = "ffffffff-0000-4000-8000-000000000000", .name = "x"};
	struct entry *none;

	(void)state;
	for (unsigned i = 0; i < 2 * LIMIT_BINDINGS; i++)
		entry(i);
	assert_int_equal(table_get(&t, &more, &none, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	table_tidy(&t, entry(5));
	assert_int_equal(table_get(&t, &more, &none, &e), 0);
}

static void drain_gives_every_job(void **state)
{
	struct job *job;
	unsigned count = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		for (uint64_t j = 1; j < 4; j++)
			add(entry(i), HAND_VERIFY, j);
	assert_int_equal(next(false), 1);
	while ((job = table_drain(&t))) {
		job_free(job);
		count++;
	}
	assert_int_equal(count, 14);
	assert_int_equal(t.waiting, 0);
	assert_int_equal(next(true), 0);
}

static int reserve(struct entry *at, const char *namespace, uint64_t bytes)
{
	struct job *job = job_of(at, HAND_PUBLISH, 1);
	int r;

	snprintf(job->request.publish.pod_namespace, sizeof(job->request.publish.pod_namespace),
		 "%s", namespace);
	job->new_bytes = bytes;
	r = table_reserve(&t, at, job, &e);
	if (r == 0) {
		struct record record = {.bytes = job->charge};

		memcpy(record.pod_namespace, job->request.publish.pod_namespace,
		       sizeof(record.pod_namespace));
		table_charge(at, &record);
	}
	job_free(job);
	return r;
}

static void budget_of_a_namespace_holds_it_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(reserve(entry(i), "greedy", MIB), 0);
	assert_int_equal(reserve(entry(16), "greedy", MIB), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_non_null(strstr(e.message, "namespace"));
	assert_int_equal(reserve(entry(17), "other", MIB), 0);
}

static void budget_of_the_node_holds_all(void **state)
{
	static const char *const namespaces[] = {"a", "b", "c", "d"};

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(reserve(entry(i), namespaces[i % 4], MIB), 0);
	assert_int_equal(reserve(entry(65), "e", MIB), -1);
	assert_non_null(strstr(e.message, "node"));
	table_charge(entry(0), NULL);
	assert_int_equal(reserve(entry(65), "e", MIB), 0);
}

static void what_was_taken_always_rotates(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(reserve(entry(i), "full", MIB), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(reserve(entry(i), "full", MIB), 0);
	assert_int_equal(reserve(entry(3), "full", MIB + 4096), -1);
	t.budget_namespace = 1; /* a smaller budget at the next start */
	assert_int_equal(reserve(entry(3), "full", MIB), 0);
}

static void publish_under_way_counts_already(void **state)
{
	struct job *job = job_of(entry(1), HAND_PUBLISH, 1);

	(void)state;
	memcpy(job->request.publish.pod_namespace, "slow", 5);
	job->new_bytes = 16 * MIB;
	assert_int_equal(table_reserve(&t, entry(1), job, &e), 0);
	assert_int_equal(reserve(entry(2), "slow", 4096), -1);
	table_charge(entry(1), NULL);
	assert_int_equal(reserve(entry(2), "slow", 4096), 0);
	job_free(job);
}

static void watched_entry_is_found_by_its_key(void **state)
{
	(void)state;
	table_set_watch(&t, entry(1), 77);
	table_set_watch(&t, entry(2), 77 + TABLE_BUCKETS);
	assert_ptr_equal(table_watched(&t, 77), entry(1));
	assert_ptr_equal(table_watched(&t, 77 + TABLE_BUCKETS), entry(2));
	table_set_watch(&t, entry(1), 0);
	assert_null(table_watched(&t, 77));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(volumes_take_turns, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(busy_volume_waits_and_others_go_on, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(newest_publish_replaces_the_one_that_waits, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(one_volume_cannot_fill_the_queue, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(entries_are_bounded_and_forgotten, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(drain_gives_every_job, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(budget_of_a_namespace_holds_it_alone, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(budget_of_the_node_holds_all, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_taken_always_rotates, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(publish_under_way_counts_already, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(watched_entry_is_found_by_its_key, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("hand/table", tests, NULL, NULL);
}
