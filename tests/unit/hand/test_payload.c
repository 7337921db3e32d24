/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/payload.h"

#include "tests/lib/pods.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct err e;

/* A payload as bytes: what payload_write makes of a content. */
struct raw {
	uint32_t magic, count;
	struct {
		uint32_t name_len, bytes_len;
	} files[LIMIT_FILES];
	char rest[64];
};

static int memfd_of(const void *data, size_t len, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* One file "a" with the bytes "xyz". */
static struct raw good_raw(void)
{
	_cleanup_content_ struct content c = {0};
	struct raw raw = {0};
	int fd;

	assert_int_equal(content_add(&c, "a", "xyz", 3, &e), 0);
	assert_int_equal(payload_write(&c, &fd, &e), 0);
	assert_int_equal(pread(fd, &raw, sizeof(raw), 0), sizeof(raw) - sizeof(raw.rest) + 4);
	close(fd);
	return raw;
}

static void expect_refused(const struct raw *raw, size_t rest, int seals)
{
	int fd = memfd_of(raw, sizeof(*raw) - sizeof(raw->rest) + rest, seals);
	struct content c = {0};
	uint64_t bytes;

	assert_int_equal(payload_read(fd, &c, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(c.count, 0);
	(void)!payload_measure(fd, &bytes, &e);
	close(fd);
}

static void content_comes_through(void **state)
{
	_cleanup_content_ struct content c, back = {0};
	uint64_t bytes;
	int fd;

	(void)state;
	pair_content(7, &c);
	assert_int_equal(content_add(&c, "empty", "", 0, &e), 0);
	assert_int_equal(payload_write(&c, &fd, &e), 0);
	assert_int_equal(payload_read(fd, &back, &e), 0);
	assert_int_equal(back.count, c.count);
	for (size_t i = 0; i < c.count; i++) {
		assert_string_equal(back.files[i].name, c.files[i].name);
		assert_true(secret_equal(&back.files[i].bytes, &c.files[i].bytes));
	}
	/* Three small files take a page each, the empty one none. */
	assert_int_equal(payload_measure(fd, &bytes, &e), 0);
	assert_int_equal(bytes, 3 * sysconf(_SC_PAGESIZE));
	close(fd);
}

static void largest_content_comes_through(void **state)
{
	_cleanup_content_ struct content c = {0}, back = {0};
	char *big = calloc(1, LIMIT_CONTENT);
	int fd;

	(void)state;
	assert_non_null(big);
	assert_int_equal(content_add(&c, "big", big, LIMIT_CONTENT, &e), 0);
	assert_int_equal(payload_write(&c, &fd, &e), 0);
	assert_int_equal(payload_read(fd, &back, &e), 0);
	assert_int_equal(back.files[0].bytes.len, LIMIT_CONTENT);
	close(fd);
	free(big);
}

static void written_payload_cannot_be_changed(void **state)
{
	_cleanup_content_ struct content c;
	int fd;

	(void)state;
	pair_content(1, &c);
	assert_int_equal(payload_write(&c, &fd, &e), 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & ALL, ALL);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
}

static void each_missing_seal_is_refused(void **state)
{
	static const int without[] = {0, ALL & ~F_SEAL_SHRINK, ALL & ~F_SEAL_GROW,
				      ALL & ~F_SEAL_WRITE, ALL & ~F_SEAL_SEAL};
	struct raw raw = good_raw();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		expect_refused(&raw, 4, without[i]);
}

static void other_descriptors_are_refused(void **state)
{
	static const char *const paths[] = {"/dev/zero", "/proc/self/exe", "/dev/null", "/"};
	struct content c = {0};
	int pipes[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		assert_int_equal(payload_read(fd, &c, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		close(fd);
	}
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(payload_read(pipes[0], &c, &e), -1); /* and does not wait */
	assert_int_equal(e.kind, ERR_INVALID);
	close(pipes[0]);
	close(pipes[1]);
}

static void each_wrong_field_is_refused(void **state)
{
	const struct raw good = good_raw();
	struct raw raw;

	(void)state;
	raw = good;
	raw.magic++;
	expect_refused(&raw, 4, ALL);
	raw = good;
	raw.count = 2;
	expect_refused(&raw, 4, ALL);
	raw.count = LIMIT_FILES + 1;
	expect_refused(&raw, 4, ALL);
	raw.count = UINT32_MAX;
	expect_refused(&raw, 4, ALL);
	raw = good;
	raw.count = 0;
	expect_refused(&raw, 4, ALL);
	raw = good;
	raw.files[0].name_len = 0;
	expect_refused(&raw, 4, ALL);
	raw.files[0].name_len = UINT32_MAX;
	expect_refused(&raw, 4, ALL);
	raw = good;
	raw.files[0].bytes_len = 4;
	expect_refused(&raw, 4, ALL);
	raw.files[0].bytes_len = UINT32_MAX;
	expect_refused(&raw, 4, ALL);
	raw = good;
	raw.files[1].bytes_len = 1;
	expect_refused(&raw, 5, ALL);
	raw = good;
	expect_refused(&raw, 3, ALL);
	expect_refused(&raw, 5, ALL);
	expect_refused(&raw, 0, ALL);
}

static void bad_names_are_refused(void **state)
{
	static const char *const names[] = {"..", ".", "..data", "a/b", "/", "a\nb", "a b", "\xff"};
	const struct raw good = good_raw();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct raw raw = good;

		raw.files[0].name_len = (uint32_t)strlen(names[i]);
		memcpy(raw.rest, names[i], strlen(names[i]));
		expect_refused(&raw, strlen(names[i]) + 3, ALL);
	}
	for (int at = 0; at < 3; at++) {
		struct raw raw = good;

		raw.files[0].name_len = 3;
		memcpy(raw.rest, "abc", 3);
		raw.rest[at] = '\0';
		expect_refused(&raw, 6, ALL);
	}
}

static void two_files_of_one_name_are_refused(void **state)
{
	struct raw raw = good_raw();

	(void)state;
	raw.count = 2;
	raw.files[1] = raw.files[0];
	memcpy(raw.rest + 4, raw.rest, 4);
	expect_refused(&raw, 8, ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(content_comes_through),
	    cmocka_unit_test(largest_content_comes_through),
	    cmocka_unit_test(written_payload_cannot_be_changed),
	    cmocka_unit_test(each_missing_seal_is_refused),
	    cmocka_unit_test(other_descriptors_are_refused),
	    cmocka_unit_test(each_wrong_field_is_refused),
	    cmocka_unit_test(bad_names_are_refused),
	    cmocka_unit_test(two_files_of_one_name_are_refused),
	};

	return cmocka_run_group_tests_name("hand/payload", tests, NULL, NULL);
}
