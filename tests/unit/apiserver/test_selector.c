/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct json_object *parse(const char *text)
{
	struct err e;
	struct json_object *object = gojson_parse(text, strlen(text), &e);
	assert_non_null(object);
	return object;
}

static void labels_select_as_kubectl_does(void **state)
{
	static const struct {
		const char *selector;
		bool takes;
	} rows[] = {
	    {NULL, true},
	    {"app=web", true},
	    {"app==web", true},
	    {"app=other", false},
	    {"app!=web", false},
	    {"app!=other", true},
	    {"none!=x", true},
	    {"app", true},
	    {"none", false},
	    {"!none", true},
	    {"!app", false},
	    {"app in (web, db)", true},
	    {"app in (db)", false},
	    {"app notin (db)", true},
	    {"app notin (web,db)", false},
	    {"app=web,tier=front", true},
	    {"app=web,tier=back", false},
	    {"app in (web,db),tier", true},
	    {"app=we", false},
	};
	(void)state;
	_cleanup_gojson_ struct json_object *object =
	    parse("{\"metadata\":{\"labels\":{\"app\":\"web\",\"tier\":\"front\"}}}");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct selector s;
		_cleanup_failure_ struct failure f = {0};
		assert_int_equal(selector_parse_labels(rows[i].selector, &s, &f), 0);
		if (selector_takes_labels(&s, object) != rows[i].takes)
			fail_msg("%s", rows[i].selector);
		selector_done(&s);
	}
}

static void fields_select_what_the_resource_allows(void **state)
{
	(void)state;
	struct selector s;
	_cleanup_failure_ struct failure f = {0};
	const struct resource *pods = resource_by_plural("pods");
	_cleanup_gojson_ struct json_object *pod =
	    parse("{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"n1\"}}");
	assert_int_equal(selector_parse_fields(pods, "spec.nodeName=n1,metadata.name!=q", &s, &f),
			 0);
	assert_true(selector_takes_fields(&s, pod));
	selector_done(&s);
	assert_int_equal(selector_parse_fields(pods, "spec.nodeName=n2", &s, &f), 0);
	assert_false(selector_takes_fields(&s, pod));
	selector_done(&s);
	assert_int_equal(selector_parse_fields(pods, "spec.nodeName=", &s, &f), 0);
	assert_false(selector_takes_fields(&s, pod));
	selector_done(&s);
	assert_int_equal(selector_parse_fields(pods, "spec.hostname=x", &s, &f), -1);
	assert_int_equal(f.code, 400);
}

static void name_is_what_an_exact_term_asks_for(void **state)
{
	static const struct {
		const char *selector;
		const char *name;
	} rows[] = {{"metadata.name=a", "a"},
		    {"type=Opaque,metadata.name==a", "a"},
		    {"metadata.name!=a", NULL},
		    {"type=Opaque", NULL}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct selector s;
		char name[64] = "";
		_cleanup_failure_ struct failure f = {0};
		assert_int_equal(
		    selector_parse_fields(resource_by_plural("secrets"), rows[i].selector, &s, &f),
		    0);
		const char *is = selector_name(&s, name, sizeof(name));
		assert_int_equal(is == NULL, rows[i].name == NULL);
		if (is)
			assert_string_equal(is, rows[i].name);
		selector_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(labels_select_as_kubectl_does),
	    cmocka_unit_test(fields_select_what_the_resource_allows),
	    cmocka_unit_test(name_is_what_an_exact_term_asks_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
