/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The encoder of the RFC, as simple as can be. */
static size_t encode(const uint8_t *in, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16;

		v |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
		v |= i + 2 < len ? in[i + 2] : 0;
		out[n++] = alphabet[v >> 18];
		out[n++] = alphabet[v >> 12 & 63];
		out[n++] = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
		out[n++] = i + 2 < len ? alphabet[v & 63] : '=';
	}
	return n;
}

static int decode(const char *text, size_t max, struct secret *ret, struct err *e)
{
	return base64_decode(text, strlen(text), max, ret, e);
}

static void all_lengths_and_bytes_come_back(void **state _unused_)
{
	for (size_t len = 0; len < 300; len++) {
		_cleanup_secret_ struct secret s = {0};
		uint8_t bytes[300] = {0};
		char text[512] = "";
		struct err e;
		size_t n;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)(i * 31 + len * 7);
		n = encode(bytes, len, text);
		assert_int_equal(base64_decode(text, n, len, &s, &e), 0);
		assert_int_equal(s.len, len);
		if (len)
			assert_memory_equal(s.data, bytes, len);
	}
}

static void each_other_byte_is_refused_at_each_place(void **state _unused_)
{
	for (int c = 0; c < 256; c++)
		for (size_t at = 0; at < 8; at++) {
			_cleanup_secret_ struct secret s = {0};
			char text[] = "QUJDREVG";
			struct err e;

			if (c && strchr(alphabet, c))
				continue;
			if (c == '=' && at == 7)
				continue; /* is padding: see the next test */
			text[at] = (char)c;
			assert_int_equal(base64_decode(text, 8, 100, &s, &e), -1);
			assert_int_equal(e.kind, ERR_INVALID);
			assert_null(s.data);
		}
}

static void only_exact_padding_is_taken(void **state _unused_)
{
	static const char *const bad[] = {
	    "A",    "AA",   "AAA",  "AA=",      "A===",  "====",   "=AAA",
	    "AA=A", "AB==", "AAB=", "AA==AA==", "AAAA=", "AAA=\n", "QUI=QUI="};
	_cleanup_secret_ struct secret s = {0};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(decode(bad[i], 100, &s, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	assert_int_equal(decode("QQ==", 100, &s, &e), 0);
	assert_int_equal(s.len, 1);
	assert_int_equal(s.data[0], 'A');
}

static void the_maximum_is_that_of_the_bytes(void **state _unused_)
{
	_cleanup_secret_ struct secret s = {0};
	struct err e;

	assert_int_equal(decode("QUJD", 2, &s, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_int_equal(decode("QUI=", 2, &s, &e), 0);
	assert_memory_equal(s.data, "AB", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_lengths_and_bytes_come_back),
	    cmocka_unit_test(each_other_byte_is_refused_at_each_place),
	    cmocka_unit_test(only_exact_padding_is_taken),
	    cmocka_unit_test(the_maximum_is_that_of_the_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
