/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect(const struct fingerprint *f, const char *hex)
{
	char is[FINGERPRINT_HEX];

	fingerprint_hex(f, is);
	assert_string_equal(is, hex);
}

/* FIPS 180-2. */
static void hash_is_sha256(void **state)
{
	struct fingerprint f;

	(void)state;
	volume_hash("", 0, &f);
	expect(&f, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	volume_hash("abc", 3, &f);
	expect(&f, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void add(struct content *c, const char *name, const char *bytes)
{
	struct err e;

	assert_int_equal(content_add(c, name, bytes, strlen(bytes), &e), 0);
}

static void content_is_hashed_by_names_lengths_and_bytes_in_order(void **state)
{
	static const char stream[] = "a\0\0\0\0\0\0\0\0\1xb\0\0\0\0\0\0\0\0\0";
	_cleanup_content_ struct content one = {0};
	_cleanup_content_ struct content two = {0};
	struct fingerprint f, g;

	(void)state;
	add(&one, "a", "x");
	add(&one, "b", "");
	volume_fingerprint(&one, &f);
	volume_hash(stream, sizeof(stream) - 1, &g);
	assert_true(fingerprint_equal(&f, &g));
	add(&two, "b", "");
	add(&two, "a", "x");
	volume_fingerprint(&two, &g);
	assert_true(fingerprint_equal(&f, &g));
}

static void what_moves_between_names_and_bytes_changes_the_fingerprint(void **state)
{
	_cleanup_content_ struct content one = {0};
	_cleanup_content_ struct content two = {0};
	struct fingerprint f, g;

	(void)state;
	add(&one, "a", "bc");
	add(&two, "ab", "c");
	volume_fingerprint(&one, &f);
	volume_fingerprint(&two, &g);
	assert_false(fingerprint_equal(&f, &g));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hash_is_sha256),
	    cmocka_unit_test(content_is_hashed_by_names_lengths_and_bytes_in_order),
	    cmocka_unit_test(what_moves_between_names_and_bytes_changes_the_fingerprint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
