/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/secret.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void holds_a_copy(void **state _unused_)
{
	_cleanup_secret_ struct secret s = {0};
	char from[] = "0123456789";
	struct err e;

	assert_int_equal(secret_copy(&s, from, 10, &e), 0);
	from[0] = 'x';
	assert_int_equal(s.len, 10);
	assert_memory_equal(s.data, "0123456789", 10);
}

static void starts_with_zeros_and_has_room(void **state _unused_)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 1024 * 1024};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		_cleanup_secret_ struct secret s = {0};
		struct err e;

		assert_int_equal(secret_alloc(&s, sizes[i], &e), 0);
		assert_int_equal(s.len, sizes[i]);
		assert_true(s.room >= sizes[i]);
		for (size_t j = 0; j < s.room; j++)
			assert_int_equal(s.data[j], 0);
	}
}

static void more_than_memory_is_refused(void **state _unused_)
{
	struct secret s = {0};
	struct err e;

	assert_int_equal(secret_alloc(&s, SIZE_MAX - 5, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_int_equal(secret_alloc(&s, SIZE_MAX / 4, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_null(s.data);
}

static void done_empties_and_may_be_repeated(void **state _unused_)
{
	struct secret s = {0};
	struct err e;

	secret_done(&s);
	assert_int_equal(secret_copy(&s, "x", 1, &e), 0);
	secret_done(&s);
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	secret_done(&s);
}

static void equal_compares_lengths_and_bytes(void **state _unused_)
{
	_cleanup_secret_ struct secret a = {0};
	_cleanup_secret_ struct secret b = {0};
	_cleanup_secret_ struct secret c = {0};
	_cleanup_secret_ struct secret empty = {0};
	struct err e;

	assert_int_equal(secret_copy(&a, "abcd", 4, &e), 0);
	assert_int_equal(secret_copy(&b, "abcd", 4, &e), 0);
	assert_int_equal(secret_copy(&c, "abce", 4, &e), 0);
	assert_true(secret_equal(&a, &b));
	assert_false(secret_equal(&a, &c));
	b.len = 3;
	assert_false(secret_equal(&a, &b));
	assert_false(secret_equal(&a, &empty));
	assert_true(secret_equal(&empty, &empty));
}

/* VmFlags of the mapping that holds p: "dd" not in core dumps, "lo" locked. */
static bool mapping_has(const void *p, const char *flag)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/smaps", "re");
	char line[1024];
	bool here = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *end;
		uintptr_t from = strtoull(line, &end, 16);

		if (*end == '-')
			here = from <= (uintptr_t)p && (uintptr_t)p < strtoull(end + 1, NULL, 16);
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			return strstr(line, flag) != NULL;
	}
	return false;
}

static void is_left_out_of_core_dumps(void **state _unused_)
{
	_cleanup_secret_ struct secret s = {0};
	struct err e;

	assert_int_equal(secret_copy(&s, "x", 1, &e), 0);
	assert_true(mapping_has(s.data, " dd"));
}

#ifndef __SANITIZE_ADDRESS__ /* which makes mlock do nothing */
static void is_locked(void **state _unused_)
{
	_cleanup_secret_ struct secret s = {0};
	struct err e;

	assert_int_equal(secret_copy(&s, "x", 1, &e), 0);
	assert_true(mapping_has(s.data, " lo"));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holds_a_copy),
	    cmocka_unit_test(starts_with_zeros_and_has_room),
	    cmocka_unit_test(more_than_memory_is_refused),
	    cmocka_unit_test(done_empties_and_may_be_repeated),
	    cmocka_unit_test(equal_compares_lengths_and_bytes),
	    cmocka_unit_test(is_left_out_of_core_dumps),
#ifndef __SANITIZE_ADDRESS__
	    cmocka_unit_test(is_locked),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
