/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The writer in a directory that a pod can write, and does: links that lead out, things that block,
 * and swaps between any two of its system calls.
 */
#include "base/clock.h"
#include "tests/lib/decoy.h"
#include "tests/lib/pods.h"
#include "tests/lib/trace.h"
#include "volume/fingerprint.h"
#include "volume/read.h"
#include "volume/writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct subject s;
static struct decoy decoy;

static int set_up(void **state)
{
	(void)state;
	subject_make(&s, "size=16m,mode=0777");
	decoy_make(&decoy);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	subject_remove(&s);
	decoy_untouched(&decoy);
	decoy_remove(&decoy);
	return 0;
}

static const char *at(const char *name)
{
	return subject_at(&s, name);
}

/* Does it within a second, or the test ends. */
static void in_time(void (*fn)(int n), int n)
{
	int64_t start = clock_mono_ms(clock_system());

	alarm(20);
	fn(n);
	alarm(0);
	assert_true(clock_mono_ms(clock_system()) - start < SECOND_MS);
}

static void published(int n)
{
	subject_published(&s, n);
}

static bool verified(int n)
{
	_cleanup_content_ struct content c;
	bool intact;

	pair_content(n, &c);
	assert_int_equal(subject_verify(&s, &c, &intact), 0);
	return intact;
}

/* --- E1: ..data leads somewhere --- */

static void with_data_link(const char *target)
{
	(void)unlink(at("..data"));
	assert_int_equal(symlink(target, at("..data")), 0);
	in_time(published, 1);
	decoy_untouched(&decoy);
	(void)unlink(at("..data"));
	assert_int_equal(symlink(target, at("..data")), 0);
	assert_true(verified(1));
	assert_int_equal(pair_seen(s.path), 1);
	decoy_untouched(&decoy);
}

static void E1_data_link_out_of_the_volume_is_never_followed(void **state)
{
	char out[256];

	(void)state;
	with_data_link(decoy.path);
	snprintf(out, sizeof(out), "../../../../../../../../../..%s", decoy.path);
	with_data_link(out);
	with_data_link("/etc");
	with_data_link("../../..");
	with_data_link(".");
	with_data_link("..");
}

static void E1_data_link_in_a_loop_dangling_or_long_is_replaced(void **state)
{
	char long_target[4096];

	(void)state;
	with_data_link("..data");
	with_data_link("..nowhere");
	memset(long_target, 'a', sizeof(long_target));
	long_target[sizeof(long_target) - 1] = '\0';
	with_data_link(long_target);
	long_target[GENERATION_NAME - 1] = '\0';
	with_data_link(long_target);
}

static void E1_generation_that_is_a_link_is_never_followed(void **state)
{
	char name[GENERATION_NAME];

	(void)state;
	new_generation(name);
	assert_int_equal(symlink(decoy.path, at(name)), 0);
	with_data_link(name);
	assert_int_equal(count_generations(s.path), 1);
}

/* The exploit of CVE-2017-1002102: what the old generation held is removed from the victim. */
static void E1_exploit_of_the_old_writer_removes_nothing(void **state)
{
	(void)state;
	subject_put(&s, "etc", "");
	subject_put(&s, "tls.key", "");
	with_data_link(decoy.path);
	in_time(published, 2);
}

static void E1_kept_and_previous_generations_that_are_links_are_only_unlinked(void **state)
{
	char kept[GENERATION_NAME];

	(void)state;
	published(1);
	published(2);
	assert_int_equal(writer_retire(&s.v, s.previous, &s.err), 0);
	assert_int_equal(symlink(decoy.path, at(s.previous)), 0);
	memcpy(kept, s.previous, sizeof(kept));
	in_time(published, 3);
	decoy_untouched(&decoy);
	assert_int_equal(symlink(decoy.path, at(kept)), 0);
	assert_int_equal(writer_retire(&s.v, kept, &s.err), 0);
	assert_int_equal(unlink(at(kept)), -1);
}

static void E1_links_and_mounts_inside_a_leftover_lead_nowhere(void **state)
{
	char name[GENERATION_NAME], inner[GENERATION_NAME + 16];

	(void)state;
	new_generation(name);
	assert_int_equal(mkdir(at(name), 0700), 0);
	snprintf(inner, sizeof(inner), "%s/a", name);
	assert_int_equal(symlink(decoy.path, at(inner)), 0);
	snprintf(inner, sizeof(inner), "%s/b", name);
	assert_int_equal(mkdir(at(inner), 0700), 0);
	assert_int_equal(mount(decoy.path, at(inner), NULL, MS_BIND, NULL), 0);
	in_time(published, 1);
	decoy_untouched(&decoy);
	assert_int_equal(s.written.left, 1);
	assert_int_equal(umount(at(inner)), 0);
	in_time(published, 1);
	assert_int_equal(s.written.left, 0);
	assert_int_equal(count_generations(s.path), 1);
}

/* --- E3: things at our names --- */

enum thing {
	FIFO,
	SOCKET,
	DEVICE,
	HARD_LINK,
	DIRECTORY,
	FULL_DIRECTORY,
	LINK_OUT,
	THINGS
};

/* A file of the pod's own that everybody can see was not written through. */
#define OWN_FILE "own-file"

static void put_thing(enum thing thing, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char inner[PODS_PATH];
	int fd;

	(void)unlink(at(name));
	switch (thing) {
	case FIFO:
		assert_int_equal(mkfifo(at(name), 0666), 0);
		break;
	case SOCKET:
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%.60s", s.v.fd, name);
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		close(fd);
		break;
	case DEVICE:
		assert_int_equal(mknod(at(name), S_IFCHR | 0666, makedev(1, 7)), 0);
		break;
	case HARD_LINK:
		subject_put(&s, OWN_FILE, "own");
		assert_int_equal(link(at(OWN_FILE), at(name)), 0);
		break;
	case DIRECTORY:
	case FULL_DIRECTORY:
		assert_int_equal(mkdir(at(name), 0), 0);
		snprintf(inner, sizeof(inner), "%s/inner", name);
		if (thing == FULL_DIRECTORY)
			subject_put(&s, inner, "own");
		break;
	case LINK_OUT:
	case THINGS:
	default:
		assert_int_equal(symlink(decoy.shadow, at(name)), 0);
		break;
	}
}

static void expect_own_file_unchanged(void)
{
	struct stat st;

	if (stat(at(OWN_FILE), &st) < 0)
		return;
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_mode & 07777, 0644);
}

static void E3_things_at_our_fixed_names_are_replaced(void **state)
{
	static const char *const names[] = {"..data", "..data_tmp", "tls.crt", "bundle"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (enum thing thing = FIFO; thing < THINGS; thing++) {
			if (thing == FULL_DIRECTORY && names[i][0] != '.')
				continue;
			put_thing(thing, names[i]);
			in_time(published, (int)thing + 1);
			expect_own_file_unchanged();
			decoy_untouched(&decoy);
		}
}

static void E3_directory_with_entries_at_a_files_name_is_refused_by_name(void **state)
{
	struct stat st;

	(void)state;
	published(1);
	assert_int_equal(unlink(at("tls.crt")), 0);
	put_thing(FULL_DIRECTORY, "tls.crt");
	assert_int_equal(subject_publish(&s, 2), -1);
	assert_int_equal(s.err.kind, ERR_CONFLICT);
	assert_non_null(strstr(s.err.message, "tls.crt is a directory"));
	assert_int_equal(pair_seen(s.path), 1);
	assert_int_equal(count_generations(s.path), 1);
	assert_int_equal(stat(at("tls.crt/inner"), &st), 0);
	assert_int_equal(unlink(at("tls.crt/inner")), 0);
	in_time(published, 2);
}

/* In the generation that is read to see whether the content is the same. */
static void E3_things_in_the_served_generation_are_neither_opened_nor_changed(void **state)
{
	(void)state;
	published(1);
	for (enum thing thing = FIFO; thing < THINGS; thing++) {
		char name[GENERATION_NAME + 16];
		struct content none = {0};
		int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		char event[512];

		snprintf(name, sizeof(name), "%s/tls.key", s.generation);
		if (thing == SOCKET) {
			close(fd);
			continue; /* the path of a socket is too short for it */
		}
		put_thing(thing, name);
		if (thing == FIFO || thing == DEVICE)
			assert_true(inotify_add_watch(fd, at(name), IN_OPEN) > 0);
		assert_int_equal(volume_read(&s.v, NULL, &none, NULL, &s.err),
				 thing == HARD_LINK ? 0 : -1);
		content_done(&none);
		assert_false(verified(1));
		in_time(published, 1);
		assert_true(s.written.changed);
		assert_int_equal(read(fd, event, sizeof(event)), -1);
		close(fd);
		expect_own_file_unchanged();
		decoy_untouched(&decoy);
	}
}

static void E3_hard_link_with_the_right_bytes_keeps_its_owner_and_mode(void **state)
{
	char name[GENERATION_NAME + 16];
	struct stat st;

	(void)state;
	published(1);
	snprintf(name, sizeof(name), "%s/tls.key", s.generation);
	assert_int_equal(unlink(at(name)), 0);
	subject_put(&s, OWN_FILE, "key 1\n");
	assert_int_equal(chmod(at(OWN_FILE), 0604), 0);
	assert_int_equal(chown(at(OWN_FILE), 5, 6), 0);
	assert_int_equal(link(at(OWN_FILE), at(name)), 0);
	assert_false(verified(1));
	in_time(published, 1);
	assert_true(s.written.changed);
	assert_int_equal(stat(at(OWN_FILE), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(st.st_uid, 5);
}

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
	unsigned wanted = getenv("CERTHUP_SOAK") ? 1000000 : 3000;
	int64_t deadline = clock_mono_ms(clock_system()) + (int64_t)wanted * 10;
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
			empty_directory(s.path);
	}
	__atomic_store_n(&race->stop, true, __ATOMIC_RELAXED);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	print_message("%u flips in %u writes, of which %u got through\n", race->flips, writes,
		      good);
	decoy_untouched(&decoy);
	assert_true(race->flips >= wanted);
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
	    cmocka_unit_test_setup_teardown(E1_data_link_out_of_the_volume_is_never_followed,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E1_data_link_in_a_loop_dangling_or_long_is_replaced,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E1_generation_that_is_a_link_is_never_followed, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E1_exploit_of_the_old_writer_removes_nothing, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(
		E1_kept_and_previous_generations_that_are_links_are_only_unlinked, set_up,
		tear_down),
	    cmocka_unit_test_setup_teardown(E1_links_and_mounts_inside_a_leftover_lead_nowhere,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E3_things_at_our_fixed_names_are_replaced, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(
		E3_directory_with_entries_at_a_files_name_is_refused_by_name, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		E3_things_in_the_served_generation_are_neither_opened_nor_changed, set_up,
		tear_down),
	    cmocka_unit_test_setup_teardown(
		E3_hard_link_with_the_right_bytes_keeps_its_owner_and_mode, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E2_new_generation_swapped_for_a_link_at_every_call,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E2_new_file_swapped_for_a_link_at_every_call, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E2_new_file_taken_by_a_link_at_every_call, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E2_temporary_link_swapped_at_every_call, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E2_temporary_name_taken_at_every_call, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E2_data_link_swapped_at_every_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E2_files_link_swapped_at_every_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E2_old_generation_swapped_at_every_call, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E2_old_file_swapped_at_every_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E2_everything_removed_at_every_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E2_race_of_swaps_touches_nothing_outside, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E7_pod_that_came_again_under_the_same_uid_gets_nothing,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A9_root_removed_and_made_again_mid_write_stays_empty,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		A9_root_unmounted_and_mounted_again_mid_write_stays_empty, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A9_removed_root_is_told_as_not_found, set_up,
					    tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
