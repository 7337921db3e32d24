/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/writer.h"

#include "base/clock.h"
#include "tests/lib/pods.h"
#include "volume/fingerprint.h"
#include "volume/read.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct subject s;

static int set_up(void **state)
{
	(void)state;
	subject_make(&s, "size=4m,mode=0777");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	subject_remove(&s);
	return 0;
}

static const char *at(const char *name)
{
	static char path[4][PODS_PATH + 128];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", s.path, name);
	return p;
}

static void published(int n)
{
	if (subject_publish(&s, n) < 0)
		fail_msg("publish of %d: %s", n, s.err.message);
	assert_int_equal(pair_seen(s.path), n);
	assert_int_equal(pair_seen_by_links(s.path), n);
	assert_false(has_temporary(s.path));
}

_unused_ static void add(struct content *c, const char *name, const char *text)
{
	assert_int_equal(content_add(c, name, text, strlen(text), &s.err), 0);
}

/* --- layout and events --- */

static void layout_is_kubelets(void **state)
{
	char target[PODS_PATH];
	struct stat st;

	(void)state;
	published(1);
	assert_true(volume_generation_ok(s.generation));
	assert_int_equal(readlink(at("..data"), target, sizeof(target)), strlen(s.generation));
	assert_memory_equal(target, s.generation, strlen(s.generation));
	assert_int_equal(readlink(at("tls.crt"), target, sizeof(target)), strlen("..data/tls.crt"));
	assert_memory_equal(target, "..data/tls.crt", strlen("..data/tls.crt"));
	assert_int_equal(stat(at("..data"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_true(s.written.changed);
}

struct seen {
	char text[32][PODS_PATH];
	size_t count;
};

/* Drains a non-blocking inotify descriptor. */
static void take_events(int fd, struct seen *ret)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n;

	ret->count = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(void *)p;
			const char *kind = ev->mask & IN_CREATE       ? "CREATE"
					   : ev->mask & IN_ATTRIB     ? "ATTRIB"
					   : ev->mask & IN_MOVED_FROM ? "MOVED_FROM"
					   : ev->mask & IN_MOVED_TO   ? "MOVED_TO"
					   : ev->mask & IN_DELETE     ? "DELETE"
								      : "OTHER";
			const char *name = ev->len ? ev->name : "";

			assert_true(ret->count < ARRAY_LEN(ret->text));
			if (volume_generation_ok(name))
				name = strcmp(name, s.generation) == 0 ? "NEW" : "OLD";
			snprintf(ret->text[ret->count++], PODS_PATH, "%s%s %s", kind,
				 ev->mask & IN_ISDIR ? "|ISDIR" : "", name);
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
	published(1);
	published(2);
	fd = watch_root();
	published(3); /* removes generation 1, which was kept until now */
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
	published(1);
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
	published(1);
	assert_int_equal(s.written.swept, 1);
}

static void A2_stale_temporary_directory_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("..data_tmp"), 0700), 0);
	assert_int_equal(mkdir(at("..data_tmp/a"), 0), 0);
	assert_int_equal(mkdir(at("..data_tmp/b"), 0700), 0);
	assert_int_equal(symlink("/", at("..data_tmp/b/c")), 0);
	published(1);
	assert_int_equal(count_generations(s.path), 1);
}

static void A2_stale_temporary_link_is_replaced(void **state)
{
	(void)state;
	published(1);
	assert_int_equal(symlink("..2020_01_01_00_00_00.1", at("..data_tmp")), 0);
	published(2);
}

static void A2_stale_temporary_fifo_and_socket_are_replaced(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(mkfifo(at("..data_tmp"), 0600), 0);
	published(1);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/..data_tmp", s.v.fd);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	published(2);
	close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(layout_is_kubelets),
	    T(events_of_an_update_are_kubelets),
	    T(events_of_a_first_write_are_kubelets),
	    T(A2_stale_temporary_file_is_replaced),
	    T(A2_stale_temporary_directory_is_replaced),
	    T(A2_stale_temporary_link_is_replaced),
	    T(A2_stale_temporary_fifo_and_socket_are_replaced),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
