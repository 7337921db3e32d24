/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void names_are_one_harmless_path_component(void **state _unused_)
{
	static const char *const good[] = {"tls.crt", "a", "A-b_c.9", ".hidden", "a..b", "x.."};
	static const char *const bad[] = {"",     ".",       "..",      "..data", "..x",
					  "a/b",  "/",       "a b",     "a\nb",   "t\xc3\xa4",
					  "a\\b", "../../x", "tls.crt/"};
	char longest[LIMIT_FILE_NAME + 2];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(content_name_ok(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(content_name_ok(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[LIMIT_FILE_NAME + 1] = '\0';
	assert_false(content_name_ok(longest));
	longest[LIMIT_FILE_NAME] = '\0';
	assert_true(content_name_ok(longest));
}

static void files_are_copied_and_found(void **state _unused_)
{
	_cleanup_content_ struct content c = {0};
	struct err e;

	assert_int_equal(content_add(&c, "tls.key", "KEY", 3, &e), 0);
	assert_int_equal(content_add(&c, "tls.crt", "", 0, &e), 0);
	assert_int_equal(c.count, 2);
	assert_int_equal(content_size(&c), 3);
	assert_memory_equal(content_find(&c, "tls.key")->bytes.data, "KEY", 3);
	assert_int_equal(content_find(&c, "tls.crt")->bytes.len, 0);
	assert_null(content_find(&c, "ca.crt"));
}

static void bad_and_double_names_are_refused(void **state _unused_)
{
	_cleanup_content_ struct content c = {0};
	struct err e;

	assert_int_equal(content_add(&c, "..data", "x", 1, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(content_add(&c, "a", "x", 1, &e), 0);
	assert_int_equal(content_add(&c, "a", "y", 1, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(c.count, 1);
	assert_memory_equal(content_find(&c, "a")->bytes.data, "x", 1);
}

static void files_and_bytes_are_bounded(void **state _unused_)
{
	static const char big[LIMIT_CONTENT];
	_cleanup_content_ struct content c = {0};
	_cleanup_content_ struct content full = {0};
	struct err e;

	for (int i = 0; i < LIMIT_FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(content_add(&c, name, "x", 1, &e), 0);
	}
	assert_int_equal(content_add(&c, "one-more", "x", 1, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_int_equal(content_add(&full, "a", big, sizeof(big) - 1, &e), 0);
	assert_int_equal(content_add(&full, "b", big, 2, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_int_equal(content_add(&full, "b", big, SIZE_MAX, &e), -1);
	assert_int_equal(content_add(&full, "b", big, 1, &e), 0);
}

static void done_frees_and_may_be_followed_by_use(void **state _unused_)
{
	struct content c = {0};
	struct err e;

	assert_int_equal(content_add(&c, "a", "x", 1, &e), 0);
	content_done(&c);
	assert_int_equal(c.count, 0);
	assert_int_equal(content_add(&c, "a", "y", 1, &e), 0);
	content_done(&c);
	content_done(&c);
}

struct tape {
	char bytes[256];
	size_t len;
};

static void record(void *hash, const void *bytes, size_t len)
{
	struct tape *t = hash;

	assert_true(t->len + len <= sizeof(t->bytes));
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static void digest_is_fed_name_nul_length_bytes_in_order_of_names(void **state _unused_)
{
	static const char expected[] = "B\0\0\0\0\0\0\0\0\2bb"
				       "a\0\0\0\0\0\0\0\0\0"
				       "a.b\0\0\0\0\0\0\0\0\1x";
	_cleanup_content_ struct content c = {0};
	struct tape t = {0};
	struct err e;

	assert_int_equal(content_add(&c, "a.b", "x", 1, &e), 0);
	assert_int_equal(content_add(&c, "a", "", 0, &e), 0);
	assert_int_equal(content_add(&c, "B", "bb", 2, &e), 0);
	content_digest(&c, record, &t);
	assert_int_equal(t.len, sizeof(expected) - 1);
	assert_memory_equal(t.bytes, expected, t.len);
}

static void fingerprints_compare_and_print(void **state _unused_)
{
	struct fingerprint a = {{0}};
	struct fingerprint b = {{0}};
	char hex[FINGERPRINT_HEX];

	assert_false(fingerprint_is_set(&a));
	assert_true(fingerprint_equal(&a, &b));
	a.bytes[0] = 0xab;
	a.bytes[FINGERPRINT_SIZE - 1] = 0x01;
	assert_true(fingerprint_is_set(&a));
	assert_false(fingerprint_equal(&a, &b));
	fingerprint_hex(&a, hex);
	assert_int_equal(strlen(hex), 64);
	assert_memory_equal(hex, "ab00", 4);
	assert_string_equal(hex + 60, "0001");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_one_harmless_path_component),
	    cmocka_unit_test(files_are_copied_and_found),
	    cmocka_unit_test(bad_and_double_names_are_refused),
	    cmocka_unit_test(files_and_bytes_are_bounded),
	    cmocka_unit_test(done_frees_and_may_be_followed_by_use),
	    cmocka_unit_test(digest_is_fed_name_nul_length_bytes_in_order_of_names),
	    cmocka_unit_test(fingerprints_compare_and_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
