/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Readers at full speed while the pair is rotated: one who opens ..data once, one who reads the one
 * file with key and chain, and one who opens both files by their links, whose rate of mixed pairs is
 * measured and told.
 */
#include "tests/lib/one_subject.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

struct counts {
	uint64_t reads, mixed, missing, backward;
	bool stop;
};

static unsigned rotations(void)
{
	return getenv("CERTHUP_SOAK") ? 100000 : 2000;
}

/*
 * Missing: a reader who was not scheduled for two rotations finds the generation that it opened
 * removed. Here there are thousands in a second; certhup makes one in a second at most.
 */

/* Key and certificate of one read of the bundle. */
static int bundle_seen(const char *path)
{
	char text[128] = "";
	char again[128];
	char name[PODS_PATH + 16];
	int fd, number;
	ssize_t n;

	snprintf(name, sizeof(name), "%s/bundle", path);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -2;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 5)
		return -1;
	number = (int)strtol(text + strlen("key "), NULL, 10);
	snprintf(again, sizeof(again), "key %d\ncertificate %d\n", number, number);
	return strcmp(text, again) == 0 ? number : -1;
}

static void reader(int (*look)(const char *path), struct counts *counts)
{
	int last = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!__atomic_load_n(&counts->stop, __ATOMIC_RELAXED)) {
		int n = look(s.path);

		counts->reads++;
		if (n == -1)
			counts->mixed++;
		else if (n == -2 || n == 0)
			counts->missing++;
		else if (n < last)
			counts->backward++;
		last = n > last ? n : last;
	}
	_exit(0);
}

static struct counts rotate_under(int (*look)(const char *path))
{
	struct counts *counts =
	    mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct counts ret;
	pid_t pid;

	assert_true(counts != MAP_FAILED);
	subject_published(&s, 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		reader(look, counts);
	for (unsigned i = 2; i < rotations() + 2; i++)
		assert_int_equal(subject_publish(&s, (int)i), 0);
	__atomic_store_n(&counts->stop, true, __ATOMIC_RELAXED);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	ret = *counts;
	munmap(counts, sizeof(*counts));
	print_message("%u rotations, %llu reads: %llu mixed, %llu missing, %llu backward\n",
		      rotations(), (unsigned long long)ret.reads, (unsigned long long)ret.mixed,
		      (unsigned long long)ret.missing, (unsigned long long)ret.backward);
	assert_true(ret.reads > 100);
	assert_int_equal(ret.backward, 0);
	return ret;
}

static void A13_reader_of_one_directory_never_sees_a_mixed_pair(void **state)
{
	struct counts c;

	(void)state;
	c = rotate_under(pair_seen);
	assert_int_equal(c.mixed, 0);
}

static void A13_reader_of_the_bundle_never_sees_a_mixed_pair(void **state)
{
	struct counts c;

	(void)state;
	c = rotate_under(bundle_seen);
	assert_int_equal(c.mixed, 0);
}

/* Nobody can promise this reader anything: the number is for the docs. */
static void A13_rate_of_the_reader_of_two_links_is_measured(void **state)
{
	struct counts c;

	(void)state;
	c = rotate_under(pair_seen_by_links);
	print_message("a reader that opens two links saw a mixed pair in %.4f %% of its reads\n",
		      100.0 * (double)c.mixed / (double)c.reads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(A13_reader_of_one_directory_never_sees_a_mixed_pair,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A13_reader_of_the_bundle_never_sees_a_mixed_pair,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A13_rate_of_the_reader_of_two_links_is_measured, set_up,
					    tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
