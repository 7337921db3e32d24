/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What the store told, as text: "+ns/a@11 *ns/a@12 -ns/a@13 ". */
struct heard {
	char text[256];
};

static void hear(void *arg, const struct change *change)
{
	struct heard *h = arg;
	size_t len = strlen(h->text);
	snprintf(h->text + len, sizeof(h->text) - len, "%c%s/%s@%s ", "+*-"[change->type],
		 gojson_text(change->object, "metadata", "namespace", NULL),
		 gojson_text(change->object, "metadata", "name", NULL),
		 gojson_text(change->object, "metadata", "resourceVersion", NULL));
}

static void put(struct store *s, const char *ns, const char *name)
{
	char text[128];
	struct err e;
	snprintf(text, sizeof(text), "{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\"}}", ns,
		 name);
	store_put(s, "secrets", gojson_parse(text, strlen(text), &e));
}

/* The names in a list and their versions: "x/a@11 x/b@12 ". */
static const char *names(struct json_object *list, char *ret, size_t size)
{
	size_t len = 0;
	*ret = '\0';
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		len += (size_t)snprintf(ret + len, size - len, "%s/%s@%s ",
					gojson_text(o, "metadata", "namespace", NULL),
					gojson_text(o, "metadata", "name", NULL),
					gojson_text(o, "metadata", "resourceVersion", NULL));
	}
	return ret;
}

static void expect_list(struct store *s, const char *ns, uint64_t rv, const char *wanted)
{
	char text[256];
	_cleanup_gojson_ struct json_object *list = store_list(s, "secrets", ns, rv);
	assert_non_null(list);
	assert_string_equal(names(list, text, sizeof(text)), wanted);
}

static void list_is_ordered_by_namespace_and_name(void **state)
{
	(void)state;
	struct store *s = store_new(10, 8, NULL, NULL);
	put(s, "y", "a");
	put(s, "x", "b");
	put(s, "x", "a");
	expect_list(s, NULL, 0, "x/a@13 x/b@12 y/a@11 ");
	expect_list(s, "x", 0, "x/a@13 x/b@12 ");
	expect_list(s, "none", 0, "");
	store_free(s);
}

static void every_write_counts_and_is_told(void **state)
{
	(void)state;
	struct heard h = {0};
	struct store *s = store_new(10, 8, hear, &h);
	put(s, "x", "a");
	put(s, "x", "a");
	store_delete(s, "secrets", "x", "a");
	store_delete(s, "secrets", "x", "a");
	assert_string_equal(h.text, "+x/a@11 *x/a@12 -x/a@13 ");
	assert_int_equal(store_rv(s), 13);
	assert_null(store_get(s, "secrets", "x", "a"));
	store_free(s);
}

static void past_states_are_listed_until_compaction(void **state)
{
	(void)state;
	struct store *s = store_new(10, 8, NULL, NULL);
	put(s, "x", "a");
	put(s, "x", "b");
	put(s, "x", "a");
	store_delete(s, "secrets", "x", "b");
	expect_list(s, "x", 10, "");
	expect_list(s, "x", 11, "x/a@11 ");
	expect_list(s, "x", 12, "x/a@11 x/b@12 ");
	expect_list(s, "x", 13, "x/a@13 x/b@12 ");
	expect_list(s, "x", 14, "x/a@13 ");
	store_compact(s);
	assert_null(store_list(s, "secrets", "x", 13));
	expect_list(s, "x", 14, "x/a@13 ");
	store_free(s);
}

static void watch_goes_back_as_far_as_the_window(void **state)
{
	(void)state;
	uint64_t oldest = 0;
	struct heard h = {0};
	struct store *s = store_new(10, 2, NULL, NULL);
	put(s, "x", "a");
	put(s, "x", "b");
	assert_true(store_can_watch(s, 10, &oldest));
	put(s, "x", "c");
	assert_false(store_can_watch(s, 10, &oldest));
	assert_int_equal(oldest, 11);
	assert_true(store_can_watch(s, 11, &oldest));
	store_replay(s, 11, hear, &h);
	assert_string_equal(h.text, "+x/b@12 +x/c@13 ");
	assert_null(store_list(s, "secrets", "x", 10));
	store_free(s);
}

static void after_a_restart_the_newest_version_is_too_old(void **state)
{
	(void)state;
	uint64_t oldest = 0;
	struct store *s = store_new(10, 8, NULL, NULL);
	put(s, "x", "a");
	uint64_t before = store_rv(s);
	store_forget(s);
	assert_false(store_can_watch(s, before, &oldest));
	assert_true(store_can_watch(s, store_rv(s), &oldest));
	store_free(s);
}

static void restore_brings_objects_and_counter_back_silently(void **state)
{
	(void)state;
	struct heard h = {0};
	struct store *s = store_new(10, 8, hear, &h);
	assert_false(store_restore(s));
	put(s, "x", "a");
	store_save(s);
	put(s, "x", "a");
	put(s, "x", "b");
	h = (struct heard){0};
	assert_true(store_restore(s));
	assert_string_equal(h.text, "");
	assert_int_equal(store_rv(s), 11);
	expect_list(s, "x", 0, "x/a@11 ");
	put(s, "x", "a");
	assert_string_equal(h.text, "*x/a@12 ");
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(list_is_ordered_by_namespace_and_name),
	    cmocka_unit_test(every_write_counts_and_is_told),
	    cmocka_unit_test(past_states_are_listed_until_compaction),
	    cmocka_unit_test(watch_goes_back_as_far_as_the_window),
	    cmocka_unit_test(after_a_restart_the_newest_version_is_too_old),
	    cmocka_unit_test(restore_brings_objects_and_counter_back_silently),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
