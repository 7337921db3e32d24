/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void is_made_of_names_lengths_and_bytes(void **state _unused_)
{
	/* printf 'a\0\0\0\0\0\0\0\0\2xyb\0\0\0\0\0\0\0\0\0' | sha256sum */
	static const char expected[] =
	    "7e0e14a95f02da42fd1f099224a4444d17f9417cd82671332c4a57386870398f";
	_cleanup_content_ struct content c = {0};
	struct fingerprint f;
	char hex[FINGERPRINT_HEX];
	struct err e;

	assert_int_equal(content_add(&c, "b", "", 0, &e), 0);
	assert_int_equal(content_add(&c, "a", "xy", 2, &e), 0);
	assert_int_equal(cert_content_fingerprint(&c, &f, &e), 0);
	fingerprint_hex(&f, hex);
	assert_string_equal(hex, expected);
}

static void changes_with_every_part(void **state _unused_)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
	} files[] = {{"a", "x", 1}, {"b", "x", 1}, {"a", "y", 1}, {"a", "x", 0}, {"ab", "x", 1}};
	struct fingerprint f[ARRAY_LEN(files)];
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_content_ struct content c = {0};

		assert_int_equal(content_add(&c, files[i].name, files[i].bytes, files[i].len, &e),
				 0);
		assert_int_equal(cert_content_fingerprint(&c, &f[i], &e), 0);
		for (size_t j = 0; j < i; j++)
			assert_false(fingerprint_equal(&f[i], &f[j]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_made_of_names_lengths_and_bytes),
	    cmocka_unit_test(changes_with_every_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
