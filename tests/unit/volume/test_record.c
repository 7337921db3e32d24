/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/record.h"

#include "base/buf.h"
#include "base/file.h"
#include "tests/lib/pods.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[64];
static int state_fd;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/state-XXXXXX");
	assert_non_null(mkdtemp(dir));
	state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(state_fd >= 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(state_fd);
	empty_directory(dir);
	assert_int_equal(rmdir(dir), 0);
	return 0;
}

static struct record make(const char *name)
{
	struct record r = {
	    .ref = {.pod_uid = "0a1b2c3d-0000-4000-8000-000000000001"},
	    .pod_namespace = "shop",
	    .pod_name = "web-0",
	    .secret = "web-tls",
	    .secret_uid = "aaaaaaaa-0000-4000-8000-000000000001",
	    .resource_version = "18446744073709551616",
	    .content = {{1, 2, 255}},
	    .leaf = {{3}},
	    .not_after_s = 253402300799,
	    .generation = "..2026_01_02_03_04_05.0123456789abcdef0123456789abcdef",
	    .previous_content = {{4}},
	    .previous_not_after_s = -1,
	    .owner = {.uid = 0, .gid = 4294967294, .mode = 0440},
	    .bytes = UINT64_MAX,
	    .signalled_wall_ms = INT64_MAX,
	    .owed_signal = 1,
	    .quarantine_rv = "17",
	};

	snprintf(r.ref.name, sizeof(r.ref.name), "%s", name);
	return r;
}

static void written(const struct record *r)
{
	struct err e;

	if (record_write(state_fd, r, &e) < 0)
		fail_msg("%s", e.message);
}

static void path_of(const struct record *r, const char *suffix, char ret_path[static 256])
{
	snprintf(ret_path, 256, "%s/%s/%s%s", dir, r->ref.pod_uid, r->ref.name, suffix);
}

static void read_text(const struct record *r, struct buf *ret)
{
	char path[256];
	struct err e;

	path_of(r, "", path);
	buf_init(ret, 16 * KIB);
	assert_int_equal(file_read(AT_FDCWD, path, ret, &e), 0);
}

static void write_text(const struct record *r, const char *text, size_t len)
{
	char path[256];
	int fd;

	path_of(r, "", path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

/* Reads it, which has to fail; and it is set aside. */
static void expect_damaged(const struct record *r, const char *what)
{
	struct record back;
	char path[256];
	struct stat st;
	struct err e;

	if (record_read(state_fd, &r->ref, &back, &e) == 0)
		fail_msg("taken although %s", what);
	assert_int_equal(e.kind, ERR_INVALID);
	path_of(r, "", path);
	assert_int_equal(stat(path, &st), -1);
	path_of(r, ".bad", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(record_read(state_fd, &r->ref, &back, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static void record_comes_back_as_it_was(void **state)
{
	struct record r = make("tls");
	struct record back;
	struct err e;

	(void)state;
	written(&r);
	memset(&back, 0xff, sizeof(back));
	assert_int_equal(record_read(state_fd, &r.ref, &back, &e), 0);
	assert_memory_equal(&back, &r, sizeof(r));
	assert_int_equal(record_sync(state_fd, &e), 0);
}

static void directory_of_a_pod_is_private(void **state)
{
	struct record r = make("tls");
	char path[256];
	struct stat st;

	(void)state;
	umask(0);
	written(&r);
	path_of(&r, "", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	umask(022);
}

static void replacing_is_one_rename(void **state)
{
	struct record r = make("tls");
	struct record back;
	char path[256], linked[256];
	struct stat st;
	struct err e;

	(void)state;
	written(&r);
	path_of(&r, "", path);
	path_of(&r, "-old", linked);
	assert_int_equal(link(path, linked), 0);
	memcpy(r.resource_version, "99", 3);
	/* What a killed writer left does not matter. */
	path_of(&r, ".tmp", path);
	assert_int_equal(symlink("/nowhere", path), 0);
	written(&r);
	assert_int_equal(lstat(path, &st), -1);
	assert_int_equal(record_read(state_fd, &r.ref, &back, &e), 0);
	assert_string_equal(back.resource_version, "99");
	assert_int_equal(stat(linked, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(unlink(linked), 0);
}

static void A15_record_cut_at_any_byte_is_set_aside(void **state)
{
	struct record r = make("tls");
	_cleanup_buf_ struct buf text;

	(void)state;
	written(&r);
	read_text(&r, &text);
	for (size_t len = 0; len < text.len; len++) {
		write_text(&r, text.data, len);
		expect_damaged(&r, "it is cut off");
	}
}

static void A15_record_with_any_byte_changed_is_set_aside(void **state)
{
	struct record r = make("tls");
	_cleanup_buf_ struct buf text;

	(void)state;
	written(&r);
	read_text(&r, &text);
	for (size_t i = 0; i < text.len; i++) {
		char old = text.data[i];

		text.data[i] = (char)(i % 3 == 0 ? 0 : old ^ 1);
		write_text(&r, text.data, text.len);
		expect_damaged(&r, "a byte was changed");
		text.data[i] = old;
	}
}

static void A15_garbage_is_set_aside(void **state)
{
	static const char *const garbage[] = {"", "\n", "{}", "certhup-record 1\n",
					      "certhup-record 1\nsha256 00\n"};
	struct record r = make("tls");
	_cleanup_free_ char *large = calloc(1, 100000);

	(void)state;
	written(&r);
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		write_text(&r, garbage[i], strlen(garbage[i]));
		expect_damaged(&r, garbage[i]);
	}
	write_text(&r, large, 100000);
	expect_damaged(&r, "it is large and zero");
	memset(large, 'a', 100000);
	write_text(&r, large, 100000);
	expect_damaged(&r, "it is large");
}

static void A15_record_of_another_version_is_set_aside(void **state)
{
	struct record r = make("tls");
	_cleanup_buf_ struct buf text;

	(void)state;
	written(&r);
	read_text(&r, &text);
	*strchr(text.data, '1') = '2';
	write_text(&r, text.data, text.len);
	expect_damaged(&r, "it has another version");
}

static void A15_record_of_another_volume_is_set_aside(void **state)
{
	struct record r = make("tls");
	struct record other = make("other");
	_cleanup_buf_ struct buf text;

	(void)state;
	written(&r);
	written(&other);
	read_text(&other, &text);
	write_text(&r, text.data, text.len);
	expect_damaged(&r, "it is of another volume");
}

struct visited {
	unsigned good, bad;
	char bad_name[256];
};

static void on_record(void *arg, const struct record *r)
{
	struct visited *v = arg;

	v->good++;
	assert_string_not_equal(r->ref.name, "bad");
}

static void on_bad(void *arg, const char *name, const struct err *e)
{
	struct visited *v = arg;

	v->bad++;
	assert_true(e->message[0] != '\0');
	snprintf(v->bad_name, sizeof(v->bad_name), "%s", name);
}

static void A15_bad_record_never_stops_the_others(void **state)
{
	struct record bad = make("bad");
	struct visited v = {0};
	char path[256];
	struct err e;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct record r = make("tls");

		snprintf(r.ref.pod_uid, sizeof(r.ref.pod_uid), "0a1b2c3d-0000-4000-8000-%012d", i);
		written(&r);
	}
	written(&bad);
	write_text(&bad, "x", 1);
	path_of(&bad, ".tmp", path);
	assert_int_equal(symlink("/nowhere", path), 0);
	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(record_each(state_fd, on_record, on_bad, &v, &e), 0);
	assert_int_equal(v.good, 20);
	assert_int_equal(v.bad, 2);
	v = (struct visited){0};
	assert_int_equal(unlink(path), 0);
	assert_int_equal(record_each(state_fd, on_record, on_bad, &v, &e), 0);
	assert_int_equal(v.good, 20);
	assert_int_equal(v.bad, 0);
}

static void removing_leaves_nothing(void **state)
{
	struct record r = make("tls");
	struct record two = make("two");
	char path[256];
	struct stat st;
	struct err e;

	(void)state;
	written(&r);
	written(&two);
	path_of(&r, ".bad", path);
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_int_equal(record_remove(state_fd, &r.ref, &e), 0);
	assert_int_equal(lstat(path, &st), -1);
	assert_int_equal(record_remove(state_fd, &two.ref, &e), 0);
	assert_int_equal(fstatat(state_fd, r.ref.pod_uid, &st, 0), -1);
	assert_int_equal(record_remove(state_fd, &two.ref, &e), 0);
}

static void names_that_are_no_volumes_are_refused(void **state)
{
	struct record r = make("tls");
	struct err e;

	(void)state;
	memcpy(r.ref.pod_uid, "../../../../../../../../../../etc", 34);
	assert_int_equal(record_write(state_fd, &r, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(record_read(state_fd, &r.ref, &r, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(record_remove(state_fd, &r.ref, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void strings_that_would_break_a_line_are_refused(void **state)
{
	struct record r = make("tls");
	struct err e;

	(void)state;
	memcpy(r.secret, "a\nb", 4);
	assert_int_equal(record_write(state_fd, &r, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	memset(r.secret, 'a', sizeof(r.secret));
	assert_int_equal(record_write(state_fd, &r, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void full_disk_keeps_the_old_record(void **state)
{
	struct record r = make("tls");
	struct record back;
	char path[256];
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(mount("tmpfs", dir, "tmpfs", 0, "size=32k"), 0);
	close(state_fd);
	state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	written(&r);
	path_of(&r, "-fill", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, path, sizeof(path)) > 0)
		;
	close(fd);
	memcpy(r.resource_version, "99", 3);
	assert_int_equal(record_write(state_fd, &r, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_int_equal(record_read(state_fd, &r.ref, &back, &e), 0);
	assert_string_equal(back.resource_version, "18446744073709551616");
	assert_int_equal(unlink(path), 0);
	written(&r);
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(record_comes_back_as_it_was, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(directory_of_a_pod_is_private, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(replacing_is_one_rename, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A15_record_cut_at_any_byte_is_set_aside, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A15_record_with_any_byte_changed_is_set_aside, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A15_garbage_is_set_aside, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A15_record_of_another_version_is_set_aside, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A15_record_of_another_volume_is_set_aside, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A15_bad_record_never_stops_the_others, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(removing_leaves_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(names_that_are_no_volumes_are_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(strings_that_would_break_a_line_are_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(full_disk_keeps_the_old_record, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
