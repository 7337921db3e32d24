/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/watch.h"

#include "tests/lib/bench.h"
#include "tests/lib/standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECRETS "/api/v1/namespaces/default/secrets"

static void watch(struct bench *b, struct diary *d, const char *name)
{
	struct err e;

	diary_init(d);
	if (k8s_watch_object(b->client, SECRETS, name, &diary_callbacks, d, &d->watch, &e) < 0)
		fail_msg("%s", e.message);
}

static void put(struct standin *s, const char *name, const char *value)
{
	char text[512];

	snprintf(
	    text, sizeof(text),
	    "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"%s\"},\"stringData\":{\"k\":\"%s\"}}",
	    name, value);
	standin_put(s, text);
}

static void an_object_is_told_as_it_changes(void **state _unused_)
{
	struct standin s;
	struct bench b;
	struct diary d;

	standin_start(&s, NULL);
	put(&s, "a", "1");
	bench_start(&b, s.kubeconfig, NULL);
	watch(&b, &d, "a");
	diary_expect(&d, &b, "object a=1", 1);
	put(&s, "a", "2");
	put(&s, "other", "9");
	diary_expect(&d, &b, "object a=2", 1);
	standin_delete(&s, "secrets", "default", "a");
	diary_expect(&d, &b, "gone a", 1);
	assert_string_equal(buf_str(&d.text), "up\nobject a=1\nobject a=2\ngone a\n");
	diary_done(&d);
	bench_stop(&b);
	standin_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_object_is_told_as_it_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
