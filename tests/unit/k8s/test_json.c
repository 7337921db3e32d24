/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/json.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	struct err e = {0};

	if (json_parse(text, strlen(text), &j, &e) < 0)
		fail_msg("%s: %s", text, e.message);
	return j;
}

static enum err_kind refusal(const char *text, size_t len)
{
	_cleanup_json_ struct json *j = NULL;
	struct err e = {0};

	if (json_parse(text, len, &j, &e) == 0)
		fail_msg("was taken: %.60s", text);
	assert_null(j);
	assert_true(e.message[0]);
	return e.kind;
}

static void values_are_read_by_type(void **state _unused_)
{
	_cleanup_json_ struct json *j =
	    parse(" {\"s\":\"text\",\"i\":-7,\"b\":true,\"d\":1.5,\"n\":null,\"a\":[1,\"x\",{}],"
		  "\"o\":{\"in\":{\"ner\":\"deep\"}}}\n");

	assert_string_equal(json_text(j, "s", NULL), "text");
	assert_string_equal(json_text(j, "o", "in", "ner", NULL), "deep");
	assert_null(json_text(j, "o", "in", NULL));
	assert_null(json_text(j, "s", "beyond", NULL));
	assert_null(json_at(j, "absent", "deeper", NULL));
	assert_int_equal(json_int(json_at(j, "i", NULL), 0), -7);
	assert_int_equal(json_int(json_at(j, "s", NULL), 42), 42);
	assert_true(json_bool(json_at(j, "b", NULL), false));
	assert_true(json_bool(json_at(j, "n", NULL), true));
	assert_int_equal(json_type(json_at(j, "d", NULL)), JSON_DOUBLE);
	assert_int_equal(json_type(json_at(j, "n", NULL)), JSON_NULL);
	assert_int_equal(json_length(json_at(j, "a", NULL)), 3);
	assert_string_equal(json_string(json_item(json_at(j, "a", NULL), 1)), "x");
	assert_null(json_item(json_at(j, "a", NULL), 3));
	assert_int_equal(json_length(j), 7);
	assert_int_equal(json_length(json_at(j, "s", NULL)), 0);
}

static void documents_may_be_scalars(void **state _unused_)
{
	static const struct {
		const char *text;
		enum json_type type;
	} docs[] = {{"12", JSON_INT},    {" \"x\" ", JSON_STRING}, {"true\n", JSON_BOOL},
		    {"null", JSON_NULL}, {"-0.5e3", JSON_DOUBLE},  {"[]", JSON_ARRAY}};

	for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
		_cleanup_json_ struct json *j = parse(docs[i].text);

		assert_int_equal(json_type(j), docs[i].type);
	}
}

static void what_is_not_strict_json_is_refused(void **state _unused_)
{
	static const char *const bad[] = {"",
					  " ",
					  "{",
					  "{\"a\":1",
					  "{\"a\":1}}",
					  "{\"a\":1} x",
					  "{\"a\":1}{}",
					  "{\"a\":NaN}",
					  "{\"a\":01}",
					  "{\"a\":1.}",
					  "{\"a\":1. }",
					  "1.",
					  "{\"a\":-}",
					  "{'a':1}",
					  "{\"a\":1,}",
					  "[1,]",
					  "/*x*/{}",
					  "{\"a\":True}",
					  "{\"a\":\"\\x\"}",
					  "[1 2]",
					  "{\"a\" 1}",
					  "{a:1}",
					  "[]]",
					  "[}",
					  "{\"a\":\"x",
					  "{\"a\":[}]",
					  "\"\\u12g4\"",
					  "{\"a\":\"\t\"}",
					  "{\"a\":\"\n\"}",
					  "nul",
					  "1 2",
					  "{\"a\":\"\\u0000\"}",
					  "{\"a\":Infinity}"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(refusal(bad[i], strlen(bad[i])), ERR_INVALID);
	assert_int_equal(refusal("{\"a\":\"x\0y\"}", 11), ERR_INVALID);
	assert_int_equal(refusal("{}\0", 3), ERR_INVALID);
}

static void invalid_utf8_is_refused(void **state _unused_)
{
	static const char *const bad[] = {"\x80",
					  "\xc3",
					  "\xc0\xaf",
					  "\xe0\x80\x80",
					  "\xed\xa0\x80",
					  "\xf4\x90\x80\x80",
					  "\xf0\x80\x80\x80",
					  "\xff",
					  "\xe2\x82",
					  "\xc3\xc3\xa9",
					  "a\xa9"};
	static const char *const good[] = {"\xc3\xa9",     "\xe2\x82\xac",     "\xf0\x9f\x94\x91",
					   "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf", "\xe0\xa0\x80"};
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "{\"k\":\"%s\"}", bad[i]);
		assert_int_equal(refusal(text, strlen(text)), ERR_INVALID);
		snprintf(text, sizeof(text), "{\"%s\":1}", bad[i]);
		assert_int_equal(refusal(text, strlen(text)), ERR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		_cleanup_json_ struct json *j = NULL;

		snprintf(text, sizeof(text), "{\"k\":\"%s\"}", good[i]);
		j = parse(text);
		assert_string_equal(json_text(j, "k", NULL), good[i]);
	}
}

static void depth_is_bounded(void **state _unused_)
{
	enum {
		DEEP = 100000
	};
	_cleanup_free_ char *text = malloc(2 * DEEP);
	_cleanup_json_ struct json *j = NULL;
	struct err e = {0};

	assert_non_null(text);
	memset(text, '[', DEEP);
	memset(text + DEEP, ']', DEEP);
	assert_int_equal(refusal(text, (size_t)2 * DEEP), ERR_EXHAUSTED);
	assert_int_equal(refusal(text + DEEP - LIMIT_JSON_DEPTH - 1, 2 * LIMIT_JSON_DEPTH + 2),
			 ERR_EXHAUSTED);
	assert_int_equal(
	    json_parse(text + DEEP - LIMIT_JSON_DEPTH, (size_t)2 * LIMIT_JSON_DEPTH, &j, &e), 0);
}

/* An array of n numbers. */
static size_t write_numbers(char *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = i ? ',' : '[';
		to[2 * i + 1] = '1';
	}
	to[2 * n] = ']';
	return 2 * n + 1;
}

static void the_number_of_values_is_bounded(void **state _unused_)
{
	_cleanup_free_ char *text = malloc(2 * LIMIT_JSON_VALUES + 10);
	_cleanup_json_ struct json *j = NULL;
	struct err e = {0};

	assert_non_null(text);
	assert_int_equal(refusal(text, write_numbers(text, LIMIT_JSON_VALUES + 1)), ERR_EXHAUSTED);
	assert_int_equal(json_parse(text, write_numbers(text, LIMIT_JSON_VALUES), &j, &e), 0);
	assert_int_equal(json_length(j), LIMIT_JSON_VALUES);
}

static void of_duplicate_keys_the_last_wins(void **state _unused_)
{
	_cleanup_json_ struct json *j = parse("{\"k\":\"first\",\"k\":\"second\"}");

	assert_string_equal(json_text(j, "k", NULL), "second");
	assert_int_equal(json_length(j), 1);
}

static void managed_fields_are_skipped(void **state _unused_)
{
	_cleanup_json_ struct json *j =
	    parse("{\"metadata\":{\"name\":\"a\",\"managedFields\" : [ "
		  "{\"f:x\":{\"]\":\"\\\"]}\"}}, [[]] ],"
		  "\"uid\":\"u\"},\"managedFields\":\"kept\",\"v\":\"managedFields\",\"l\":[1]}");

	assert_int_equal(json_length(json_at(j, "metadata", "managedFields", NULL)), 0);
	assert_int_equal(json_type(json_at(j, "metadata", "managedFields", NULL)), JSON_ARRAY);
	assert_string_equal(json_text(j, "metadata", "uid", NULL), "u");
	assert_string_equal(json_text(j, "managedFields", NULL), "kept");
	assert_int_equal(json_length(json_at(j, "l", NULL)), 1);
}

static int count_until_stop(void *arg, const char *key, const struct json *value _unused_)
{
	int *n = arg;

	++*n;
	return strcmp(key, "stop") == 0 ? 9 : 0;
}

static void members_are_walked_until_told_to_stop(void **state _unused_)
{
	_cleanup_json_ struct json *j = parse("{\"a\":1,\"stop\":2,\"c\":null}");
	_cleanup_json_ struct json *k = parse("{\"a\":1,\"b\":null}");
	int n = 0;

	assert_int_equal(json_each(j, count_until_stop, &n), 9);
	assert_int_equal(n, 2);
	assert_int_equal(json_each(k, count_until_stop, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(json_each(NULL, count_until_stop, &n), 0);
}

static void base64_goes_to_secret_memory(void **state _unused_)
{
	_cleanup_json_ struct json *j = parse(
	    "{\"v\":\"aGVsbG8=\",\"e\":\"\",\"bad\":\"aGVsbG8\",\"nl\":\"aGVs\\nbG8=\",\"n\":1}");
	_cleanup_secret_ struct secret s = {0};
	_cleanup_secret_ struct secret empty = {0};
	struct err e = {0};

	assert_int_equal(json_base64(json_at(j, "v", NULL), 5, &s, &e), 0);
	assert_int_equal(s.len, 5);
	assert_memory_equal(s.data, "hello", 5);
	assert_int_equal(json_base64(json_at(j, "e", NULL), 5, &empty, &e), 0);
	assert_int_equal(empty.len, 0);
	assert_int_equal(json_base64(json_at(j, "v", NULL), 4, &empty, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_int_equal(json_base64(json_at(j, "bad", NULL), 9, &empty, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(json_base64(json_at(j, "nl", NULL), 9, &empty, &e), -1);
	assert_int_equal(json_base64(json_at(j, "n", NULL), 9, &empty, &e), -1);
	assert_int_equal(json_base64(NULL, 9, &empty, &e), -1);
}

static void what_is_built_is_written(void **state _unused_)
{
	_cleanup_json_ struct json *j = json_new_object();
	_cleanup_buf_ struct buf b;
	struct json *list = json_new_array();
	struct err e = {0};

	buf_init(&b, 1000);
	assert_int_equal(json_append_string(list, "a/b"), 0);
	assert_int_equal(json_append(list, NULL), 0);
	assert_int_equal(json_set_string(j, "s", "q\"\n"), 0);
	assert_int_equal(json_set_string(j, "none", NULL), 0);
	assert_int_equal(json_set_int(j, "i", INT64_MIN), 0);
	assert_int_equal(json_set_bool(j, "b", true), 0);
	assert_int_equal(json_set(j, "l", list), 0);
	assert_int_equal(json_write(j, false, &b, &e), 0);
	assert_string_equal(buf_str(&b),
			    "{\"s\":\"q\\\"\\n\",\"i\":-9223372036854775808,\"b\":true,"
			    "\"l\":[\"a/b\",null]}");
	buf_reset(&b);
	assert_int_equal(json_write(j, true, &b, &e), 0);
	assert_non_null(strchr(buf_str(&b), '\n'));
}

static void a_document_over_the_limit_is_refused(void **state _unused_)
{
	_cleanup_free_ char *text = malloc(LIMIT_BODY + 1);

	assert_non_null(text);
	memset(text, ' ', LIMIT_BODY + 1);
	assert_int_equal(refusal(text, LIMIT_BODY + 1), ERR_EXHAUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_read_by_type),
	    cmocka_unit_test(documents_may_be_scalars),
	    cmocka_unit_test(what_is_not_strict_json_is_refused),
	    cmocka_unit_test(invalid_utf8_is_refused),
	    cmocka_unit_test(depth_is_bounded),
	    cmocka_unit_test(the_number_of_values_is_bounded),
	    cmocka_unit_test(of_duplicate_keys_the_last_wins),
	    cmocka_unit_test(managed_fields_are_skipped),
	    cmocka_unit_test(members_are_walked_until_told_to_stop),
	    cmocka_unit_test(base64_goes_to_secret_memory),
	    cmocka_unit_test(what_is_built_is_written),
	    cmocka_unit_test(a_document_over_the_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
