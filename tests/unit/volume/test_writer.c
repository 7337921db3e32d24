/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/writer.h"

#include "base/clock.h"
#include "tests/lib/one_subject.h"
#include "volume/fingerprint.h"
#include "volume/read.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

static void add(struct content *c, const char *name, const char *text)
{
	assert_int_equal(content_add(c, name, text, strlen(text), &s.err), 0);
}

/* --- layout and events --- */

static void layout_is_kubelets(void **state)
{
	char target[PODS_PATH];
	struct stat st;

	(void)state;
	subject_published(&s, 1);
	assert_true(volume_generation_ok(s.generation));
	assert_int_equal(readlink(at("..data"), target, sizeof(target)), strlen(s.generation));
	assert_memory_equal(target, s.generation, strlen(s.generation));
	assert_int_equal(readlink(at("tls.crt"), target, sizeof(target)), strlen("..data/tls.crt"));
	assert_memory_equal(target, "..data/tls.crt", strlen("..data/tls.crt"));
	assert_int_equal(stat(at("..data"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_true(s.written.changed);
}

#define READ_EVENTS (IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE)

struct seen {
	char text[32][PODS_PATH];
	size_t count;
};

static const char *event_kind(const struct inotify_event *ev)
{
	static const struct {
		uint32_t mask;
		const char *name;
	} kinds[] = {
	    {IN_CREATE, "CREATE"},     {IN_ATTRIB, "ATTRIB"}, {IN_MOVED_FROM, "MOVED_FROM"},
	    {IN_MOVED_TO, "MOVED_TO"}, {IN_DELETE, "DELETE"},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (ev->mask & kinds[i].mask)
			return kinds[i].name;
	return "OTHER";
}

static void note_event(struct seen *seen, const struct inotify_event *ev)
{
	const char *name = ev->len ? ev->name : "";

	assert_true(seen->count < ARRAY_LEN(seen->text));
	if (volume_generation_ok(name))
		name = strcmp(name, s.generation) == 0 ? "NEW" : "OLD";
	snprintf(seen->text[seen->count++], PODS_PATH, "%s%s %s", event_kind(ev),
		 ev->mask & IN_ISDIR ? "|ISDIR" : "", name);
}

/* Drains a non-blocking inotify descriptor. */
static void take_events(int fd, struct seen *ret)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n;

	ret->count = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(void *)p;

			note_event(ret, ev);
			p += sizeof(*ev) + ev->len;
		}
	}
}

static int watch_root(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(inotify_add_watch(
			fd, s.path, IN_ALL_EVENTS & ~(IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE)) > 0);
	return fd;
}

static void expect_events(const struct seen *seen, const char *const *expected, size_t count)
{
	for (size_t i = 0; i < seen->count || i < count; i++)
		assert_string_equal(i < seen->count ? seen->text[i] : "(no more)",
				    i < count ? expected[i] : "(no more)");
}

static void events_of_an_update_are_kubelets(void **state)
{
	static const char *const expected[] = {
	    "CREATE|ISDIR NEW",      "ATTRIB|ISDIR NEW", "CREATE ..data_tmp",
	    "MOVED_FROM ..data_tmp", "MOVED_TO ..data",  "DELETE|ISDIR OLD",
	};
	struct seen seen;
	int fd;

	(void)state;
	subject_published(&s, 1);
	subject_published(&s, 2);
	fd = watch_root();
	subject_published(&s, 3); /* removes generation 1, which was kept until now */
	take_events(fd, &seen);
	close(fd);
	expect_events(&seen, expected, ARRAY_LEN(expected));
}

static void events_of_a_first_write_are_kubelets(void **state)
{
	static const char *const expected[] = {
	    "CREATE|ISDIR NEW", "ATTRIB|ISDIR NEW", "CREATE ..data_tmp", "MOVED_FROM ..data_tmp",
	    "MOVED_TO ..data",  "CREATE bundle",    "CREATE tls.crt",    "CREATE tls.key",
	};
	int fd = watch_root();
	struct seen seen;

	(void)state;
	subject_published(&s, 1);
	take_events(fd, &seen);
	close(fd);
	expect_events(&seen, expected, ARRAY_LEN(expected));
}

/* --- A: the writer --- */

static void A2_stale_temporary_file_is_replaced(void **state)
{
	int fd = open(at("..data_tmp"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	subject_published(&s, 1);
	assert_int_equal(s.written.swept, 1);
}

static void A2_stale_temporary_directory_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("..data_tmp"), 0700), 0);
	assert_int_equal(mkdir(at("..data_tmp/a"), 0), 0);
	assert_int_equal(mkdir(at("..data_tmp/b"), 0700), 0);
	assert_int_equal(symlink("/", at("..data_tmp/b/c")), 0);
	subject_published(&s, 1);
	assert_int_equal(count_generations(s.path), 1);
}

static void A2_stale_temporary_link_is_replaced(void **state)
{
	(void)state;
	subject_published(&s, 1);
	assert_int_equal(symlink("..2020_01_01_00_00_00.1", at("..data_tmp")), 0);
	subject_published(&s, 2);
}

static void A2_stale_temporary_fifo_and_socket_are_replaced(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(mkfifo(at("..data_tmp"), 0600), 0);
	subject_published(&s, 1);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/..data_tmp", s.v.fd);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	subject_published(&s, 2);
	close(fd);
}

/* --- A8 to A12 --- */

static void A8_links_lost_by_a_crash_are_made_by_the_next_publish(void **state)
{
	(void)state;
	subject_published(&s, 1);
	assert_int_equal(unlink(at("tls.key")), 0);
	assert_int_equal(unlink(at("bundle")), 0);
	subject_published(&s, 1);
	assert_false(s.written.changed);
	assert_int_equal(s.written.mended, 2);
}

static void A8_links_lost_by_a_crash_are_made_by_verify(void **state)
{
	_cleanup_content_ struct content c;
	bool intact;

	(void)state;
	subject_published(&s, 1);
	assert_int_equal(unlink(at("tls.key")), 0);
	pair_content(1, &c);
	assert_int_equal(subject_verify(&s, &c, &intact), 0);
	assert_true(intact);
	assert_int_equal(s.written.mended, 1);
	assert_int_equal(pair_seen_by_links(s.path), 1);
}

static void A10_exactly_the_given_files_are_there(void **state)
{
	static const char *const sets[] = {"a b c ", "a ", "a b c d e ", "b d f ", "z ", "a z "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		_cleanup_content_ struct content c = {0};
		_cleanup_content_ struct content back = {0};
		char names[64];
		char *rest = names;
		char *name;

		snprintf(names, sizeof(names), "%s", sets[i]);
		while ((name = strsep(&rest, " ")) && *name)
			add(&c, name, sets[i]);
		assert_int_equal(subject_publish_content(&s, &c), 0);
		subject_expect_names(&s, sets[i]);
		assert_int_equal(volume_read(&s.v, NULL, &back, NULL, &s.err), 0);
		assert_int_equal(back.count, c.count);
	}
}

static void A10_link_of_a_dropped_file_goes_also_after_a_crash(void **state)
{
	(void)state;
	subject_published(&s, 1);
	assert_int_equal(symlink("..data/old.crt", at("old.crt")), 0);
	assert_int_equal(symlink("..data/tls.crt", at("own-link")), 0);
	assert_int_equal(symlink("elsewhere", at("own-other-link")), 0);
	subject_published(&s, 1);
	subject_expect_names(&s, "bundle own-link own-other-link tls.crt tls.key ");
	assert_int_equal(s.written.swept, 1);
}

static void A10_a_mebibyte_in_sixteen_files_arrives_whole(void **state)
{
	_cleanup_content_ struct content c = {0};
	_cleanup_content_ struct content back = {0};
	_cleanup_free_ char *bytes = malloc(LIMIT_CONTENT / LIMIT_FILES);
	struct fingerprint want, have;

	(void)state;
	for (int i = 0; i < LIMIT_FILES; i++) {
		char name[LIMIT_FILE_NAME + 1];

		memset(name, 'a' + i, LIMIT_FILE_NAME);
		name[LIMIT_FILE_NAME] = '\0';
		memset(bytes, i, LIMIT_CONTENT / LIMIT_FILES);
		assert_int_equal(content_add(&c, name, bytes, LIMIT_CONTENT / LIMIT_FILES, &s.err),
				 0);
	}
	assert_int_equal(content_add(&c, "one-more", "", 0, &s.err), -1);
	assert_int_equal(subject_publish_content(&s, &c), 0);
	assert_int_equal(volume_read(&s.v, NULL, &back, NULL, &s.err), 0);
	volume_fingerprint(&c, &want);
	volume_fingerprint(&back, &have);
	assert_true(fingerprint_equal(&want, &have));
	/* A second one, of the same size, replaces it. */
	c.files[3].bytes.data[5] ^= 1;
	assert_int_equal(subject_publish_content(&s, &c), 0);
	assert_true(s.written.changed);
}

static void A10_names_with_slashes_or_dots_are_refused(void **state)
{
	static const char *const names[] = {"a/b", "..", ".", "..data", "..x", "", "a\nb", "/a"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_content_ struct content c = {0};

		add(&c, "a", "x");
		snprintf(c.files[0].name, sizeof(c.files[0].name), "%s", names[i]);
		assert_int_equal(subject_publish_content(&s, &c), -1);
		assert_int_equal(s.err.kind, ERR_INVALID);
	}
	subject_expect_names(&s, "");
}

static void A11_same_content_writes_nothing(void **state)
{
	struct timespec before[5], after[5];
	struct seen seen;
	int fd;

	(void)state;
	subject_published(&s, 1);
	subject_published(&s, 2);
	fd = watch_root();
	assert_true(inotify_add_watch(fd, at("..data/"), IN_ALL_EVENTS & ~READ_EVENTS) > 0);
	subject_times(&s, before);
	subject_published(&s, 2);
	subject_times(&s, after);
	take_events(fd, &seen);
	close(fd);
	assert_int_equal(seen.count, 0);
	assert_memory_equal(before, after, sizeof(before));
	assert_false(s.written.changed);
	assert_int_equal(s.written.mended + s.written.swept + s.written.left, 0);
	assert_string_equal(s.written.generation, s.generation);
	assert_int_equal(count_generations(s.path), 2);
}

static void wait_for_coarse_clock(void)
{
	struct timespec start, now;

	clock_gettime(CLOCK_REALTIME_COARSE, &start);
	do
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	while (now.tv_sec == start.tv_sec && now.tv_nsec == start.tv_nsec);
}

static void A12_updates_within_a_second_differ_in_inode_and_time(void **state)
{
	struct stat one, two;

	(void)state;
	subject_published(&s, 1);
	assert_int_equal(stat(at("tls.crt"), &one), 0);
	wait_for_coarse_clock();
	subject_published(&s, 2);
	assert_int_equal(stat(at("tls.crt"), &two), 0);
	assert_true(one.st_ino != two.st_ino);
	assert_true(one.st_mtim.tv_sec != two.st_mtim.tv_sec ||
		    one.st_mtim.tv_nsec != two.st_mtim.tv_nsec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(layout_is_kubelets, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(events_of_an_update_are_kubelets, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(events_of_a_first_write_are_kubelets, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A2_stale_temporary_file_is_replaced, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A2_stale_temporary_directory_is_replaced, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A2_stale_temporary_link_is_replaced, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A2_stale_temporary_fifo_and_socket_are_replaced, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A8_links_lost_by_a_crash_are_made_by_the_next_publish,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A8_links_lost_by_a_crash_are_made_by_verify, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A10_exactly_the_given_files_are_there, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A10_link_of_a_dropped_file_goes_also_after_a_crash,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A10_a_mebibyte_in_sixteen_files_arrives_whole, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A10_names_with_slashes_or_dots_are_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A11_same_content_writes_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A12_updates_within_a_second_differ_in_inode_and_time,
					    set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
