/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/json_stream.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What a stream said: values as compact JSON and "!kind" for a refused one, a line each. */
struct heard {
	struct buf text;
};

static void note(struct heard *h, struct json *value)
{
	struct err e;

	assert_int_equal(json_write(value, false, &h->text, &e), 0);
	assert_int_equal(buf_add_str(&h->text, "\n", &e), 0);
	json_free(value);
}

static void on_value(void *arg, struct json *value)
{
	note(arg, value);
}

static void on_item(void *arg, struct json *item)
{
	struct heard *h = arg;
	struct err e;

	assert_int_equal(buf_add_str(&h->text, "item ", &e), 0);
	note(h, item);
}

static void on_bad(void *arg, const struct err *why)
{
	struct heard *h = arg;
	struct err e;

	assert_true(why->message[0]);
	assert_int_equal(buf_printf(&h->text, &e, "!%s\n", err_meaning(why->kind)->label), 0);
}

static const struct json_stream_callbacks callbacks = {on_value, on_bad, on_item};

/* Feeds the text in pieces cut at first, and then of each size. Returns json_stream_end's result. */
static int feed(struct heard *h, enum json_stream_mode mode, const char *data, size_t len,
		size_t first, size_t size)
{
	_cleanup_(json_stream_freep) struct json_stream *s = NULL;
	struct err e;

	buf_init(&h->text, MIB);
	assert_int_equal(json_stream_new(mode, 300, &callbacks, h, &s, &e), 0);
	json_stream_feed(s, data, first);
	for (size_t at = first; at < len; at += size) {
		size_t n = len - at < size ? len - at : size;
		/* In memory of its own, so that a read beyond it is seen. */
		_cleanup_free_ char *piece = malloc(n);

		assert_non_null(piece);
		memcpy(piece, data + at, n);
		json_stream_feed(s, piece, n);
	}
	return json_stream_end(s, &e);
}

static void expect(enum json_stream_mode mode, const char *data, size_t len, const char *says)
{
	static const size_t sizes[] = {1, 2, 3, 7, 64, 100000};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t first = 0; first <= len && first < 600; first++) {
			struct heard h;

			if (sizes[i] != 100000 && first > 3)
				break;
			(void)feed(&h, mode, data, len, first, sizes[i]);
			if (strcmp(buf_str(&h.text), says) != 0)
				fail_msg("cut at %zu and each %zu:\n%s\nnot\n%s", first, sizes[i],
					 buf_str(&h.text), says);
			buf_done(&h.text);
		}
}

static void says(const char *data, const char *what)
{
	expect(JSON_STREAM_MANY, data, strlen(data), what);
}

#define GOOD "{\"type\":\"ADDED\",\"object\":{\"n\":[1,\"x\\u00e9\\\\\\\"\xc3\xa9\"]}}"
#define SAID "{\"type\":\"ADDED\",\"object\":{\"n\":[1,\"x\xc3\xa9\\\\\\\"\xc3\xa9\"]}}\n"

static void B5_values_are_whole_wherever_the_stream_is_cut(void **state _unused_)
{
	says(GOOD "\n" GOOD "\n", SAID SAID);
	says(GOOD "\r\n" GOOD "\r\n\r\n", SAID SAID);
	says(GOOD GOOD " " GOOD, SAID SAID SAID);
	says("\n\n {\"a\":\n  {\n\t}\n}\n", "{\"a\":{}}\n");
	says("{\"a\":1}\n{\"b\":[\n{\n\"c\":2}]}\n", "{\"a\":1}\n{\"b\":[{\"c\":2}]}\n");
	says("", "");
}

static void B5_a_value_that_is_cut_off_is_dropped(void **state _unused_)
{
	const char *data = GOOD "\n" GOOD;

	for (size_t len = strlen(GOOD); len < strlen(data); len++)
		expect(JSON_STREAM_MANY, data, len, SAID);
}

static void B5_a_bad_value_is_refused_alone(void **state _unused_)
{
	says("{\"a\":\"\xff\xfe\"}\n" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":\"x\\u0000y\"}\n" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":\"\x01\"}" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":nul}" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":NaN}" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":1,}" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\" 1}" GOOD, "!invalid\n" SAID);
	says("{\"a\":[}\n" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":1]\n" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":\"not closed}\n" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":\"\\u12\"}\n" GOOD "\n", "!invalid\n" SAID);
	says("{\"a\":{\"b\":1\n" GOOD "\n" GOOD "\n", "!invalid\n" SAID SAID);
	says("]\n" GOOD "\n", "!invalid\n" SAID);
	says("<html>\n<p>\n" GOOD "\n", "!invalid\n" SAID);
	says("\"text\" 17\n" GOOD "\n", "!invalid\n" SAID);
	expect(JSON_STREAM_MANY, "{\"a\":\"x\0y\"}\n{}", 14, "!invalid\n{}\n");
	expect(JSON_STREAM_MANY, "{\"a\":1\0}\n{}", 11, "!invalid\n{}\n");
}

static void B5_a_value_over_the_limit_is_refused_alone(void **state _unused_)
{
	char text[1000];
	size_t len = (size_t)snprintf(text, sizeof(text), "{\"a\":\"");

	memset(text + len, 'x', 295);
	len += 295;
	snprintf(text + len, sizeof(text) - len, "\"}\n%s\n", GOOD);
	says(text, "!exhausted\n" SAID);
}

static void B5_a_value_nested_too_deep_is_refused_alone(void **state _unused_)
{
	enum {
		DEEP = 100000
	};
	_cleanup_free_ char *text = malloc(2 * DEEP + 200);
	struct heard h;
	size_t len;

	assert_non_null(text);
	snprintf(text, 100, "{\"a\":");
	memset(text + 5, '[', DEEP);
	memset(text + 5 + DEEP, ']', DEEP);
	len = 5 + 2 * DEEP;
	len += (size_t)snprintf(text + len, 100, "}\n%s\n", GOOD);
	assert_int_equal(feed(&h, JSON_STREAM_MANY, text, len, 0, 1000), 0);
	assert_string_equal(buf_str(&h.text), "!exhausted\n" SAID);
	buf_done(&h.text);
}

static void B5_of_duplicate_keys_the_last_wins(void **state _unused_)
{
	says("{\"a\":1,\"b\":{\"c\":1},\"a\":2,\"b\":{\"d\":2}}", "{\"a\":2,\"b\":{\"d\":2}}\n");
}

static void managed_fields_cost_nothing_however_they_are_cut(void **state _unused_)
{
	char text[2000];
	size_t len = (size_t)snprintf(text, sizeof(text), "{\"managedFields\" : \n[[\"");

	/* Far over the limit of one value. */
	memset(text + len, 'x', 1000);
	len += 1000;
	snprintf(text + len, sizeof(text) - len, "]\\\"\"],{\"b\":{}}],\"c\":3}\n");
	says(text, "{\"managedFields\":[],\"c\":3}\n");
	says("{\"managed\xc3\xa9"
	     "Fields\":[1],\"managedFieldsX\":[2],\"managedFields\":{\"a\":[3]},"
	     "\"l\":[\"managedFields\",[4]]}",
	     "{\"managed\xc3\xa9"
	     "Fields\":[1],\"managedFieldsX\":[2],\"managedFields\":{\"a\":[3]},"
	     "\"l\":[\"managedFields\",[4]]}\n");
}

static void list_says(const char *data, int result, const char *what)
{
	struct heard h;

	expect(JSON_STREAM_LIST, data, strlen(data), what);
	assert_int_equal(feed(&h, JSON_STREAM_LIST, data, strlen(data), 0, 5), result);
	buf_done(&h.text);
}

static void the_items_of_a_list_are_told_one_by_one(void **state _unused_)
{
	list_says("{\"kind\":\"L\",\"metadata\":{\"items\":[{\"x\":1}]},\"items\":[{\"a\":1},\n"
		  "{\"items\":[{}]}],\"z\":[{}]}\n",
		  0,
		  "item {\"a\":1}\nitem {\"items\":[{}]}\n"
		  "{\"kind\":\"L\",\"metadata\":{\"items\":[{\"x\":1}]},\"items\":[null,null],"
		  "\"z\":[{}]}\n");
	list_says("{\"items\":[]}", 0, "{\"items\":[]}\n");
	list_says("{\"items\":null}", 0, "{\"items\":null}\n");
}

static void a_bad_item_of_a_list_is_refused_alone(void **state _unused_)
{
	list_says("{\"items\":[{\"a\":\"\xff\"},{\"b\":nul},{\"c\":3}]}", 0,
		  "!invalid\n!invalid\nitem {\"c\":3}\n{\"items\":[null,null,null]}\n");
}

static void a_list_that_is_not_whole_is_refused(void **state _unused_)
{
	static const char *const bad[] = {"{\"items\":[{\"a\":1}",
					  "{\"items\":[{\"a\":1}]",
					  "{\"items\":[{\"a\":1},]}",
					  "{\"items\":[{\"a\":1}{}]}",
					  "{\"items\":[{\"a\":1}]}{}",
					  "{\"items\":[{\"a\":1]}",
					  "[{\"items\":[]}]",
					  "",
					  ""};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct heard h;

		if (feed(&h, JSON_STREAM_LIST, bad[i], strlen(bad[i]), 0, 4) == 0)
			fail_msg("was taken: %s", bad[i]);
		assert_null(strstr(buf_str(&h.text), "items"));
		buf_done(&h.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(B5_values_are_whole_wherever_the_stream_is_cut),
	    cmocka_unit_test(B5_a_value_that_is_cut_off_is_dropped),
	    cmocka_unit_test(B5_a_bad_value_is_refused_alone),
	    cmocka_unit_test(B5_a_value_over_the_limit_is_refused_alone),
	    cmocka_unit_test(B5_a_value_nested_too_deep_is_refused_alone),
	    cmocka_unit_test(B5_of_duplicate_keys_the_last_wins),
	    cmocka_unit_test(managed_fields_cost_nothing_however_they_are_cut),
	    cmocka_unit_test(the_items_of_a_list_are_told_one_by_one),
	    cmocka_unit_test(a_bad_item_of_a_list_is_refused_alone),
	    cmocka_unit_test(a_list_that_is_not_whole_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
