/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/watch.h"

#include "base/limits.h"
#include "tests/lib/one_subject.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct volume_watch *w;

struct told {
	unsigned changes, gone, overflows;
	uint64_t key; /* of the last call */
	char name[LIMIT_FILE_NAME + 1];
};

static void on_change(void *arg, uint64_t key, const char *name)
{
	struct told *t = arg;

	t->changes++;
	t->key = key;
	snprintf(t->name, sizeof(t->name), "%s", name);
}

static void on_gone(void *arg, uint64_t key)
{
	struct told *t = arg;

	t->gone++;
	t->key = key;
}

static void on_overflow(void *arg)
{
	((struct told *)arg)->overflows++;
}

static struct told take(void)
{
	struct told t = {0};
	const struct volume_watch_calls calls = {on_change, on_gone, on_overflow, &t};

	volume_watch_take(w, &calls);
	return t;
}

static bool readable(void)
{
	struct pollfd p = {.fd = volume_watch_fd(w), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static int set_up_here(void **state)
{
	set_up(state);
	if (volume_watch_new(&w, &s.err) < 0)
		fail_msg("%s", s.err.message);
	return 0;
}

static int tear_down_here(void **state)
{
	w = volume_watch_free(w);
	return tear_down(state);
}

static uint64_t watched(const struct volume *v)
{
	uint64_t key;

	if (volume_watch_add(w, v, &key, &s.err) < 0)
		fail_msg("%s", s.err.message);
	return key;
}

static void descriptor_is_closed_on_exec(void **state)
{
	(void)state;
	assert_true(fcntl(volume_watch_fd(w), F_GETFD) & FD_CLOEXEC);
}

static void only_one_exists_in_a_process(void **state)
{
	struct volume_watch *second;

	(void)state;
	assert_int_equal(volume_watch_new(&second, &s.err), -1);
	assert_int_equal(s.err.kind, ERR_CONFLICT);
}

static void swap_is_told_and_temporary_names_are_not(void **state)
{
	struct told t;
	uint64_t key;

	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	key = watched(&s.v);
	assert_false(readable());
	assert_int_equal(subject_publish(&s, 2), 0);
	assert_true(readable());
	t = take();
	assert_int_equal(t.changes, 1);
	assert_int_equal(t.key, key);
	assert_string_equal(t.name, "..data");
}

static void pods_own_new_files_are_not_told(void **state)
{
	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	watched(&s.v);
	assert_int_equal(mkdir(at("own"), 0700), 0);
	assert_int_equal(mkfifo(at("fifo"), 0700), 0);
	assert_int_equal(take().changes, 0);
}

static void E5_deleted_link_is_told(void **state)
{
	struct told t;
	uint64_t key;

	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	key = watched(&s.v);
	assert_int_equal(unlink(at("tls.crt")), 0);
	t = take();
	assert_int_equal(t.changes, 1);
	assert_int_equal(t.key, key);
	assert_string_equal(t.name, "tls.crt");
}

static void E5_rewritten_file_is_told(void **state)
{
	struct told t;
	uint64_t key;
	int fd;

	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	key = watched(&s.v);
	fd = open(at("tls.key"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	t = take();
	assert_int_equal(t.key, key);
	assert_string_equal(t.name, "tls.key");
	assert_int_equal(chmod(at("tls.crt"), 0), 0);
	assert_string_equal(take().name, "tls.crt");
}

static void E5_endless_changes_end_the_watch_and_cost_nothing_more(void **state)
{
	struct told t;
	unsigned told = 0;
	uint64_t key;

	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	key = watched(&s.v);
	for (unsigned i = 0; i < LIMIT_WATCH_EVENTS + 100; i++) {
		/* The kernel merges events that are the same as the last one. */
		assert_int_equal(mkdir(at(i % 2 ? "x" : "y"), 0), 0);
		assert_int_equal(rmdir(at(i % 2 ? "x" : "y")), 0);
		if (i % 64 == 0)
			told += take().gone;
	}
	t = take();
	assert_int_equal(told + t.gone, 1);
	take(); /* the end of the watch itself */
	assert_int_equal(mkdir(at("x"), 0), 0);
	assert_int_equal(rmdir(at("x")), 0);
	assert_false(readable());
	assert_true(watched(&s.v) > key);
	assert_int_equal(mkdir(at("x"), 0), 0);
	assert_int_equal(rmdir(at("x")), 0);
	assert_int_equal(take().changes, 1);
}

static void adding_again_ends_the_former_watch_and_follows_the_generation(void **state)
{
	struct told t;
	uint64_t first, second;

	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	first = watched(&s.v);
	assert_int_equal(subject_publish(&s, 2), 0);
	second = watched(&s.v);
	assert_true(second > first);
	take();
	assert_int_equal(chmod(at("tls.crt"), 0), 0);
	t = take();
	assert_int_equal(t.changes, 1);
	assert_int_equal(t.key, second);
}

static void removed_watch_tells_nothing(void **state)
{
	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	volume_watch_remove(w, watched(&s.v));
	assert_int_equal(subject_publish(&s, 2), 0);
	assert_int_equal(take().changes, 0);
	assert_int_equal(take().changes, 0);
	assert_int_equal(subject_publish(&s, 3), 0);
	assert_false(readable());
}

static void E16_unmounted_volume_is_told_as_gone(void **state)
{
	struct told t;
	uint64_t key;

	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	key = watched(&s.v);
	volume_close(&s.v);
	/* Not busy: no descriptor of the volume is held. */
	assert_int_equal(umount(s.path), 0);
	t = take();
	assert_int_equal(t.gone, 1);
	assert_int_equal(t.key, key);
}

static void E16_replaced_directory_is_told_as_gone(void **state)
{
	char other[PODS_PATH + 8];
	struct volume_ref ref = s.ref;
	struct volume v;
	struct told t;
	uint64_t key;

	(void)state;
	memcpy(ref.name, "two", 4);
	pods_add(&s.pods, &ref, NULL);
	assert_int_equal(volume_open(&s.pods.tree, &ref, &v, &s.err), 0);
	key = watched(&v);
	volume_close(&v);
	pods_path(&s.pods, &ref, other);
	assert_int_equal(rmdir(other), 0);
	assert_int_equal(mkdir(other, 0777), 0);
	t = take();
	assert_int_equal(t.gone, 1);
	assert_int_equal(t.key, key);
}

static void E16_overflow_is_told(void **state)
{
	unsigned overflows = 0;

	(void)state;
	watched(&s.v);
	assert_int_equal(mkdir(at("a"), 0), 0);
	/* The kernel's queue has 16,384 events unless it was changed. */
	for (int i = 0; i < 20000; i++)
		assert_int_equal(rename(at(i % 2 ? "b" : "a"), at(i % 2 ? "a" : "b")), 0);
	overflows = take().overflows;
	if (!overflows) {
		print_error("SKIP: fs.inotify.max_queued_events is above 40,000 here\n");
		skip();
	}
	assert_int_equal(overflows, 1);
}

/* Runs in a child, in a user namespace that has limits of its own. */
static int with_limit(const char *limit, const char *value, int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/sys/user/%s", limit);
		if (unshare(CLONE_NEWUSER) < 0 || (fd = open(path, O_WRONLY | O_CLOEXEC)) < 0 ||
		    write(fd, value, strlen(value)) < 0)
			_exit(77);
		close(fd);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_error("SKIP: no user namespace with limits of its own\n");
		skip();
	}
	return WEXITSTATUS(status);
}

static int add_beyond_watches(void)
{
	struct err e = {0};
	uint64_t key;

	w = volume_watch_free(w);
	if (volume_watch_new(&w, &e) < 0)
		return 1;
	if (volume_watch_add(w, &s.v, &key, &e) == 0)
		return 2;
	if (e.kind != ERR_EXHAUSTED || !strstr(e.message, "max_user_watches"))
		return 3;
	/* Nothing is left of it: the instance still works. */
	return take().changes == 0 ? 0 : 4;
}

static void E16_used_up_watches_are_refused_by_name(void **state)
{
	(void)state;
	assert_int_equal(subject_publish(&s, 1), 0);
	assert_int_equal(with_limit("max_inotify_watches", "1", add_beyond_watches), 0);
}

static int new_beyond_instances(void)
{
	struct err e = {0};

	w = volume_watch_free(w);
	if (volume_watch_new(&w, &e) == 0)
		return 1;
	return e.kind == ERR_EXHAUSTED && strstr(e.message, "max_user_instances") ? 0 : 2;
}

static void E16_used_up_instances_are_refused_by_name(void **state)
{
	(void)state;
	assert_int_equal(with_limit("max_inotify_instances", "0", new_beyond_instances), 0);
}

static void E16_descriptor_beyond_select_is_refused(void **state)
{
	struct rlimit old, limit = {4096, 4096};
	struct err e = {0};
	int fds[1100];
	size_t n = 0;

	(void)state;
	w = volume_watch_free(w);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	if (old.rlim_max > limit.rlim_max)
		limit.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	do
		fds[n] = open("/", O_PATH | O_CLOEXEC);
	while (fds[n] >= 0 && fds[n++] < 1023);
	assert_int_equal(volume_watch_new(&w, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	while (n)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(volume_watch_new(&w, &e), 0);
}

#define MANY 10000

static void ten_thousand_volumes_come_and_go(void **state)
{
	struct volume kept = s.v;
	uint64_t kept_key = watched(&kept);
	uint64_t last = kept_key;
	unsigned rebuilt = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		struct volume v = {.fd = -1};
		struct told t;
		uint64_t key;

		assert_int_equal(mkdir(at("volume"), 0700), 0);
		v.fd = open(at("volume"), O_PATH | O_DIRECTORY | O_CLOEXEC);
		key = watched(&v);
		assert_true(key > last);
		last = key;
		volume_close(&v);
		if (i % 2)
			volume_watch_remove(w, key);
		assert_int_equal(rmdir(at("volume")), 0);
		t = take();
		assert_int_equal(t.overflows, 0);
		if (t.gone == (i % 2 ? 1 : 2)) {
			rebuilt++;
			last = kept_key = watched(&kept);
		} else {
			assert_int_equal(t.gone, i % 2 ? 0 : 1);
		}
	}
	assert_true(rebuilt >= 3);
	assert_int_equal(mkdir(at("x"), 0), 0);
	assert_int_equal(rmdir(at("x")), 0);
	assert_int_equal(take().key, kept_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(descriptor_is_closed_on_exec, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(only_one_exists_in_a_process, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(swap_is_told_and_temporary_names_are_not, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(pods_own_new_files_are_not_told, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E5_deleted_link_is_told, set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E5_rewritten_file_is_told, set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E5_endless_changes_end_the_watch_and_cost_nothing_more,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(
		adding_again_ends_the_former_watch_and_follows_the_generation, set_up_here,
		tear_down_here),
	    cmocka_unit_test_setup_teardown(removed_watch_tells_nothing, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E16_unmounted_volume_is_told_as_gone, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E16_replaced_directory_is_told_as_gone, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E16_overflow_is_told, set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E16_used_up_watches_are_refused_by_name, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E16_used_up_instances_are_refused_by_name, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(E16_descriptor_beyond_select_is_refused, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(ten_thousand_volumes_come_and_go, set_up_here,
					    tear_down_here),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
