/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wipe on free (base/wipe.c, linked into every release program): what a library held and freed is
 * not in this process's memory any more. The marker is never in memory as a whole but where a test
 * puts it, so that the search cannot find itself.
 */
#include "base/buf.h"
#include "base/file.h"
#include "base/secret.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#define MARKER 40
#define TIMES 100 /* as often as the lines of a large key */

/* The marker's i-th byte, computed. */
static char marker_byte(size_t i)
{
	return (char)('A' + (i * 7 + 3) % 26);
}

static size_t count_in(const char *data, size_t len)
{
	size_t found = 0;

	for (size_t at = 0; at + MARKER <= len; at++) {
		size_t i = 0;

		while (i < MARKER && data[at + i] == marker_byte(i))
			i++;
		found += i == MARKER;
	}
	return found;
}

/* How often the marker stands in the writable memory that /proc/self/maps tells of, stacks aside. */
static size_t count_marker(void)
{
	_cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
	_cleanup_close_ int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char line[512];
	size_t found = 0;

	assert_non_null(maps);
	assert_true(mem >= 0);
	while (fgets(line, sizeof(line), maps)) {
		char *end;
		uintptr_t from = strtoull(line, &end, 16);
		uintptr_t to = strtoull(end + 1, &end, 16);
		_cleanup_secret_ struct secret part = {0};
		struct err e;

		if (end[2] != 'w' || strstr(line, "[stack]"))
			continue;
		assert_int_equal(secret_alloc(&part, to - from, &e), 0);
		if (pread(mem, part.data, part.len, (off_t)from) == (ssize_t)part.len)
			found += count_in((const char *)part.data, part.len);
	}
	return found;
}

static void add_markers(struct buf *b)
{
	struct err e;

	for (int n = 0; n < TIMES; n++)
		for (size_t i = 0; i <= MARKER; i++) {
			char c = i < MARKER ? marker_byte(i) : '.';

			assert_int_equal(buf_add(b, &c, 1, &e), 0);
		}
}

static void a_marker_that_is_held_is_found(void **state _unused_)
{
	_cleanup_buf_ struct buf b;

	buf_init(&b, 64 * 1024);
	add_markers(&b);
	assert_in_range(count_marker(), TIMES, 2 * TIMES);
}

static void nothing_is_left_of_a_key_that_json_c_has_freed(void **state _unused_)
{
	_cleanup_buf_ struct buf b;
	struct json_object *json;
	struct err e;

	buf_init(&b, 64 * 1024);
	assert_int_equal(buf_add_str(&b, "{\"data\":{\"tls.key\":\"", &e), 0);
	add_markers(&b);
	assert_int_equal(buf_add_str(&b, "\"}}", &e), 0);
	json = json_tokener_parse(buf_str(&b));
	assert_non_null(json);
	assert_true(count_marker() >= 2 * TIMES);
	json_object_put(json);
	buf_done(&b);
	assert_int_equal(count_marker(), 0);
}

static void realloc_leaves_no_copy_behind(void **state _unused_)
{
	char *p = NULL;

	for (size_t size = 64; size <= 256 * 1024; size *= 2) {
		char *moved = realloc(p, size);

		assert_non_null(moved);
		p = moved;
		for (size_t i = 0; i < MARKER; i++)
			p[i] = marker_byte(i);
	}
	assert_int_equal(count_marker(), 1);
	free(p);
	assert_int_equal(count_marker(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_marker_that_is_held_is_found),
	    cmocka_unit_test(nothing_is_left_of_a_key_that_json_c_has_freed),
	    cmocka_unit_test(realloc_leaves_no_copy_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
