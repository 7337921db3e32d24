/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The writer while its pod swaps things: between any two of its system calls, in a race, and with the
 * whole directory.
 */
#include "tests/lib/one_hostile_subject.h"
#include "tests/lib/trace.h"
#include "volume/writer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* --- between any two system calls --- */

static struct shared {
	char generation[GENERATION_NAME];
	struct volume_written written;
	struct err err;
	unsigned hits;
} * shared;

static int publish_in_child(void *arg)
{
	_cleanup_content_ struct content c;
	struct volume_plan plan = {.owner = s.owner,
				   .generation = shared->generation,
				   .keep = s.generation,
				   .previous = s.previous};

	(void)arg;
	pair_content(2, &c);
	return writer_publish(&s.v, &c, &plan, &shared->written, &shared->err) < 0 ? 1 : 0;
}

static char new_name[GENERATION_NAME + 16];

static bool swap_for_link(const char *name, const char *target)
{
	if (rename(at(name), at("stolen")) < 0)
		return false;
	assert_int_equal(symlink(target, at(name)), 0);
	shared->hits++;
	return true;
}

static void swap_generation(void)
{
	swap_for_link(shared->generation, decoy.path);
}

static void swap_temporary(void)
{
	swap_for_link("..data_tmp", decoy.path);
}

static void swap_data(void)
{
	swap_for_link("..data", decoy.path);
}

static void swap_file(void)
{
	snprintf(new_name, sizeof(new_name), "%s/tls.key", shared->generation);
	swap_for_link(new_name, decoy.shadow);
}

static void put_file_first(void)
{
	snprintf(new_name, sizeof(new_name), "%s/tls.key", shared->generation);
	if (symlink(decoy.shadow, at(new_name)) == 0)
		shared->hits++;
}

static void put_temporary_first(void)
{
	if (symlink(decoy.path, at("..data_tmp")) == 0)
		shared->hits++;
}

static void swap_link(void)
{
	swap_for_link("tls.key", decoy.shadow);
}

static void swap_old_generation(void)
{
	swap_for_link(s.previous, decoy.path);
}

static void swap_old_file(void)
{
	snprintf(new_name, sizeof(new_name), "%s/tls.key", s.generation);
	swap_for_link(new_name, decoy.shadow);
}

static void remove_root_entries(void)
{
	empty_directory(s.path);
	shared->hits++;
}

static void swapped_at_every_call(void (*swap)(void))
{
	struct trace t = {.act = TRACE_MEANWHILE, .wanted = trace_is_name_call, .meanwhile = swap};
	struct trace_result r;

	if (!trace_possible()) {
		print_error("SKIP: system calls are interfered with on x86-64 only\n");
		skip();
	}
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	do {
		empty_directory(s.path);
		s.generation[0] = s.previous[0] = '\0';
		published(9);
		published(1);
		new_generation(shared->generation);
		shared->written = (struct volume_written){0};
		trace_run(publish_in_child, NULL, &t, &r);
		assert_false(r.killed);
		decoy_untouched(&decoy);
		/* Whatever it did: the next one puts it right. */
		in_time(published, 3);
		assert_true(count_generations(s.path) <= 2);
		t.at++;
	} while (r.nr >= 0);
	assert_true(shared->hits > 0);
	assert_int_equal(r.code, 0);
	munmap(shared, sizeof(*shared));
}

static void E2_new_generation_swapped_for_a_link_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(swap_generation);
}

static void E2_new_file_swapped_for_a_link_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(swap_file);
}

static void E2_new_file_taken_by_a_link_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(put_file_first);
}

static void E2_temporary_link_swapped_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(swap_temporary);
}

static void E2_temporary_name_taken_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(put_temporary_first);
}

static void E2_data_link_swapped_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(swap_data);
}

static void E2_files_link_swapped_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(swap_link);
}

static void E2_old_generation_swapped_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(swap_old_generation);
}

static void E2_old_file_swapped_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(swap_old_file);
}

static void E2_everything_removed_at_every_call(void **state)
{
	(void)state;
	swapped_at_every_call(remove_root_entries);
}

/* --- E2: the race itself --- */

struct race {
	unsigned flips;
	bool stop;
};

/* Replaces whatever of ours comes up, as soon as inotify tells, and back. */
static void flip(int dirfd, const char *name, struct race *race)
{
	if (renameat(dirfd, name, dirfd, "stolen") < 0)
		return;
	if (symlinkat(decoy.path, dirfd, name) == 0)
		race->flips++;
	if (race->flips % 2) {
		(void)unlinkat(dirfd, name, 0);
		(void)renameat(dirfd, "stolen", dirfd, name);
	}
}

static void flip_inside(int dirfd, const char *generation, struct race *race)
{
	int inner = openat(dirfd, generation, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (inner < 0)
		return;
	if (symlinkat(decoy.shadow, inner, "tls.key") == 0)
		race->flips++;
	else
		flip(inner, "tls.key", race);
	close(inner);
}

static void attack(struct race *race)
{
	int dirfd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = inotify_init1(IN_CLOEXEC);
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t n;

	if (inotify_add_watch(fd, s.path, IN_CREATE | IN_MOVED_TO) < 0)
		_exit(1);
	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED) &&
	       (n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *e = (const struct inotify_event *)(void *)p;

			if (e->len && volume_generation_ok(e->name) && race->flips % 3)
				flip_inside(dirfd, e->name, race);
			if (e->len && strcmp(e->name, "stolen") != 0)
				for (int i = 0; i < 5; i++)
					flip(dirfd, e->name, race);
			p += sizeof(*e) + e->len;
		}
	}
	_exit(0);
}

static void E2_race_of_swaps_touches_nothing_outside(void **state)
{
	struct race *race =
	    mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned wanted = getenv("CERTHUP_SOAK") ? 1000000 : 1000;
	int64_t deadline = clock_mono_ms(clock_system()) + (int64_t)wanted * 20;
	unsigned good = 0, writes = 0;
	int status;
	pid_t pid;

	(void)state;
	assert_true(race != MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		attack(race);
	while (__atomic_load_n(&race->flips, __ATOMIC_RELAXED) < wanted &&
	       clock_mono_ms(clock_system()) < deadline) {
		good += subject_publish(&s, (int)++writes) == 0;
		(void)rmdir(at("stolen"));
		if (writes % 512 == 0)
			(void)try_empty_directory(s.path);
	}
	__atomic_store_n(&race->stop, true, __ATOMIC_RELAXED);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	print_message("%u flips in %u writes, of which %u got through\n", race->flips, writes,
		      good);
	decoy_untouched(&decoy);
	assert_true(race->flips >= wanted / 4); /* on a busy machine the deadline comes first */
	empty_directory(s.path);
	in_time(published, 1);
	munmap(race, sizeof(*race));
}

/* --- A9 and E7: the root goes away --- */

static char moved[PODS_PATH];

/* A new directory stands where the volume was, as for a pod that comes again with the same uid. */
static void replace_pod(void)
{
	char pod[PODS_PATH];

	snprintf(pod, sizeof(pod), "%s/%s", s.pods.root, s.ref.pod_uid);
	snprintf(moved, sizeof(moved), "%s/dead", s.pods.root);
	assert_int_equal(rename(pod, moved), 0);
	pods_add(&s.pods, &s.ref, NULL);
}

static void remove_pod(void)
{
	char pod[PODS_PATH];

	snprintf(pod, sizeof(pod), "%s/%s", s.pods.root, s.ref.pod_uid);
	empty_directory(pod);
	assert_int_equal(rmdir(pod), 0);
	pods_add(&s.pods, &s.ref, NULL);
	moved[0] = '\0';
}

static void replace_mount(void)
{
	assert_int_equal(umount2(s.path, MNT_DETACH), 0);
	assert_int_equal(mount("tmpfs", s.path, "tmpfs", 0, "size=1m,mode=0777"), 0);
	moved[0] = '\0';
}

static void root_replaced_at_every_call(const char *options, void (*replace)(void))
{
	struct trace t = {
	    .act = TRACE_MEANWHILE, .wanted = trace_is_name_call, .meanwhile = replace};
	struct trace_result r;

	if (!trace_possible()) {
		print_error("SKIP: system calls are interfered with on x86-64 only\n");
		skip();
	}
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	subject_remove(&s);
	for (;; t.at++) {
		_cleanup_free_ char *text = NULL;

		subject_make(&s, options);
		published(1);
		new_generation(shared->generation);
		trace_run(publish_in_child, NULL, &t, &r);
		if (r.nr < 0)
			break;
		/* Nothing of it is in the directory that has the name now. */
		text = directory_text(s.path);
		assert_string_equal(text, "");
		subject_remove(&s);
	}
	assert_int_equal(r.code, 0);
	assert_int_equal(pair_seen(s.path), 2);
	munmap(shared, sizeof(*shared));
}

static void E7_pod_that_came_again_under_the_same_uid_gets_nothing(void **state)
{
	(void)state;
	root_replaced_at_every_call(NULL, replace_pod);
}

static void A9_root_removed_and_made_again_mid_write_stays_empty(void **state)
{
	(void)state;
	root_replaced_at_every_call(NULL, remove_pod);
}

static void A9_root_unmounted_and_mounted_again_mid_write_stays_empty(void **state)
{
	(void)state;
	root_replaced_at_every_call("size=1m,mode=0777", replace_mount);
}

static void A9_removed_root_is_told_as_not_found(void **state)
{
	(void)state;
	subject_remove(&s);
	subject_make(&s, NULL);
	assert_int_equal(rmdir(s.path), 0);
	assert_int_equal(subject_publish(&s, 1), -1);
	assert_int_equal(s.err.kind, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(E2_new_generation_swapped_for_a_link_at_every_call,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_new_file_swapped_for_a_link_at_every_call,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_new_file_taken_by_a_link_at_every_call, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_temporary_link_swapped_at_every_call, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_temporary_name_taken_at_every_call, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_data_link_swapped_at_every_call, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_files_link_swapped_at_every_call, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_old_generation_swapped_at_every_call, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_old_file_swapped_at_every_call, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_everything_removed_at_every_call, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E2_race_of_swaps_touches_nothing_outside, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E7_pod_that_came_again_under_the_same_uid_gets_nothing,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(A9_root_removed_and_made_again_mid_write_stays_empty,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(
		A9_root_unmounted_and_mounted_again_mid_write_stays_empty, set_up_here,
		tear_down_here),
	    cmocka_unit_test_setup_teardown(A9_removed_root_is_told_as_not_found, set_up_here,
					    tear_down_here),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
