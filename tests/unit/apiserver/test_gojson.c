/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/gojson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect_text(const char *json, bool pretty, const char *wanted)
{
	struct err e;
	_cleanup_gojson_ struct json_object *value = gojson_parse(json, strlen(json), &e);
	_cleanup_evbuffer_ struct evbuffer *out = evbuffer_new();
	assert_non_null(value);
	gojson_write(value, pretty, out);
	evbuffer_add(out, "", 1);
	assert_string_equal((const char *)evbuffer_pullup(out, -1), wanted);
}

static void compact_text_is_as_go_writes_it(void **state)
{
	(void)state;
	expect_text("{ \"b\": 1, \"a\": [ true, null, -2.5, \"x\" ], \"c\": {}, \"d\": [] }", false,
		    "{\"b\":1,\"a\":[true,null,-2.5,\"x\"],\"c\":{},\"d\":[]}");
	expect_text("\"<a href='/'>&\\n\\t\\r\\\"\\\\\\u0001\"", false,
		    "\"\\u003ca href='/'\\u003e\\u0026\\n\\t\\r\\\"\\\\\\u0001\"");
}

static void indented_text_has_two_spaces(void **state)
{
	(void)state;
	expect_text(
	    "{\"a\":{\"b\":[1,2],\"c\":{},\"d\":[]}}", true,
	    "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ],\n    \"c\": {},\n    \"d\": "
	    "[]\n  }\n}");
}

static void faults_are_named_in_the_words_of_go(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
	    {"{\"a\":", "unexpected end of JSON input"},
	    {"", "unexpected end of JSON input"},
	    {"x", "invalid character 'x' looking for beginning of value"},
	    {"  x", "invalid character 'x' looking for beginning of value"},
	    {"\x81", "invalid character '\\u0081' looking for beginning of value"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e;
		assert_null(gojson_parse(rows[i].text, strlen(rows[i].text), &e));
		assert_string_equal(e.message, rows[i].message);
	}
}

static void last_of_duplicate_keys_wins(void **state)
{
	(void)state;
	expect_text("{\"a\":1,\"b\":2,\"a\":3}", false, "{\"a\":3,\"b\":2}");
}

static void paths_lead_to_members(void **state)
{
	(void)state;
	struct err e;
	static const char text[] = "{\"a\":{\"b\":\"x\",\"n\":7,\"t\":true}}";
	_cleanup_gojson_ struct json_object *value = gojson_parse(text, strlen(text), &e);
	struct json_object *a = gojson_at(value, "a", NULL);
	assert_string_equal(gojson_text(value, "a", "b", NULL), "x");
	assert_null(gojson_text(value, "a", "n", NULL));
	assert_null(gojson_text(value, "a", "b", "c", NULL));
	assert_null(gojson_at(NULL, "a", NULL));
	assert_int_equal(gojson_int(a, "n", 1), 7);
	assert_int_equal(gojson_int(a, "b", 1), 1);
	assert_true(gojson_bool(a, "t", false));
	assert_false(gojson_bool(a, "n", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(compact_text_is_as_go_writes_it),
	    cmocka_unit_test(indented_text_has_two_spaces),
	    cmocka_unit_test(faults_are_named_in_the_words_of_go),
	    cmocka_unit_test(last_of_duplicate_keys_wins),
	    cmocka_unit_test(paths_lead_to_members),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
