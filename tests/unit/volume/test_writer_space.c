/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The writer on volumes that are full, or made full, for real: small tmpfs, few inodes, many
 * entries.
 */
#include "base/clock.h"
#include "tests/lib/pods.h"
#include "volume/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PAGE 4096

static struct subject s;

static const char *at(const char *name)
{
	return subject_at(&s, name);
}

static int tear_down(void **state)
{
	(void)state;
	subject_remove(&s);
	return 0;
}

/* Pair n, and a file of some pages. */
static int publish_pages(int n, size_t pages)
{
	_cleanup_content_ struct content c;
	_cleanup_free_ char *bytes = calloc(pages + 1, PAGE);

	pair_content(n, &c);
	memset(bytes, 'a' + n, pages * PAGE);
	assert_int_equal(content_add(&c, "zz-large", bytes, pages * PAGE, &s.err), 0);
	return subject_publish_content(&s, &c);
}

/* Fills what is free with a file of the pod. */
static void fill(const char *name)
{
	static const char bytes[PAGE];
	int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void expect_refused(int served, unsigned generations)
{
	assert_int_equal(s.err.kind, ERR_EXHAUSTED);
	assert_int_equal(pair_seen(s.path), served);
	assert_int_equal(count_generations(s.path), generations);
	assert_false(has_temporary(s.path));
}

static void A3_full_volume_keeps_the_old_pair_until_space_returns(void **state)
{
	(void)state;
	subject_make(&s, "size=128k,mode=0777");
	assert_int_equal(publish_pages(1, 2), 0);
	fill("own");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(publish_pages(2, 2), -1);
		expect_refused(1, 1);
	}
	assert_int_equal(unlink(at("own")), 0);
	assert_int_equal(publish_pages(2, 2), 0);
	assert_int_equal(pair_seen_by_links(s.path), 2);
}

static void A3_failed_payloads_leave_room_for_one_that_fits(void **state)
{
	(void)state;
	subject_make(&s, "size=64k,mode=0777");
	assert_int_equal(publish_pages(1, 1), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(publish_pages(2, 13), -1);
		expect_refused(1, 1);
	}
	assert_int_equal(publish_pages(3, 8), 0);
	assert_int_equal(pair_seen_by_links(s.path), 3);
}

static void A3_leftovers_of_a_killed_writer_make_room(void **state)
{
	char leftover[GENERATION_NAME];
	char file[GENERATION_NAME + 8];

	(void)state;
	subject_make(&s, "size=64k,mode=0777");
	assert_int_equal(publish_pages(1, 1), 0);
	new_generation(leftover);
	assert_int_equal(mkdir(at(leftover), 0700), 0);
	snprintf(file, sizeof(file), "%s/key", leftover);
	fill(file);
	assert_int_equal(publish_pages(2, 2), 0);
	assert_int_equal(pair_seen_by_links(s.path), 2);
	assert_int_equal(count_generations(s.path), 2);
	assert_int_equal(s.written.swept, 1);
}

static void A3_kept_generation_is_given_up_for_the_new_one(void **state)
{
	(void)state;
	subject_make(&s, "size=64k,mode=0777");
	assert_int_equal(publish_pages(1, 3), 0);
	assert_int_equal(publish_pages(2, 3), 0);
	assert_false(s.written.retired_early);
	assert_int_equal(publish_pages(3, 3), 0);
	assert_true(s.written.retired_early);
	assert_int_equal(pair_seen_by_links(s.path), 3);
	assert_int_equal(count_generations(s.path), 2);
}

/* Three publishes, of which each fails or succeeds, and never anything between. */
static void three_publishes(void)
{
	int served = 0;

	for (int n = 1; n <= 3; n++) {
		int r = publish_pages(n, 1);

		if (r < 0)
			assert_int_equal(s.err.kind, ERR_EXHAUSTED);
		if (s.written.changed)
			served = n;
		assert_int_equal(pair_seen(s.path), served);
		assert_false(has_temporary(s.path));
		assert_true(count_generations(s.path) <= (served > 1 ? 2U : (unsigned)served));
		if (r == 0)
			assert_int_equal(pair_seen_by_links(s.path), n);
	}
}

static void A3_every_size_of_volume(void **state)
{
	(void)state;
	for (unsigned pages = 1; pages <= 20; pages++) {
		char options[64];

		snprintf(options, sizeof(options), "mode=0777,size=%u", pages * PAGE);
		subject_make(&s, options);
		three_publishes();
		assert_int_equal(s.written.changed, pages >= 8);
		subject_remove(&s);
	}
	subject_make(&s, "size=64k");
}

static void A3_every_number_of_inodes(void **state)
{
	unsigned first = 0;

	(void)state;
	for (unsigned inodes = 2; inodes <= 30; inodes++) {
		char options[64];

		snprintf(options, sizeof(options), "mode=0777,size=1m,nr_inodes=%u", inodes);
		subject_make(&s, options);
		three_publishes();
		if (s.written.changed && !first)
			first = inodes;
		subject_remove(&s);
	}
	/* The root, ..data and ..data_tmp, 4 links, and two generations of 5. */
	assert_in_range(first, 10, 18);
	subject_make(&s, "size=64k");
}

static void A4_new_files_that_do_not_fit_beside_the_old_are_refused_with_advice(void **state)
{
	(void)state;
	subject_make(&s, "size=64k,mode=0777");
	assert_int_equal(publish_pages(1, 8), 0);
	assert_int_equal(publish_pages(2, 8), -1);
	expect_refused(1, 1);
	assert_non_null(strstr(s.err.message, "sizeLimit"));
	assert_non_null(strstr(s.err.message, "do not fit beside"));
	/* The same alone would. */
	empty_directory(s.path);
	assert_int_equal(publish_pages(2, 8), 0);
}

/* --- a pod that makes many entries --- */

static unsigned many(void)
{
	return getenv("CERTHUP_SOAK") ? 1000000 : 50000;
}

static void make_many(const char *directory, unsigned count)
{
	char name[64];
	int dirfd = open(at(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(dirfd >= 0);
	assert_int_equal(mknodat(dirfd, "e", S_IFREG | 0600, 0), 0);
	for (unsigned i = 1; i < count; i++) {
		snprintf(name, sizeof(name), "e%u", i);
		assert_int_equal(linkat(dirfd, "e", dirfd, name, 0), 0);
	}
	close(dirfd);
}

static void published_in_time(int n)
{
	int64_t start = clock_mono_ms(clock_system());

	subject_published(&s, n);
	assert_true(clock_mono_ms(clock_system()) - start < 2 * SECOND_MS);
}

static void E4_many_entries_hide_no_generation_and_cost_little(void **state)
{
	char first[GENERATION_NAME];
	struct stat st;

	(void)state;
	subject_make(&s, "size=64m,nr_inodes=0,mode=0777");
	subject_published(&s, 1);
	memcpy(first, s.generation, sizeof(first));
	subject_published(&s, 2);
	make_many(".", many());
	published_in_time(3);
	assert_int_equal(stat(at(first), &st), -1);
}

static void E4_huge_directories_at_our_names_cost_little(void **state)
{
	unsigned left = 0;

	(void)state;
	subject_make(&s, "size=64m,nr_inodes=0,mode=0777");
	assert_int_equal(mkdir(at("..data"), 0700), 0);
	make_many("..data", 20000);
	assert_int_equal(mkdir(at("..data_tmp"), 0700), 0);
	make_many("..data_tmp", 20000);
	published_in_time(1);
	assert_true(s.written.left > 0);
	/* It is removed little by little. */
	for (int n = 2; n < 40; n++) {
		published_in_time(n);
		left = s.written.left;
	}
	assert_int_equal(left, 0);
	assert_int_equal(count_generations(s.path), 2);
}

static void E4_many_leftovers_cost_little(void **state)
{
	char name[GENERATION_NAME];

	(void)state;
	subject_make(&s, "size=64m,nr_inodes=0,mode=0777");
	for (unsigned i = 0; i < 20000; i++) {
		new_generation(name);
		assert_int_equal(mkdir(at(name), 0700), 0);
	}
	published_in_time(1);
	assert_true(s.written.swept <= LIMIT_SWEEP_ENTRIES);
	assert_true(s.written.swept >= LIMIT_SWEEP_ENTRIES / 2);
}

static void E4_deep_directory_is_no_trouble(void **state)
{
	char path[GENERATION_NAME + 1024];
	char name[GENERATION_NAME];
	int dirfd;

	(void)state;
	subject_make(&s, "size=64m,nr_inodes=0,mode=0777");
	new_generation(name);
	snprintf(path, sizeof(path), "%s", name);
	assert_int_equal(mkdir(at(path), 0700), 0);
	dirfd = open(at(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int inner;

		assert_int_equal(mkdirat(dirfd, "d", 0700), 0);
		inner = openat(dirfd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(dirfd);
		dirfd = inner;
	}
	close(dirfd);
	published_in_time(1);
	assert_int_equal(s.written.left, 1);
}

static void E4_full_of_inodes_is_refused_and_heals(void **state)
{
	char name[32];
	unsigned made = 0;

	(void)state;
	subject_make(&s, "size=1m,nr_inodes=200,mode=0777");
	subject_published(&s, 1);
	do
		snprintf(name, sizeof(name), "f%u", made++);
	while (mknod(at(name), S_IFREG | 0600, 0) == 0);
	assert_int_equal(subject_publish(&s, 2), -1);
	expect_refused(1, 1);
	for (unsigned i = 0; i < made; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		(void)unlink(at(name));
	}
	subject_published(&s, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(A3_full_volume_keeps_the_old_pair_until_space_returns,
				      tear_down),
	    cmocka_unit_test_teardown(A3_failed_payloads_leave_room_for_one_that_fits, tear_down),
	    cmocka_unit_test_teardown(A3_leftovers_of_a_killed_writer_make_room, tear_down),
	    cmocka_unit_test_teardown(A3_kept_generation_is_given_up_for_the_new_one, tear_down),
	    cmocka_unit_test_teardown(A3_every_size_of_volume, tear_down),
	    cmocka_unit_test_teardown(A3_every_number_of_inodes, tear_down),
	    cmocka_unit_test_teardown(
		A4_new_files_that_do_not_fit_beside_the_old_are_refused_with_advice, tear_down),
	    cmocka_unit_test_teardown(E4_many_entries_hide_no_generation_and_cost_little,
				      tear_down),
	    cmocka_unit_test_teardown(E4_huge_directories_at_our_names_cost_little, tear_down),
	    cmocka_unit_test_teardown(E4_many_leftovers_cost_little, tear_down),
	    cmocka_unit_test_teardown(E4_deep_directory_is_no_trouble, tear_down),
	    cmocka_unit_test_teardown(E4_full_of_inodes_is_refused_and_heals, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
