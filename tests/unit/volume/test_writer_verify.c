/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Generations that are kept, rolled back to, retired and swept; and volumes that are looked at and
 * mended.
 */
#include "volume/writer.h"

#include "tests/lib/one_subject.h"
#include "volume/fingerprint.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

static void add(struct content *c, const char *name, const char *text)
{
	assert_int_equal(content_add(c, name, text, strlen(text), &s.err), 0);
}

/* --- generations --- */

static void previous_generation_is_kept_until_the_next_swap(void **state)
{
	char first[GENERATION_NAME];
	struct stat st;

	(void)state;
	subject_published(&s, 1);
	memcpy(first, s.generation, sizeof(first));
	subject_published(&s, 2);
	assert_int_equal(stat(at(first), &st), 0);
	subject_published(&s, 3);
	assert_int_equal(stat(at(first), &st), -1);
	assert_int_equal(count_generations(s.path), 2);
}

static void leftovers_go_and_foreign_names_stay(void **state)
{
	static const char *const foreign[] = {
	    "..2026_01_01_01_01_01.123456789", "..2026_01_01_01_01_01.0123456789abcdef", "..own",
	    "own", "..2026_01_01_01_01_01.0123456789abcdef0123456789abcdeF"};
	char leftover[GENERATION_NAME];
	struct stat st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		assert_int_equal(mkdir(at(foreign[i]), 0700), 0);
	new_generation(leftover);
	assert_int_equal(mkdir(at(leftover), 0700), 0);
	subject_published(&s, 1);
	assert_int_equal(s.written.swept, 1);
	assert_int_equal(stat(at(leftover), &st), -1);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		assert_int_equal(stat(at(foreign[i]), &st), 0);
}

static struct volume_plan plan_of(const char *generation, const char *keep)
{
	return (struct volume_plan){
	    .owner = s.owner, .generation = generation, .keep = keep, .previous = ""};
}

static void roll_back_serves_the_kept_pair(void **state)
{
	_cleanup_content_ struct content one, two;
	char newer[GENERATION_NAME];
	struct fingerprint f, wrong;
	struct volume_plan plan;

	(void)state;
	pair_content(1, &one);
	pair_content(2, &two);
	volume_fingerprint(&one, &f);
	volume_fingerprint(&two, &wrong);
	add(&two, "new.crt", "only in 2");
	subject_published(&s, 1);
	assert_int_equal(subject_publish_content(&s, &two), 0);
	memcpy(newer, s.generation, sizeof(newer));
	plan = plan_of(s.previous, "");
	assert_int_equal(writer_roll_back(&s.v, &plan, &wrong, &s.written, &s.err), -1);
	assert_int_equal(s.err.kind, ERR_INVALID);
	assert_int_equal(pair_seen(s.path), 2);
	assert_int_equal(writer_roll_back(&s.v, &plan, &f, &s.written, &s.err), 0);
	assert_true(s.written.changed);
	assert_int_equal(pair_seen_by_links(s.path), 1);
	subject_expect_names(&s, "bundle tls.crt tls.key ");
	assert_int_equal(count_generations(s.path), 1);
	plan = plan_of(newer, "");
	assert_int_equal(writer_roll_back(&s.v, &plan, &wrong, &s.written, &s.err), -1);
	assert_int_equal(pair_seen(s.path), 1);
}

static void retire_removes_a_generation_but_not_the_served_one(void **state)
{
	(void)state;
	subject_published(&s, 1);
	subject_published(&s, 2);
	assert_int_equal(writer_retire(&s.v, s.previous, &s.err), 0);
	assert_int_equal(count_generations(s.path), 1);
	assert_int_equal(writer_retire(&s.v, s.previous, &s.err), 0);
	assert_int_equal(writer_retire(&s.v, s.generation, &s.err), -1);
	assert_int_equal(s.err.kind, ERR_CONFLICT);
	assert_int_equal(writer_retire(&s.v, "..data", &s.err), -1);
	assert_int_equal(pair_seen(s.path), 2);
}

static void sweep_removes_all_but_two(void **state)
{
	char other[GENERATION_NAME];
	unsigned swept;

	(void)state;
	subject_published(&s, 1);
	subject_published(&s, 2);
	new_generation(other);
	assert_int_equal(mkdir(at(other), 0), 0);
	subject_put(&s, "..data_tmp", "");
	assert_int_equal(writer_sweep(&s.v, s.generation, s.previous, &swept, &s.err), 0);
	assert_int_equal(swept, 2);
	assert_int_equal(writer_sweep(&s.v, s.generation, "", &swept, &s.err), 0);
	assert_int_equal(swept, 1);
	assert_int_equal(pair_seen(s.path), 2);
}

/* --- verify --- */

static bool verified(int n)
{
	_cleanup_content_ struct content c;
	bool intact;

	pair_content(n, &c);
	if (subject_verify(&s, &c, &intact) < 0)
		fail_msg("%s", s.err.message);
	return intact;
}

static void verify_of_an_untouched_volume_writes_nothing(void **state)
{
	struct timespec before[5], after[5];

	(void)state;
	subject_published(&s, 1);
	subject_published(&s, 2);
	subject_times(&s, before);
	assert_true(verified(2));
	subject_times(&s, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_false(s.written.changed);
	assert_int_equal(s.written.mended + s.written.swept, 0);
	assert_int_equal(count_generations(s.path), 2);
}

static void E5_verify_mends_what_the_pod_broke(void **state)
{
	struct stat st;

	(void)state;
	subject_published(&s, 1);
	subject_published(&s, 2);
	assert_int_equal(unlink(at("tls.crt")), 0);
	subject_put(&s, "tls.crt", "the pod's own");
	assert_int_equal(chmod(at("tls.key"), 0666), 0);
	assert_int_equal(chown(at("bundle"), 77, 78), 0);
	assert_int_equal(unlink(at("..data")), 0);
	assert_int_equal(symlink(s.previous, at("..data")), 0);
	assert_true(verified(2));
	assert_true(s.written.changed);
	assert_int_equal(s.written.mended, 3);
	assert_int_equal(pair_seen(s.path), 2);
	assert_int_equal(pair_seen_by_links(s.path), 2);
	assert_int_equal(stat(at("tls.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	assert_int_equal(stat(at("bundle"), &st), 0);
	assert_int_equal(st.st_uid + st.st_gid, 0);
}

static void E5_verify_tells_of_changed_content(void **state)
{
	int fd;

	(void)state;
	subject_published(&s, 1);
	fd = open(at("tls.crt"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "X", 1), 1);
	close(fd);
	assert_false(verified(1));
	assert_false(s.written.changed);
	assert_string_equal(s.written.generation, s.generation);
	/* The next publish of the same pair puts it right. */
	subject_published(&s, 1);
	assert_true(s.written.changed);
}

static void E5_verify_tells_of_a_file_more_or_less(void **state)
{
	(void)state;
	subject_published(&s, 1);
	subject_put(&s, "..data/more", "");
	assert_false(verified(1));
	assert_int_equal(unlink(at("..data/more")), 0);
	assert_true(verified(1));
	assert_int_equal(unlink(at("tls.key")) + unlink(at("..data/tls.key")), 0);
	assert_false(verified(1));
	assert_int_equal(mkdir(at("..data/tls.key"), 0700), 0);
	assert_false(verified(1));
	subject_published(&s, 1);
}

static void verify_completes_a_publish_that_was_killed(void **state)
{
	char made[GENERATION_NAME];

	(void)state;
	subject_published(&s, 1);
	memcpy(made, s.generation, sizeof(made));
	subject_published(&s, 2);
	/* As if killed before the rename of 2. */
	assert_int_equal(unlink(at("..data")), 0);
	assert_int_equal(symlink(made, at("..data")), 0);
	assert_int_equal(symlink(s.generation, at("..data_tmp")), 0);
	assert_true(verified(2));
	assert_true(s.written.changed);
	assert_int_equal(pair_seen(s.path), 2);
	assert_false(has_temporary(s.path));
	assert_int_equal(count_generations(s.path), 2);
}

static void verify_of_a_missing_generation_removes_leftovers_and_serves_on(void **state)
{
	char served[GENERATION_NAME];

	(void)state;
	subject_published(&s, 1);
	memcpy(served, s.generation, sizeof(served));
	/* The record says 2, but it was killed while it was made. */
	memcpy(s.previous, s.generation, sizeof(served));
	new_generation(s.generation);
	assert_int_equal(mkdir(at(s.generation), 0700), 0);
	assert_false(verified(2));
	assert_int_equal(pair_seen(s.path), 1);
	assert_int_equal(count_generations(s.path), 1);
	assert_string_equal(s.written.generation, served);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(previous_generation_is_kept_until_the_next_swap, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(leftovers_go_and_foreign_names_stay, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(roll_back_serves_the_kept_pair, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(retire_removes_a_generation_but_not_the_served_one,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(sweep_removes_all_but_two, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(verify_of_an_untouched_volume_writes_nothing, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E5_verify_mends_what_the_pod_broke, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E5_verify_tells_of_changed_content, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E5_verify_tells_of_a_file_more_or_less, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(verify_completes_a_publish_that_was_killed, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(
		verify_of_a_missing_generation_removes_leftovers_and_serves_on, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
